"""When a schedule is open: hours, weekends and holidays in its time zone. Pure.

    pairs      07:00-18:00 on the schedule's wall clock, several a day, or over midnight
    intervals  the same as moments in UTC, cut where the clocks change
    windows    intervals of one day, joined where they touch, in order; `next_window` gives the first of
               them, `openings` the first few

Rules:

- A moment is open if and only if its local wall time lies in `[from, to)` of a pair. In the spring night
  02:30-05:00 opens at 03:00, its first wall time. In the autumn night, where 01:30 comes twice, 01:30-05:00
  opens at the first 01:30, closes when the clocks go back to 01:00, and opens again.
- A pair over midnight belongs to the weekday on which it begins, and that day must be open.
- A day is open if its weekday has hours and it is neither a holiday (observed days included) nor in
  `closed_on`. A day in `open_on` is open despite these; without hours it takes those of the first weekday,
  from Monday, that has some.
- A make-up day without hours of its own takes those of the weekday that it replaces, where that is known.
- No moment of a holiday or of a day in `closed_on` is open: a pair over midnight ends there. No moment of a
  half day is open from its hour on.
- Windows never overlap, and each belongs to the day on which it begins: open around the clock is one window
  a day, and a pair that begins before the pair of the day before has ended opens when that one ends.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from heapq import heappop, heappush
from itertools import chain, islice
from typing import Literal

import pendulum

from send_queue.model import Minutes, Schedule, Window
from send_queue.model import ScheduleError as ScheduleError
from send_queue.rules import holiday_calendars, zones
from send_queue.rules.holiday_calendars import Holiday

_SEARCH_DAYS = 732
"""Search two years ahead for an opening, and then only the days in `open_on`."""

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT: Minutes = 24 * 60
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)

_Pair = tuple[Minutes, Minutes]


class NeverOpens(ScheduleError):
    """A schedule does not open within two years, nor on a later day in `open_on`."""


# --- the window -------------------------------------------------------------------------------------------


def next_window(schedule: Schedule, at: datetime) -> Window:
    """Find the window that holds `at`, else the next one.

    Both ends are in UTC. Every moment in a window gives that window, and `closes_at` gives the next.
    Raises NeverOpens, and ScheduleError for an unknown zone or country.

    Christmas Eve is in `closed_on`, Christmas Day is a holiday, a weekend follows:

    >>> from send_queue.rules.schedule_text import hours_from_text, schedule_from
    >>> office = schedule_from({
    ...     "name": "office",
    ...     "timezone": "America/New_York",
    ...     "hours": hours_from_text(["07:00-18:00"], "mon-fri"),
    ...     "skip_holidays": True,
    ...     "holiday_country": "US",
    ...     "closed_on": ["2026-12-24"],
    ... })
    >>> opens_at, closes_at = next_window(office, datetime(2026, 12, 24, 15, 0, tzinfo=UTC))
    >>> f"{opens_at:%A %d %B %H:%M} to {closes_at:%H:%M} UTC"
    'Monday 28 December 12:00 to 23:00 UTC'
    """
    return openings(schedule, at, 1)[0]


def openings(schedule: Schedule, at: datetime, count: int) -> list[Window]:
    """List the window that holds `at`, else the next one, and its successors.

    Returns 1 to `count` windows, within two years of `at` except for days in `open_on`. Raises as `next_window`.
    """
    windows = list(islice(_windows_from(schedule, at), count))
    if not windows:
        raise NeverOpens(_why_never(schedule, at))
    return windows


def closed_because(schedule: Schedule, at: datetime) -> tuple[Literal["schedule", "weekend", "holiday"], str] | None:
    """Return the rule that closes the schedule at `at`, with a detail for people; None: it is open.

    `weekend` is any weekday without hours; `schedule` an hour outside those of an open day.
    """
    zone = zone_of(schedule.timezone)
    wall = _wall(at, zone)
    day = wall.date()
    try:
        if next_window(schedule, at).opens_at <= at:
            return None
    except NeverOpens:
        pass
    pairs, off, closes = _pairs(schedule, day), _day_off(schedule, day), _closes(schedule, day)
    late = closes <= wall.hour * 60 + wall.minute or not pairs
    if off and (not closes or (late and _hours(schedule, day))):
        return "holiday", off.reason
    if not pairs:
        return "weekend", f"{day:%A}"
    hours = ", ".join(_text(pair if closes == _MIDNIGHT else (pair[0], _end(schedule, day, pair))) for pair in pairs)
    return "schedule", f"open {hours} {schedule.timezone}"


def closures(
    schedule: Schedule, since: datetime, until: datetime
) -> list[tuple[Literal["schedule", "weekend", "holiday"], str]]:
    """List the rules of `closed_because` from `since` to `until`, the next opening: that moment's, then each later
    day's on the schedule's calendar."""
    zone = zone_of(schedule.timezone)
    found = [closed_because(schedule, since)]
    day, opens_on = _local(since, zone) + timedelta(days=1), _local(until, zone)
    while day < opens_on:
        for midnight, _ in _intervals(zone, datetime.combine(day, time.min), datetime.combine(day, time.max)):
            found.append(closed_because(schedule, midnight))
        day += timedelta(days=1)
    return list(dict.fromkeys(because for because in found if because))


def closed_days(schedule: Schedule, at: datetime, days: int) -> list[tuple[date, str]]:
    """List the days with hours that are closed all the same, each with its reason, in the `days` days from `at` on."""
    return [(day, off.reason) for day, off in _days_off(schedule, at, days) if not _pairs(schedule, day)]


def half_days(schedule: Schedule, at: datetime, days: int) -> list[tuple[date, str]]:
    """List the days with hours that close early, each with its reason, in the `days` days from `at` on."""
    return [(day, off.reason) for day, off in _days_off(schedule, at, days) if _pairs(schedule, day)]


def make_up_days(schedule: Schedule, at: datetime, days: int) -> list[tuple[date, str]]:
    """List the days without hours that a calendar opens, each with its hours, in the `days` days from `at` on."""
    days_without = [day for day in _dates_from(schedule, at, days)
                    if day not in schedule.open_on and not schedule.hours.get(day.weekday())]  # fmt: skip
    found = [(day, _pairs(schedule, day)) for day in days_without]
    return [(day, "open " + ", ".join(_text(pair) for pair in pairs)) for day, pairs in found if pairs]


def _days_off(schedule: Schedule, at: datetime, days: int) -> Iterator[tuple[date, Holiday]]:
    for day in _dates_from(schedule, at, days):
        if schedule.hours.get(day.weekday()) and (off := _day_off(schedule, day)):
            yield day, off


def _dates_from(schedule: Schedule, at: datetime, days: int) -> list[date]:
    first = _local(at, zone_of(schedule.timezone))
    return [first + timedelta(days=n) for n in range(days)]


def _windows_from(schedule: Schedule, at: datetime) -> Iterator[Window]:
    """Yield all windows that close after `at`, in order."""
    zone = zone_of(schedule.timezone)
    # Start two days back: a window over midnight began yesterday, and a clock that goes back over midnight
    # (America/St_Johns until 2011) returns to yesterday.
    first = _local(at, zone).toordinal() - 2
    days = range(first, min(first + _SEARCH_DAYS, date.max.toordinal() - 2))
    later = sorted(day.toordinal() for day in schedule.open_on if day.toordinal() >= days.stop)
    ahead: list[tuple[Window, int]] = []
    for day in chain(days, later):
        # Look two days ahead, for the same reason: a later day's window may come first.
        while ahead and ahead[0][1] < day - 2:
            yield heappop(ahead)[0]
        for window in _windows(schedule, zone, date.fromordinal(day)):
            if at < window.closes_at:
                heappush(ahead, (window, day))
    while ahead:
        yield heappop(ahead)[0]


def _windows(schedule: Schedule, zone: pendulum.Timezone, day: date) -> list[Window]:
    """List the windows that begin on the local `day`, touching and overlapping ones joined."""
    pairs = _pairs(schedule, day)
    if not pairs:
        return []
    midnight = datetime.combine(day, time())
    # Skip the time that the day before still covers: it belongs to that day.
    taken = _runs_until(schedule, day - timedelta(days=1)) - _MIDNIGHT
    windows: list[Window] = []
    for pair in pairs:
        opens, closes = max(pair[0], taken), _end(schedule, day, pair)
        if opens < closes:
            begin, end = midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)
            windows += _intervals(zone, begin, end)
    windows.sort()
    return _joined(windows)


def _joined(windows: list[Window]) -> list[Window]:
    joined: list[Window] = []
    for window in windows:
        if joined and window.opens_at <= joined[-1].closes_at:
            before = joined.pop()
            window = Window(before.opens_at, max(before.closes_at, window.closes_at))
        joined.append(window)
    return joined


# --- days and hours on the wall clock ---------------------------------------------------------------------


def _pairs(schedule: Schedule, day: date) -> Sequence[_Pair]:
    """Return the pairs that begin on `day`; none on a closed day."""
    closes = _closes(schedule, day)
    return [pair for pair in _hours(schedule, day) if pair[0] < closes]


def _hours(schedule: Schedule, day: date) -> Sequence[_Pair]:
    """Return the pairs that would begin on `day` if it were no day off."""
    pairs = schedule.hours.get(day.weekday(), ())
    if pairs:
        return pairs
    in_order = (schedule.hours[weekday] for weekday in sorted(schedule.hours))
    first = next(filter(None, in_order), ())
    if day in schedule.open_on:
        return first
    made_up = holiday_calendars.make_up_days(holiday_calendars.of_schedule(schedule), day.year)
    if day not in made_up:
        return ()
    replaced = made_up[day]
    return first if replaced is None else schedule.hours.get(replaced, ())


def _end(schedule: Schedule, day: date, pair: _Pair) -> Minutes:
    """Return the end of a pair in minutes after the midnight that begins `day`, at most 2880."""
    begins, ends = pair
    closes = _closes(schedule, day)
    if begins < ends or closes < _MIDNIGHT:
        return min(ends, closes) if begins < ends else closes
    return _MIDNIGHT + min(ends, _closes(schedule, day + timedelta(days=1)))


def _runs_until(schedule: Schedule, day: date) -> Minutes:
    """Return the end of the day's last pair in minutes after the midnight that begins `day`; 0 without a pair."""
    return max((_end(schedule, day, pair) for pair in _pairs(schedule, day)), default=0)


def _closes(schedule: Schedule, day: date) -> Minutes:
    """Return the minute from which all of `day` is closed: 0 on a day off, 1440 on a usual day."""
    off = _day_off(schedule, day)
    return off.closes if off else _MIDNIGHT


def _day_off(schedule: Schedule, day: date) -> Holiday | None:
    """Say why `day`, or the rest of it from an hour on, is closed, weekends apart; None: it is not."""
    if day in schedule.open_on:
        return None
    calendars = holiday_calendars.of_schedule(schedule)
    holiday = holiday_calendars.holidays_of(calendars, day.year).get(day)
    if day in schedule.closed_on and (holiday is None or holiday.closes):
        return Holiday(0, f"closed on {day}")
    return holiday


# --- from the wall clock to UTC ---------------------------------------------------------------------------


@cache
def zone_of(name: str) -> pendulum.Timezone:
    """Return a zone from the newest data. Raises ScheduleError for an unknown one."""
    try:
        return pendulum.Timezone.from_file(zones.read(name), key=name)
    except LookupError:
        raise ScheduleError(_unknown_zone(name)) from None


def _local(at: datetime, zone: pendulum.Timezone) -> date:
    return _wall(at, zone).date()


def _wall(at: datetime, zone: pendulum.Timezone) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the moment has no time zone, and the machine's own must not decide")
    return at.astimezone(zone)


def _intervals(zone: pendulum.Timezone, begin: datetime, end: datetime) -> list[Window]:
    """List the moments whose wall time lies in `[begin, end)`: one interval; around a clock change several or none."""
    offsets = {_offset(zone, wall.replace(fold=fold)) for wall in (begin, end) for fold in (0, 1)}
    earliest, latest = (begin - max(offsets)).replace(tzinfo=UTC), (end - min(offsets)).replace(tzinfo=UTC)
    if len(offsets) == 1:
        return [Window(earliest, latest)]
    intervals = []
    for since, until, offset in _constant_stretches(zone, earliest, latest):
        opens_at = max(since, (begin - offset).replace(tzinfo=UTC))
        closes_at = min(until, (end - offset).replace(tzinfo=UTC))
        if opens_at < closes_at:
            intervals.append(Window(opens_at, closes_at))
    return intervals


def _constant_stretches(
    zone: pendulum.Timezone, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Split `[since, until)` at changes of the offset into (since, until, offset)."""
    while change := _next_change(zone, since, until):
        yield since, change, _offset(zone, since.astimezone(zone))
        since = change
    yield since, until, _offset(zone, since.astimezone(zone))


def _next_change(zone: pendulum.Timezone, since: datetime, until: datetime) -> datetime | None:
    """Find the first moment up to `until` with another offset than `since`, by bisection to the second.

    It misses two changes that cancel each other within the two days of a pair; the time zone database has none
    since 1970.
    """
    before = _offset(zone, since.astimezone(zone))

    def changed(second: int) -> bool:
        return _offset(zone, (since + timedelta(seconds=second)).astimezone(zone)) != before

    span = int((until - since).total_seconds())
    if not changed(span):
        return None
    return since + timedelta(seconds=bisect_left(range(span), True, key=changed))


def _offset(zone: pendulum.Timezone, wall: datetime) -> timedelta:
    offset = zone.utcoffset(wall)
    assert offset is not None  # every zone has one
    return offset


def _text(pair: _Pair) -> str:
    (from_hour, from_minute), (to_hour, to_minute) = divmod(pair[0], 60), divmod(pair[1], 60)
    return f"{from_hour:02d}:{from_minute:02d}-{to_hour:02d}:{to_minute:02d}"


# --- what to write instead --------------------------------------------------------------------------------


_ABBREVIATIONS = {
    "America/New_York": "est edt et est5 est5edt eastern", "America/Chicago": "cst cdt ct cst6cdt central",
    "America/Denver": "mst mdt mt mst7mdt mountain", "America/Los_Angeles": "pst pdt pt pst8pdt pacific",
    "Pacific/Honolulu": "hst", "Europe/London": "bst", "Europe/Lisbon": "wet west",
    "Europe/Paris": "cet cest met mez mesz", "Europe/Athens": "eet eest", "Asia/Kolkata": "ist",
    "Asia/Tokyo": "jst", "Australia/Sydney": "aest aedt", "UTC": "z gmt+0 utc+0 +00:00",
}  # fmt: skip
"""Zones, and the words that people write for them. Some of the words are old names of zones, and ambiguous: EST has no
summer time."""


def is_abbreviation(name: str) -> bool:
    return any(name.strip().lower() in written.split() for written in _ABBREVIATIONS.values())


def _unknown_zone(name: str) -> str:
    """Refuse a zone, suggesting those with the nearest name or city."""
    for zone, written in _ABBREVIATIONS.items():
        if name.strip().lower() in written.split():
            return f"There is no time zone {name!r}: write a name of the IANA database, such as {zone}."
    known = pendulum.timezones() - {"localtime"}
    by_spelling = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known)}
    by_spelling |= {zone.lower(): zone for zone in known}
    near = get_close_matches(name.strip().lower().replace(" ", "_"), by_spelling, n=6, cutoff=0.75)
    nearest = list(dict.fromkeys(by_spelling[spelling] for spelling in near))[:3]
    instead = " or ".join(nearest) or "a name of the IANA time zone database, such as America/New_York"
    return f"There is no time zone {name!r}: write {instead}."


def _why_never(schedule: Schedule, at: datetime) -> str:
    if not any(schedule.hours.values()):
        return f"The schedule {schedule.name!r} has no hours: give it some, such as --hours 07:00-18:00."
    return (
        f"The schedule {schedule.name!r} does not open within two years of {at:%Y-%m-%d}, since its days are "
        "holidays or closed by hand: give it hours on other weekdays, or name days with --open."
    )
