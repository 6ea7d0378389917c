"""Placeholders: which field a name means, and what in a text looks like a placeholder and is none.

Every tool of this trade has a syntax of its own. A text that was written for another one would go out with its
placeholders in it, so the command refuses whatever looks like one and is not filled in. `--literal` sends it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from send_queue.model import UserError

WORD = r"[^\W\d_][^\W_]*"
"""A word begins with a letter; underscores part words, as blanks do."""
BARE = rf"_*{WORD}(?:[ \t_.-]{{1,3}}[^\W_]+){{0,4}}_*"
NAME = rf"[ \t]*{BARE}[ \t]*"
"""The name of a field as people write it: up to five words."""

SURE = re.compile(
    rf"""
      \{{\{{ [ \t#/^&!$@>]{{0,5}} {WORD} [^{{}}\n]{{0,100}} \}}\}}   # {{{{firstName}}}} {{{{#if x}}}}
    | \{{% [^%\n]{{1,100}} %\}}                                    # {{% if x %}}
    | \{{ [!$@]? (?:{NAME}|\d{{1,2}}) \}}                          # {{x}} {{First Name}} ${{x}} {{0}}
    | \{{ [^{{}}|\n]{{1,60}} (?:\| [^{{}}|\n]{{0,60}}){{1,20}} \}} # {{Hi|Hello}}: one of several texts
    | \[\[ {NAME} \]\]
    | << {NAME} >>
    | (?<![\w%]) % [^\W\d_] \w{{1,40}} % (?!\w)                    # %FIRSTNAME%, and no byte of a URL: %C3%A9
    | %% {NAME} %%
    | %\( {NAME} \) s
    | \*\| [^|\n]{{1,60}} \|\*                                     # *|FNAME|*
    """,
    re.VERBOSE,
)
"""What nobody writes in a letter."""

PERHAPS = re.compile(
    rf"\[ ({NAME}) \] (?!\() | (?<!<) < ({NAME}) > (?!>) | « ({NAME}) » | (?<![\w%]) % ({BARE}) % (?!\w)", re.VERBOSE
)
"""A placeholder where its last word says so: [First Name], and not [see here]."""

SIGNS = re.compile(r"[{\[<«%]|\*\|")
"""Without one of these there is no placeholder."""

NOUNS = frozenset((
    "name", "firstname", "lastname", "surname", "fullname", "forename", "nickname", "company", "companyname", "email",
    "organization", "organisation", "employer", "title", "jobtitle", "position", "role", "industry", "sector", "city",
    "country", "location", "website", "domain", "url", "phone", "vorname", "nachname", "firma", "prénom", "nom",
    "entreprise", "nombre", "apellido", "empresa",
))  # fmt: skip
"""Last words of placeholders in brackets."""


@lru_cache(4096)
def fold(name: str) -> str:
    """What all the ways to write a field's name have in common: neither case nor what parts its words counts.

    >>> {fold("first_name"), fold("firstName"), fold(" First Name "), fold("FIRST-NAME")}
    {'firstname'}
    """
    return re.sub(r"[\W_]+", "", name).casefold()


def meant(name: str, fields: Iterable[Any]) -> str | None:
    """The field that a name means: the one that is called so, else the only one that differs in its writing alone.

    >>> meant("firstName", ["first_name", "company"]), meant("nick", ["first_name"])
    ('first_name', None)
    """
    if isinstance(fields, Mapping) and name in fields:
        return name
    there = [field for field in fields if isinstance(field, str)]
    if name in there:
        return name
    folded = fold(name)
    alike = [field for field in there if folded and fold(field) == folded]
    return alike[0] if len(alike) == 1 else None


def found(text: str, fields: Iterable[str] = (), *, html: bool = False) -> str | None:
    """The first thing in a text that looks like a placeholder; None: nothing does. `fields`: names that are
    placeholders in any brackets. `html` True: what is in <> is a tag.

    >>> found("Hi [First Name]"), found("Hi %FIRSTNAME%"), found("Hi Ada, 50 % off [see here]")
    ('[First Name]', '%FIRSTNAME%', None)
    """
    if not SIGNS.search(text):
        return None
    if sure := SURE.search(text):
        return sure[0]
    names = {fold(field) for field in fields}
    for perhaps in PERHAPS.finditer(text):
        if html and perhaps[2]:
            continue
        name = next(filter(None, perhaps.groups()))
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
        last = (words[-2] if len(words) > 1 and words[-1].lower() == "here" else words[-1]).casefold()
        if last in NOUNS or fold(name) in names:
            return perhaps[0]
    return None


def why_not(text: str, fields: Iterable[str], write: str, *, html: bool = False) -> str | None:
    """Say that a text has something that looks like a placeholder and is none; None: it has not.

    `write` says how a field is written there, by the example of `first_name`: "write {first_name}".
    """
    fields = [field for field in fields if field]
    if (odd := found(text, fields, html=html)) is None:
        return None
    field = meant(re.sub(r"^\W+|\W+$", "", odd), fields)
    mend = write.replace("first_name", field) if field else f"use one of the fields ({', '.join(sorted(fields))})"
    return f"has {odd}, which would be sent as it stands: {mend}, or add --literal to send it so"


def refuse(text: str, what: str, fields: Iterable[str], write: str, *, html: bool = False) -> None:
    """Refuse a text that has something that looks like a placeholder and is none. Raises `UserError`."""
    if why := why_not(text, fields, write, html=html):
        raise UserError(f"{what} {why}.")
