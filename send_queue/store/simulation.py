"""Facts and temporary copies for simulations of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from send_queue.model import Json

from .connection import Connection, fetch_rows, fetch_value

# --- simulation -------------------------------------------------------------------------------------------


def forecast(conn: Connection, at: datetime | None, send_id: UUID | None) -> Json:
    answer: Json = fetch_value(conn, "send_forecast", at=at, send_id=send_id)
    return answer


def forecast_backlog(conn: Connection, at: datetime) -> list[tuple[Any, ...]]:
    """Return rows of (account_id, channel, campaign_id, priorities, scheduled, expires, counts, nths)."""
    return fetch_rows(conn, "send_forecast_backlog", {"at": at}).fetchall()


def explain_backlog(
    conn: Connection, send_id: UUID, at: datetime, lanes: Sequence[tuple[str, str]], max_rows: int
) -> list[tuple[Any, ...]]:
    """Return the same for these lanes, row by row, then the send's place among them, and whether all rows are here."""
    named = {
        "send_id": send_id, "at": at, "accounts": [UUID(account_id) for account_id, _ in lanes],
        "channels": [channel for _, channel in lanes], "max_rows": max_rows,
    }  # fmt: skip
    return fetch_rows(conn, "send_explain_backlog", named).fetchall()


def quiet_days(conn: Connection, zone: str, quiet_from: str, quiet_until: str, at: int) -> list[tuple[int, int]]:
    """Return a zone's spans between quiet hours that end after a moment: begin and end, in microseconds."""
    named = {"zone": zone, "quiet_from": quiet_from, "quiet_until": quiet_until, "at": at}
    return fetch_rows(conn, "send_quiet_days", named).fetchall()


def rehearse_counts(conn: Connection, at: datetime) -> None:
    """Count limits from copies until the end of the transaction."""
    fetch_value(conn, "send_simulate_counts", at=at)


def rehearse_rooms(
    conn: Connection,
    at: int,
    every: int,
    used: Sequence[Sequence[Any]],
    sent: Sequence[Sequence[Any]],
    asked: Sequence[Sequence[Any]],
) -> list[tuple[Any, ...]]:
    """Return a row (room, until, next_run, room_then, rule, detail) for each request; moments in microseconds."""
    named = {"at": at, "every": every, "used": Jsonb(used), "sent": Jsonb(sent), "asked": Jsonb(asked)}
    return fetch_rows(conn, "send_simulate_capacities", named).fetchall()
