"""A schedule's open hours in seven days, on its own wall clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

from send_queue.model import Minutes, Schedule, Window
from send_queue.rules import calendar

DAYS = 7
OPENINGS = 200
"""The most openings of seven days, 28 a day; the rest are cut."""


@dataclass(frozen=True, slots=True)
class Day:
    """One date: its open hours in minutes from its midnight, or the reason why it is closed."""

    date: date
    open: tuple[tuple[Minutes, Minutes], ...]
    closed: Literal["holiday", "weekend", "schedule"] | None
    detail: str


def week(schedule: Schedule, at: datetime) -> list[Day]:
    """Return the date of `at` and the next six. Raises `calendar.ScheduleError` for an unreadable schedule."""
    zone = calendar.zone_of(schedule.timezone)
    today = at.astimezone(zone).date()
    dates = [today + timedelta(days=n) for n in range(DAYS)]
    try:
        windows = calendar.openings(schedule, _midnight(today, zone), OPENINGS)
    except calendar.NeverOpens:
        windows = []
    return [_day(schedule, date, zone, windows) for date in dates]


def _day(schedule: Schedule, day: date, zone: tzinfo, windows: list[Window]) -> Day:
    begins, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    spans = [
        (_minutes(max(w.opens_at, begins), day, zone), _minutes(min(w.closes_at, ends), day, zone))
        for w in windows
        if w.opens_at < ends and w.closes_at > begins
    ]
    # When clocks go back, a span may seem to end before it begins.
    spans = [(since, until) for since, until in spans if since < until]
    if spans:
        return Day(day, tuple(spans), None, "")
    because = calendar.closed_because(schedule, datetime.combine(day, time(12), zone))
    return Day(day, (), *(because or ("schedule", "closed")))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _minutes(moment: datetime, day: date, zone: tzinfo) -> Minutes:
    there = moment.astimezone(zone)
    return 24 * 60 if there.date() > day else there.hour * 60 + there.minute
