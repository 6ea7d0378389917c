"""What the command line reads and shows: durations, moments, ramps, rates, text of others, tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue.cli.configure_common import period
from send_queue.cli.output import as_json, printable, short, table
from send_queue.cli.values import (
    BACKOFF,
    CAP,
    CLEARED,
    ID,
    RAMP,
    RATE,
    SECONDS,
    TEXT_OR_NONE,
    TIMEZONE,
    VARIABLE,
    Kind,
    duration,
    moment,
)


def read(kind: Kind, text: str) -> Any:
    return kind.convert(text, None, None)


# --- durations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("90m", timedelta(minutes=90)),
    ("1h30m", timedelta(minutes=90)),
    ("5s", timedelta(seconds=5)),
    ("2d", timedelta(days=2)),
    ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ("0s", timedelta()),
    ("400d", timedelta(days=400)),
])  # fmt: skip
def test_durations(text: str, expected: timedelta) -> None:
    """Numbers with the units d, h, m and s, one after the other."""
    assert duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "5m ", "-5m", "1.5h", "5w", "5M", "5m30", "5min", "h5", "PT5M", "5m,15m"]
)
def test_what_is_no_duration_says_how_to_write_it(text: str) -> None:
    """The sentence shows the form that is taken."""
    with pytest.raises(ValueError, match="write it as 90m, 1h30m, 5s or 2d"):
        duration(text)


def test_a_duration_beyond_all_calendars_is_refused() -> None:
    """No traceback for many nines."""
    with pytest.raises(ValueError, match="longer than any duration"):
        duration("9" * 30 + "d")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    """Each part counts once, whatever its size."""
    assert duration(f"{days}d{hours}h{minutes}m{seconds}s") == timedelta(
        days=days, hours=hours, minutes=minutes, seconds=seconds
    )


# --- moments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "2026-11-23T09:00:00+01:00", "2026-11-23T08:00:00Z", "2026-11-23T08:00Z", "20261123T080000Z",
    "2026-11-23 03:00:00-05:00", "2026-11-23T08:00:00.000000+00:00",
])  # fmt: skip
def test_moments(text: str) -> None:
    """ISO 8601 with a zone, and from then on in UTC."""
    assert moment(text) == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert moment(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-11-23T09:00:00", "2026-11-23 09:00", "2026-11-23"])
def test_a_moment_without_a_zone_is_refused(text: str) -> None:
    """It could be any of 24; the sentence says how to add one."""
    with pytest.raises(ValueError, match="has no time zone") as refused:
        moment(text)
    for advised in str(refused.value).partition("write it as ")[2].split(" or "):
        assert moment(advised)


@pytest.mark.parametrize("text", ["", "now", "tomorrow", "23.11.2026", "2026-13-01T00:00:00Z", "09:00"])
def test_what_is_no_moment_says_how_to_write_it(text: str) -> None:
    """The sentence shows the form that is taken."""
    with pytest.raises(ValueError, match=r"is not a time: write it as 2026-11-23T09:00:00\+01:00"):
        moment(text)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_moment_is_read_as_it_is_written(wall: datetime, minutes: int) -> None:
    """Whatever its zone, it stays the same moment."""
    when = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert moment(when.isoformat()) == when


# --- numbers, ramps, rates, lists -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "text", "expected"), [
    (CAP, "0", 0),
    (CAP, "20", 20),
    (CAP, "none", CLEARED),
    (RAMP, "5+2", (5, 2)),
    (RAMP, "0+1", (0, 1)),
    (RAMP, "none", CLEARED),
    (RATE, "10/10m", (10, timedelta(minutes=10))),
    (RATE, "1000/1h", (1000, timedelta(hours=1))),
    (BACKOFF, "5m,15m,1h", [300, 900, 3600]),
    (BACKOFF, "5m, 15m", [300, 900]),
    (BACKOFF, "90s", [90]),
    (SECONDS, "30m", 1800),
    (TEXT_OR_NONE, "none", CLEARED),
    (TEXT_OR_NONE, "new-york", "new-york"),
    (ID, "0199c5e0-0000-7000-8000-000000000000", UUID("0199c5e0-0000-7000-8000-000000000000")),
])  # fmt: skip
def test_values(kind: Kind, text: str, expected: object) -> None:
    """Each kind of value in the form that the help shows; `none` takes a limit away."""
    assert read(kind, text) == expected


@pytest.mark.parametrize(("kind", "text", "hint"), [
    (CAP, "-1", "whole number"),
    (CAP, "2.5", "whole number"),
    (CAP, "many", "whole number"),
    (CAP, "9999999999", "whole number"),
    (RAMP, "5", "write 5+2"),
    (RAMP, "5+", "write 5+2"),
    (RAMP, "5-2", "write 5+2"),
    (RATE, "10", "write 10/10m"),
    (RATE, "0/10m", "write 10/10m"),
    (RATE, "/10m", "write 10/10m"),
    (RATE, "ten/10m", "write 10/10m"),
    (BACKOFF, "", "not a duration"),
    (BACKOFF, "5m,,1h", "not a duration"),
    (BACKOFF, "5m;1h", "not a duration"),
    (SECONDS, "soon", "not a duration"),
    (TIMEZONE, "EDT", "such as America/New_York"),
    (TIMEZONE, "+02:00", "such as America/New_York"),
    (TIMEZONE, "Europe/Berln", "write Europe/Berlin"),
    (VARIABLE, "sk-live-12345", "not the name of an environment variable"),
    (VARIABLE, "", "not the name of an environment variable"),
    (ID, "42", "copy one from `send-queue list`"),
])  # fmt: skip
def test_values_that_are_refused(kind: Kind, text: str, hint: str) -> None:
    """What cannot be read is wrong usage, with the form that is taken."""
    with pytest.raises(click.BadParameter, match=hint.replace("+", r"\+")):
        read(kind, text)


# --- what is shown ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shown"), [
    ("Zoë Müller 👋", "Zoë Müller 👋"),
    ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("two\nlines", "two⏎lines"),
    ("a\rb\tc\x00d\x7f", "a\\x0db\\x09c\\x00d\\x7f"),
    ("\x9b31m", "\\x9b31m"),
    ("right\u202eleft", "right\\x202eleft"),
    ("", ""),
])  # fmt: skip
def test_text_of_others_cannot_steer_the_terminal(text: str, shown: str) -> None:
    """Escapes, control characters and marks of direction are shown by their numbers."""
    assert printable(text) == shown


@given(st.text())
def test_whatever_is_shown_is_printable(text: str) -> None:
    """There is no text that gets a control character through, and none that loses what can be read."""
    assert printable(text).isprintable()
    assert len(printable(text)) >= len(text)
    if text.isprintable():
        assert printable(text) == text


def test_a_table() -> None:
    """Columns are as wide as their widest cell; what is null is a dash, what is long is cut."""
    rows: list[dict[str, object]] = [
        {"name": "anna", "daily_cap": 20, "next_at": "2026-11-24T05:00:00+00:00", "accounts": ["a", "b"]},
        {"name": "x" * 80, "daily_cap": None, "next_at": None, "accounts": []},
    ]
    lines = table(rows, ("name", "daily_cap", "next_at", "accounts")).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "daily", "cap", "next", "at", "accounts"],
        ["anna", "20", "Tue", "2026-11-24", "05:00", "UTC", "a,", "b"],
        ["x" * 59 + "…", "-", "-", "-"],
    ]
    assert {line.index("daily") for line in lines[:1]} == {lines[1].index("20")}
    assert not any(line.endswith(" ") for line in lines)


SENDS: list[dict[str, object]] = [
    {"id": str(UUID(int=7)), "status": "uncertain", "scheduled_for": "2026-11-24T05:00:00+00:00", "account": "anna",
     "channel": "linkedin_invite", "campaign": "fall of twenty-six", "recipient": "ACoAA" * 8, "attempts": 1,
     "error_code": None},
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_fits_the_terminal(width: int) -> None:
    """Ids, states and moments stay whole; what is spare is left out, the rest is cut."""
    shown = table(SENDS, tuple(SENDS[0]), width, ("attempts", "channel", "campaign", "error_code"))
    assert max(map(len, shown.splitlines())) <= width
    last = shown.splitlines()[-1]
    assert {str(UUID(int=7)), "uncertain"} <= set(last.split())
    assert "11-24 05:00Z" in last
    assert "error code" not in shown


def test_a_table_that_fits_is_left_as_it_is() -> None:
    """With room enough, and where nobody looks."""
    rows: list[dict[str, object]] = [{"name": "anna", "next_at": "2026-11-24T05:00:00+00:00", "why": None}]
    columns = ("name", "next_at", "why")
    assert table(rows, columns, 100, ("why",)) == table(rows, columns)


def test_a_table_shows_text_of_others_safely() -> None:
    """A name cannot break the table."""
    assert table([{"name": "a\nb\x1b[2J"}], ("name",)) == "name\na⏎b\\x1b[2J"


def test_short_moments() -> None:
    """To the minute, in UTC, with the weekday; null is a dash."""
    assert short(datetime(2026, 11, 23, 23, 59, tzinfo=timezone(timedelta(hours=-5)))) == "Tue 2026-11-24 04:59 UTC"
    assert short("2026-11-24T05:00:00+00:00") == "Tue 2026-11-24 05:00 UTC"
    assert short(None) == "-"


def test_json_has_moments_in_utc() -> None:
    """Moments in ISO 8601 in UTC, durations in seconds, ids as text, letters as they are."""
    value = {
        "at": datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=1))),
        "per": timedelta(minutes=10),
        "id": UUID(int=7),
        "name": "Zoë",
    }
    assert json.loads(as_json(value)) == {
        "at": "2026-11-23T08:00:00+00:00", "per": 600.0, "id": "00000000-0000-0000-0000-000000000007", "name": "Zoë",
    }  # fmt: skip
    assert "Zoë" in as_json(value)
    with pytest.raises(TypeError, match="object has no JSON form"):
        as_json(object())


@pytest.mark.parametrize(("interval", "typed"), [
    ("00:10:00", "10m"), ("01:30:00", "1h30m"), ("1 day", "1d"), ("2 days 00:00:05", "2d5s"), ("10 years", "10 years"),
])  # fmt: skip
def test_a_period_is_shown_as_it_is_typed(interval: str, typed: str) -> None:
    """What Postgres writes, in the units of a duration; what has none stays."""
    assert period(interval) == typed
