"""The calendar as slow and obvious as it can be: look at the wall clock minute by minute, and read the rules.

Shares nothing with `send_queue.rules.calendar` but the schedule itself and the data of zones. Of the calendars beside
the country it reads markets alone, such as NYSE and NYSE:public,half_day@13:00.
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
    country = schedule.holiday_country or "US"
    closed_by_country: set[date] = set()
    made_up: dict[date, date] = {}
    years = range(since.year - 2, until.year + 2)
    for subdivision in {None, schedule.holiday_subdivision}:
        public_holidays = holidays.country_holidays(country, subdiv=subdivision, years=years, language="en_US")
        closed_by_country |= set(public_holidays)
        for day_off, name in public_holidays.items():
            if "substituted from" in name:
                worked = datetime.strptime(name[-11:-1], "%m/%d/%Y").date()  # noqa: DTZ007 - a day
                made_up[worked] = day_off
    half_days: dict[date, int] = {}
    for calendar in schedule.holiday_calendars:
        market, _, hour = calendar.partition(":public,half_day@")
        kinds = [("public", 0), ("half_day", int(hour[:2]) * 60)] if hour else [("public", 0)]
        for kind, minute in kinds:
            days = holidays.financial_holidays(market, years=years, categories=(kind,))
            half_days |= {day: min(minute, half_days.get(day, 1440)) for day in days}

    def closes_at(day: date) -> int:
        if day in schedule.open_on:
            return 1440
        if day in schedule.closed_on or (schedule.skip_holidays and day in closed_by_country):
            return 0
        return half_days.get(day, 1440) if schedule.skip_holidays else 1440

    def pairs_that_begin_on(day: date) -> list[tuple[int, int]]:
        if day.weekday() in schedule.hours:
            return list(schedule.hours[day.weekday()])
        if day in schedule.open_on and schedule.hours:
            return list(schedule.hours[min(schedule.hours)])
        if schedule.skip_holidays and day in made_up:
            return list(schedule.hours.get(made_up[day].weekday(), ()))
        return []

    @cache
    def is_open_by_minute(day: date) -> list[bool]:
        """For each minute of the wall clock of `day`."""
        by_minute = [False] * 1440
        for begins, ends in pairs_that_begin_on(day):
            if begins < closes_at(day):
                for minute in range(begins, ends if begins < ends else 1440):
                    by_minute[minute] = True
        for begins, ends in pairs_that_begin_on(day - DAY):
            if ends <= begins < closes_at(day - DAY) == 1440:
                for minute in range(ends):
                    by_minute[minute] = True
        return [is_open and minute < closes_at(day) for minute, is_open in enumerate(by_minute)]

    minutes = bytearray()
    moment = since.astimezone(UTC)
    while moment < until:
        wall = moment.astimezone(zone)
        minutes.append(is_open_by_minute(wall.date())[wall.hour * 60 + wall.minute])
        moment += MINUTE
    return minutes
