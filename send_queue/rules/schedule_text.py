"""Read an operator's schedule, and check it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pendulum

from send_queue.model import Json, Minutes, Schedule, Weekday, Window
from send_queue.rules import holiday_calendars
from send_queue.rules.calendar import (
    _CLOCK,
    _MIDNIGHT,
    _WEEKDAYS,
    ScheduleError,
    _Pair,
    _text,
    _unknown_zone,
    is_abbreviation,
    next_window,
    openings,
)

# --- reading ----------------------------------------------------------------------------------------------


def schedule_from(row: Mapping[str, Any]) -> Schedule:
    """Read a row of `send_schedules` in its JSON form.

    `hours` maps weekdays to lists of pairs, `{"mon": [["07:00", "18:00"]]}`; a missing weekday is closed.
    `closed_on` and `open_on` are lists of ISO dates, or null. Raises ScheduleError.
    """
    hours = {_weekday(name): _pairs_from(name, pairs) for name, pairs in row["hours"].items() if pairs}
    return Schedule(
        name=row["name"],
        timezone=row["timezone"],
        hours=hours,
        skip_holidays=bool(row.get("skip_holidays")),
        holiday_country=row.get("holiday_country"),
        holiday_subdivision=row.get("holiday_subdivision"),
        holiday_calendars=tuple(row.get("holiday_calendars") or ()),
        closed_on=_dates(row.get("closed_on")),
        open_on=_dates(row.get("open_on")),
    )


def hours_from_text(hours: Sequence[str], days: str | None) -> dict[str, list[list[str]]]:
    """Read `--hours`, which may be repeated, and `--days` into the JSON form of a schedule's hours.

    Days before hours apply to these; other hours apply to `days`, or Monday to Friday if None. Raises ScheduleError,
    also for overlapping pairs.

    >>> hours_from_text(["mon,wed 09:00-12:00", "22:00-02:00"], "fri")
    {'mon': [['09:00', '12:00']], 'wed': [['09:00', '12:00']], 'fri': [['22:00', '02:00']]}
    """
    by_day: dict[Weekday, list[_Pair]] = {weekday: [] for weekday in range(7)}
    for text in hours:
        # An element's days precede its first digit.
        first_digit = next((i for i, character in enumerate(text) if character.isdigit()), len(text))
        on = _days(text[:first_digit].strip() or days or "mon-fri")
        pairs = [_pair_from(word) for word in _words(text[first_digit:])]
        if not pairs:
            raise ScheduleError(f"There are no hours in {text!r}: write them such as {_EXAMPLE}.")
        for weekday in on:
            by_day[weekday] += pairs
    if not any(by_day.values()):
        raise ScheduleError(f"A schedule needs hours: write them such as {_EXAMPLE}.")
    for weekday, pairs in by_day.items():
        pairs.sort()
        for one, other in pairwise(pairs):
            if other[0] < one[1] or one[1] <= one[0]:
                raise ScheduleError(
                    f"The hours {_text(one)} and {_text(other)} of {_WEEKDAYS[weekday]} overlap: write them "
                    "as one pair, or give each its own days, such as --hours 'fri 08:00-12:00'."
                )
    return {
        _WEEKDAYS[weekday]: [_text(pair).split("-") for pair in pairs] for weekday, pairs in by_day.items() if pairs
    }


def check(schedule: Schedule, at: datetime) -> Window:
    """Check a schedule before it is stored; return its first window at or after `at`.

    Raises NeverOpens, and ScheduleError for an unknown zone or calendar of holidays, holidays without a country, and a
    date both closed and open.
    """
    check_zone(schedule.timezone)
    # Calendars that are not skipped now may be later.
    named = any((schedule.skip_holidays, schedule.holiday_country, schedule.holiday_subdivision,
                 schedule.holiday_calendars))  # fmt: skip
    for calendar in holiday_calendars.of_schedule(replace(schedule, skip_holidays=True)) if named else ():
        holiday_calendars.check(calendar)
    for day in sorted(schedule.closed_on & schedule.open_on):
        raise ScheduleError(f"{day} is both closed and open: name it in --closed or in --open, not in both.")
    return next_window(schedule, at)


CACHED_WINDOWS = 5
"""Windows of a schedule that the database stores ahead."""

NEVER_OPENS = Window(datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def window_row(row: Mapping[str, Any], at: datetime) -> tuple[Json, ScheduleError | None]:
    """Return the windows after `at` for send_set_windows, and the error of a schedule that never opens.

    `row` is as in `schedule_from`, with `id` and `version`.
    """
    never: ScheduleError | None = None
    try:
        first, *later = openings(schedule_from(row), at, CACHED_WINDOWS)
    except ScheduleError as error:
        never, first, later = error, NEVER_OPENS, []
    return {
        "id": row["id"],
        "version": row["version"],
        "window_since": at.isoformat(),
        "opens_at": first.opens_at.isoformat(),
        "closes_at": first.closes_at.isoformat(),
        "later": [[window.opens_at.isoformat(), window.closes_at.isoformat()] for window in later],
    }, never


def check_zone(name: str) -> None:
    """Refuse any name outside the time zone database: an abbreviation or an offset would be wrong half the year.

    Raises ScheduleError with a suggestion.
    """
    # `localtime` depends on the machine, and `Factory` stands for no place.
    if is_abbreviation(name) or name not in pendulum.timezones() - {"localtime", "Factory"}:
        raise ScheduleError(_unknown_zone(name))


_EXAMPLE = "07:00-18:00, 09:00-12:00,13:00-17:00 or 'fri 08:00-12:00'"


def _words(text: str) -> list[str]:
    return re.sub(r"\s*[-–]\s*", "-", text.lower()).replace(",", " ").split()


def _pairs_from(weekday: str, pairs: Any) -> tuple[_Pair, ...]:
    """Read a weekday's pairs, in order. A person may have written the row, so it may hold any JSON."""
    try:
        return tuple(sorted(_pair(begins, ends) for begins, ends in pairs))
    except ScheduleError:
        raise
    except (TypeError, ValueError):
        raise ScheduleError(
            f'The hours {pairs!r} of {weekday} are not a list of pairs: write them as [["07:00", "18:00"]].'
        ) from None


def _pair_from(word: str) -> _Pair:
    begins, dash, ends = word.partition("-")
    if not dash:
        raise ScheduleError(f"{word!r} is not a pair of times: write hours such as {_EXAMPLE}.")
    return _pair(begins, ends)


def _pair(begins: str, ends: str) -> _Pair:
    pair = _minutes(begins), _minutes(ends)
    if pair[0] == _MIDNIGHT:
        raise ScheduleError(f"{begins}-{ends} begins when its day is over: write 00:00 and the day after.")
    if pair[0] == pair[1]:
        raise ScheduleError(f"{begins}-{ends} begins and ends at once: for a whole day write 00:00-24:00.")
    return pair


def _minutes(clock: str) -> Minutes:
    if not _CLOCK.fullmatch(clock):
        raise ScheduleError(f"{clock!r} is not a time from 00:00 to 24:00: write hours such as {_EXAMPLE}.")
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _days(text: str) -> set[Weekday]:
    days: set[Weekday] = set()
    for word in _words(text):
        first, dash, last = word.partition("-")
        begins = _weekday(first)
        ends = _weekday(last) if dash else begins
        days.update((begins + i) % 7 for i in range((ends - begins) % 7 + 1))  # sun-thu wraps around the week
    return days


def _weekday(name: str) -> Weekday:
    try:
        return _WEEKDAYS.index(name)
    except ValueError:
        raise ScheduleError(f"{name!r} is not a weekday: write days such as mon-fri, sun-thu or mon,wed,fri.") from None


def _dates(dates: Sequence[str] | None) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(str(day)) for day in dates or ())
    except ValueError as wrong:
        raise ScheduleError(f"A date is wrong ({wrong}): write dates such as 2026-12-24.") from None
