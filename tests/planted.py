"""What a stranger may plant where everybody may create things in our schema: functions and operators that fit the
arguments of our SQL better than those of the server, and functions of our own names that need fewer arguments.

Each of them raises, so that whoever calls one is found.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from send_queue.store import schema, signatures

Connection = psycopg.Connection[Any]

TYPES = [
    "text",
    "uuid",
    "int",
    "int8",
    "int2",
    "timestamptz",
    "interval",
    "date",
    "time",
    "bool",
    "jsonb",
    "float8",
    "numeric",
    "text[]",
    "uuid[]",
    "date[]",
    "int[]",
    "tstzrange",
    "tstzrange[]",
    "name",
    "oid",
    "regclass",
    "oid[]",
    '"char"',
    "int2vector",
    "oidvector",
]
"""Those of our columns and variables, and of the catalogs that we read."""

COMPARING = ["=", "<>", "<", "<=", ">", ">=", "@>", "<@", "&&", "?", "~", "~*", "!~", "!~*", "~~", "!~~", "^@"]
MAKING = ["+", "-", "*", "/", "%", "||", "->", "->>"]

OPERATORS: LiteralString = """
do $do$
declare
    v_pair record;
    v_name text;
begin
    for v_pair in select l, r from unnest({types}::text[]) l, unnest({types}::text[]) r loop
        -- Of the type that a query expects: else it would be refused, instead of misled.
        execute format('create function planted_test(a %1$s, b %2$s) returns bool language plpgsql as '
            '$f$ begin raise exception ''planted: an operator of %1$s and %2$s'' using errcode = ''SQXXX''; end $f$;'
            'create function planted_value(a %1$s, b %2$s) returns %1$s language plpgsql as '
            '$f$ begin raise exception ''planted: an operator of %1$s and %2$s'' using errcode = ''SQXXX''; end $f$',
            v_pair.l, v_pair.r);
        for v_name in select n from unnest({both}::text[]) n where not exists (
                select from pg_operator o where o.oprname = n and o.oprnamespace = 'pg_catalog'::regnamespace
                and o.oprleft = v_pair.l::regtype and o.oprright = v_pair.r::regtype) loop
            execute format('create operator %s (function = %I, leftarg = %s, rightarg = %s)', v_name,
                case when v_name = any ({making}::text[]) then 'planted_value' else 'planted_test' end,
                v_pair.l, v_pair.r);
        end loop;
    end loop;
end $do$
"""

FUNCTION: LiteralString = """
create function {name}({arguments}) returns text language plpgsql as
$f$ begin raise exception 'planted: %', {said} using errcode = 'SQXXX'; end $f$
"""


def plant_operators(conn: Connection) -> None:
    conn.execute(sql.SQL(OPERATORS).format(types=TYPES, both=COMPARING + MAKING, making=MAKING))


def plant_server_functions(conn: Connection) -> None:
    """Functions that are named like those of the server that our SQL calls, of one to eight arguments."""
    called = {
        name for file in schema.sql_dir().rglob("*.sql") for name in re.findall(r"\b([a-z]\w*)\(", file.read_text())
    }
    there = "select proname, oidvectortypes(proargtypes) from pg_proc where pronamespace = 'pg_catalog'::regnamespace"
    servers = conn.execute(there).fetchall()
    fitting = [[kind] for kind in TYPES] + [["text", kind] for kind in TYPES] + [["text"] * n for n in range(3, 9)]
    for name in sorted(called & {name for name, _ in servers}):
        for arguments in fitting:
            if (name, ", ".join(arguments)) not in servers:
                _plant(conn, name, arguments)


def plant_shorter(conn: Connection) -> None:
    """Functions that are named like ours, without their last arguments."""
    for file in sorted((schema.sql_dir() / "functions").glob("*.sql")):
        kinds = [f"{name} {kind}" for name, (kind, _) in signatures.parameters(schema.sql_dir(), file.stem).items()]
        for n in range(len(kinds)):
            _plant(conn, file.stem, kinds[:n])


def _plant(conn: Connection, name: str, arguments: list[str]) -> None:
    made = sql.SQL(FUNCTION).format(
        name=sql.Identifier(name),
        arguments=sql.SQL(", ").join(sql.SQL(part) for part in arguments),
        said=name,
    )
    with suppress(errors.DuplicateFunction, errors.InvalidFunctionDefinition, errors.InvalidParameterValue):
        conn.execute(made)
