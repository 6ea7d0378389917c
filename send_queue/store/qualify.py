"""Qualify SQL text: `pg_catalog.` before each call of the server's functions, a type behind each JSON key.

Postgres chooses a function by its arguments before the search_path: a stranger who may create functions in our schema
could plant a `format(text, text)`, which fits better than the server's `format(text, variadic "any")` and would run
with the next caller's rights. Nobody can take over a qualified name. `migrate` qualifies the text at installation, so
that the files stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Collection

REVISION = 1
"""The version of this module's rules: `migrate` reinstalls functions and views after a change."""

_TOKENS = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/                      # comments
    | (?P<key>(?:->>?|\?)\s*'(?:[^']|'')*')(?!::)   # keys of JSON
    | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' # strings
    | "(?:[^"]|"")*"                            # quoted names
    | (?P<qualified>\.\s*[A-Za-z_]\w*)          # a name after a dot
    | (?P<call>[A-Za-z_]\w*)\(                  # calls; a list of columns follows a blank
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
    """Return SQL with `pg_catalog.` before each call of one of `functions`, the names in the server's catalog.

    Skips comments and strings, except bodies in dollar quotes, which are code.
    """

    def replaced(token: re.Match[str]) -> str:
        if token["key"]:
            return f"{token['key']}::text"
        name = token["call"]
        if name is None or name.lower() in _SYNTAX or name.lower() not in functions:
            return token[0]
        if name.lower() == "unnest" and _has_several_arguments(text, token.end()):
            return token[0]  # with several arrays it is grammar, which names pg_catalog itself
        return f"pg_catalog.{token[0]}"

    return _TOKENS.sub(replaced, text)


def _has_several_arguments(text: str, start: int) -> bool:
    """Whether the call with arguments from `start` on has several."""
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
