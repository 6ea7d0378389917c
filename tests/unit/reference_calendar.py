"""The calendar as slow and obvious as it can be: look at the wall clock minute by minute, and read the rules.

Shares nothing with `send_queue.rules.calendar` but the schedule itself and the data of zones.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache

import holidays

from send_queue.model import Schedule
from send_queue.rules import zones

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def open_minutes(schedule: Schedule, since: datetime, until: datetime) -> bytearray:
    """One byte for each minute of `[since, until)`: 1 when the schedule is open at its beginning, else 0."""
    zone = zones.zone(schedule.timezone)
    public_holidays = holidays.country_holidays(
        schedule.holiday_country or "US",
        subdiv=schedule.holiday_subdivision,
        years=range(since.year - 1, until.year + 2),
    )

    def is_day_off(day: date) -> bool:
        if day in schedule.open_on:
            return False
        return day in schedule.closed_on or (schedule.skip_holidays and day in public_holidays)

    def pairs_that_begin_on(day: date) -> list[tuple[int, int]]:
        if is_day_off(day):
            return []
        if day.weekday() in schedule.hours:
            return list(schedule.hours[day.weekday()])
        if day in schedule.open_on and schedule.hours:
            return list(schedule.hours[min(schedule.hours)])
        return []

    @cache
    def is_open_by_minute(day: date) -> list[bool]:
        """For each minute of the wall clock of `day`."""
        by_minute = [False] * 1440
        if is_day_off(day):
            return by_minute
        for begins, ends in pairs_that_begin_on(day):
            for minute in range(begins, ends if begins < ends else 1440):
                by_minute[minute] = True
        for begins, ends in pairs_that_begin_on(day - DAY):
            if ends <= begins:
                for minute in range(ends):
                    by_minute[minute] = True
        return by_minute

    minutes = bytearray()
    moment = since.astimezone(UTC)
    while moment < until:
        wall = moment.astimezone(zone)
        minutes.append(is_open_by_minute(wall.date())[wall.hour * 60 + wall.minute])
        moment += MINUTE
    return minutes
