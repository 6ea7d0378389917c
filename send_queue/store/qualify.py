"""Write `pg_catalog.` before each call of the server's own functions in the text of a SQL file, and the type behind
each key of JSON.

Postgres chooses a function by its arguments before it looks at the search_path: a stranger who may create functions
in our schema could plant a `format(text, text)` that fits better than the server's `format(text, variadic "any")`, and
have it run with the rights of the next caller. A qualified name cannot be taken over. Files stay readable, since
`migrate` qualifies them when it installs them.
"""

from __future__ import annotations

import re
from collections.abc import Collection

REVISION = 1
"""Counts the changes of what this module does: functions and views are installed anew after one."""

_TOKENS = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/                      # comments
    | (?P<key>(?:->>?|\?)\s*'(?:[^']|'')*')(?!::)   # keys of JSON
    | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' # strings
    | "(?:[^"]|"")*"                            # quoted names
    | (?P<qualified>\.\s*[A-Za-z_]\w*)          # what follows a dot
    | (?P<call>[A-Za-z_]\w*)\(                  # calls; a list of columns stands behind a blank
    | [A-Za-z_]\w*
    """,
    re.VERBOSE | re.DOTALL,
)

_STRING_OR_CHARACTER = re.compile(r"'[^']*'|.", re.DOTALL)

_SYNTAX = frozenset(
    [
        "extract",
        "normalize",
        "overlay",
        "position",
        "substring",
        "trim",
        "bit",
        "char",
        "decimal",
        "float",
        "interval",
        "numeric",
        "time",
        "timestamp",
        "timestamptz",
        "varbit",
        "varchar",
    ]  # types with a length
)


def qualified(text: str, functions: Collection[str]) -> str:
    """Return SQL with `pg_catalog.` before each call of one of `functions`, the names that the server's catalog has.

    Comments and strings are left alone, except for bodies between dollar quotes, which are code here.
    """

    def replaced(token: re.Match[str]) -> str:
        if token["key"]:
            return f"{token['key']}::text"
        name = token["call"]
        if name is None or name.lower() in _SYNTAX or name.lower() not in functions:
            return token[0]
        if name.lower() == "unnest" and _has_several_arguments(text, token.end()):
            return token[0]  # the grammar takes several arrays apart, and names pg_catalog itself
        return f"pg_catalog.{token[0]}"

    return _TOKENS.sub(replaced, text)


def _has_several_arguments(text: str, start: int) -> bool:
    """Whether the call whose arguments begin at `start` has more than one."""
    depth = 0
    for part in _STRING_OR_CHARACTER.finditer(text, start):
        character = part[0]
        if character in "([":
            depth += 1
        elif character in ")]":
            if depth == 0:
                return False
            depth -= 1
        elif character == "," and depth == 0:
            return True
    return False
