"""Match names with fields, and find text that looks like a placeholder and is none.

Every mailing tool has its own syntax. A text for another tool would go out with its placeholders, so the command
refuses them. `--literal` sends them unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from send_queue.model import UserError

WORD = r"[^\W\d_][^\W_]*"
"""A word begins with a letter; underscores separate words like blanks."""
BARE = rf"_*{WORD}(?:[ \t_.-]{{1,3}}[^\W_]+){{0,4}}_*"
NAME = rf"[ \t]*{BARE}[ \t]*"
"""A field's name as people write it: up to five words."""

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
"""A placeholder if a field has this name: $first_name, but not $ada."""

OF_WORDS = re.compile(rf"(?<![\w@]) @ ([^\W\d_]\w{{1,40}}) | (?<![\w:]) : ({BARE}) : (?![\w:])", re.VERBOSE)
"""A placeholder if a field has this name and several words: @first_name, but neither @company nor :phone:."""

BEFORE_A_FIELD = re.compile(
    rf"[$#%] \{{ ({NAME}) \}} | [$#%] \{{\{{ ({NAME}) \}}\}} | (?<!\{{) \{{{{3}} ({NAME}) \}}{{3}} (?!\}})", re.VERBOSE
)
"""Other tools' placeholders, of which send-queue would fill in a part: ${{first_name}} would become $Ada."""

SIGNS = re.compile(r"[{\[<«%$@#|:]|__|\(\(")
"""Every placeholder has one of these signs."""

NOUNS = frozenset((
    "name", "firstname", "lastname", "surname", "fullname", "forename", "nickname", "company", "companyname", "email",
    "organization", "organisation", "employer", "title", "jobtitle", "position", "role", "industry", "sector", "city",
    "country", "location", "website", "domain", "url", "phone", "vorname", "nachname", "firma", "prénom", "nom",
    "entreprise", "nombre", "apellido", "empresa", "fname", "lname",
))  # fmt: skip
"""Last words of placeholders in brackets."""

PEOPLE = frozenset(("firstname", "lastname", "fullname", "fname", "lname", "companyname", "jobtitle"))
"""Names that are always fields, whether the file has them or not."""

NARROW = str.maketrans("＜＞｛｝［］％＄＠＃｜（）：＿", "<>{}[]%$@#|():_")
"""Signs in full width."""

NOTHING = re.compile(
    r"\#(?:N/A|n/a|NA|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|ERROR!|SPILL!|CALC!|FIELD!|GETTING_DATA|\#+)|Err:\d{3}"
    r"|N/A|n/a|n\.a\.|null|NULL|\(null\)|None|nan|NaN|undefined|\[object Object\]|\\N|-+|[\u2013\u2014]"
)
"""Words of spreadsheets and programs for an empty value. Null and Nan are also names; null and nan are not."""


def is_nothing(cell: object) -> bool:
    """Whether a value is a spreadsheet's or program's word for an empty value.

    >>> is_nothing("#N/A"), is_nothing(" null "), is_nothing("Null")
    (True, True, False)
    """
    return isinstance(cell, str) and NOTHING.fullmatch(cell.strip()) is not None


@lru_cache(4096)
def fold(name: str) -> str:
    """Fold a field's name: ignore case and the separators of words.

    >>> {fold("first_name"), fold("firstName"), fold(" First Name "), fold("FIRST-NAME")}
    {'firstname'}
    """
    return re.sub(r"[\W_]+", "", name).casefold()


def meant(name: str, fields: Iterable[Any]) -> str | None:
    """Return the field with this name, else the only one with the same folded name; None: neither.

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
    """Find the first text that looks like a placeholder; None: no such text. Names in `fields` are placeholders in any
    brackets. `html` True: <> holds tags.

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
    """Whether a cell is a lone placeholder that nobody filled in.

    >>> is_whole("{{last_name}}"), is_whole("Analytical {Engines}")
    (True, False)
    """
    return found(cell) == cell.strip() != ""


def beside(text: str) -> str | None:
    """Find the first of the {fields} that has another tool's signs around it; None: none has.

    >>> beside("Hi ${first_name}"), beside("It costs ${price}, Ada")
    ('${first_name}', None)
    """
    for odd in BEFORE_A_FIELD.finditer(text):
        words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", next(filter(None, odd.groups()))))
        if odd[3] or words[-1].casefold() in NOUNS:  # $ may begin a sum, # a tag
            return odd[0]
    return None


def why_not(text: str, fields: Iterable[str], write: str, *, html: bool = False) -> str | None:
    """Write the refusal of a text with something like a placeholder that is none; None: it has nothing like that.

    `write` shows the syntax with `first_name`: "write {first_name}".
    """
    fields = [field for field in fields if field]
    if (odd := found(text, fields, html=html)) is None:
        return None
    field = meant(re.sub(r"^\W+|\W+$", "", odd), fields)
    mend = write.replace("first_name", field) if field else f"use one of the fields ({', '.join(sorted(fields))})"
    return f"has {odd}, which would be sent unchanged: {mend}, or add --literal if you mean that"


def refuse_signs(text: str, what: str) -> None:
    """Raise `UserError` if one of the {fields} has another tool's signs around it."""
    if odd := beside(text):
        name = re.sub(r"^\W+|\W+$", "", odd)
        raise UserError(f"{what} has {odd}, of which only {{{name}}} would be filled in: write {{{name}}}, or add "
                        "--literal to send the rest unchanged.")  # fmt: skip


def refuse(text: str, what: str, fields: Iterable[str], write: str, *, html: bool = False) -> None:
    """Raise `UserError` if a text has something like a placeholder that is none."""
    if why := why_not(text, fields, write, html=html):
        raise UserError(f"{what} {why}.")
