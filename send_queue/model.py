"""The values of the project: sends, schedules, outcomes.

All are frozen and independent of database, HTTP and command line. A provider answers a send with one of six outcomes,
never an exception; `core/results.py` matches them exhaustively.

    Sent          the provider accepted it
    AlreadyDone   the provider says that it was done before
    Retry         it did not go out, and may work later
    Hold          it did not go out: the lane or the account must wait, or needs a person
    Failed        it did not go out, and never will
    Uncertain     it may have gone out: a look-up or a person must settle it
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

Json: TypeAlias = dict[str, Any]
"""A JSON object."""

Weekday: TypeAlias = int
"""0 is Monday, 6 is Sunday, as in `datetime.date.weekday`."""

Minutes: TypeAlias = int
"""A time on the wall clock as minutes since midnight, 0 to 1440 (24:00)."""

CHANNELS = ("linkedin_invite", "linkedin_message", "email", "sms", "post", "webhook", "log")


# --- the calendar -----------------------------------------------------------------------------------------


class Window(NamedTuple):
    """The current or next opening of a schedule: open at `m` if and only if `opens_at <= m < closes_at`.

    Both are aware moments in UTC.
    """

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Business hours by weekday, a time zone, and exceptional days.

    `hours` maps a weekday to its pairs (from, to) in minutes of the wall clock; with `to <= from` a pair ends on
    the next day (22:00-02:00); a weekday without an entry is closed.
    """

    name: str
    timezone: str
    hours: Mapping[Weekday, tuple[tuple[Minutes, Minutes], ...]]
    skip_holidays: bool = False
    holiday_country: str | None = None
    holiday_subdivision: str | None = None
    holiday_calendars: tuple[str, ...] = ()
    closed_on: frozenset[date] = frozenset()
    open_on: frozenset[date] = frozenset()


# --- a claimed send ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Claimed:
    """A send that this run has claimed, with all data for the provider and for recording. Nobody changes it; it is not
    frozen, since to make a frozen one takes four times as long."""

    send_id: UUID
    attempt_id: UUID
    attempt_number: int
    channel: str
    recipient: str
    subject: str | None
    message: str
    payload: Mapping[str, Any]
    account_id: UUID
    account: str
    provider: str
    provider_account_id: str | None
    secret_env: str | None
    campaign: str
    started_at: datetime
    finished_at: datetime | None = None
    """Of an uncertain attempt alone: the moment when its run gave up waiting."""
    attempts: int = 0
    """Counted tries so far, without this one."""
    max_attempts: int = 3
    backoff_seconds: tuple[int, ...] = (300, 900, 3600)
    leave_by: float = inf
    """Seconds on `clock`: no byte may leave from then on, since another run may send it."""
    workspace_id: UUID | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The account's settings, overridden by its place in the campaign: a from-address, a server, ..."""
    token: str | None = None
    """The account's access token, sealed (`vault`); None: `secret_env` names its secret."""
    created_at: datetime | None = None
    """The moment of enqueueing, equal on every attempt."""
    repeat_by: datetime | None = None
    """Of a repeat after an uncertain attempt: the provider recognises it until then. None: always, or no repeat."""
    secret_refused: str | None = None
    """The environment variable whose secret the provider refused last."""


def clock() -> float:
    """Return seconds that go on while the machine is suspended, like the database's; Linux's monotonic clock stops."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


# --- outcomes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted it; `provider_message_id` None: it gave no id."""

    provider_message_id: str | None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """The provider says that it was done before: already connected, an invitation is pending."""

    code: str
    detail: str = ""
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It certainly did not go out; retry `after` this time; None: after the campaign's back-off."""

    code: str
    detail: str = ""
    after: timedelta | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """It certainly did not go out, and no other send may go from here for now; costs the send no attempt.

    scope    'lane': this channel of the account; 'account': all its channels.
    after    the length. With `ceiling` it doubles with each consecutive hold, up to the ceiling; a send that goes
             out resets it. None: until a person acts; the account is disconnected, with `code` as the reason.
    secret   the environment variable whose secret the provider refuses, a configuration error: the account
             stays active and is retried `after` this time; the run reports it and exits with 78.
    """

    scope: Literal["lane", "account"]
    code: str
    detail: str = ""
    after: timedelta | None = None
    ceiling: timedelta | None = None
    http_status: int | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It certainly did not go out and never will."""

    code: str
    detail: str = ""
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have gone out: it counts against the cap, and a look-up or a person settles it; no blind repeat."""

    code: str
    detail: str = ""
    http_status: int | None = None


Outcome: TypeAlias = Sent | AlreadyDone | Retry | Hold | Failed | Uncertain


# --- results of look-ups ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """The provider has the send: it went out."""

    provider_message_id: str | None


@dataclass(frozen=True, slots=True)
class NotThere:
    """The provider does not list the send; a proof only after its lag."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider did not answer, or cannot know."""

    detail: str = ""


LookUp: TypeAlias = Found | NotThere | CannotTell


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a harmless request for an account.

    result  'refused': no answer, or the secret is refused; `detail` has the cause, a colon and the remedy
            'unknown': nothing can be asked; `detail` has the reason
    """

    result: Literal["reached", "refused", "unknown"]
    detail: str = ""


# --- why a send waits -------------------------------------------------------------------------------------

Rule: TypeAlias = Literal[
    "scheduled_for", "schedule", "weekend", "holiday", "daily_cap", "weekly_cap", "rate_limit", "min_gap",
    "in_flight", "provider_hold", "paused", "disconnected", "quiet_hours", "contacted", "behind",
    "uncertain",
]  # fmt: skip

Verdict: TypeAlias = Literal["due_now", "waiting", "needs_person", "final"]

Sure: TypeAlias = Literal["exact", "about", "after"]
"""The certainty of a moment. `about`: earlier sends have random jitter; `after`: so many go before that the simulation
stopped early."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A rule that holds a send, until a moment; None: until a person acts."""

    rule: Rule
    until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The rules that hold a send, and the exact earliest moment when it can go."""

    send_id: UUID
    status: str
    verdict: Verdict
    next_at: datetime | None
    holds: tuple[Blocker, ...]
    at: datetime
    """The moment of the explanation."""
    epilogue: tuple[str, ...] = ()
    """Sentences about a finished send: the reason, the moment, the remaining options."""
    segments: int | None = None
    """Of an SMS: its segments in `encoding` (GSM-7 or UCS-2)."""
    encoding: str | None = None
    sure: Sure = "exact"
    """The certainty of next_at."""
    contended: bool = False
    """Whether other due sends may go before it, so that next_at needs the simulation."""


class UserError(Exception):
    """An error that the user can mend. Its message is one sentence with the remedy.

    `exit_status` is the command's: 2 wrong usage, 69 database out of reach, 78 configuration missing or wrong.
    `sqlstate` is that of the database's refusal, such as SQ002 (invalid), SQ005 (no such thing) or SQ006 (not in a
    state for that); None: the database did not refuse.
    """

    exit_status = 2
    sqlstate: str | None = None


class ScheduleError(UserError, ValueError):
    """A schedule is impossible."""


class ConfigurationError(UserError):
    exit_status = 78


class DatabaseUnreachable(UserError):
    exit_status = 69


class DatabaseBusy(DatabaseUnreachable):
    """The database is there, but another session holds a needed lock."""
