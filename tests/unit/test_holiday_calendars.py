"""Calendars of holidays: states, categories, markets, half days, make-up days, and notes on short lists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from send_queue.model import Schedule, ScheduleError
from send_queue.rules import calendar, holiday_calendars, zones
from send_queue.rules.calendar import closed_because, next_window
from send_queue.rules.schedule_text import check, hours_from_text, schedule_from

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def closed_on(*calendars: str) -> dict[str, str]:
    """Days of 2026 that are closed all day, with the reason."""
    found = holiday_calendars.holidays_of(calendars, 2026)
    return {day.isoformat(): holiday.reason for day, holiday in found.items() if not holiday.closes}


def office(*calendars: str, zone: str = "UTC", hours: str = "09:00-17:00", **row: Any) -> Schedule:
    return schedule_from({"name": "office", "timezone": zone, "hours": hours_from_text([hours], "mon-fri"),
                          "skip_holidays": True, "holiday_calendars": calendars, **row})  # fmt: skip


@pytest.mark.parametrize(
    ("calendars", "day", "name", "otherwise"),
    [
        (["GB-ENG"], "2026-04-06", "Easter Monday", ["GB"]),
        (["GB-SCT"], "2026-11-30", "Saint Andrew's Day", ["GB-ENG"]),
        (["US-CA"], "2026-10-12", "Columbus Day", None),  # the package leaves it out where the state does
        (["US-CA"], "2026-03-31", "Cesar Chavez Day", ["US"]),
        (["AU-NSW"], "2026-06-08", "King's Birthday", ["AU"]),
        (["CH-ZH"], "2026-04-06", "Easter Monday", ["CH"]),
        (["CA-ON"], "2026-10-12", "Thanksgiving Day", ["CA"]),
        (["HK:public,optional"], "2026-04-03", "Good Friday", ["HK"]),
        (["UA:workday"], "2026-08-24", "Independence Day", ["UA"]),
        (["NYSE"], "2026-04-03", "Good Friday", ["US"]),
        (["ECB"], "2026-05-01", "Labour Day", ["US"]),
        (["US", "DE-BY"], "2026-06-04", "Corpus Christi", ["US", "DE"]),
        (["US", "DE-BY"], "2026-11-26", "Thanksgiving Day", ["DE-BY"]),
    ],
)
def test_a_calendar_closes_its_days(calendars: list[str], day: str, name: str, otherwise: list[str] | None) -> None:
    """States add to their country, categories to others, and several calendars count together."""
    assert closed_on(*calendars)[day].startswith(name)
    if otherwise is not None:
        assert day not in closed_on(*otherwise)


def test_a_state_never_opens_a_day_of_its_country() -> None:
    """The country's days stay closed, also those that the package leaves out of a state's list."""
    for country in ("US", "GB", "AU", "CA", "CH", "DE", "ES", "IN"):
        national = closed_on(country)
        for state in holiday_calendars._library(holiday_calendars._read(country), None).subdivisions:
            assert national.keys() <= closed_on(f"{country}-{state}").keys()


@pytest.mark.parametrize(
    ("calendar_", "day", "closes"),
    [
        ("NYSE:public,half_day", "2026-11-27", "13:00"),  # (markets close at 1:00pm)
        ("LSE:half_day", "2026-12-24", "12:30"),
        ("ENX-XPAR:half_day", "2026-12-24", "14:05"),  # (markets close at 14:05 CET)
        ("JSE:half_day", "2026-12-24", "12:00"),  # 12:00 p.m.
        ("AU-SA:public,half_day", "2026-12-24", "19:00"),  # (from 7pm)
        ("CN:half_day", "2026-05-04", "12:00"),  # no hour is told
        ("CN:half_day@15:30", "2026-05-04", "15:30"),
        ("NYSE:half_day@11:00", "2026-11-27", "11:00"),
        ("SE:public,optional", "2026-04-30", "14:00"),  # a name tells the hour in any category
    ],
)
def test_the_hour_of_a_half_day(calendar_: str, day: str, closes: str) -> None:
    """It is the one that the user names, else that of the holiday's name, else noon."""
    found = holiday_calendars.holidays_of((calendar_,), 2026)[date.fromisoformat(day)]
    assert (found.closes, found.reason[-5:]) == (int(closes[:2]) * 60 + int(closes[3:]), closes)


def test_a_half_day_closes_the_window_early() -> None:
    """A window ends at the hour, a pair that begins later is left out, and one over midnight does not begin."""
    exchange = office("NYSE:public,half_day", zone="America/New_York", hours="09:00-12:00,12:30-16:00,22:00-02:00")
    zone = zones.zone("America/New_York")

    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=zone)

    assert [w.astimezone(zone) for w in next_window(exchange, at("27 12:45"))] == [at("27 12:30"), at("27 13:00")]
    assert next_window(exchange, at("27 13:00")).opens_at == at("30 09:00")
    reason = "Day after Thanksgiving Day (markets close at 1:00pm): closes at 13:00"
    assert closed_because(exchange, at("27 13:00")) == ("holiday", reason)
    assert closed_because(exchange, at("27 08:00")) == (
        "schedule", "open 09:00-12:00, 12:30-13:00 America/New_York")  # fmt: skip
    evening = office("NYSE:public,half_day", zone="America/New_York", hours="14:00-16:00")
    assert closed_because(evening, at("27 08:00")) == ("holiday", reason)
    assert (date(2026, 11, 27), reason) in calendar.half_days(exchange, at("01 00:00"), 60)
    assert (date(2026, 11, 27), reason) in calendar.closed_days(evening, at("01 00:00"), 60)
    opened = office("NYSE:half_day", zone="America/New_York", open_on=["2026-11-27"])
    assert next_window(opened, at("27 13:00")).closes_at == at("27 17:00")


def test_make_up_days_are_open() -> None:
    """A Saturday that China makes a working day has the hours of the day that it replaces; a holiday of another
    calendar, and a day closed by name, close it."""
    hours = {"mon": [["09:00", "17:00"]], "fri": [["09:00", "15:00"]]}
    china = office("CN", hours="09:00-17:00")
    by_day = schedule_from({"name": "by day", "timezone": "UTC", "hours": hours, "skip_holidays": True,
                            "holiday_country": "CN"})  # fmt: skip
    sunday, saturdays = (date(2026, 1, 4), "open 09:00-15:00"), [(date(2026, 2, 14), "open 09:00-15:00"),
                                                                  (date(2026, 2, 28), "open 09:00-17:00")]  # fmt: skip
    # Of 2 January, a Friday; of 20 February, a Friday; of 23 February, a Monday. 9 May is for a Tuesday.
    assert calendar.make_up_days(by_day, NEW_YEAR, 180) == [sunday, *saturdays]
    assert [day.isoformat() for day, _ in calendar.make_up_days(china, NEW_YEAR, 365)] == [
        "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]  # fmt: skip
    noon = datetime(2026, 2, 14, 12, tzinfo=UTC)
    assert closed_because(china, noon) is None
    assert closed_because(office("CN", closed_on=["2026-02-14"]), noon) == ("holiday", "closed on 2026-02-14")
    assert closed_because(office("SSE"), noon) == ("weekend", "Saturday")  # an exchange does not make up
    assert closed_because(office("CN:half_day"), noon) == ("weekend", "Saturday")
    yangon = [day.isoformat() for day, _ in calendar.make_up_days(office("MM"), NEW_YEAR, 30)]
    assert yangon == ["2026-01-03"]  # for a day of 2025


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GB-XX", "GB has no subdivision 'XX': write one of ENG, NIR, SCT, WLS"),
        ("gb-eng", "no holidays for the country 'gb': write GB-ENG"),
        ("nyse", "write NYSE"),
        ("US,DE", "each calendar in an option of its own"),
        ("US:banks", "US has no category 'banks': write some of government, half_day, public, unofficial"),
        ("US@13:00", "has no half days: write it such as US:public,half_day@13:00"),
        ("US:half_day@25:00", "'25:00' is not a time of day"),
        ("US:half_day@1pm", "no calendar of holidays"),
        ("", "no calendar of holidays: write one such as US, GB-ENG, NYSE"),
        ("NYSE-CA", "NYSE has no subdivisions with holidays of their own: leave out 'CA'"),
    ],
)
def test_a_calendar_that_is_refused_says_what_to_write(text: str, says: str) -> None:
    """An unknown calendar is refused with one sentence, named by hand or by the command, skipped or not yet."""
    for skip in (True, False):
        with pytest.raises(ScheduleError, match=says) as refused:
            check(office(text, skip_holidays=skip), NEW_YEAR)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GB", "GB alone has 7 holidays in 2026, and 4 of its 4 subdivisions have more, such as Easter Monday: "
               "consider --holidays GB-ENG (ENG, NIR, SCT, WLS)."),
        ("AU", "AU alone has 7 holidays in 2026, and 9 of its 9 subdivisions"),
        ("CH", "CH alone has 4 holidays in 2026, and 27 of its 27"), ("CA", "CA alone has 5 holidays in 2026, and 13"),
        ("HK", "HK leaves days of its category optional open in 2026, such as Good Friday: consider "
               "--holidays HK:public,optional."),
        ("UA", "UA has no holidays in 2026: name the days with --closed, or consider --holidays UA:workday for its 11"),
    ],
)  # fmt: skip
def test_a_list_that_may_surprise_is_told(text: str, says: str) -> None:
    """A note says that a country leaves its holidays to its states, has others by category, or has none."""
    [note] = holiday_calendars.notes([text], 2026)
    assert note.startswith(says)


@pytest.mark.parametrize("text", ["US", "GB-ENG", "CH-ZH", "NYSE", "UA:workday", "HK:public,optional", "CN", "FR"])
def test_a_list_without_surprises_is_not_told(text: str) -> None:
    """Nobody reads notes that are always there."""
    assert holiday_calendars.notes([text], 2026) == []
