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
      \{{\{{ [ \t#/^&!$@>.]{{0,5}} {WORD} [^{{}}\n]{{0,100}} \}}\}}   # {{{{firstName}}}} {{{{#if x}}}}
    | \{{% [^%\n]{{1,100}} %\}}                                    # {{% if x %}}
    | \{{ [!$@]? (?:{NAME}|\d{{1,2}}) \}}                          # {{x}} {{First Name}} ${{x}} {{0}}
    | \{{ [^{{}}|\n]{{1,60}} (?:\| [^{{}}|\n]{{0,60}}){{1,20}} \}} # {{Hi|Hello}}: one of several texts
    | \[\[ {NAME} \]\]
    | << {NAME} >>
    | <%[=-]? {NAME} -?%>
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

OF_A_FIELD = re.compile(
    rf"""
      (?<![\w$]) \$ ([^\W\d_]\w{{1,40}})
    | (?<!\w) __ ([^\W\d_](?:_?[^\W_]){{0,40}}) __ (?!\w)
    | (?<![\w#]) \# ({BARE}) \# (?!\w)
    | \(\( ({NAME}) \)\)
    | (?<![\w|]) \| ({BARE}) \| (?![\w|])
    """,
    re.VERBOSE,
)
"""A placeholder where a field is called so: $first_name, and not $ada."""

OF_WORDS = re.compile(rf"(?<![\w@]) @ ([^\W\d_]\w{{1,40}}) | (?<![\w:]) : ({BARE}) : (?![\w:])", re.VERBOSE)
"""A placeholder where a field of several words is called so: @first_name, and neither @company nor :phone:."""

BEFORE_A_FIELD = re.compile(
    rf"[$#%] \{{ ({NAME}) \}} | [$#%] \{{\{{ ({NAME}) \}}\}} | (?<!\{{) \{{{{3}} ({NAME}) \}}{{3}} (?!\}})", re.VERBOSE
)
"""What other tools write, of which ours would fill in a part: ${{first_name}} would be sent as $Ada."""

SIGNS = re.compile(r"[{\[<«%$@#|:]|__|\(\(")
"""Without one of these there is no placeholder."""

NOUNS = frozenset((
    "name", "firstname", "lastname", "surname", "fullname", "forename", "nickname", "company", "companyname", "email",
    "organization", "organisation", "employer", "title", "jobtitle", "position", "role", "industry", "sector", "city",
    "country", "location", "website", "domain", "url", "phone", "vorname", "nachname", "firma", "prénom", "nom",
    "entreprise", "nombre", "apellido", "empresa", "fname", "lname",
))  # fmt: skip
"""Last words of placeholders in brackets."""

PEOPLE = frozenset(("firstname", "lastname", "fullname", "fname", "lname", "companyname", "jobtitle"))
"""What fields are called everywhere, whether there are such or not, and nothing else is."""

NARROW = str.maketrans("＜＞｛｝［］％＄＠＃｜（）：＿", "<>{}[]%$@#|():_")
"""Signs in full width."""

NOTHING = re.compile(
    r"\#(?:N/A|n/a|NA|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|ERROR!|SPILL!|CALC!|FIELD!|GETTING_DATA|\#+)|Err:\d{3}"
    r"|N/A|n/a|n\.a\.|null|NULL|\(null\)|None|nan|NaN|undefined|\[object Object\]|\\N|-+|[\u2013\u2014]"
)
"""What spreadsheets and programs write where there is nothing. People are called Null and Nan, but not null and nan."""


def is_nothing(cell: object) -> bool:
    """Whether a value is what spreadsheets and programs write where there is none.

    >>> is_nothing("#N/A"), is_nothing(" null "), is_nothing("Null")
    (True, True, False)
    """
    return isinstance(cell, str) and NOTHING.fullmatch(cell.strip()) is not None


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
    as_it_stands, text = text, text.translate(NARROW)
    if not SIGNS.search(text):
        return None
    if sure := SURE.search(text):
        return as_it_stands[sure.start() : sure.end()]
    known = list(fields)
    names = {fold(field) for field in known}
    of_words = {fold(field) for field in known if re.search(r"[^\W_][\W_]+[^\W_]|[a-z][A-Z]", field)}
    for pattern, meant_so in ((OF_A_FIELD, names | PEOPLE), (OF_WORDS, of_words | PEOPLE)):
        for perhaps in pattern.finditer(text):
            if fold(next(filter(None, perhaps.groups()))) in meant_so:
                return as_it_stands[perhaps.start() : perhaps.end()]
    for perhaps in PERHAPS.finditer(text):
        if html and perhaps[2]:
            continue
        name = next(filter(None, perhaps.groups()))
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
        last = (words[-2] if len(words) > 1 and words[-1].lower() == "here" else words[-1]).casefold()
        if last in NOUNS or fold(name) in names:
            return as_it_stands[perhaps.start() : perhaps.end()]
    return None


def is_whole(cell: str) -> bool:
    """Whether a cell is a placeholder and nothing else, which somebody has not filled in.

    >>> is_whole("{{last_name}}"), is_whole("Analytical {Engines}")
    (True, False)
    """
    return found(cell) == cell.strip() != ""


def beside(text: str) -> str | None:
    """The first field in a text of {fields} that has the signs of another tool around it; None: none has.

    >>> beside("Hi ${first_name}"), beside("It costs ${price}, Ada")
    ('${first_name}', None)
    """
    for odd in BEFORE_A_FIELD.finditer(text):
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", next(filter(None, odd.groups()))))
        if odd[3] or words[-1].casefold() in NOUNS:  # of a sum or of a tag, $ and # are
            return odd[0]
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


def refuse_signs(text: str, what: str) -> None:
    """Refuse a text of {fields} in which one has the signs of another tool around it. Raises `UserError`."""
    if odd := beside(text):
        name = re.sub(r"^\W+|\W+$", "", odd)
        raise UserError(f"{what} has {odd}, of which only {{{name}}} would be filled in: write {{{name}}}, or add "
                        "--literal to send the rest as it stands.")  # fmt: skip


def refuse(text: str, what: str, fields: Iterable[str], write: str, *, html: bool = False) -> None:
    """Refuse a text that has something that looks like a placeholder and is none. Raises `UserError`."""
    if why := why_not(text, fields, write, html=html):
        raise UserError(f"{what} {why}.")
