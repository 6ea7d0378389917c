"""All that the report shows, gathered in a few calls whose cost does not grow with what was ever sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
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

PLAYED = 20_000
"""How many waiting sends are played forward unasked: about a second's worth."""

AHEAD = 7
"""Days of forecast."""

SCHEDULES = 6
"""How many schedules have their week drawn: those that most accounts and campaigns go by."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A schedule that is in use, and its next seven days; or why they cannot be told."""

    name: str
    timezone: str
    accounts: int
    campaigns: int
    days: tuple[week.Day, ...]
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known at a moment, for people whose clocks show `zone`."""

    at: datetime
    zone: tzinfo
    days: int
    every: timedelta
    limit: int | None
    """What cron is taken to start `every` so often: `run-once` with this limit; None: `run`."""
    status: Json
    """Of `explain.status`: the counts, the lanes, the campaigns, what waits to be tried again."""
    past: Json
    """Of send_report: the last days, the newest tries, the rows that need a person."""
    calendars: tuple[Calendar, ...]
    advice: tuple[Advice, ...]
    ahead: Forecast | None
    not_played: str = ""
    """Why there is no forecast, as a sentence."""


def gather(
    conn: Connection,
    at: datetime | None,
    zone: tzinfo,
    days: int,
    every: timedelta,
    limit: int | None,
    play: bool | None = None,
) -> Figures:
    """Gather the figures of the last `days`; `every` is how often cron runs, and `limit` what a run takes (None: all).

    `play` says whether the queue is played forward: None does so where no more than `PLAYED` sends wait.
    """
    status = explain.status(conn, at)
    now = datetime.fromisoformat(status["at"])
    past = store.report(conn, now, days)
    ahead, not_played = _ahead(conn, now, zone, every, limit, play, status["queue"].get("pending", 0))
    return Figures(
        at=now, zone=zone, days=days, every=every, limit=limit, status=status, past=past,
        calendars=tuple(_calendar(row, now) for row in past["schedules"][:SCHEDULES]),
        advice=tuple(advice(status)), ahead=ahead, not_played=not_played,
    )  # fmt: skip


def _calendar(row: Json, at: datetime) -> Calendar:
    known = row["name"], row["timezone"], row["accounts"], row["campaigns"]
    try:
        return Calendar(*known, tuple(week.week(schedule_text.schedule_from(row), at)))
    except calendar.ScheduleError as error:  # it was spoilt by hand
        return Calendar(*known, (), str(error))


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
        return None, "It was not asked for."
    if play is None and pending > PLAYED:
        return None, (f"It takes a while with {pending:,} sends: see `send-queue forecast`, or write the report with "
                      "--forecast.")  # fmt: skip
    try:
        return forecast.forecast(conn, at, days=AHEAD, every=every, limit=limit, tz=zone), ""
    except UserError as error:  # a role or a server that may only read
        return None, str(error)
