"""One pass over the queue: recover, claim, send, record.

    claim   one transaction: due rows of open lanes, within every limit, marked with a lease        (send_claim)
            on the way: rows that a dead run left are put in doubt, windows that have passed are worked out anew
    send    no transaction open; the provider answers with an outcome, never with an exception
    record  one transaction: what became of it, if the attempt is still ours                        (send_record)

Everything that a run knows is in the database; it may be killed anywhere.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TypeAlias, assert_never
from uuid import UUID

from send_queue import explain, store
from send_queue.backoff import retry_seconds
from send_queue.model import (
    AlreadyDone,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
    Window,
)
from send_queue.providers import Provider, Providers
from send_queue.store import Connection, Filters, Json

Now: TypeAlias = Callable[[], datetime | None]
"""The moment that it is believed to be; None: the database's clock decides."""

LEASE = timedelta(minutes=10)
"""How long a send may last. Longer than the longest call of any provider (`Provider.longest_call`)."""

PATIENCE = 2.0
"""Seconds to wait for other runs that hold what we need, counted anew whenever one of them gets on."""

LONGEST_WAIT = 30.0
"""Seconds to wait for other runs in all."""

EVERYTHING = Filters()

NEVER = Window(datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
"""The window of a schedule that does not open."""


@dataclass(slots=True)
class Report:
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

    @property
    def processed(self) -> int:
        return self.sent + self.retried + self.held + self.failed + self.skipped + self.uncertain


@dataclass(frozen=True, slots=True)
class Run:
    """What a pass needs: a connection in autocommit, providers, a clock, a name, and a word to stop."""

    conn: Connection
    providers: Providers
    now: Now
    worker: str
    filters: Filters = EVERYTHING
    stop: Event = field(default_factory=Event)
    warn: Callable[[str], None] = lambda _: None


def run(
    this: Run, limit: int | None = 1, concurrency: int = 1, until: float | None = None, counting: bool = True
) -> Report:
    """Send what is due: up to `limit` rows, `concurrency` at a time, claiming none after `until` (`time.monotonic`).

    Raises `ConfigurationError` where a provider lacks something, after the rest has been recorded or released.
    """
    report = Report()
    left = limit if limit is not None else sys.maxsize
    with ThreadPoolExecutor(concurrency) as hands:
        flying: dict[Future[Outcome], Claimed] = {}
        try:
            while True:
                free = min(concurrency - len(flying), left)
                if free and (until is None or time.monotonic() < until):
                    claimed = take(this, free, report, patient=not flying)
                    left -= len(claimed)
                    for send, provider in _with_providers(this, claimed):
                        flying[hands.submit(_send, provider, send)] = send
                if not flying:
                    break
                _record_done(this, flying, report)
        finally:
            while flying:
                _record_done(this, flying, report)
    if report.sent == 0:
        say_why(this, report, counting)
    elif counting:
        report.remaining = store.remaining(this.conn, this.filters)
    return report


def _record_done(this: Run, flying: dict[Future[Outcome], Claimed], report: Report) -> None:
    """Wait until a send is done, and record all that are."""
    done, _ = wait(flying, return_when=FIRST_COMPLETED)
    for future in done:
        record(this, flying.pop(future), future.result(), report)


def rehearse(this: Run, limit: int) -> tuple[Claimed, ...]:
    """Claim as a run would, and take it all back: what would go out now."""
    with store.nothing_kept(this.conn):
        return take(this, limit, Report())


# --- claim ------------------------------------------------------------------------------------------------


def take(this: Run, max_rows: int, report: Report, patient: bool = True) -> tuple[Claimed, ...]:
    """Claim; see to what the claim finds on the way; with patience, wait a moment for others that hold what we need."""
    began = waited_since = time.monotonic()
    seen: str | None = None
    while not this.stop.is_set():
        claim = store.claim(this.conn, this.worker, max_rows, LEASE, this.filters, this.now())
        report.skipped += claim.expired
        if claim.in_doubt:
            left = store.recover(this.conn, this.now())
            report.uncertain += sum(status == "uncertain" for _, status in left)
        if claim.stale:
            _work_out_windows(this, claim.stale, claim.at)
        if claim.sends:
            return claim.sends
        if claim.stale or (claim.in_doubt and left):
            continue
        if claim.in_flight != seen:
            seen, waited_since = claim.in_flight, time.monotonic()
        waiting = patient and (claim.busy or claim.in_flight is not None)
        if not waiting or time.monotonic() - waited_since > PATIENCE or time.monotonic() - began > LONGEST_WAIT:
            break
        this.stop.wait(random.uniform(0.01, 0.05))
    return ()


def _work_out_windows(this: Run, stale: Sequence[Json], at: datetime) -> None:
    """Work out the windows that have passed, by the calendar, and cache them; imported here, since few runs need it."""
    from send_queue import calendar

    windows = []
    for row in stale:
        try:
            opens = calendar.openings(calendar.schedule_from(row), at, 5)
        except calendar.ScheduleError as error:
            this.warn(f"The schedule {row['name']!r} never opens: {error}")
            opens = [NEVER]
        windows.append({
            "id": row["id"],
            "version": row["version"],
            "window_since": at.isoformat(),
            "opens_at": opens[0].opens_at.isoformat(),
            "closes_at": opens[0].closes_at.isoformat(),
            "later": [[w.opens_at.isoformat(), w.closes_at.isoformat()] for w in opens[1:]],
        })  # fmt: skip
    store.set_windows(this.conn, windows)


# --- send -------------------------------------------------------------------------------------------------


def _with_providers(this: Run, claimed: Sequence[Claimed]) -> Iterator[tuple[Claimed, Provider]]:
    """Give each send its provider. Where one lacks its configuration, it and those after it are released."""
    for i, send in enumerate(claimed):
        try:
            yield send, this.providers.serving(send.provider, send.channel)
        except ConfigurationError:
            released = [{"attempt_id": str(s.attempt_id), "outcome": "released"} for s in claimed[i:]]
            store.record(this.conn, released, this.now())
            raise


def _send(provider: Provider, send: Claimed) -> Outcome:
    if send.channel not in provider.channels:
        return Failed("channel_not_served", f"The provider {send.provider} does not send {send.channel}.")
    try:
        return provider.send(send)
    except Exception as error:  # a provider of one's own may break the rule: then nobody knows what became of it
        return Uncertain("provider_raised", type(error).__name__)


# --- record -----------------------------------------------------------------------------------------------


def record(this: Run, send: Claimed, outcome: Outcome, report: Report) -> None:
    """Write down what became of a send, and count it."""
    [written] = store.record(this.conn, [_result(send, outcome)], this.now())
    report.send_id = send.send_id
    match written.status:
        case "sent":
            report.sent += 1
            report.sent_to = send.recipient
        case "pending":
            report.held += isinstance(outcome, Hold)
            report.retried += not isinstance(outcome, Hold)
        case "failed":
            report.failed += 1
        case "skipped":
            report.skipped += 1
        case _:
            report.uncertain += 1


def _result(send: Claimed, outcome: Outcome) -> Json:
    """An outcome as send_record takes it."""
    result: Json = {"attempt_id": str(send.attempt_id), "http_status": outcome.http_status}
    match outcome:
        case Sent(provider_message_id):
            return result | {"outcome": "sent", "provider_message_id": provider_message_id}
        case AlreadyDone(code, detail):
            return result | {"outcome": "already_done", "error_code": code, "error_message": detail}
        case Retry(code, detail, after):
            wait = retry_seconds(send.attempts + 1, send.backoff_seconds, random.random())
            return result | {
                "outcome": "retry", "error_code": code, "error_message": detail,
                "retry_seconds": max(wait, after.total_seconds()) if after else wait,
            }  # fmt: skip
        case Hold(scope, code, detail, after, ceiling):
            return result | {
                "outcome": "held", "scope": scope, "error_code": code, "error_message": detail,
                "hold_seconds": after.total_seconds() if after else None,
                "ceiling_seconds": ceiling.total_seconds() if ceiling else None,
            }  # fmt: skip
        case Failed(code, detail):
            return result | {"outcome": "failed", "error_code": code, "error_message": detail}
        case Uncertain(code, detail):
            return result | {"outcome": "uncertain", "error_code": code, "error_message": detail}
    assert_never(outcome)


# --- say why ----------------------------------------------------------------------------------------------


def say_why(this: Run, report: Report, counting: bool) -> None:
    """Say why nothing went out, and when anything can: one more look, from what is cached."""
    why = store.why(this.conn, this.filters, this.now(), counting)
    report.remaining = why["remaining"]
    report.reason, report.message = explain.reason(why["due"])
    first = why["first"]
    if first and first["beyond"]:
        found = explain.explain(this.conn, UUID(first["send_id"]), datetime.fromisoformat(first["at"]))
        report.next_at = found.next_at
    elif first and first["next_at"]:
        report.next_at = datetime.fromisoformat(first["next_at"])
