"""The hours of seven days in which a schedule is open, on its own wall clock. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

from send_queue.model import Minutes, Schedule, Window
from send_queue.rules import calendar

DAYS = 7
OPENINGS = 200
"""Of seven days: more than 28 a day are cut."""


@dataclass(frozen=True, slots=True)
class Day:
    """One date: when it is open, in minutes from its midnight, and, where it is not at all, why."""

    date: date
    open: tuple[tuple[Minutes, Minutes], ...]
    closed: Literal["holiday", "weekend", "schedule"] | None
    detail: str


def week(schedule: Schedule, at: datetime) -> list[Day]:
    """The date of `at` and the six after it. Raises `calendar.ScheduleError` where the schedule cannot be read."""
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
    # Of a night in which the clocks go back a span may seem to end before it begins.
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
