"""Facts and copies that a simulation of the queue works on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from send_queue.model import Json

from .connection import Connection, fetch_rows, fetch_value

# --- rehearsing -------------------------------------------------------------------------------------------


def forecast(conn: Connection, at: datetime | None, send_id: UUID | None) -> Json:
    answer: Json = fetch_value(conn, "send_forecast", at=at, send_id=send_id)
    return answer


def forecast_backlog(conn: Connection, at: datetime) -> list[tuple[Any, ...]]:
    """Rows of (account_id, channel, campaign_id, priorities, scheduled, expires, counts, nths), as the function has
    them."""
    return fetch_rows(conn, "send_forecast_backlog", {"at": at}).fetchall()


def explain_backlog(
    conn: Connection, send_id: UUID, at: datetime, lanes: Sequence[tuple[str, str]], max_rows: int
) -> list[tuple[Any, ...]]:
    """The same of these lanes, row by row, and at the end where the send is among them, and whether all are here."""
    named = {
        "send_id": send_id, "at": at, "accounts": [UUID(account_id) for account_id, _ in lanes],
        "channels": [channel for _, channel in lanes], "max_rows": max_rows,
    }  # fmt: skip
    return fetch_rows(conn, "send_explain_backlog", named).fetchall()


def quiet_days(conn: Connection, zone: str, quiet_from: str, quiet_until: str, at: int) -> list[tuple[int, int]]:
    """The days of a zone between quiet hours that end after a moment: when each begins and ends, in microseconds."""
    named = {"zone": zone, "quiet_from": quiet_from, "quiet_until": quiet_until, "at": at}
    return fetch_rows(conn, "send_quiet_days", named).fetchall()


def rehearse_counts(conn: Connection, at: datetime) -> None:
    """From here to the end of the transaction, limits are counted from copies."""
    fetch_value(conn, "send_simulate_counts", at=at)


def rehearse_rooms(
    conn: Connection,
    at: int,
    every: int,
    used: Sequence[Sequence[Any]],
    sent: Sequence[Sequence[Any]],
    asked: Sequence[Sequence[Any]],
) -> list[tuple[Any, ...]]:
    """Rows of (room, until, next_run, room_then, rule, detail), one for each that is asked; moments in microseconds."""
    named = {"at": at, "every": every, "used": Jsonb(used), "sent": Jsonb(sent), "asked": Jsonb(asked)}
    return fetch_rows(conn, "send_simulate_capacities", named).fetchall()
