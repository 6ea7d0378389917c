"""The parameters of our SQL functions, read from the files that create them.

A call passes every parameter with its type, so that it fits our function exactly. If a default were left to the server,
a stranger's function of the same name with fewer parameters would fit better and run (docs/architecture.md).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HEAD = re.compile(r"create or replace function \w+\((.*?)\)\s*(?:returns|language)\b", re.DOTALL)
_PARAMETER = re.compile(r"\s*(\w+) (.+?)(?: default (.+?))?\s*", re.DOTALL)
_COMMA = re.compile(r",(?=(?:[^']*'[^']*')*[^']*$)")  # none in a string


@cache
def query(folder: Path, function: str, given: frozenset[str]) -> str:
    """Return the text of a call of `function`, perhaps qualified, with placeholders for the parameters in `given` and
    the defaults of the others. Raises FileNotFoundError for a function that is not ours."""
    known = parameters(folder, function.rpartition(".")[2])
    arguments = [
        f"{name} => {f'%({name})s' if name in given else default.replace('%', '%%')}::{kind}"
        for name, (kind, default) in known.items()
    ]
    unknown = given - known.keys()
    assert not unknown, f"{function} has no parameter {', '.join(sorted(unknown))}"
    return f"select * from {function}({', '.join(arguments)})"  # noqa: S608 — our names; values are parameters


@cache
def parameters(folder: Path, function: str) -> dict[str, tuple[str, str]]:
    """Return the name of each parameter of a function in `folder`, in order, with its type and its default."""
    head = _HEAD.search((folder / "functions" / f"{function}.sql").read_text())
    assert head, f"{function}.sql does not create {function}"
    found = [_PARAMETER.fullmatch(part) for part in _COMMA.split(head[1]) if part.strip()]
    return {match[1]: (match[2], match[3] or "null") for match in found if match and match[1] != "out"}
