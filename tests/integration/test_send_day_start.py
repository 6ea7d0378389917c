"""The first instant of a date in a zone, against the zone data that Python has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import MINUTE, Connection, Queue


def first_instant(day: date, zone: str) -> datetime:
    """The first minute in UTC whose date in the zone is `day`, looked for one by one."""
    tz = ZoneInfo(zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(tz).date() != day:
        moment += MINUTE
    return moment


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-11-01", "America/Havana", "2026-11-01T04:00+00:00"),  # midnight comes twice: the first of them
        ("2026-03-08", "America/Havana", "2026-03-08T05:00+00:00"),  # midnight does not come: 01:00 does
        ("2026-04-05", "Australia/Lord_Howe", "2026-04-04T13:00+00:00"),  # the clocks go back half an hour at 02:00
        ("2026-10-25", "Atlantic/Azores", "2026-10-25T00:00+00:00"),
        ("2026-10-30", "Africa/Cairo", "2026-10-29T22:00+00:00"),
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00+00:00"),
        ("2026-09-06", "America/Santiago", "2026-09-06T04:00+00:00"),
        ("2026-03-02", "Asia/Tokyo", "2026-03-01T15:00+00:00"),
        ("2026-03-02", "UTC", "2026-03-02T00:00+00:00"),
    ],
)
def test_the_nights_when_clocks_change(conn: Connection, day: str, zone: str, expected: str) -> None:
    """A midnight that exists twice begins a day at the first; one that does not, at the hour after the jump."""
    assert datetime.fromisoformat(expected) == Queue(conn).call("send_day_start", day=day, zone=zone)
    assert datetime.fromisoformat(expected) == first_instant(date.fromisoformat(day), zone)


def test_every_zone_on_the_days_around_its_clock_changes(conn: Connection) -> None:
    """In every zone, for the years to come: it is the first instant whose date there is that day.

    The server's own conversion to local time is what it is held against, a quarter of an hour at a time: it may know
    of a change of law that Python's zone data does not have.
    """
    assert (
        Queue(conn).all(
            """
        select z.name, d.day, send_day_start(d.day, z.name), brute.first
        from (select name from pg_timezone_names where name like '%%/%%' and name not like 'posix/%%') z
        cross join lateral (
            select distinct noon::date + k as day
            from generate_series(timestamptz '2024-12-31 12:00Z', '2030-01-01', '1 day') noon, generate_series(0, 2) k
            where (noon at time zone z.name) - (noon at time zone 'UTC')
                <> ((noon + interval '1 day') at time zone z.name) - ((noon + interval '1 day') at time zone 'UTC')) d
        cross join lateral (
            select min(m) as first
            from generate_series(d.day::timestamp at time zone 'UTC' - interval '15 hours',
                                 d.day::timestamp at time zone 'UTC' + interval '15 hours', '15 minutes') m
            where (m at time zone z.name)::date = d.day) brute
        where send_day_start(d.day, z.name) <> brute.first
        """
        )
        == []
    )


def test_a_day_that_a_zone_left_out(conn: Connection) -> None:
    """Samoa had no 30 December 2011: what would have begun then begins with the day after it."""
    found = Queue(conn).call("send_day_start", day="2011-12-30", zone="Pacific/Apia")
    assert datetime(2011, 12, 30, 10, tzinfo=UTC) == found
