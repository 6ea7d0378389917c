"""Holidays by calendar, from the package `holidays`: countries, their states, categories and markets. Pure.

    US                      the public holidays of a country
    US-CA                   those of the country and of the state together
    US:public,half_day      other categories of the package; without any: public
    CN:half_day@13:00       half days close at 13:00
    NYSE                    a market or a bank system

- Several calendars count together: a day closes at the earliest hour of any.
- A holiday closes its whole day, unless its name tells an hour ("from 1pm") or its category is half_day: then the hour
  after `@`, else that of its name, else noon, on the schedule's clock.
- A make-up day is a day of the weekend that a country's public calendar makes a working day, for one between holidays.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from send_queue.model import Minutes, Schedule, ScheduleError, Weekday

if TYPE_CHECKING:
    from holidays import HolidayBase

_NOON: Minutes = 12 * 60
_FORM = re.compile(
    r"(?P<code>[^-:@]+)(?:-(?P<subdivision>[^:@]+))?(?::(?P<categories>[^:@]+))?(?:@(?P<hour>\d\d?:\d\d))?"
)
_HOUR = re.compile(r"\((?:from|markets (?:close|pause) at) (\d\d?)(?::(\d\d))? ?(?:([ap])\.?m\b)?")
_SUBSTITUTED = re.compile(r"substituted from (\d\d)/(\d\d)/(\d{4})")

_FEW_HOLIDAYS = 11
"""A country with fewer, most of whose states have more, leaves its holidays to the states."""

_OFFICES_CLOSE = ("optional", "bank")
"""Categories of days on which offices may be closed, beside the public holidays."""


class Holiday(NamedTuple):
    """`closes`: the minute from which the day is closed; 0: all of it."""

    closes: Minutes
    reason: str


class _Calendar(NamedTuple):
    code: str
    subdivision: str | None
    categories: tuple[str, ...]
    hour: Minutes | None


def of_schedule(schedule: Schedule) -> tuple[str, ...]:
    """List the calendars that close the schedule. Raises ScheduleError if it skips holidays and names none."""
    if not schedule.skip_holidays:
        return ()
    country, subdivision = schedule.holiday_country, schedule.holiday_subdivision
    if country is None and not schedule.holiday_calendars:
        raise ScheduleError("The schedule skips holidays but names no country: name one, for example --holidays US.")
    own = () if country is None else (f"{country}-{subdivision}" if subdivision else country,)
    return own + schedule.holiday_calendars


def check(calendar: str) -> None:
    """Refuse an unknown calendar. Raises ScheduleError."""
    _read(calendar)


@cache
def holidays_of(calendars: tuple[str, ...], year: int) -> Mapping[date, Holiday]:
    """Return the holidays of a year by date, observed days included."""
    found: dict[date, Holiday] = {}
    for calendar in calendars:
        for day, holiday in _holidays(_read(calendar), year):
            found[day] = min(found.get(day, holiday), holiday, key=lambda one: one.closes)
    return found


@cache
def make_up_days(calendars: tuple[str, ...], year: int) -> Mapping[date, Weekday | None]:
    """Return the make-up days of a year, each with the weekday that it replaces; None: not known."""
    found: dict[date, Weekday | None] = {}
    for read in map(_read, calendars):
        if "public" not in read.categories or not _library(read, "public", year).has_substituted_holidays:
            continue
        around = _library(read, "public", year - 1, year, year + 1)
        found |= {day: None for day in around.weekend_workdays if day.year == year}
        for day_off, name in around.items():
            for month, day, of_year in _SUBSTITUTED.findall(name):
                if (worked := date(int(of_year), int(month), int(day))) in found:
                    found[worked] = day_off.weekday()
    return found


def notes(calendars: Sequence[str], year: int) -> list[str]:
    """List the calendars whose holidays of a year may surprise, each with what to consider."""
    return [note for calendar in calendars for note in _notes(calendar, year)]


# --- the package ------------------------------------------------------------------------------------------


def _holidays(calendar: _Calendar, year: int) -> Iterator[tuple[date, Holiday]]:
    for subdivision in dict.fromkeys((None, calendar.subdivision)):  # the package leaves out some of the country's
        for category in calendar.categories:
            for day, names in _library(calendar._replace(subdivision=subdivision), category, year).items():
                closes = min(_closes(name, category, calendar.hour) for name in names.split("; "))
                until = f": closes at {closes // 60:02d}:{closes % 60:02d}" if closes else ""
                yield day, Holiday(closes, f"{names}{until}")


def _closes(name: str, category: str, hour: Minutes | None) -> Minutes:
    told = _HOUR.search(name)
    if not told and category != "half_day":
        return 0
    if hour is not None:
        return hour
    if not told:
        return _NOON
    half_of_day = 12 if told[3] else 24
    return (int(told[1]) % half_of_day + (12 if told[3] == "p" else 0)) * 60 + int(told[2] or 0)


def _library(calendar: _Calendar, category: str | None, *years: int) -> HolidayBase:
    """Load years of one category; None: no days, only what the calendar offers.

    The object fills itself while it is read: read it in the thread that made it.
    """
    import holidays  # late: it takes 0.1 s

    markets = calendar.code in holidays.list_supported_financial()
    load = holidays.financial_holidays if markets else holidays.country_holidays
    # Silence warnings of little-known years (India's after 2035): cron would mail them on each tick. `doctor`
    # reports a year without holidays.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # English names where there are any, whatever the machine's locale.
        return load(
            calendar.code,
            subdiv=calendar.subdivision,
            years=years or None,
            expand=False,
            observed=True,
            language="en_US",
            categories=(category,) if category else None,
        )


@cache
def _read(text: str) -> _Calendar:
    """Read a calendar. Raises ScheduleError, suggesting known ones."""
    import holidays

    form = _FORM.fullmatch(text)
    if not form:
        raise ScheduleError(f"{text!r} is no calendar of holidays: write one such as US, GB-ENG, NYSE or {_EXAMPLE}.")
    code, subdivision = form["code"], form["subdivision"]
    categories = tuple((form["categories"] or "public").replace(" ", "").split(","))
    known = holidays.list_supported_countries() | holidays.list_supported_financial()
    if code not in known:
        raise ScheduleError(_unknown_code(text, code, known))
    if subdivision and not known[code]:
        raise ScheduleError(f"{code} has no subdivisions with holidays of their own: leave out {subdivision!r}.")
    calendar = _Calendar(code, subdivision, categories, _minutes(text, form["hour"], categories))
    try:
        offered = _library(calendar, None).supported_categories
    except (NotImplementedError, ValueError):  # the package's answers to an unknown subdivision
        raise ScheduleError(
            f"{code} has no subdivision {subdivision!r}: write one of {', '.join(known[code])}."
        ) from None
    for category in categories:
        if category not in offered:
            raise ScheduleError(f"{code} has no category {category!r}: write some of {', '.join(sorted(offered))}.")
    return calendar


_EXAMPLE = "US:public,half_day@13:00"


def _minutes(text: str, hour: str | None, categories: Sequence[str]) -> Minutes | None:
    if hour is None:
        return None
    if "half_day" not in categories:
        raise ScheduleError(f"The hour of {text!r} has no half days: write it such as {_EXAMPLE}.")
    try:
        clock = datetime.strptime(hour, "%H:%M")  # noqa: DTZ007 - of no day
    except ValueError:
        raise ScheduleError(f"{hour!r} is not a time of day: write it such as {_EXAMPLE}.") from None
    return clock.hour * 60 + clock.minute


def _unknown_code(text: str, code: str, known: Mapping[str, list[str]]) -> str:
    if code.upper() in known:
        instead = text.upper().partition(":")[0]
    elif "," in code:
        instead = "each calendar in an option of its own, such as --holidays US --holidays DE"
    else:
        instead = "the two-letter ISO 3166 code of another one, such as US, or a market's code, such as NYSE"
    return f"There are no holidays for the country {code!r}: write {instead}."


# --- surprises --------------------------------------------------------------------------------------------


def _notes(text: str, year: int) -> Iterator[str]:
    calendar = _read(text)
    found = holidays_of((text,), year)
    plain = calendar._replace(categories=("public",))
    offered = _library(calendar, None)
    if not found:
        worked = "workday" in offered.supported_categories and len(_library(plain, "workday", year))
        also = f", or consider --holidays {calendar.code}:workday for its {worked} holidays on which people work"
        yield f"{text} has no holidays in {year}: name the days with --closed{also if worked else ''}."
        return
    if calendar.categories != ("public",):
        return
    if not calendar.subdivision and len(found) < _FEW_HOLIDAYS:
        states = {state: _beside(found, plain._replace(subdivision=state), "public", year)
                  for state in offered.subdivisions}  # fmt: skip
        more = [state for state in states if states[state]]
        if 2 * len(more) > len(states):
            name, _ = Counter(name for state in more for name in states[state]).most_common(1)[0]
            example = next(state for state in more if name in states[state])
            yield (f"{text} alone has {len(found)} holidays in {year}, and {len(more)} of its {len(states)} "
                   f"subdivisions have more, such as {name}: consider --holidays {text}-{example} "
                   f"({', '.join(more)}).")  # fmt: skip
            return
    for category in _OFFICES_CLOSE:
        if category in offered.supported_categories and (names := _beside(found, plain, category, year)):
            yield (f"{text} leaves days of its category {category} open in {year}, such as {names[0]}: consider "
                   f"--holidays {text}:public,{category}.")  # fmt: skip
            return


def _beside(there: Mapping[date, Holiday], calendar: _Calendar, category: str, year: int) -> list[str]:
    """List the names of holidays on working days that are not among those `there`."""
    found = _library(calendar, category, year)
    return [name for day, name in sorted(found.items()) if day not in there and not found.is_weekend(day)]
