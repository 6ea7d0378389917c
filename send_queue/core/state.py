"""What a run is given (`Pass`), what it prints (`RunReport`), and what it remembers between claims (`Progress`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import TypeVar
from uuid import UUID

from send_queue.core.log_lines import Listener
from send_queue.model import ConfigurationError, UserError
from send_queue.providers import Providers
from send_queue.store import Connection, Database, Filters

T = TypeVar("T")

SEND_LEASE = timedelta(minutes=10)
"""How long a claimed send is ours. Every provider's longest call is shorter (`Provider.longest_call`)."""

LOCK_WAIT_SECONDS = 2.0
"""Seconds to wait for other runs that hold what we need; the count starts again whenever one of them progresses."""

MAX_LOOK_UPS = 10
"""Look-ups of one run at the most: each may take as long as a send."""


@dataclass(slots=True)
class Pass:
    """What a run is given."""

    database: Database
    providers: Providers
    worker: str
    filters: Filters = Filters()  # noqa: RUF009 — it is frozen
    stop: Event = field(default_factory=Event)
    listener: Listener = Listener()  # noqa: RUF009 — it is frozen

    def call(self, function: Callable[[Connection, datetime | None], T], seconds: float = LOCK_WAIT_SECONDS) -> T:
        """Call the database with the moment last; while it is away, retry for `seconds`."""
        return self.database.call(function, seconds, self.stop)


@dataclass(slots=True)
class RunReport:
    """What a run prints. The counts are of rows; `processed` is their sum."""

    sent: int = 0
    retried: int = 0
    held: int = 0
    failed: int = 0
    skipped: int = 0
    uncertain: int = 0
    sent_to: str | None = None
    send_id: UUID | None = None
    reason: str | None = None
    message: str = ""
    next_at: datetime | None = None
    remaining: int | None = None
    missing_config: ConfigurationError | None = None
    """What the environment, or the database server, lacks for an account with due sends."""
    refusals: dict[tuple[str, str], ConfigurationError] = field(default_factory=dict)
    """Secrets that a provider refused while sends wait for them, by provider and variable."""
    unrecorded: UserError | None = None
    """Why the database refused a result: mostly a trigger or constraint that is not ours."""

    @property
    def problem(self) -> UserError | None:
        """The error with which the command exits after all other sends had their turn."""
        return self.unrecorded or self.missing_config or next(iter(self.refusals.values()), None)

    @property
    def processed(self) -> int:
        return self.sent + self.retried + self.held + self.failed + self.skipped + self.uncertain


@dataclass(slots=True)
class Progress:
    """How far a run is: its report, and what it remembers between claims."""

    report: RunReport = field(default_factory=RunReport)
    look_ups_due: bool = False
    """Whether the last claim saw look-ups that are due, or a send became uncertain since."""
    look_ups_left: int = MAX_LOOK_UPS
    """0: the run leaves uncertain sends alone."""
    uncertain_ids: set[UUID] = field(default_factory=set)
    """The sends that became uncertain in this run."""
    skip_accounts: set[UUID] = field(default_factory=set)
    """Accounts that this run claims nothing more for: it cannot send for them here."""
    disconnected: set[UUID] = field(default_factory=set)
    """Accounts that this run found disconnected, and said so."""
    connect_failures: Counter[UUID] = field(default_factory=Counter)
    """Failed connections, by account."""
    mended: set[UUID] = field(default_factory=set)
    """The accounts whose secret was refused before, and that have sent in this run."""

    unrecorded: int = 0
    """Results that the database refused."""

    @property
    def asks(self) -> bool:
        """Whether a look-up may begin."""
        return self.look_ups_due and self.look_ups_left > 0
