"""The report's data, read in a few calls whose cost does not grow with the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from send_queue import store
from send_queue.core import explain
from send_queue.insight import forecast
from send_queue.insight.report import week
from send_queue.insight.report.advice import Advice, advice
from send_queue.model import Json, UserError
from send_queue.rules import calendar, schedule_text
from send_queue.store import Connection

if TYPE_CHECKING:
    from send_queue.insight.forecast import Forecast

MAX_SIMULATED_SENDS = 20_000
"""Simulate up to this many waiting sends by default, about a second's work."""

FORECAST_DAYS = 7
"""Days of forecast."""

SCHEDULES = 6
"""Schedules with a drawn week: those of the most accounts and campaigns."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A schedule in use, with its next seven days, or the error that hides them."""

    name: str
    timezone: str
    accounts: int
    campaigns: int
    days: tuple[week.Day, ...]
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The data at a moment, for readers in `zone`."""

    at: datetime
    zone: tzinfo
    days: int
    every: timedelta
    limit: int | None
    """The forecast's command, started `every` so often: `run-once` with this limit; None: `run`."""
    status: Json
    """`explain.status`: counts, lanes, campaigns, retries."""
    past: Json
    """send_report: the last days, the newest tries, the rows for a person."""
    calendars: tuple[Calendar, ...]
    advice: tuple[Advice, ...]
    ahead: Forecast | None
    not_played: str = ""
    """The sentence that replaces the forecast."""
    holidays: Mapping[date, str] = field(default_factory=dict)
    """Days, past and to come, on which all schedules of `calendars` are closed, with the first one's reason."""


def gather(
    conn: Connection,
    at: datetime | None,
    zone: tzinfo,
    days: int,
    every: timedelta,
    limit: int | None,
    play: bool | None = None,
) -> Figures:
    """Read the data of the last `days`. Cron starts a run `every` so often; `limit`: its most sends (None: all).

    `play`: whether to simulate the queue; None: only if at most `MAX_SIMULATED_SENDS` sends wait.
    """
    status = explain.status(conn, at)
    now = datetime.fromisoformat(status["at"])
    past = store.report(conn, now, days)
    ahead, not_played = _ahead(conn, now, zone, every, limit, play, status["queue"].get("pending", 0))
    return Figures(
        at=now, zone=zone, days=days, every=every, limit=limit, status=status, past=past,
        calendars=tuple(_calendar(row, now) for row in past["schedules"][:SCHEDULES]),
        advice=tuple(advice(status)), ahead=ahead, not_played=not_played,
        holidays=_holidays(past["schedules"][:SCHEDULES], now - timedelta(days=days), days + FORECAST_DAYS + 1),
    )  # fmt: skip


def _calendar(row: Json, at: datetime) -> Calendar:
    known = row["name"], row["timezone"], row["accounts"], row["campaigns"]
    try:
        return Calendar(*known, tuple(week.week(schedule_text.schedule_from(row), at)))
    except calendar.ScheduleError as error:  # edited by hand
        return Calendar(*known, (), str(error))


def _holidays(rows: Sequence[Json], since: datetime, days: int) -> Mapping[date, str]:
    closed = []
    for row in rows:
        with suppress(calendar.ScheduleError):  # edited by hand: `_calendar` has the error
            closed.append(dict(calendar.closed_days(schedule_text.schedule_from(row), since, days)))
    return {day: reason for day, reason in closed[0].items() if all(day in other for other in closed)} if closed else {}


def _ahead(
    conn: Connection,
    at: datetime,
    zone: tzinfo,
    every: timedelta,
    limit: int | None,
    play: bool | None,
    pending: int,
) -> tuple[Forecast | None, str]:
    if not pending:
        return None, "Nothing waits."
    if play is False:
        return None, "Not requested."
    if play is None and pending > MAX_SIMULATED_SENDS:
        return None, (f"It takes a while with {pending:,} sends: see `send-queue forecast`, or write the report with "
                      "--forecast.")  # fmt: skip
    try:
        return forecast.forecast(conn, at, days=FORECAST_DAYS, every=every, limit=limit, tz=zone), ""
    except UserError as error:  # a read-only role or server
        return None, str(error)
