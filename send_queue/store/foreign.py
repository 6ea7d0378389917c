"""Errors raised by objects that are not ours, in our tables' way: a trigger, a constraint, a policy, a rule.

The sentence names the object, since only its owner can mend it. Ours are those of sql/.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import psycopg
from psycopg import errors

from send_queue.model import UserError
from send_queue.store import schema

# A frame of PL/pgSQL, whatever the server's language: the function's signature, then the number of a line.
_FRAME = re.compile(r"PL/\w+\b.*?([\w$.\"]+)\([^)]*\)\D+\d")
_POLICY = re.compile(r'policy "([^"]+)" for table "([^"]+)"')
_RULE = re.compile(r"\brules?\b|RETURNING on relation")


_OF_THE_SERVER = ("08", "25", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATEs that no object raises by itself: a lost connection, a deadlock, a time-out, a full disk."""


def refusal(error: psycopg.Error, said: str) -> UserError | None:
    """Name the foreign object that refused a statement and the remedy; None: the error is not of one."""
    if (error.sqlstate or "08")[:2] in _OF_THE_SERVER:
        return None
    diag = error.diag
    name, table = diag.constraint_name or "", diag.table_name or ""
    if function := _foreign_function(diag.context or ""):
        return UserError(
            f"Your function {function}, which a trigger calls, refuses a change of the queue ({said}): mend the"
            " function, or drop its trigger."
        )
    if isinstance(error, errors.IntegrityError) and name and not _is_ours(name, table):
        if isinstance(error, errors.ForeignKeyViolation) and table not in _words():
            return UserError(
                f"Rows of your table {table} refer to rows of the queue that would go, by the foreign key {name}:"
                " declare it `on delete set null` or `on delete cascade`, or delete those rows first."
            )
        return UserError(
            f"Your constraint {name} on {table} refuses it ({said}): mend the value or drop the constraint."
        )
    if isinstance(error, errors.NotNullViolation) and diag.column_name and diag.column_name not in _words():
        return UserError(
            f"Your column {diag.column_name} of {table} may not be null: give it a default, or drop the rule."
        )
    if isinstance(error, errors.InsufficientPrivilege) and (found := _POLICY.search(said)):
        return UserError(
            f"Your row level security policy {found[1]} on {found[2]} refuses it: change or drop the policy."
        )
    if isinstance(error, errors.FeatureNotSupported) and _RULE.search(said):
        return UserError(
            f"A rule of yours on a table of the queue rewrites statements ({said}): drop it, `pg_rules` lists them, and"
            " write a trigger instead."
        )
    return None


def _foreign_function(context: str) -> str | None:
    """Return the innermost function of an error's context that is not ours."""
    for line in context.splitlines():
        found = _FRAME.match(line)
        if found and (name := found[1].rpartition(".")[2].strip('"')) not in _words() | {"inline_code_block"}:
            return name
    return None


def _is_ours(constraint: str, table: str) -> bool:
    """Whether sql/ makes a constraint or an index, by its name or the name that the server gives."""
    if constraint in _words():
        return True
    column = re.sub(r"^_|_(pkey|fkey|key|not_null)\d*$", "", constraint.removeprefix(table))
    return table in _words() and constraint.startswith(table) and (column in _words() or column in ("", "pkey"))


@cache
def _words() -> frozenset[str]:
    """All words of our SQL, and the names of its files."""
    files = [Path(path) for path in schema.sql_dir().rglob("*.sql")]
    made = (re.findall(r"\w+", path.read_text()) for path in files if path.parent.name == "migrations")
    return frozenset(path.stem for path in files).union(*made)
