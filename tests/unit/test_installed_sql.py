"""How SQL files are installed and called: nothing is left to the server that a stranger's function could answer."""

from __future__ import annotations

import re

import pytest

from send_queue.store import qualify, schema, signatures

FOLDER = schema.sql_dir()
FUNCTIONS = {"count", "format", "unnest", "now", "lower", "substring", "numeric"}


@pytest.mark.parametrize(
    ("text", "installed"),
    [
        ("select format('%s', now())", "select pg_catalog.format('%s', pg_catalog.now())"),
        ("select count(*) from t", "select pg_catalog.count(*) from t"),
        ("select pg_catalog.format('x')", "select pg_catalog.format('x')"),
        ("select 'format(1)', \"format\"(1) -- now()", "select 'format(1)', \"format\"(1) -- now()"),
        ("select E'it\\'s now()', lower(x)", "select E'it\\'s now()', pg_catalog.lower(x)"),
        ("$$ begin return now(); end $$", "$$ begin return pg_catalog.now(); end $$"),
        ("/* now() */ select other.format(1)", "/* now() */ select other.format(1)"),
        ("select substring(x from 1), 1::numeric(9, 2)", "select substring(x from 1), 1::numeric(9, 2)"),
        ("from unnest(a) x", "from pg_catalog.unnest(a) x"),
        ("from unnest('{a,b}'::text[]) x", "from pg_catalog.unnest('{a,b}'::text[]) x"),
        ("from unnest(a, array[b, c]) x", "from unnest(a, array[b, c]) x"),
        ("select x -> 'a' ->> 'b', y ->> 0", "select x -> 'a'::text ->> 'b'::text, y ->> 0"),
        ("insert into format (a)", "insert into format (a)"),
        ("select send_enqueue(now())", "select send_enqueue(pg_catalog.now())"),
    ],
)
def test_calls_of_the_server_are_qualified(text: str, installed: str) -> None:
    """The server's own functions are named with their schema, keys of JSON with their type, and no more."""
    assert qualify.qualified(text, FUNCTIONS) == installed


def test_our_functions_are_called_with_all_their_arguments() -> None:
    """A function of our name with fewer parameters would fit better than one of ours whose default is left to the
    server."""
    short = []
    names = [file.stem for file in (FOLDER / "functions").glob("*.sql")]
    for file in FOLDER.rglob("*.sql"):
        text = re.sub(r"--[^\n]*|'[^']*'", "''", file.read_text())
        for call in re.finditer(rf"(?<!function )\b({'|'.join(names)})\(", text):
            if _arguments(text, call.end()) < len(signatures.parameters(FOLDER, call[1])):
                short.append(f"{file.name}: {text[call.start() : call.end() + 60]}")
    assert short == []


def _arguments(text: str, start: int) -> int:
    """How many arguments a call has that begins at `start`."""
    depth, commas = 0, 0
    for n, character in enumerate(text[start:]):
        depth += (character in "([") - (character in ")]")
        commas += character == "," and depth == 0
        if depth < 0:
            return commas + 1 if text[start : start + n].strip() else 0
    raise AssertionError("the call does not end")


def test_a_call_names_every_parameter_with_its_type() -> None:
    """Those that are given have a placeholder, all others their default."""
    query = signatures.query(FOLDER, "send_claim", frozenset(["worker", "at"]))
    assert query.startswith("select * from send_claim(worker => %(worker)s::text, max_rows => 1::int, lease => '5 min")
    assert "at => %(at)s::timestamptz, account => null::text" in query
