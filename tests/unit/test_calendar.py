"""The calendar: unit tests by rule, and the agreement with a slow and obvious reference."""

from __future__ import annotations

import doctest
import warnings
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_calendar import MINUTE, open_minutes
from sizes import share

from send_queue.model import Schedule, Window
from send_queue.rules import calendar, holiday_calendars, zones
from send_queue.rules.calendar import NeverOpens, ScheduleError, closed_because, closures, next_window, openings
from send_queue.rules.schedule_text import check, hours_from_text, schedule_from


def a_schedule(zone: str, *hours: str, days: str | None = None, **row: Any) -> Schedule:
    """A schedule from hours as on the command line, with further columns of its row."""
    return schedule_from({"name": "office", "timezone": zone, "hours": hours_from_text(hours, days), **row})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall_openings(schedule: Schedule, since: datetime, until: datetime) -> list[str]:
    """The windows that begin in `[since, until)`, as wall times with offsets: '01:30-05 to 02:00-05'."""
    zone = zones.zone(schedule.timezone)
    found = []
    window = next_window(schedule, since)
    while window.opens_at < until:
        opens_at, closes_at = window.opens_at.astimezone(zone), window.closes_at.astimezone(zone)
        found.append(f"{opens_at:%d %H:%M%z} to {closes_at:%d %H:%M%z}")
        window = next_window(schedule, window.closes_at)
    return found


NEW_YORK = a_schedule("America/New_York", "07:00-18:00", skip_holidays=True, holiday_country="US")


# --- one rule at a time -----------------------------------------------------------------------------------


def test_examples_in_docstrings_hold() -> None:
    """The examples in the docstrings of the calendar are its specification."""
    failed, tried = doctest.testmod(calendar)
    assert (failed, tried > 0) == (0, True)


def test_window_that_holds_the_moment() -> None:
    """In business hours the window is the current one, with the moment it opened."""
    expected = Window(utc("2026-03-03 12:00"), utc("2026-03-03 23:00"))
    assert next_window(NEW_YORK, utc("2026-03-03 17:45:12")) == expected
    assert next_window(NEW_YORK, utc("2026-03-03 12:00")) == expected
    assert next_window(NEW_YORK, utc("2026-03-03 22:59:59.999999")) == expected


def test_closing_time_is_closed() -> None:
    """A window is half open: at `closes_at` comes the next one, over the weekend."""
    assert next_window(NEW_YORK, utc("2026-03-06 23:00")).opens_at == utc("2026-03-09 11:00")


def test_both_ends_are_plain_utc() -> None:
    """Windows are datetimes of the standard library in UTC, whatever the zone of the question."""
    at = datetime(2026, 3, 3, 9, 0, tzinfo=zones.zone("Asia/Tokyo"))
    for end in next_window(NEW_YORK, at):
        assert (type(end), end.tzinfo) == (datetime, UTC)


def test_moment_without_a_zone_is_refused() -> None:
    """The time zone of the machine never decides."""
    with pytest.raises(ValueError, match="no time zone"):
        next_window(NEW_YORK, datetime(2026, 3, 3, 9, 0))  # noqa: DTZ001 - that is what is refused


def test_openings_are_the_windows_one_after_the_other() -> None:
    """`openings` begins with the window that holds the moment, and goes on over weekends and holidays."""
    wednesday = Window(utc("2026-11-25 12:00"), utc("2026-11-25 23:00"))
    friday = Window(utc("2026-11-27 12:00"), utc("2026-11-27 23:00"))
    monday = Window(utc("2026-11-30 12:00"), utc("2026-11-30 23:00"))
    assert openings(NEW_YORK, utc("2026-11-25 15:00"), 3) == [wednesday, friday, monday]


def test_openings_are_fewer_where_there_are_no_more() -> None:
    """A schedule that opens for the last time lists that; afterwards it never opens."""
    once = a_schedule("UTC", "mon 09:00-10:00", open_on=["2026-06-02"])
    once = replace(once, closed_on=MONDAYS)
    assert openings(once, utc("2026-01-01"), 5) == [Window(utc("2026-06-02 09:00"), utc("2026-06-02 10:00"))]
    with pytest.raises(NeverOpens, match="give it hours"):
        openings(once, utc("2026-06-02 10:00"), 5)


def test_thanksgiving_is_closed_and_the_day_after_is_open() -> None:
    """The day after Thanksgiving is no federal holiday: it is open unless it is closed by hand."""
    wednesday_evening = utc("2026-11-25 23:30")
    assert next_window(NEW_YORK, wednesday_evening).opens_at == utc("2026-11-27 12:00")
    closed_by_hand = replace(NEW_YORK, closed_on=frozenset({date(2026, 11, 27)}))
    assert next_window(closed_by_hand, wednesday_evening).opens_at == utc("2026-11-30 12:00")


def test_observed_holiday_is_closed() -> None:
    """The 4th of July 2026 is a Saturday: Friday the 3rd is observed."""
    assert next_window(NEW_YORK, utc("2026-07-03 15:00")).opens_at == utc("2026-07-06 11:00")
    assert closed_because(NEW_YORK, utc("2026-07-03 15:00")) == ("holiday", "Independence Day (observed)")


def test_observed_holiday_of_the_next_year_is_closed() -> None:
    """New Year's Day 2028 is a Saturday: it is observed on the last day of 2027."""
    assert next_window(NEW_YORK, utc("2027-12-31 15:00")).opens_at == utc("2028-01-03 12:00")


def test_weekend_is_whatever_has_no_hours() -> None:
    """Riyadh rests on Friday and Saturday: from Thursday evening it waits for Sunday."""
    riyadh = a_schedule("Asia/Riyadh", "08:00-16:00", days="sun-thu")
    assert next_window(riyadh, utc("2026-01-29 14:00")).opens_at == utc("2026-02-01 05:00")
    assert closed_because(riyadh, utc("2026-01-30 09:00")) == ("weekend", "Friday")
    assert closed_because(riyadh, utc("2026-02-01 09:00")) is None


def test_several_windows_a_day() -> None:
    """Each pair of a day is a window of its own."""
    with_lunch = a_schedule("Europe/Berlin", "09:00-12:00,13:00-17:00")
    assert wall_openings(with_lunch, utc("2026-01-05 00:00"), utc("2026-01-06 00:00")) == [
        "05 09:00+0100 to 05 12:00+0100",
        "05 13:00+0100 to 05 17:00+0100",
    ]


def test_touching_pairs_are_one_window() -> None:
    """Pairs of one day that touch are one window."""
    touching = a_schedule("Europe/Berlin", "09:00-12:00,12:00-17:00")
    assert wall_openings(touching, utc("2026-01-05 00:00"), utc("2026-01-06 00:00")) == [
        "05 09:00+0100 to 05 17:00+0100"
    ]


def test_around_the_clock_is_one_window_a_day() -> None:
    """Windows are not joined over midnight, so that each has an end."""
    always = a_schedule("Europe/Berlin", "00:00-24:00", days="mon-sun")
    window = next_window(always, utc("2026-01-05 10:00"))
    assert window == Window(utc("2026-01-04 23:00"), utc("2026-01-05 23:00"))
    assert window.closes_at == next_window(always, window.closes_at).opens_at


def test_pair_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """22:00-02:00 from Monday to Friday runs into Saturday, and does not begin on Sunday."""
    night = a_schedule("Europe/London", "22:00-02:00")
    assert next_window(night, utc("2026-01-10 01:00")) == Window(utc("2026-01-09 22:00"), utc("2026-01-10 02:00"))
    assert next_window(night, utc("2026-01-10 02:00")).opens_at == utc("2026-01-12 22:00")
    assert closed_because(night, utc("2026-01-10 01:59")) is None


def test_pair_over_midnight_is_cut_by_a_holiday() -> None:
    """No moment of a holiday is open: the night before Thanksgiving ends at midnight."""
    night = a_schedule("America/New_York", "22:00-02:00", skip_holidays=True, holiday_country="US")
    assert wall_openings(night, utc("2026-11-25 17:00"), utc("2026-11-29 00:00")) == [
        "25 22:00-0500 to 26 00:00-0500",
        "27 22:00-0500 to 28 02:00-0500",
    ]
    assert closed_because(night, utc("2026-11-26 06:00")) == ("holiday", "Thanksgiving Day")


def test_pair_over_midnight_is_cut_by_a_day_closed_by_hand() -> None:
    """`closed_on` cuts a night as a holiday does; `open_on` keeps it whole."""
    night = a_schedule("Europe/London", "22:00-02:00", closed_on=["2026-01-07"])
    assert next_window(night, utc("2026-01-06 12:00")) == Window(utc("2026-01-06 22:00"), utc("2026-01-07 00:00"))
    kept = replace(night, closed_on=frozenset(), open_on=frozenset({date(2026, 1, 7)}))
    assert next_window(kept, utc("2026-01-06 12:00")) == Window(utc("2026-01-06 22:00"), utc("2026-01-07 02:00"))


def test_pairs_that_overlap_over_midnight_do_not_make_windows_overlap() -> None:
    """A pair that begins before that of the day before has ended opens when that one ends."""
    overlapping = a_schedule("Europe/London", "mon 22:00-02:00", "tue 01:00-05:00")
    assert wall_openings(overlapping, utc("2026-01-05 00:00"), utc("2026-01-07 00:00")) == [
        "05 22:00+0000 to 06 02:00+0000",
        "06 02:00+0000 to 06 05:00+0000",
    ]


def test_open_on_wins_over_a_weekend() -> None:
    """An open Saturday has the hours of the first weekday that has some."""
    stock_taking = a_schedule("Europe/London", "tue 10:00-12:00", "thu 08:00-20:00", open_on=["2026-01-10"])
    assert next_window(stock_taking, utc("2026-01-08 21:00")) == Window(
        utc("2026-01-10 10:00"), utc("2026-01-10 12:00")
    )
    assert closed_because(stock_taking, utc("2026-01-10 13:00")) == (
        "schedule",
        "open 10:00-12:00 Europe/London",
    )


def test_open_on_wins_over_a_holiday_with_its_own_hours() -> None:
    """Thanksgiving in `open_on` is open at the hours of a Thursday."""
    open_on_thanksgiving = replace(NEW_YORK, open_on=frozenset({date(2026, 11, 26)}))
    assert next_window(open_on_thanksgiving, utc("2026-11-25 23:30")).opens_at == utc("2026-11-26 12:00")


MONDAYS = frozenset(date(2026, 1, 5) + timedelta(weeks=week) for week in range(6 * 52))


def test_open_on_is_found_beyond_two_years() -> None:
    """A day in `open_on` counts however far away it is."""
    rarely = a_schedule("UTC", "mon 09:00-10:00", open_on=["2031-06-03", "2030-06-01"])
    assert next_window(replace(rarely, closed_on=MONDAYS), utc("2026-01-01")).opens_at == utc("2030-06-01 09:00")


@pytest.mark.parametrize(
    ("zone", "country", "subdivision", "day", "name"),
    [
        ("Europe/Berlin", "DE", "BY", "2026-06-04", "Corpus Christi"),
        ("America/Los_Angeles", "US", "CA", "2026-03-31", "Cesar Chavez Day"),
        ("Europe/London", "GB", "SCT", "2026-11-30", "Saint Andrew's Day"),
    ],
)
def test_subdivision_has_holidays_of_its_own(zone: str, country: str, subdivision: str, day: str, name: str) -> None:
    """A holiday of Bavaria, California or Scotland closes there, and is a working day elsewhere."""
    national = a_schedule(zone, "09:00-17:00", skip_holidays=True, holiday_country=country)
    regional = replace(national, holiday_subdivision=subdivision)
    noon = datetime.fromisoformat(f"{day} 12:00").replace(tzinfo=zones.zone(zone))
    assert closed_because(national, noon) is None
    assert closed_because(regional, noon) == ("holiday", name)


def test_a_country_of_whose_year_little_is_known_says_nothing() -> None:
    """The package warns of such a year; cron would mail that with each tick, and nobody could mend it."""
    delhi = a_schedule("Asia/Kolkata", "09:00-17:00", skip_holidays=True, holiday_country="IN")
    holiday_calendars.holidays_of.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(delhi, utc("2036-01-04 00:00"))
        assert closed_because(delhi, utc("2036-08-15 05:00")) == ("holiday", "Independence Day")


def test_holidays_of_a_country_do_not_count_unless_skipped() -> None:
    """A schedule that names a country without skip_holidays is open on its holidays."""
    assert closed_because(replace(NEW_YORK, skip_holidays=False), utc("2026-11-26 15:00")) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-25 15:00", None),
        ("2026-11-26 15:00", ("holiday", "Thanksgiving Day")),
        ("2026-12-24 15:00", ("holiday", "closed on 2026-12-24")),
        ("2026-11-28 15:00", ("weekend", "Saturday")),
        ("2026-11-25 23:30", ("schedule", "open 07:00-18:00 America/New_York")),
        ("2026-11-26 03:00", ("schedule", "open 07:00-18:00 America/New_York")),  # Wednesday evening there
    ],
)
def test_closed_because_names_the_rule(at: str, expected: tuple[str, str] | None) -> None:
    """The rule is that of the local date, and the detail is for a person."""
    schedule = replace(NEW_YORK, closed_on=frozenset({date(2026, 12, 24)}))
    assert closed_because(schedule, utc(at)) == expected


def test_closed_because_of_a_schedule_that_never_opens() -> None:
    """A schedule that never opens says why it is closed now, and does not raise."""
    never = Schedule(name="never", timezone="UTC", hours={})
    assert closed_because(never, utc("2026-01-01 00:00")) == ("weekend", "Thursday")


# --- the nights on which the clocks change ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "hours", "night", "expected"),
    [
        # Spring: 02:00 becomes 03:00.
        ("America/New_York", "02:30-05:00", "2026-03-08", ["08 03:00-0400 to 08 05:00-0400"]),
        ("America/New_York", "02:15-02:45", "2026-03-08", []),
        ("America/New_York", "01:30-02:30", "2026-03-08", ["08 01:30-0500 to 08 03:00-0400"]),
        ("Europe/Berlin", "00:00-24:00", "2026-03-29", ["29 00:00+0100 to 30 00:00+0200"]),
        # Autumn: 02:00 becomes 01:00, and 01:30 comes twice.
        (
            "America/New_York", "01:30-05:00", "2026-11-01",
            ["01 01:30-0400 to 01 01:00-0500", "01 01:30-0500 to 01 05:00-0500"],
        ),
        ("America/New_York", "01:00-05:00", "2026-11-01", ["01 01:00-0400 to 01 05:00-0500"]),
        (
            "America/New_York", "01:15-01:45", "2026-11-01",
            ["01 01:15-0400 to 01 01:45-0400", "01 01:15-0500 to 01 01:45-0500"],
        ),
        # Half an hour, at 02:00.
        ("Australia/Lord_Howe", "02:15-05:00", "2026-10-04", ["04 02:30+1100 to 04 05:00+1100"]),
        (
            "Australia/Lord_Howe", "01:45-05:00", "2026-04-05",
            ["05 01:45+1100 to 05 01:30+1030", "05 01:45+1030 to 05 05:00+1030"],
        ),
        # At midnight: Havana and Beirut have no 00:00 in spring.
        ("America/Havana", "00:00-08:00", "2026-03-08", ["08 01:00-0400 to 08 08:00-0400"]),
        ("Asia/Beirut", "00:00-08:00", "2026-03-29", ["29 01:00+0300 to 29 08:00+0300"]),
        (
            "America/Havana", "00:30-08:00", "2025-11-02",
            ["02 00:30-0400 to 02 00:00-0500", "02 00:30-0500 to 02 08:00-0500"],
        ),
        # Cairo goes back from midnight to 23:00: the evening comes twice, and is one window.
        ("Africa/Cairo", "22:30-24:00", "2026-10-29", ["29 22:30+0300 to 30 00:00+0200"]),
        (
            "Africa/Cairo", "23:30-24:00", "2026-10-29",
            ["29 23:30+0300 to 29 23:00+0200", "29 23:30+0200 to 30 00:00+0200"],
        ),
        # St John's went back from 00:01 to 23:01: a minute of Sunday, then Saturday again.
        (
            "America/St_Johns", "00:00-24:00", "2010-11-06",
            ["06 00:00-0230 to 07 00:00-0230", "06 23:01-0330 to 07 00:00-0330"],
        ),
        ("Europe/Dublin", "01:30-03:00", "2026-03-29", ["29 02:00+0100 to 29 03:00+0100"]),
        # Samoa skipped the whole Friday.
        ("Pacific/Apia", "09:00-17:00", "2011-12-30", []),
        ("Pacific/Apia", "09:00-17:00", "2011-12-29", ["29 09:00-1000 to 29 17:00-1000"]),
        ("Pacific/Apia", "20:00-04:00", "2011-12-29", ["29 20:00-1000 to 31 00:00+1400"]),
    ],
)  # fmt: skip
def test_clock_change(zone: str, hours: str, night: str, expected: list[str]) -> None:
    """A moment is open if its wall time is in a pair, on a night when the clocks change too."""
    day = date.fromisoformat(night)
    before = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    found = wall_openings(a_schedule(zone, hours, days="mon-sun"), before, before + timedelta(days=5))
    assert [text for text in found if text.startswith(f"{day:%d} ")] == expected


def test_windows_come_in_the_order_of_time_where_the_date_goes_back() -> None:
    """St John's, 2010: a minute of Sunday lies between the two halves of Saturday's last hour."""
    always = a_schedule("America/St_Johns", "00:00-24:00", days="mon-sun")
    assert wall_openings(always, utc("2010-11-06 02:30"), utc("2010-11-08 03:30")) == [
        "06 00:00-0230 to 07 00:00-0230",
        "07 00:00-0230 to 06 23:01-0330",
        "06 23:01-0330 to 07 00:00-0330",
        "07 00:00-0330 to 08 00:00-0330",
    ]


def test_clock_that_goes_back_over_midnight_returns_to_a_window_of_two_days_ago() -> None:
    """St John's, 2010: Friday's pair is open again in the second half of Saturday's last hour, after a minute
    of Sunday."""
    friday = a_schedule("America/St_Johns", "fri 23:45-23:30")
    with_sunday = a_schedule("America/St_Johns", "fri 23:45-23:30", "sun 00:00-01:00")
    again = Window(utc("2010-11-07 02:31"), utc("2010-11-07 03:00"))
    assert next_window(friday, utc("2010-11-07 02:30")) == again
    assert wall_openings(with_sunday, utc("2010-11-06 12:00"), utc("2010-11-08 00:00")) == [
        "05 23:45-0230 to 06 23:30-0230",
        "07 00:00-0230 to 06 23:01-0330",
        "06 23:01-0330 to 06 23:30-0330",
        "07 00:00-0330 to 07 01:00-0330",
    ]


# --- what an operator writes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "days", "expected"),
    [
        (["07:00-18:00"], "mon,wed,fri", {day: [["07:00", "18:00"]] for day in ("mon", "wed", "fri")}),
        (["07:00-18:00"], "sat-mon", {day: [["07:00", "18:00"]] for day in ("mon", "sat", "sun")}),
        (["9:00-17:00"], None, {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}),
        (["13:00-17:00,09:00-12:00"], "mon", {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}),
        (["13:00-17:00", "09:00-12:00"], "mon", {"mon": [["09:00", "12:00"], ["13:00", "17:00"]]}),
        (["09:00-12:00,12:00-13:00"], "mon", {"mon": [["09:00", "12:00"], ["12:00", "13:00"]]}),
        (["22:00-02:00"], "SUN", {"sun": [["22:00", "02:00"]]}),
        (["18:00-24:00"], "sun", {"sun": [["18:00", "24:00"]]}),
        (["mon-tue 08:00-18:00", "fri 08:00-12:00"], None,
         {"mon": [["08:00", "18:00"]], "tue": [["08:00", "18:00"]], "fri": [["08:00", "12:00"]]}),
        (["mon, wed 08:00 - 12:00, 13:00 – 17:00"], None,
         {day: [["08:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "wed")}),
        (["08:00-18:00", "fri 08:00-12:00"], "mon",
         {"mon": [["08:00", "18:00"]], "fri": [["08:00", "12:00"]]}),
    ],
)  # fmt: skip
def test_hours_from_text(hours: list[str], days: str | None, expected: dict[str, list[list[str]]]) -> None:
    """Hours and days are read into pairs per weekday, in order, and a schedule can be made from them."""
    found = hours_from_text(hours, days)
    assert found == expected
    assert len(schedule_from({"name": "office", "timezone": "UTC", "hours": found}).hours) == len(expected)


@pytest.mark.parametrize(
    ("hours", "days", "says"),
    [
        (["7am-6pm"], None, "'7am' is not a time.*write hours such as 07:00-18:00"),
        (["9-17"], None, "'9' is not a time"),
        (["07:00"], None, "'07:00' is not a pair"),
        (["07:00-25:00"], None, "'25:00' is not a time"),
        (["07:00-24:30"], None, "'24:30' is not a time"),
        (["07:00-12:00-18:00"], None, "'12:00-18:00' is not a time"),
        (["24:00-02:00"], None, "write 00:00 and the day after"),
        (["07:00-07:00"], None, "for a whole day write 00:00-24:00"),
        (["07:00-18:00"], "mon-fry", "'fry' is not a weekday: write days such as mon-fri"),
        (["weekdays 07:00-18:00"], None, "'weekdays' is not a weekday"),
        (["mon 07:00-18:00, fri 08:00-12:00"], None, "'fri' is not a pair"),
        (["mon-fri"], None, "no hours in 'mon-fri'"),
        ([""], None, "no hours in ''"),
        ([], None, "needs hours"),
        (["07:00-18:00"], " ", "needs hours"),
        (["09:00-12:00,11:00-13:00"], "mon", "09:00-12:00 and 11:00-13:00 of mon overlap"),
        (["08:00-18:00", "fri 08:00-12:00"], "mon-fri", "overlap.*its own days"),
        (["22:00-02:00,23:00-24:00"], "mon", "22:00-02:00 and 23:00-24:00 of mon overlap"),
    ],
)
def test_hours_that_are_refused_say_what_to_write(hours: list[str], days: str | None, says: str) -> None:
    """What cannot be read is refused with one sentence that says what to write instead."""
    with pytest.raises(ScheduleError, match=says):
        hours_from_text(hours, days)


def test_schedule_from_a_row() -> None:
    """The JSON form of a row becomes minutes, weekdays and dates; an empty list is a closed weekday."""
    row = {
        "name": "office", "timezone": "Europe/Berlin",
        "hours": {"mon": [["13:00", "24:00"], ["07:30", "12:00"]], "sat": []},
        "skip_holidays": True, "holiday_country": "DE", "holiday_subdivision": "BY",
        "closed_on": ["2026-12-24"], "open_on": None,
    }  # fmt: skip
    assert schedule_from(row) == Schedule(
        name="office",
        timezone="Europe/Berlin",
        hours={0: ((450, 720), (780, 1440))},
        skip_holidays=True,
        holiday_country="DE",
        holiday_subdivision="BY",
        closed_on=frozenset({date(2026, 12, 24)}),
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"hours": {"monday": [["07:00", "18:00"]]}}, "'monday' is not a weekday"),
        ({"hours": {"mon": [["7", "18:00"]]}}, "'7' is not a time"),
        ({"hours": {"mon": "07:00-18:00"}}, "not a list of pairs: write them as"),
        ({"hours": {"mon": ["07:00", "18:00"]}}, "not a list of pairs"),
        ({"hours": {"mon": [[7, 18]]}}, "not a list of pairs"),
        ({"hours": {"mon": True}}, "not a list of pairs"),
        ({"closed_on": ["24.12.2026"]}, "write dates such as 2026-12-24"),
    ],
)
def test_row_that_is_refused(row: dict[str, Any], says: str) -> None:
    """A row that was written by hand is read as strictly as the command line."""
    with pytest.raises(ScheduleError, match=says):
        schedule_from({"name": "office", "timezone": "UTC", "hours": {}, **row})


def test_check_gives_the_first_window() -> None:
    """A schedule that can be meant gives its next window."""
    at = utc("2026-12-24 15:00")
    assert check(NEW_YORK, at) == next_window(NEW_YORK, at)
    assert check(replace(NEW_YORK, holiday_country="DE", holiday_subdivision="BY"), at)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timezone": "America/NewYork"}, "no time zone 'America/NewYork': write America/New_York"),
        ({"timezone": "new york"}, "write America/New_York"),
        ({"timezone": "Europe/Berln"}, "write Europe/Berlin"),
        ({"timezone": "europe/berlin"}, "write Europe/Berlin"),
        ({"timezone": "utc"}, "write UTC"),
        ({"timezone": "America"}, "no time zone 'America'"),
        ({"timezone": "localtime"}, "no time zone 'localtime'"),
        ({"timezone": "Factory"}, "no time zone 'Factory'"),
        ({"timezone": "../../etc/passwd"}, "IANA"),
        ({"timezone": ""}, "IANA"),
        ({"holiday_country": None}, "name one, for example --holidays US"),
        ({"holiday_country": None, "holiday_subdivision": "CA"}, "name one, for example --holidays US"),
        ({"holiday_country": "us"}, "no holidays for the country 'us': write US"),
        ({"holiday_country": "Germany"}, "two-letter"),
        ({"holiday_country": "HolidayBase"}, "two-letter"),
        ({"holiday_country": "us", "skip_holidays": False}, "write US"),
        ({"holiday_subdivision": "ZZ"}, "US has no subdivision 'ZZ': write one of AK, AL"),
        ({"holiday_country": "JP", "holiday_subdivision": "13"}, "JP has no subdivisions.*leave out '13'"),
        ({"closed_on": frozenset({date(2026, 5, 1)}), "open_on": frozenset({date(2026, 5, 1)})},
         "2026-05-01 is both closed and open"),
    ],
)  # fmt: skip
def test_check_refuses(change: dict[str, Any], says: str) -> None:
    """What cannot be meant is refused with one sentence that says what to do."""
    with pytest.raises(ScheduleError, match=says) as refused:
        check(replace(NEW_YORK, **change), utc("2026-03-03 12:00"))
    assert "\n" not in str(refused.value)


def test_unknown_zone_or_country_in_a_row_is_a_schedule_error() -> None:
    """A row that slipped past `check` raises the same error when its window is looked for."""
    with pytest.raises(ScheduleError, match="write America/New_York"):
        next_window(replace(NEW_YORK, timezone="America/NewYork"), utc("2026-03-03 12:00"))
    with pytest.raises(ScheduleError, match="no holidays for the country 'XX'"):
        next_window(replace(NEW_YORK, holiday_country="XX"), utc("2026-03-03 12:00"))


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(name="no hours", timezone="UTC", hours={}),
        Schedule(name="nothing to borrow", timezone="UTC", hours={}, open_on=frozenset({date(2027, 1, 1)})),
        Schedule(name="closed", timezone="UTC", hours={0: ((540, 600),)}, closed_on=MONDAYS),
        Schedule(name="past", timezone="UTC", hours={}, open_on=frozenset({date(2020, 1, 1)})),
    ],
    ids=lambda schedule: schedule.name,
)
def test_never_opens(schedule: Schedule) -> None:
    """A schedule that does not open within two years, nor on a later day by hand, raises NeverOpens."""
    with pytest.raises(NeverOpens, match=f"The schedule '{schedule.name}'.*give it"):
        check(schedule, utc("2026-03-03 12:00"))


# --- agreement with the reference -------------------------------------------------------------------------


def open_minutes_by_windows(schedule: Schedule, since: datetime, until: datetime) -> bytearray:
    """The same as the reference's, by walking from window to window."""
    minutes = bytearray((until - since) // MINUTE)
    at = since
    while True:
        window = next_window(schedule, at)
        assert window.opens_at < window.closes_at
        assert at == since or at <= window.opens_at
        assert at < window.closes_at
        if window.opens_at >= until:
            return minutes
        first, last = max(window.opens_at, since), min(window.closes_at, until)
        minutes[(first - since) // MINUTE : (last - since) // MINUTE] = b"\1" * ((last - first) // MINUTE)
        at = window.closes_at
        if at >= until:
            return minutes


def first_difference(expected: bytearray, found: bytearray, since: datetime) -> str | None:
    if expected == found:
        return None
    at = next(i for i, (one, other) in enumerate(zip(expected, found, strict=True)) if one != other)
    return f"{since + at * MINUTE}: the reference says {'open' if expected[at] else 'closed'}"


def two_years(first_year: int, schedule: Schedule) -> Any:
    return pytest.param(first_year, schedule, id=f"{schedule.timezone}-{schedule.holiday_country}")


def with_holidays(country: str, subdivision: str | None = None, *calendars: str) -> dict[str, Any]:
    return {"skip_holidays": True, "holiday_country": country, "holiday_subdivision": subdivision,
            "holiday_calendars": calendars}  # fmt: skip


@pytest.mark.parametrize(
    ("first_year", "schedule"),
    [
        two_years(2026, a_schedule("America/New_York", "07:00-18:00", **with_holidays("US", "CA"),
                                   closed_on=["2026-12-24"], open_on=["2026-11-26", "2027-01-02"])),
        # Over midnight on most nights, and several pairs a day.
        two_years(2026, a_schedule("Europe/Berlin", "mon-thu 22:00-02:30,09:00-12:00", "sun 00:30-03:00",
                                   **with_holidays("DE", "BY"), open_on=["2026-12-25"])),
        two_years(2025, a_schedule("Asia/Riyadh", "08:00-12:00,13:00-16:30", days="sun-thu",
                                   **with_holidays("SA"))),
        # Half an hour of summer time.
        two_years(2026, a_schedule("Australia/Lord_Howe", "01:45-05:00,20:00-01:40", days="sat-mon",
                                   **with_holidays("AU", "NSW"), closed_on=["2026-10-04"])),
        # Changes at midnight, forwards and backwards.
        two_years(2026, a_schedule("America/Havana", "sun 00:30-08:00,23:15-00:45", "sat 22:00-00:15",
                                   "mon-fri 00:00-00:30", **with_holidays("CU"))),
        two_years(2024, a_schedule("Africa/Cairo", "sun-thu 09:00-17:00,23:30-00:30", "fri 00:10-24:00",
                                   **with_holidays("EG"))),
        two_years(2022, a_schedule("Asia/Beirut", "20:00-04:00", days="mon-sun", **with_holidays("LB"))),
        # The offset goes back for Ramadan.
        two_years(2025, a_schedule("Africa/Casablanca", "02:30-03:15,09:00-18:00", days="sat-thu",
                                   **with_holidays("MA"))),
        # A market's half days, beside the country's holidays and without; and Saturdays that make up for days off.
        two_years(2025, a_schedule("America/New_York", "08:00-12:30,12:45-16:00,22:00-02:00", days="mon-sat",
                                   **with_holidays("US", "CA", "NYSE:public,half_day@13:00"))),
        two_years(2025, a_schedule("Asia/Shanghai", "mon-thu 09:00-18:00", "fri 09:00-15:00",
                                   **with_holidays("CN", None, "NYSE"))),
        # A quarter of an hour off, no summer time, one day of rest.
        two_years(2026, a_schedule("Asia/Kathmandu", "00:00-24:00", days="sun-fri", **with_holidays("NP"))),
        two_years(2026, a_schedule("Pacific/Chatham", "02:50-03:50,22:00-02:46", days="mon-sun",
                                   **with_holidays("NZ"))),
        # 30 December 2011 never was.
        two_years(2011, a_schedule("Pacific/Apia", "thu-sat 20:00-04:00,08:00-16:00", "sun-wed 10:00-15:00",
                                   **with_holidays("WS"), open_on=["2011-12-30"])),
        # Back from 00:01 to 23:01 on the day before.
        two_years(2010, a_schedule("America/St_Johns", "00:00-24:00", days="mon-sun",
                                   **with_holidays("CA", "NL"), closed_on=["2010-11-07"])),
        # Changed at midnight until 2018, within the pair of the night.
        two_years(2017, a_schedule("America/Sao_Paulo", "sat-mon 23:30-22:00", "wed 12:00-13:00",
                                   **with_holidays("BR", "SP"))),
        two_years(2021, a_schedule("Asia/Tehran", "23:00-01:00,08:00-14:00", days="sat-wed",
                                   **with_holidays("IR"))),
        two_years(2026, a_schedule("Europe/Dublin", "01:15-01:45,12:00-12:01", days="sun",
                                   closed_on=["2026-10-25"], open_on=["2027-03-29"], **with_holidays("IE"))),
    ],
)  # fmt: skip
def test_agrees_with_the_reference_minute_by_minute(first_year: int, schedule: Schedule) -> None:
    """In each of the million minutes of two years the calendar says what the rules, read literally, say."""
    since, until = datetime(first_year, 1, 1, tzinfo=UTC), datetime(first_year + 2, 1, 1, tzinfo=UTC)
    expected = open_minutes(schedule, since, until)
    found = open_minutes_by_windows(schedule, since, until)
    assert first_difference(expected, found, since) is None
    assert 0 < sum(found) < len(found)


# Nights on which the clocks change, and the New Year with its holiday.
MOMENTS = [
    ("America/New_York", "2026-03-08"), ("America/New_York", "2026-11-01"),
    ("America/New_York", "2026-01-01"), ("America/New_York", "2026-11-27"), ("America/New_York", "2026-12-24"),
    ("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Havana", "2026-03-08"), ("America/Havana", "2026-11-01"),
    ("Africa/Cairo", "2026-04-24"), ("Africa/Cairo", "2026-10-30"),
    ("America/St_Johns", "2010-03-14"), ("America/St_Johns", "2010-11-07"),
    ("Pacific/Apia", "2011-12-30"), ("Asia/Kathmandu", "2026-01-01"),
]  # fmt: skip

pairs_of_a_day = st.lists(
    st.tuples(st.integers(0, 95), st.integers(0, 96)).map(lambda pair: (pair[0] * 15, pair[1] * 15)),
    max_size=3,
).map(tuple)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    """Any schedule, with pairs that overlap or last 24 hours, and the midnight (UTC) of a day to look at."""
    zone, text = draw(st.sampled_from(MOMENTS))
    day = date.fromisoformat(text)
    near = st.frozensets(st.integers(-2, 3).map(lambda n: day + timedelta(days=n)), max_size=2)
    hours = draw(st.dictionaries(st.integers(0, 6), pairs_of_a_day.filter(bool)))
    schedule = Schedule(
        name="any", timezone=zone, hours=hours, skip_holidays=draw(st.booleans()), holiday_country="US",
        holiday_calendars=draw(st.sampled_from([(), ("NYSE:public,half_day@13:00",)])),
        closed_on=draw(near), open_on=draw(near),
    )  # fmt: skip
    return schedule, datetime(day.year, day.month, day.day, tzinfo=UTC)


@settings(max_examples=share(60, 200), deadline=None)
@given(schedules(), st.integers(-2 * 24 * 60, 2 * 24 * 60))
def test_window_of_any_schedule(schedule_and_midnight: tuple[Schedule, datetime], minutes: int) -> None:
    """The window is the first one that ends after the moment, each moment in it gives it back, and
    `closed_because` agrees; between windows all is closed, in them all is open."""
    schedule, midnight = schedule_and_midnight
    at = midnight + minutes * MINUTE
    until = at + timedelta(days=4)
    expected = open_minutes(schedule, at, until)
    try:
        window = next_window(schedule, at)
    except NeverOpens:
        assert not any(expected)
        return
    assert first_difference(expected, open_minutes_by_windows(schedule, at, until), at) is None
    assert bool(expected[0]) == (window.opens_at <= at) == (closed_because(schedule, at) is None)
    length = window.closes_at - window.opens_at
    for inside in (window.opens_at, window.opens_at + length / 2, window.closes_at - timedelta.resolution):
        assert window == next_window(schedule, inside)
    following = next_window(schedule, window.closes_at)
    assert window.closes_at <= following.opens_at
    assert openings(schedule, at, 2) == [window, following]


def test_a_closing_says_all_its_reasons_in_turn() -> None:
    """From Wednesday evening to the Friday after Thanksgiving the hour, then the holiday keep it closed."""
    office = schedule_from({
        "name": "office", "timezone": "America/New_York", "hours": hours_from_text(["07:00-18:00"], "mon-fri"),
        "skip_holidays": True, "holiday_country": "US",
    })  # fmt: skip
    evening = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)

    found = closures(office, evening, next_window(office, evening).opens_at)

    assert found == [("schedule", "open 07:00-18:00 America/New_York"), ("holiday", "Thanksgiving Day")]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("EST", "America/New_York"),
        ("CET", "Europe/Paris"),
        ("PST8PDT", "America/Los_Angeles"),
        ("EET", "Europe/Athens"),
    ],
)
def test_an_abbreviation_is_no_zone(written: str, instead: str) -> None:
    """The database of zones has some as old names, which are wrong for half the year."""
    from send_queue.rules.schedule_text import check_zone

    with pytest.raises(ScheduleError, match=f"such as {instead}"):
        check_zone(written)
    check_zone("UTC")
    check_zone(instead)
