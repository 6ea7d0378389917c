"""Match the columns of a list to fields, as other tools and people name them.

A column matches by a field's own name, a common name, or `--map "Column=field"`. Any other column is an attribute of
the prospect, with its name in small letters and underscores. Columns of companies ("Company Linkedin Url", "Corporate
Phone") never match a person's field.

Sources of the names: the headers of exports of Apollo, Evaboot, HubSpot, Sales Navigator exporters and LinkedIn's own
Connections.csv, as their help pages and users show them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from send_queue.model import UserError
from send_queue.rules import placeholders

ADDRESS = {
    "linkedin_invite": "linkedin_user_id",
    "linkedin_message": "linkedin_user_id",
    "email": "email",
    "sms": "phone",
}
"""The field of a person that holds the recipient, by channel; `recipient` precedes it."""

PERSON = ("name", "first_name", "last_name", "company", "email", "phone", "linkedin_user_id", "timezone")
KNOWN = (
    "recipient", "message", "subject", "priority", "scheduled_for", "expires_at", "account", "dedupe_key", "payload",
    *PERSON,
)  # fmt: skip
"""All fields."""

COMMON: Mapping[str, Sequence[Sequence[str]]] = {
    "linkedin_user_id": (
        ("personlinkedinurl", "contactlinkedinurl", "prospectlinkedinurl", "leadlinkedinurl", "linkedinprofileurl",
         "linkedinpublicurl", "publiclinkedinurl", "linkedinurlpublic", "linkedinprofile", "linkedinmemberid"),
        ("linkedinurl", "linkedin", "linkedinlink", "linkedincontactprofileurl", "hslinkedinurl", "defaultprofileurl"),
        ("profileurl", "profilelink", "url"),
        ("salesnavigatorurl", "salesnavurl", "salesnavigatorprofileurl", "linkedinsalesnavurl", "vmid"),
    ),
    "email": (
        ("emailaddress", "workemail", "businessemail", "professionalemail", "contactemail", "primaryemail", "mail"),
        ("personalemail", "email1", "secondaryemail"),
    ),
    "phone": (
        ("phonenumber", "mobilephone", "mobile", "mobilenumber", "mobilephonenumber", "cellphone", "cell"),
        ("workdirectphone", "directphone", "workphone", "homephone", "telephone", "phone1"),
        ("otherphone",),
    ),
    "first_name": (("first", "givenname", "vorname", "prenom"),),
    "last_name": (("last", "surname", "familyname", "nachname"),),
    "name": (("fullname", "contactname", "prospectname", "leadname"),),
    "company": (
        ("companyname", "organization", "organisation", "organizationname", "currentcompany", "associatedcompany"),
        ("companynameforemails", "employer"),
    ),
    "timezone": (("tz",),),
}  # fmt: skip
"""Common names of a field, without case, blanks and signs; an earlier group takes precedence."""

OF_LINKEDIN = ("profileurl", "profilelink", "url")
"""Names of the profile in a list for LinkedIn, and in LinkedIn's own export, which has a column Connected On."""

HINTS = {"linkedin_user_id": "linkedin|profile", "email": "mail", "phone": "phone|mobil|cell|tel"}
"""Words in the names of columns that may hold the address."""


MAX_OPTIONS = 5
"""Options that a refusal proposes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """`names`: the field or attribute of each column, in order; empty: a column without a name. `renamed`: {column:
    field} of those that differ; texts may use either."""

    names: tuple[str, ...]
    renamed: Mapping[str, str]


_FIELDS: Mapping[str, tuple[str, int]] = {
    **{
        name: (field, rank)
        for field, groups in COMMON.items()
        for rank, group in enumerate(groups, 2)
        for name in group
    },
    **{placeholders.fold(field): (field, 1) for field in KNOWN},
}
"""The field of each name, and the rank of the match: 1 the field's own name, 2 the first group of `COMMON`."""


def score(header: Sequence[str], channel: str, mapped: Mapping[str, str]) -> int:
    """Count the columns that match a field if this line is the header: the real header has most."""
    fields = _matches(header, channel)
    return sum(field is not None or cell.strip() in mapped for field, cell in zip(fields, header, strict=True))


def _matches(header: Sequence[str], channel: str) -> list[tuple[str, int] | None]:
    """Return the field that each column's name matches, with its rank; None: none."""
    folded = [placeholders.fold(cell) for cell in header]
    profiles = channel.startswith("linkedin") or "connectedon" in folded
    return [None if name in OF_LINKEDIN and not profiles else _FIELDS.get(name) for name in folded]


def match(header: Sequence[str], channel: str, mapped: Mapping[str, str]) -> Columns:
    """Give each column its field. `mapped`: {column: field}, of `--map`.

    Raises `UserError` with the options to add if two columns match the channel's address equally, or none matches and
    some may hold it.
    """
    chosen = _mapped(header, mapped)
    given = set(chosen.values())
    best: dict[str, tuple[int, list[int]]] = {}
    for i, matched in enumerate(_matches(header, channel)):
        if matched is None or i in chosen or matched[0] in given:
            continue
        field, rank = matched
        lowest, columns = best.get(field, (rank, []))
        if rank < lowest:
            best[field] = (rank, [i])
        elif rank == lowest:
            best[field] = (rank, [*columns[:MAX_OPTIONS], i])
    for field, (rank, columns) in best.items():
        if len(columns) > 1 and len({header[i].strip() for i in columns}) == 1:
            raise UserError(f"The file has the column {header[columns[0]].strip()!r} twice: rename one.")
        if len(columns) > 1 and (rank == 1 or field in ("recipient", ADDRESS.get(channel))):
            raise UserError(
                f"The file has several columns for {field}: add one of {_options(header, columns, field)} to say which."
            )
        chosen[columns[0]] = field
    names: list[str] = []
    renamed: dict[str, str] = {}
    seen: Counter[str] = Counter(chosen.values())
    for i, cell in enumerate(header):
        own = _attribute(cell)
        if i in chosen:
            names.append(chosen[i])
            if own and placeholders.fold(own) != placeholders.fold(chosen[i]):
                renamed[own] = chosen[i]
        else:
            seen[own] += 1
            names.append(own if not own or seen[own] == 1 else f"{own}_{seen[own]}")
    return Columns(tuple(names), {own: field for own, field in renamed.items() if own not in seen})


def hint(header: Sequence[str], channel: str) -> str:
    """Write the options that would name the address; empty: no column looks like it."""
    field = ADDRESS.get(channel, "recipient")
    words = HINTS.get(field, "recipient|address")
    likely = [
        i for i, cell in enumerate(header)
        if re.search(words, placeholders.fold(cell)) and not re.search("compan|corporate", cell.lower())
    ]  # fmt: skip
    return _options(header, likely, field)


def _options(header: Sequence[str], which: Sequence[int], field: str) -> str:
    return " or ".join(f"--map {_quoted(f'{header[i].strip()}={field}')}" for i in which[:MAX_OPTIONS])


def _quoted(text: str) -> str:
    return f'"{text}"' if not re.search(r'["$`\\!]', text) else "'" + text.replace("'", "'\\''") + "'"


def _attribute(column: str) -> str:
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")


def _mapped(header: Sequence[str], mapped: Mapping[str, str]) -> dict[int, str]:
    there = ", ".join(cell.strip() for cell in header if cell.strip())
    chosen: dict[int, str] = {}
    for column, field in mapped.items():
        found = [i for i, cell in enumerate(header) if cell.strip() == column.strip()] or [
            i for i, cell in enumerate(header) if placeholders.fold(cell) == placeholders.fold(column)
        ]
        if len(found) != 1:
            if not found and column in KNOWN and any(cell.strip() == field.strip() for cell in header):
                raise UserError(f"--map names the column first: write --map {_quoted(f'{field}={column}')}.")
            problem = "several columns" if found else "no column"
            raise UserError(f"The file has {problem} {column!r}, which --map names: its columns are {there}.")
        name = placeholders.meant(field, KNOWN)
        if name is None:
            raise UserError(
                f"--map {_quoted(f'{column}={field}')} names no field: use one of {', '.join(KNOWN)}; any other column "
                "keeps its own name."
            )
        if name in chosen.values():
            raise UserError(f"--map names two columns for {name}: leave one out.")
        chosen[found[0]] = name
    return chosen
