"""What every command needs: the environment, a connection, a clock, and words that mean the same everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.whole import Whole
from send_queue.model import ConfigurationError

if TYPE_CHECKING:
    from send_queue.store import Connection


class App:
    """The command's surroundings. Only here and in cli/__init__.py is the process's environment read."""

    def __init__(self, env: Mapping[str, str], debug: bool = False) -> None:
        self.env = env
        self.debug = debug
        self._rehearsed: datetime | None = None
        self._since = 0.0
        self._told = False

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """Connect; from now on the clock runs."""
        from send_queue import store

        with store.connected(self.database_url(), warn) as conn:
            self.start_clock()
            yield conn

    def reconnect(self) -> Connection:
        """Connect once more, after the connection was lost."""
        from send_queue import store

        return store.connect(self.database_url(), warn)

    def database_url(self) -> str:
        """DATABASE_URL, or that of the embedded Postgres, which is started if need be."""
        if url := self.env.get("DATABASE_URL"):
            return url
        from send_queue.store import embedded

        folder = embedded.default_data_dir(self.env)
        if not self._told:
            warn(f"DATABASE_URL is not set: using the embedded Postgres in {folder}.")
        self._told = True
        return embedded.url(folder)

    def now(self) -> datetime | None:
        """The moment that SEND_QUEUE_NOW says it is, time running on from there; None: the database's clock decides."""
        if self._rehearsed is None:
            return None
        return self._rehearsed + timedelta(seconds=time.monotonic() - self._since)

    def start_clock(self) -> None:
        """Begin to rehearse, where SEND_QUEUE_NOW asks for it."""
        if text := self.env.get("SEND_QUEUE_NOW"):
            try:
                self._rehearsed = moment(text)
            except ValueError as error:
                raise ConfigurationError(f"SEND_QUEUE_NOW: {error}.") from None
            self._since = time.monotonic()
            warn(f"rehearsing: it is taken to be {self._rehearsed.isoformat()}.")

    @property
    def worker(self) -> str:
        """The name of this process, for people who look at what is in flight."""
        return f"{socket.gethostname()}:{os.getpid()}"


# --- what is written and read -----------------------------------------------------------------------------


def warn(sentence: str) -> None:
    """Say something on stderr that does not end the command."""
    print(f"send-queue: {printable(sentence)}", file=sys.stderr)


def printable(text: str) -> str:
    """Text of others as a terminal may safely show it: control characters as their names, so that no name or message
    can move the cursor or colour the screen."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if c != "\n" else "⏎" for c in text)


def as_json(value: object) -> str:
    """JSON as the commands print it: moments in ISO 8601 in UTC, durations in seconds."""

    def plain(value: object) -> object:
        match value:
            case datetime():
                return value.astimezone(UTC).isoformat()
            case timedelta():
                return value.total_seconds()
            case UUID():
                return str(value)
        raise TypeError(f"{type(value).__name__} has no JSON form")

    text = json.dumps(value, default=plain, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    # What JSON lets through and a terminal may obey: C1 controls, marks that turn the direction of writing.
    return re.sub(r"[^\x20-\x7e\n]", lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    width: int | None = None,
    spare: Sequence[str] = (),
    zone: tzinfo = UTC,
) -> str:
    """Rows as text in columns, for people, with moments in `zone`.

    Where it is wider than `width`, moments become short, the words of a heading stand below each other, columns in
    `spare` are left out (first those that are empty, then in their order), and the widest cells are cut.
    """
    head = [[column.replace("_", " ")] for column in columns]
    lines = [[_cell(row.get(column), zone) for column in columns] for row in rows]
    if width is None or sum(_widths(head, lines)) + 2 * (len(columns) - 1) <= width:
        return _laid_out(head, lines, _widths(head, lines))

    shown = [c for c in columns if c not in spare or any(_cell(row.get(c), zone) != "-" for row in rows)]
    dropping = [c for c in spare if c in shown]
    while True:
        head = [column.split("_") for column in shown]
        lines = [[_cell(row.get(column), zone, narrow=True) for column in shown] for row in rows]
        widths = _widths(head, lines)
        room = width - 2 * (len(shown) - 1)
        # An id is copied, a status asked for, and a moment cut in two says nothing.
        whole = [column in ("id", "status") or column.endswith(("_at", "_for")) for column in shown]
        bare = [w if kept else min(w, MIN_COLUMN_CHARS) for w, kept in zip(widths, whole, strict=True)]
        least = [max(w, *map(len, words)) for w, words in zip(bare, head, strict=True)]
        if sum(least) <= room or not dropping:
            break
        shown.remove(dropping.pop(0))
    if sum(least) > room:
        least = bare
    while sum(widths) > room and widths != least:
        widest = max((i for i, w in enumerate(widths) if w > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    head = [[_cut(word, w) for word in words] for words, w in zip(head, widths, strict=True)]
    return _laid_out(head, [list(map(_cut, line, widths)) for line in lines], widths)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


MIN_COLUMN_CHARS = 8
"""Letters that a cut cell has at the least."""


def terminal_width() -> int | None:
    """How many columns there are to print to; None: as many as it takes, for nobody looks."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _widths(head: Sequence[Sequence[str]], lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, [*words, *(line[i] for line in lines)])) for i, words in enumerate(head)]


def _laid_out(head: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    high = max(map(len, head))
    stacked = [[words[row - high] if len(words) >= high - row else "" for words in head] for row in range(high)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [*stacked, *lines]
    )


def _cell(value: Any, zone: tzinfo, narrow: bool = False) -> str:
    match value:
        case None:
            return "-"
        case list():
            return ", ".join(_cell(part, zone) for part in value) or "-"
        case str():
            when = _moment_in_json(value)
            if when and narrow:
                when = when.astimezone(zone)
                return f"{when:%m-%d %H:%M %Z}".replace(" UTC", "Z")
            text = short(when, zone) if when else printable(value)
            return text if len(text) <= 60 else text[:59] + "…"
        case _:
            return str(value)


def _moment_in_json(text: str) -> datetime | None:
    """The moment, if this is one as Postgres writes it in JSON; a name may begin like one."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", text, re.ASCII):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def short(when: str | datetime | None, zone: tzinfo = UTC) -> str:
    """A moment for people, to the minute, with the name that its zone has then."""
    if when is None:
        return "-"
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{when.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"


# --- kinds of values --------------------------------------------------------------------------------------


def duration(text: str) -> timedelta:
    """Read 90m, 1h30m, 5s, 2d. Raises `ValueError`, saying how to write it."""
    parts = re.findall(r"(\d+)([dhms])", text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration: write it as 90m, 1h30m, 5s or 2d")
    seconds = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    try:
        return timedelta(seconds=sum(int(n) * seconds[unit] for n, unit in parts))
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any duration: write a shorter one") from None


def moment(text: str) -> datetime:
    """Read an ISO 8601 moment with a zone. Raises `ValueError`, saying how to write it."""
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
    """A value that is read by a function; its `ValueError` says how to write it."""

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


CLEARED = object()
"""What a clearable option is when it says `none`."""


def _id(command: str) -> Callable[[str], UUID]:
    def read(text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise ValueError(f"{text!r} is not an id: copy one from `send-queue {command}`") from None

    return read


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
        raise ValueError(f"{text!r} is no time of the day: write it as 21:00-08:00, or none")
    return hours[1], hours[2]


def _country(text: str) -> str:
    from send_queue.rules import recipients  # phonenumbers, which it needs, is dear

    return recipients.country(text)


def _backoff(text: str) -> list[int]:
    return [int(duration(part.strip()).total_seconds()) for part in text.split(",")]


def _timezone(name: str) -> str:
    from send_queue.rules import calendar  # pendulum, which it needs, is dear

    calendar.check_zone(name)
    return name


def _zone(name: str) -> tzinfo:
    from send_queue.rules import zones

    return zones.zone(_timezone(name))


def _zone_of_the_terminal() -> tzinfo:
    """Of TZ, else of the machine, by its name; UTC where it has none: an offset would be wrong half the year."""
    try:
        name = (
            os.environ.get("TZ", "").removeprefix(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
        )
        return _zone(name)
    except ValueError:
        return UTC


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # It is not shown: it may be the secret itself.
        raise ValueError("this is not the name of an environment variable: write one such as ANNA_KEY, and keep the "
                         "secret itself in that variable")  # fmt: skip
    return name


DURATION = Kind("duration", duration)
COUNTRY_OR_NONE = Kind("country|none", _country, clearable=True)
DURATION_OR_NONE = Kind("duration|none", duration, clearable=True)
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

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON.")
tz_option = click.option("--tz", type=ZONE, default=_zone_of_the_terminal, show_default="the terminal's",
                         help="The time zone to show days and times in.")  # fmt: skip
workspace_option = click.option("--workspace", metavar="W", help="The workspace, where the name alone is not clear.")


def filter_options(command: Any) -> Any:
    """The options that say which sends a command is about."""
    return with_options(
        command,
        click.option("--campaign", metavar="C", help="Only sends of this campaign."),
        click.option("--account", metavar="A", help="Only sends of this account."),
        click.option("--channel", metavar="CH", help="Only sends of this channel."),
    )


def simulation_options(command: Any) -> Any:
    """The options that say what cron starts, for what plays the queue forward."""
    return with_options(
        command,
        click.option("--every", type=DURATION, default="5m", show_default=True, callback=_often_enough,
                     help="How often cron starts the run."),
        click.option("--limit", type=Whole(1), default=1, show_default=True,
                     help="That of `run-once`, a run."),
        click.option("--drain", is_flag=True,
                     help="Cron starts `run`, which sends all that may go, and not `run-once`."),
    )  # fmt: skip


def _often_enough(_ctx: click.Context, _param: click.Parameter, every: timedelta) -> timedelta:
    if every < timedelta(seconds=1):
        raise click.BadParameter("cron starts nothing more often than once a second: write 5m")
    return every


def with_options(command: Any, *options: Any) -> Any:
    """Give a command options, which its help then lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
