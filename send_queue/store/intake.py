"""Enqueueing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from send_queue.model import Json

from .connection import Connection, fetch_rows, fetch_value, function_call, transaction, translate_errors

# --- getting messages in ----------------------------------------------------------------------------------


def enqueue(conn: Connection, **named: Any) -> tuple[UUID, bool]:
    """Call send_enqueue in the transaction of `conn`, if one is open; return (id, created)."""
    row = fetch_rows(conn, "send_enqueue", named).fetchone()
    if row is None:
        raise AssertionError("send_enqueue returns one row, always")
    return row[0], row[1]


async def fetch_async(conn: psycopg.AsyncConnection[Any], function: str, named: dict[str, Any]) -> Any:
    """Call a function inside whatever transaction `conn` is in; return its first row, a tuple."""
    query, given = function_call(function, named)
    with translate_errors():
        async with conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(query, given)
            return await cursor.fetchone()


def prospect_fields(conn: Connection, campaign: str, channel: str, recipient: str, workspace: str | None) -> Json:
    fields: Json | None = fetch_value(
        conn, "send_prospect_fields", campaign=campaign, channel=channel, recipient=recipient, workspace=workspace
    )
    return fields or {}


STAGED = (
    "line", "recipient", "message", "subject", "name", "first_name", "last_name", "company", "email", "phone",
    "linkedin_user_id", "timezone", "attributes", "payload", "priority", "scheduled_for", "expires_at", "account",
    "dedupe_key",
)  # fmt: skip
"""Columns of a staged line, in order; attributes and payload are JSON text."""


def import_lines(
    conn: Connection,
    lines: Iterable[Sequence[Any]],
    campaign: str,
    channel: str,
    workspace: str | None,
    at: datetime | None,
    keep: Callable[[Json], bool],
    skip_contacted: timedelta | None = None,
    again: bool = False,
) -> Json:
    """Copy lines (as `STAGED`) into the database and enqueue them, all or none.

    Returns send_import's answer. Stores the lines if none is wrong and `keep` accepts the answer.
    """
    with transaction(conn):
        fetch_value(conn, "send_import_stage")
        # No function can wrap COPY.
        copying = cast(Any, f"copy send_import_lines ({', '.join(STAGED)}) from stdin")
        with conn.cursor() as cursor, cursor.copy(copying) as copy:
            for line in lines:
                copy.write_row(line)
        named = {"campaign": campaign, "channel": channel, "workspace": workspace, "skip_contacted": skip_contacted,
                 "again": again}  # fmt: skip
        answer: Json = fetch_value(conn, "send_import", **named, at=at)
        if not keep(answer):
            raise psycopg.Rollback
    return answer
