"""Types of option values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

if TYPE_CHECKING:
    pass


# --- kinds of values --------------------------------------------------------------------------------------


def duration(text: str) -> timedelta:
    """Read 90m, 1h30m, 5s, 2d. Raises `ValueError` with the way to write it."""
    parts = re.findall(r"(\d+)([dhms])", text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration: write it as 90m, 1h30m, 5s or 2d")
    seconds = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    try:
        return timedelta(seconds=sum(int(n) * seconds[unit] for n, unit in parts))
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any duration: write a shorter one") from None


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment with a zone. Raises `ValueError` with the way to write it."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write it as 2026-11-23T09:00:00+01:00") from None
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write it as {when.isoformat()}+01:00 or {when.isoformat()}Z")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the calendar: use a year from 2 to 9998") from None


class Kind(click.ParamType[Any]):
    """A value that a function reads; its `ValueError` says how to write it."""

    def __init__(self, name: str, read: Callable[[str], Any], clearable: bool = False) -> None:
        self.name = name
        self._read = read
        self._clearable = clearable

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        if self._clearable and value == "none":
            return CLEARED
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Noun(click.Choice[str]):
    """The first word of `pause account anna`; a name in its place is answered with the command to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            verb = ctx.info_name if ctx else ""
            self.fail(
                f"{value!r} is none of these: write `send-queue {verb} account {value}` for an account of this name",
                param, ctx,
            )  # fmt: skip
        return super().convert(value, param, ctx)


CLEARED = object()
"""The value of a clearable option for `none`."""


def _id(command: str) -> Callable[[str], UUID]:
    def read(text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not an id: copy one from `send-queue {command}{_find(command, text)}`"
            ) from None

    return read


def _find(command: str, text: str) -> str:
    """The option that finds the sends of a person, where a person is written in the place of an id."""
    from shlex import quote

    if command != "list" or not any(letter.isalpha() for letter in text):
        return ""
    return f" {'--recipient' if re.search('[@/]', text) else '--name'} {quote(text)}"


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def _ramp(text: str) -> tuple[int, int]:
    if not (ramp := re.fullmatch(r"(\d{1,6})\+(\d{1,6})", text)):
        raise ValueError(f"{text!r} is not a ramp: write 5+2 for 5 on the first day and 2 more on each that follows")
    return int(ramp[1]), int(ramp[2])


def _rate(text: str) -> tuple[int, timedelta]:
    count, slash, per = text.partition("/")
    if not re.fullmatch(r"[1-9]\d{0,8}", count) or not slash:
        raise ValueError(f"{text!r} is not a limit: write 10/10m for ten in ten minutes")
    return int(count), duration(per)


def _setting(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not equals:
        raise ValueError(f"{text!r} is not a setting: write it as from=anna@example.com, and from= to take it out")
    return name, value or None


def _place_setting(text: str) -> tuple[str, tuple[str, str | None]]:
    account, colon, setting = text.partition(":")
    if not account or not colon:
        raise ValueError(f"{text!r} names no account: write it as anna:from=fall@example.com")
    return account, _setting(setting)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or not equals:
        raise ValueError(f"{text!r} is not a field: write it as first_name=Ada")
    return name, value


def _quiet(text: str) -> tuple[str, str]:
    if text == "none":
        return "00:00", "00:00"
    hours = re.fullmatch(r"((?:[01]?\d|2[0-3]):[0-5]\d)-((?:[01]?\d|2[0-3]):[0-5]\d)", text)
    if not hours or hours[1] == hours[2]:
        raise ValueError(f"{text!r} is not a time of day: write it as 21:00-08:00, or none")
    return hours[1], hours[2]


def _backoff(text: str) -> list[int]:
    return [int(duration(part.strip()).total_seconds()) for part in text.split(",")]


def _timezone(name: str) -> str:
    from send_queue.rules import schedule_text  # late: it imports pendulum

    schedule_text.check_zone(name)
    return name


def _zone(name: str) -> tzinfo:
    from send_queue.rules import zones

    return zones.zone(_timezone(name))


def _zone_of_the_terminal() -> tzinfo:
    """Return the zone of TZ, else the machine's, by name; else UTC: a fixed offset would be wrong half the year."""
    try:
        name = (
            os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
        )
        return _zone(name)
    except ValueError:
        return UTC


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # Not shown: it may be the secret itself.
        raise ValueError("this is not the name of an environment variable: write one such as ANNA_KEY, and put the "
                         "secret into that variable")  # fmt: skip
    return name


DURATION = Kind("duration", duration)
TIMEZONE = Kind("tz", _timezone)
ZONE = Kind("tz", _zone)
VARIABLE = Kind("var|none", _variable, clearable=True)
MOMENT = Kind("time", moment)
ID = Kind("id", _id("list"))
NOTIFICATION = Kind("id", _id("notify list"))
CAP = Kind("n|none", _whole, clearable=True)
SECONDS = Kind("duration", lambda text: int(duration(text).total_seconds()))
RAMP = Kind("start+step|none", _ramp, clearable=True)
RATE = Kind("n/duration", _rate)
BACKOFF = Kind("durations", _backoff)
SETTING = Kind("name=value", _setting)
FIELD = Kind("name=value", _field)
PLACE_SETTING = Kind("a:name=value", _place_setting)
QUIET = Kind("from-until|none", _quiet)
TEXT_OR_NONE = Kind("text|none", str, clearable=True)
