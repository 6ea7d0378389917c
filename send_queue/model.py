"""The words of the project as values: what is sent, when it may go, and what became of it.

Everything here is frozen and knows nothing of databases, HTTP or the command line. A provider answers a send
with one of six outcomes and never with an exception; `core/results.py` matches them exhaustively.

    Sent          it was accepted
    AlreadyDone   the provider says that it was done before
    Retry         it certainly did not go out, and may work later
    Hold          it certainly did not go out: the lane or the account must wait, or needs a person
    Failed        it certainly did not go out, and never will
    Uncertain     it may have gone out: only a look-up or a person can tell
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
    """The current or the next opening of a schedule: open at `m` if and only if `opens_at <= m < closes_at`.

    Both are aware moments in UTC.
    """

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Business hours, weekdays, a time zone and the days that differ.

    `hours` maps a weekday to its pairs (from, to) in minutes of the wall clock; `to <= from` means that the
    pair ends on the next day (22:00-02:00); a weekday without an entry is closed (a weekend).
    """

    name: str
    timezone: str
    hours: Mapping[Weekday, tuple[tuple[Minutes, Minutes], ...]]
    skip_holidays: bool = False
    holiday_country: str | None = None
    holiday_subdivision: str | None = None
    closed_on: frozenset[date] = frozenset()
    open_on: frozenset[date] = frozenset()


# --- a send in hand ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """A send that this run has claimed: all that a provider needs to send it, and the run to record it."""

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
    """Set only of an attempt that is in doubt: when we gave up waiting for what became of it."""
    attempts: int = 0
    """Tries that counted so far, without this one."""
    max_attempts: int = 3
    backoff_seconds: tuple[int, ...] = (300, 900, 3600)
    leave_by: float = inf
    """On `clock`: from then on no byte of it may leave any more, for others may take it for dead and send it."""
    workspace_id: UUID | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the account, with what its place in the campaign says otherwise: a from-address, a server, ..."""
    token: str | None = None
    """The account's access token, sealed (`vault`); null where it has none and `secret_env` names its secret."""
    created_at: datetime | None = None
    """When it was enqueued; the same on every attempt."""
    repeat_by: datetime | None = None
    """Of a repeat, since an earlier attempt is in doubt: until when the provider knows it again. Null: for ever, or it
    is no repeat."""
    secret_refused: str | None = None
    """The variable of the environment whose secret the account's provider refused when it was last shown."""


def clock() -> float:
    """Seconds that go on while the machine is suspended, as those of the database do; Linux's monotonic ones do not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


# --- outcomes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted it; `provider_message_id` is null where the provider names none."""

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
    """It certainly did not go out; try again `after` that long, or at the campaign's back-off where null."""

    code: str
    detail: str = ""
    after: timedelta | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """It certainly did not go out, and nothing more may go from here for now; costs the send no attempt.

    scope    'lane': this channel of the account; 'account': all its channels.
    after    how long. With `ceiling`, the first of a ladder: it doubles with each hold in a row, up to the
             ceiling, and a send that goes out resets it. Null: until a person acts (the account is then
             disconnected, with `code` as the reason).
    secret   the variable of the environment whose secret the provider refuses: a mistake of the configuration. The
             account stays active and is tried again `after` that long; the run says so and exits with 78.
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
    """It certainly did not go out and never will: the dead letter."""

    code: str
    detail: str = ""
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have gone out: counted in the cap, looked up or settled by a person, never sent again blindly."""

    code: str
    detail: str = ""
    http_status: int | None = None


Outcome: TypeAlias = Sent | AlreadyDone | Retry | Hold | Failed | Uncertain


# --- what a look-up answers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """The provider has the send: it went out."""

    provider_message_id: str | None


@dataclass(frozen=True, slots=True)
class NotThere:
    """The provider was asked and does not list the send; a proof only once its lag is over."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider could not be asked, or cannot know."""

    detail: str = ""


LookUp: TypeAlias = Found | NotThere | CannotTell


# --- why a send waits -------------------------------------------------------------------------------------

Rule: TypeAlias = Literal[
    "scheduled_for", "schedule", "weekend", "holiday", "daily_cap", "weekly_cap", "rate_limit", "min_gap",
    "in_flight", "provider_hold", "paused", "disconnected", "quiet_hours", "contacted", "behind",
    "uncertain",
]  # fmt: skip

Verdict: TypeAlias = Literal["due_now", "waiting", "needs_person", "final"]

Sure: TypeAlias = Literal["exact", "about", "after"]
"""How sure a moment is: `about` where chance has a part in it (the jitter of those that go before), `after` where so
many go before that it was not played to the end."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One rule that holds a send back, and until when; null: until a person acts."""

    rule: Rule
    until: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a send has not gone, and the exact earliest moment when it can."""

    send_id: UUID
    status: str
    verdict: Verdict
    next_at: datetime | None
    holds: tuple[Blocker, ...]
    at: datetime
    """The moment that it was explained for."""
    epilogue: tuple[str, ...] = ()
    """Of a send that is over: why and when, and what can still be done, as sentences."""
    segments: int | None = None
    """Of an SMS: how many the network counts, in `encoding` (GSM-7 or UCS-2)."""
    encoding: str | None = None
    sure: Sure = "exact"
    """How sure next_at is."""
    contended: bool = False
    """Whether others that are due by then may go before it, so that next_at has to be played."""


class UserError(Exception):
    """Something that a person can mend. The message is one sentence that says what to do next.

    `exit_status` is what the command exits with: 2 wrong usage, 69 the database cannot be reached,
    78 configuration missing or wrong.
    """

    exit_status = 2


class ConfigurationError(UserError):
    exit_status = 78


class DatabaseUnreachable(UserError):
    exit_status = 69


class DatabaseBusy(DatabaseUnreachable):
    """It is there, and cannot just now: somebody holds what we need."""
