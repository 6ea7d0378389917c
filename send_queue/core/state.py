"""What a pass is given, and what it has counted so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import TypeAlias, TypeVar
from uuid import UUID

from send_queue.core import log_lines
from send_queue.model import ConfigurationError, DatabaseBusy, DatabaseUnreachable, clock
from send_queue.providers import Providers
from send_queue.store import Connection, Filters

T = TypeVar("T")

Now: TypeAlias = Callable[[], datetime | None]
"""The moment that it is believed to be; None: the database's clock decides."""

SEND_LEASE = timedelta(minutes=10)
"""How long a send may last. Longer than the longest call of any provider (`Provider.longest_call`)."""

LOCK_WAIT_SECONDS = 2.0
"""Seconds to wait for other runs that hold what we need, counted anew whenever one of them gets on."""

NO_FILTERS = Filters()


@dataclass(slots=True)
class RunReport:
    """What a run did. The counts are of rows; `processed` is their sum."""

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
    """What the environment, or the database server, lacks for an account that had something to send."""
    refusals: dict[tuple[str, str], ConfigurationError] = field(default_factory=dict)
    """By provider and variable, what is said of a secret that was refused while something waits for it."""
    connect_failures: Counter[UUID] = field(default_factory=Counter)
    """How often nothing was reached for an account."""
    uncertain_ids: set[UUID] = field(default_factory=set)
    """The sends that became uncertain in this run."""
    mended: set[UUID] = field(default_factory=set)
    """The accounts whose secret was refused before, and that have sent."""
    in_doubt: bool = False
    """Whether there may be sends of which a provider is to be asked now."""
    look_ups_done: int = 0

    @property
    def problem(self) -> ConfigurationError | None:
        """Why the command exits with 78 when all others had their turn."""
        return self.missing_config or next(iter(self.refusals.values()), None)

    @property
    def processed(self) -> int:
        return self.sent + self.retried + self.held + self.failed + self.skipped + self.uncertain


@dataclass(slots=True)
class Pass:
    """What a pass needs: a connection in autocommit, providers, a clock, a name, and a word to stop.

    `reconnect` makes a new connection when this one is lost; without it a lost one is lost for good. `log` is told of
    each step of each send.
    `resolve_doubts` False leaves alone what is in doubt.
    """

    conn: Connection
    providers: Providers
    now: Now
    worker: str
    filters: Filters = NO_FILTERS
    stop: Event = field(default_factory=Event)
    warn: Callable[[str], None] = lambda _: None
    reconnect: Callable[[], Connection] | None = None
    log: log_lines.Log | None = None
    resolve_doubts: bool = True
    dry_run: bool = False
    """In a transaction that is taken back: mark no lane idle, since that lock blocks writers until the rollback."""
    skip_accounts: set[UUID] = field(default_factory=set)
    """Accounts that cannot send here, since something is lacking: passed by for the rest of the run."""

    def call(self, seconds: float, call: Callable[[], T]) -> T:
        """Call the database. If it is gone, try again on a new connection for `seconds` (of a record: while its lease
        lasts), or for a moment after the word to stop. Raises `DatabaseUnreachable` afterwards.

        An earlier try may have come through unheard: an attempt is finished once, and a lease gives back what was
        claimed.
        """
        stopped_at: float | None = None
        last = clock() + seconds
        while True:
            try:
                return call()
            except DatabaseUnreachable as error:
                if self.stop.is_set() and stopped_at is None:
                    stopped_at = clock()
                until = last if stopped_at is None else min(last, stopped_at + LOCK_WAIT_SECONDS)
                if self.reconnect is None or clock() > until:
                    raise
                time.sleep(0.1)  # seconds; a server that is away can only be tried again
                if not isinstance(error, DatabaseBusy):
                    with suppress(DatabaseUnreachable):
                        self.conn = like(self.conn, self.reconnect())


def like(known: Connection, new: Connection) -> Connection:
    """A new connection that knows what the other has learned of the server's isolation level."""
    new.isolation_level = known.isolation_level
    return new
