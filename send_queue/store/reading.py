"""Queries of people: explain, status, lists, history, doctor, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.range import TimestamptzRange

from send_queue.model import (
    Claimed,
    Json,
    Window,
)

from .connection import Connection, fetch_rows, fetch_value, function_call, translate_errors
from .queue import Filters, claimed


@dataclass(frozen=True, slots=True)
class Person:
    """A recipient, however it is written, and a part of a name; None: any."""

    recipient: str | None = None
    name: str | None = None

    def __bool__(self) -> bool:
        return self.recipient is not None or self.name is not None


ANYBODY = Person()


@dataclass(frozen=True, slots=True)
class Span:
    """The bounds of a list, by the time that orders it; None: none. `newest`: the latest first."""

    since: datetime | None = None
    until: datetime | None = None
    newest: bool = False


ALWAYS = Span()


def explain(conn: Connection, send_id: UUID, at: datetime | None, windows: Sequence[Window] | None = None) -> Json:
    ranges = [TimestamptzRange(w.opens_at, w.closes_at) for w in windows] if windows is not None else None
    answer: Json = fetch_value(conn, "send_explain", id=send_id, at=at, windows=ranges)
    return answer


def status(conn: Connection, at: datetime | None) -> Json:
    answer: Json = fetch_value(conn, "send_status", at=at)
    return answer


def report(conn: Connection, at: datetime | None, days: int) -> Json:
    answer: Json = fetch_value(conn, "send_report", at=at, days=days)
    return answer


def doctor(conn: Connection, at: datetime | None) -> Json:
    answer: Json = fetch_value(conn, "send_doctor", at=at)
    return answer


@dataclass(frozen=True, slots=True)
class AccountInUse:
    """An account whose provider needs an environment, as a send without text; `label` has its workspace."""

    send: Claimed
    label: str
    status: str
    waiting: int


def doctor_accounts(conn: Connection, max_rows: int = 10_000) -> list[AccountInUse]:
    """Return the accounts of all providers but `log`; those with the most waiting sends first."""
    found = []
    for (row,) in fetch_rows(conn, "send_doctor_accounts", {"max_rows": max_rows}):
        label, status, waiting = (row.pop(name) for name in ("label", "status", "waiting"))
        [send] = claimed([row])
        found.append(AccountInUse(send, label, status, waiting))
    return found


def quiet_doctor(conn: Connection) -> list[Json]:
    answer: list[Json] = fetch_value(conn, "send_quiet_doctor")
    return answer


def zones_doctor(conn: Connection) -> Json:
    answer: Json = fetch_value(conn, "send_zones_doctor")
    return answer


def sends(
    conn: Connection, filters: Filters, status: str | None, max_rows: int, person: Person = ANYBODY, span: Span = ALWAYS
) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_sends", _sends(filters, status, max_rows, person, span))]


def _sends(filters: Filters, status: str | None, max_rows: int, person: Person, span: Span) -> dict[str, Any]:
    return {
        "status": status, "account": filters.account, "channel": filters.channel, "campaign": filters.campaign,
        "max_rows": max_rows, "recipient": person.recipient, "name": person.name, "since": span.since,
        "until": span.until, "newest": span.newest,
    }  # fmt: skip


def iter_sends(
    conn: Connection, filters: Filters, status: str | None, max_rows: int | None, person: Person = ANYBODY,
    span: Span = ALWAYS,
) -> Iterator[Json]:  # fmt: skip
    """Like `sends`, streamed; `max_rows` None: all."""
    given = _sends(filters, status, ALL if max_rows is None else max_rows, person, span)
    query, arguments = function_call("send_sends", given)
    with translate_errors(), conn.cursor() as cursor:
        for (row,) in cursor.stream(query, arguments):
            yield row


ALL = 2**31 - 1
"""The largest int, above the rows of any table."""


def history(conn: Connection, send_id: UUID) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_history", {"id": send_id})]


def meter_attempts(conn: Connection) -> None:
    fetch_value(conn, "send_meter_attempts")


def metrics(conn: Connection, at: datetime | None) -> Json:
    answer: Json = fetch_value(conn, "send_metrics", at=at)
    return answer


def send(conn: Connection, send_id: UUID) -> Json:
    answer: Json = fetch_value(conn, "send_sends", id=send_id)
    return answer


def listed(conn: Connection, kind: str, id: UUID | None = None, channel: str | None = None) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_list", {"kind": kind, "id": id, "channel": channel})]
