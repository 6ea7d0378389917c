"""Record results, count them, and say why nothing went out."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import TypeAlias, TypeVar
from uuid import UUID

from send_queue import store
from send_queue.core import explain, log_lines
from send_queue.core.results import Released, Result, Results, Written, as_json, as_row, clean_message_id
from send_queue.model import (
    Claimed,
    ConfigurationError,
    DatabaseBusy,
    DatabaseUnreachable,
    Failed,
    Hold,
    Retry,
    Sent,
    clock,
)
from send_queue.providers import Providers
from send_queue.store import Connection, Filters, Json

T = TypeVar("T")

Now: TypeAlias = Callable[[], datetime | None]
"""The moment that it is believed to be; None: the database's clock decides."""

SEND_LEASE = timedelta(minutes=10)
"""How long a send may last. Longer than the longest call of any provider (`Provider.longest_call`)."""

LOCK_WAIT_SECONDS = 2.0
"""Seconds to wait for other runs that hold what we need, counted anew whenever one of them gets on."""

CONNECT_ERROR_CODES = ("dns", "connect_refused", "connect_timeout", "connect_failed", "tls", "proxy_refused")
"""The codes of what did not get as far as the provider (providers/http.py)."""

MAX_CONNECT_FAILURES = 3
"""How often a run meets that for an account before it passes the account by: each send would lose a try to it."""

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


class ResultWriter:
    """Where results are written down while calls go on: a thread, and a connection that is made when there is something
    to write, so that claims and results do not wait for each other. Where none can be had, they share the run's."""

    def __init__(self, pass_: Pass, connect: Callable[[], Connection]) -> None:
        self._run = replace(pass_)
        self._connect: Callable[[], Connection] | None = connect
        self._shared = pass_.conn
        self._thread = ThreadPoolExecutor(1)

    def write(self, results: Results) -> Future[Written]:
        return self._thread.submit(self._write, results)

    def _write(self, results: Results) -> Written:
        if self._connect:
            connect, self._connect = self._connect, None
            with suppress(DatabaseUnreachable, ConfigurationError):
                self._run.conn = like(self._shared, connect())
        return _write(self._run, results)

    def close(self) -> None:
        self._thread.shutdown()
        if self._run.conn is not self._shared:
            self._run.conn.close()


def record(pass_: Pass, results: Results, report: RunReport) -> None:
    """Write down what became of sends, and count it."""
    count(pass_, _write(pass_, results), report)


def _step(send: Claimed, result: Result, status: str) -> log_lines.Transition:
    """What a result is to a log: how it ended, and how long after the claim."""
    said = as_json(send, result)
    return log_lines.log_event(
        said["outcome"], send, status, code=said.get("error_code"), http_status=said.get("http_status"),
        seconds=clock() - (send.leave_by - SEND_LEASE.total_seconds()),
    )  # fmt: skip


def _write(pass_: Pass, results: Results) -> Written:
    """Write down what became of sends. Where the database refuses one, all others are written down, each by itself."""
    try:
        return _write_together(pass_, results)
    except DatabaseUnreachable:
        raise
    except Exception:  # said below, of the one that is refused
        pass
    rows: list[tuple[Claimed, Result, str]] = []
    refused: Exception | None = None
    for send, result in results:
        try:
            rows += _write_together(pass_, [(send, result)]).rows
        except DatabaseUnreachable:
            raise
        except Exception as error:
            refused = error
            pass_.warn(
                f"What became of the send {send.send_id} ({type(result).__name__}) could not be written down. When its"
                " lease is over it counts as left by a dead run, and its provider is asked."
            )
    return Written(rows, refused)


def _write_together(pass_: Pass, results: Results) -> Written:
    """Those that went out in one transaction, the others in one."""
    went_out = [(send, clean_message_id(result)) for send, result in results if isinstance(result, Sent)]
    others: Results = [pair for pair in results if not isinstance(pair[1], Sent)]
    written: list[tuple[Claimed, Result, str]] = []
    if went_out:
        leave_by = min(send.leave_by for send, _ in went_out)
        left = pass_.call(leave_by - clock(), lambda: store.record_sent(pass_.conn, went_out, pass_.now()))
        written = [(send, sent, "sent") for send, sent in went_out if send.attempt_id not in left]
        others += [pair for pair in went_out if pair[0].attempt_id in left]
    if others:
        rows = [as_row(*pair) | _suppressing(pass_, *pair) for pair in others]
        leave_by = min(send.leave_by for send, _ in others)
        statuses = pass_.call(leave_by - clock(), lambda: store.record(pass_.conn, rows, pass_.now()))
        for send, result in others:
            if send.send_id in statuses:
                written.append((send, result, statuses[send.send_id]))
            else:
                pass_.warn(f"The send {send.send_id} was deleted in flight ({type(result).__name__}).")
    return Written(written)


def _suppressing(pass_: Pass, send: Claimed, result: Result) -> Json:
    """Whether nobody may write to the recipient any more: the provider has a name for such refusals."""
    if not isinstance(result, Failed):
        return {}
    provider = pass_.providers.serving(send.provider, send.channel)
    return {"suppress": True} if result.code in getattr(provider, "suppresses", ()) else {}


def count(pass_: Pass, written: Written, report: RunReport) -> None:
    """Count what is written down. Raises why something could not be: its lease will put it in doubt."""
    for send, result, status in written.rows:
        if pass_.log:
            pass_.log(_step(send, result, status))
        _count_one(pass_, report, send, result, status)
    if written.error:
        raise written.error


def _count_one(pass_: Pass, report: RunReport, send: Claimed, result: Result, status: str) -> None:
    if isinstance(result, Released) and result.missing_config:
        report.missing_config = report.missing_config or result.missing_config
        pass_.skip_accounts.add(send.account_id)
        return
    if isinstance(result, Retry) and result.code in CONNECT_ERROR_CODES:
        report.connect_failures[send.account_id] += 1
        if report.connect_failures[send.account_id] >= MAX_CONNECT_FAILURES:
            pass_.skip_accounts.add(send.account_id)
    if isinstance(result, Hold) and result.secret is not None:
        note_refusal(report, send.account, send.provider, result.secret, result.code)
    report.send_id = send.send_id
    if send.secret_refused is not None and send.account_id not in report.mended and status == "sent":
        report.mended.add(send.account_id)
        report.refusals.pop((send.provider, send.secret_refused), None)
        pass_.call(LOCK_WAIT_SECONDS, lambda: store.secret_works(pass_.conn, send.account_id))
    match status:
        case "sent":
            report.sent += 1
            report.sent_to = send.recipient
        case "pending":
            report.held += isinstance(result, Hold | Released)
            report.retried += not isinstance(result, Hold | Released)
        case "failed":
            report.failed += 1
        case "skipped":
            report.skipped += 1
        case _:
            report.uncertain += 1
            report.uncertain_ids.add(send.send_id)
            report.in_doubt = True


def note_refusal(report: RunReport, account: str, provider: str, secret: str, code: str) -> None:
    """Note a secret that its provider refuses, once however many accounts share it."""
    report.refusals.setdefault((provider, secret), ConfigurationError(
        f"The provider {provider} refuses the secret in {secret} (account {account}, {code}): put a working one there;"
        f" runs try it every 15 minutes, and at once after `send-queue resume account {shlex.quote(account)}`."
    ))  # fmt: skip


def explain_idle(pass_: Pass, report: RunReport, counting: bool) -> None:
    """Say why nothing went out, and when anything can: one more look, from what is cached."""
    why = store.explain_idle(pass_.conn, pass_.filters, pass_.now(), counting)
    report.remaining = why["remaining"]
    if report.processed == 0 or why["due"] is None or why["due"]["holds"]:
        report.reason, report.message = explain.reason(why["due"])
    if report.processed:  # why others wait says nothing of these
        held, report.message = explain.last(pass_.conn, report.send_id, pass_.now())
        report.reason = held or report.reason
    first = why["first"]
    if first and first["beyond"]:
        found = explain.explain(pass_.conn, UUID(first["send_id"]), datetime.fromisoformat(first["at"]))
        report.next_at = found.next_at
    elif first and first["next_at"]:
        report.next_at = datetime.fromisoformat(first["next_at"])
