"""Match the columns of a list to fields, as other tools and people name them.

A column matches by a field's own name, a common name, or `--map "Column=field"`. Any other column is an attribute of
the prospect, with its name in small letters and underscores. Columns of companies ("Company Linkedin Url", "Corporate
Phone") never match a person's field.

Sources of the names: the headers of exports of Apollo, Evaboot, HubSpot, Sales Navigator exporters and LinkedIn's own
Connections.csv, as their help pages and users show them.
"""

from __future__ import annotations

import re
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


@dataclass(frozen=True, slots=True)
class Columns:
    """`names`: the field or attribute of each column, in order; empty: a column without a name. `renamed`: {column:
    field} of those that differ; texts may use either."""

    names: tuple[str, ...]
    renamed: Mapping[str, str]


def score(header: Sequence[str], channel: str, mapped: Mapping[str, str]) -> int:
    """Count the columns that match a field if this line is the header: the real header has most."""
    return sum(any(matched(cell, field, channel, header) for field in KNOWN) or cell.strip() in mapped
               for cell in header)  # fmt: skip


def matched(column: str, field: str, channel: str, header: Sequence[str]) -> int | None:
    """Return the rank of a column's match: 1 the field's own name, 2 the first group of `COMMON`; None: no match."""
    folded = placeholders.fold(column)
    if folded and folded == placeholders.fold(field):
        return 1
    if folded in OF_LINKEDIN and not (
        channel.startswith("linkedin") or any(placeholders.fold(name) == "connectedon" for name in header)
    ):
        return None
    return next((n for n, group in enumerate(COMMON.get(field, ()), 2) if folded in group), None)


def match(header: Sequence[str], channel: str, mapped: Mapping[str, str]) -> Columns:
    """Give each column its field. `mapped`: {column: field}, of `--map`.

    Raises `UserError` with the options to add if two columns match the channel's address equally, or none matches and
    some may hold it.
    """
    chosen = _mapped(header, mapped)
    for field in KNOWN:
        if field in chosen.values():
            continue
        ranks = {i: rank for i, cell in enumerate(header)
                 if i not in chosen and (rank := matched(cell, field, channel, header))}  # fmt: skip
        best = [i for i, rank in ranks.items() if rank == min(ranks.values())]
        if len(best) > 1 and len({header[i].strip() for i in best}) == 1:
            raise UserError(f"The file has the column {header[best[0]].strip()!r} twice: rename one.")
        if len(best) > 1 and (min(ranks.values()) == 1 or field in ("recipient", ADDRESS.get(channel))):
            raise UserError(
                f"The file has several columns for {field}: add one of {_options(header, best, field)} to say which."
            )
        if best:
            chosen[best[0]] = field
    names: list[str] = []
    renamed: dict[str, str] = {}
    for i, cell in enumerate(header):
        own = _attribute(cell)
        name = chosen.get(i) or own
        if i in chosen and own and placeholders.fold(own) != placeholders.fold(name):
            renamed[own] = name
        while name and name in names:
            name += "_2"
        names.append(name)
    return Columns(tuple(names), {own: field for own, field in renamed.items() if own not in names})


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
    return " or ".join(f"--map {_quoted(f'{header[i].strip()}={field}')}" for i in which)


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
