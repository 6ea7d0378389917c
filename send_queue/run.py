"""One pass over the queue: recover, claim, send, record.

    recover  rows that a dead run left are put in doubt (send_recover), and the provider is asked about them
    claim    one transaction: due rows of open lanes, within every limit, marked with a lease          (send_claim)
             on the way: windows that have passed are worked out anew
    send     no transaction open; the provider answers with an outcome, never with an exception
    record   one transaction: what became of it, if the attempt is still ours                          (send_record)

Everything that a run knows is in the database; it may be killed anywhere. A send that was claimed is begun only while
its lease is sure to outlast it, so that a run that was suspended meanwhile lets go of it instead.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TypeAlias, assert_never
from uuid import UUID

from send_queue import explain, recover, store
from send_queue.backoff import retry_seconds
from send_queue.model import (
    AlreadyDone,
    Claimed,
    ConfigurationError,
    DatabaseUnreachable,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
    Window,
    clock,
)
from send_queue.providers import Provider, Providers
from send_queue.store import Connection, Filters, Json, Recorded

Now: TypeAlias = Callable[[], datetime | None]
"""The moment that it is believed to be; None: the database's clock decides."""

LEASE = timedelta(minutes=10)
"""How long a send may last. Longer than the longest call of any provider (`Provider.longest_call`)."""

PATIENCE = 2.0
"""Seconds to wait for other runs that hold what we need, counted anew whenever one of them gets on."""

LOOK_UPS_A_RUN = 10
"""How many sends in doubt one run asks about: each may take as long as a send."""

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
    lacking: ConfigurationError | None = None
    doubted: set[UUID] = field(default_factory=set)
    """The sends that became uncertain in this run."""

    @property
    def processed(self) -> int:
        return self.sent + self.retried + self.held + self.failed + self.skipped + self.uncertain


@dataclass(slots=True)
class Run:
    """What a pass needs: a connection in autocommit, providers, a clock, a name, and a word to stop.

    `reconnect` makes a new connection when this one is lost; without it a lost one is lost for good.
    `asking` False leaves alone what is in doubt.
    """

    conn: Connection
    providers: Providers
    now: Now
    worker: str
    filters: Filters = EVERYTHING
    stop: Event = field(default_factory=Event)
    warn: Callable[[str], None] = lambda _: None
    reconnect: Callable[[], Connection] | None = None
    asking: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """Not begun: the lease would not have outlasted it."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A claimed send, and the moment (of `model.clock`) by which its lease is surely not over."""

    send: Claimed
    safe_until: float


def run(
    this: Run, limit: int | None = 1, concurrency: int = 1, until: float | None = None, telling: bool = True
) -> Report:
    """Send what is due: up to `limit` rows, `concurrency` at a time, claiming none after `until` (`time.monotonic`).

    `telling` False: nobody is told why nothing went out, or what remains, so a run with nothing to do does not ask.
    Raises `ConfigurationError` where a provider lacks something, after the rest has been recorded or released;
    `DatabaseUnreachable` where the database does not come back while the leases last.
    """
    report = Report()
    left = limit if limit is not None else sys.maxsize
    with ThreadPoolExecutor(concurrency) as hands:
        flying: dict[Future[Outcome | Released], InHand] = {}
        try:
            while True:
                free = min(concurrency - len(flying), left)
                if free and not report.lacking and (until is None or time.monotonic() < until):
                    claimed = take(this, free, report, patient=not flying)
                    left -= len(claimed)
                    for in_hand, provider in _with_providers(this, claimed, report):
                        flying[hands.submit(_send, provider, in_hand)] = in_hand
                if not flying:
                    break
                _record_done(this, flying, report)
        finally:
            while flying:
                _record_done(this, flying, report)
    if report.lacking:
        raise report.lacking
    _ask(this, report)
    if report.sent == 0 and (telling or report.processed):
        say_why(this, report, counting=telling)
    elif telling:
        report.remaining = store.remaining(this.conn, this.filters)
    return report


def _record_done(this: Run, flying: dict[Future[Outcome | Released], InHand], report: Report) -> None:
    """Wait until a send is done, and record all that are."""
    done, _ = wait(flying, return_when=FIRST_COMPLETED)
    for future in done:
        in_hand = flying.pop(future)
        try:
            outcome = future.result()
        except ConfigurationError as lacking:
            _released(this, [in_hand], lacking, report)
        else:
            record(this, in_hand, outcome, report)


def _released(this: Run, in_hand: Sequence[InHand], lacking: ConfigurationError, report: Report) -> None:
    """Let go of sends that cannot be made here, with nothing spent; the run ends with what is lacking."""
    store.record(this.conn, [_result(h.send, Released()) for h in in_hand], this.now())
    report.lacking = lacking


def rehearse(this: Run, limit: int) -> tuple[Claimed, ...]:
    """Claim as a run would, and take it all back: what would go out now."""
    with store.nothing_kept(this.conn):
        return tuple(i.send for i in take(replace(this, asking=False), limit, Report(), patient=False))


# --- recover ----------------------------------------------------------------------------------------------


def _ask(this: Run, report: Report) -> bool:
    """Ask the providers about sends in doubt, a few a run; say whether any is pending again."""
    again = False
    for _ in range(LOOK_UPS_A_RUN):
        if not this.asking or this.stop.is_set():
            break
        doubts = store.look_ups(this.conn, 1, LEASE, this.now())
        for doubt in doubts:
            verdict, message_id, wait_for = recover.ask(this.providers, doubt)
            status = store.looked_up(this.conn, doubt.send.send_id, verdict, message_id, wait_for, this.now())
            again = again or status == "pending"
            _count_settled(report, doubt.send, status)
        if not doubts:
            break
    return again


def _count_settled(report: Report, send: Claimed, status: str) -> None:
    if status == "uncertain":
        return
    if send.send_id in report.doubted:
        report.doubted.remove(send.send_id)
        report.uncertain -= 1
    report.send_id = send.send_id
    if status == "sent":
        report.sent += 1
        report.sent_to = send.recipient
    elif status == "failed":
        report.failed += 1
    else:
        report.retried += 1


# --- claim ------------------------------------------------------------------------------------------------


def take(this: Run, max_rows: int, report: Report, patient: bool = True) -> tuple[InHand, ...]:
    """Claim; see to what the claim finds on the way; with patience, wait a moment for others that hold what we need."""
    began = waited_since = time.monotonic()
    seen: str | None = None
    while not this.stop.is_set():
        asked_at = clock()
        claim = store.claim(this.conn, this.worker, max_rows, LEASE, this.filters, this.now())
        report.skipped += claim.expired
        if claim.left:
            left = store.recover(this.conn, this.now())
            report.doubted.update(left)
            report.uncertain += len(left)
        if claim.stale:
            _work_out_windows(this, claim.stale, claim.at)
        if claim.sends:
            return tuple(InHand(send, asked_at + LEASE.total_seconds()) for send in claim.sends)
        if claim.left or claim.stale or (claim.in_doubt and _ask(this, report)):
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


def _with_providers(this: Run, claimed: Sequence[InHand], report: Report) -> Iterator[tuple[InHand, Provider]]:
    """Give each send its provider. Where one lacks its configuration, it and those after it are released."""
    for i, in_hand in enumerate(claimed):
        try:
            provider = this.providers.serving(in_hand.send.provider, in_hand.send.channel)
        except ConfigurationError as lacking:
            _released(this, claimed[i:], lacking, report)
            return
        yield in_hand, provider


def _send(provider: Provider, in_hand: InHand) -> Outcome | Released:
    send = in_hand.send
    if send.channel not in provider.channels:
        return Failed("channel_not_served", f"The provider {send.provider} does not send {send.channel}.")
    if clock() + provider.longest_call.total_seconds() > in_hand.safe_until:
        return Released()
    try:
        return provider.send(replace(send, leave_by=in_hand.safe_until))
    except ConfigurationError:
        raise
    except Exception as error:  # a provider of one's own may break the rule: then nobody knows what became of it
        return Uncertain("provider_raised", type(error).__name__)


# --- record -----------------------------------------------------------------------------------------------


def record(this: Run, in_hand: InHand, outcome: Outcome | Released, report: Report) -> None:
    """Write down what became of a send, and count it."""
    written = _written(this, in_hand, _result(in_hand.send, outcome))
    report.send_id = in_hand.send.send_id
    match written.status:
        case "sent":
            report.sent += 1
            report.sent_to = in_hand.send.recipient
        case "pending":
            report.held += isinstance(outcome, Hold | Released)
            report.retried += not isinstance(outcome, Hold | Released)
        case "failed":
            report.failed += 1
        case "skipped":
            report.skipped += 1
        case _:
            report.uncertain += 1
            report.doubted.add(in_hand.send.send_id)


def _written(this: Run, in_hand: InHand, result: Json) -> Recorded:
    """Record a result. If the database is gone, keep it and try again for as long as the lease lasts, or a moment where
    we are told to stop: whether an earlier try came through or not, the attempt is finished once."""
    told_at: float | None = None
    while True:
        try:
            [written] = store.record(this.conn, [result], this.now())
            return written
        except DatabaseUnreachable:
            if this.stop.is_set() and told_at is None:
                told_at = clock()
            until = in_hand.safe_until if told_at is None else min(in_hand.safe_until, told_at + PATIENCE)
            if this.reconnect is None or clock() > until:
                raise
            time.sleep(0.1)
            with suppress(DatabaseUnreachable):
                this.conn = this.reconnect()


def _result(send: Claimed, outcome: Outcome | Released) -> Json:
    """An outcome as send_record takes it."""
    result: Json = {"attempt_id": str(send.attempt_id)}
    if isinstance(outcome, Released):
        return result | {"outcome": "released"}
    result["http_status"] = outcome.http_status
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
    if report.processed == 0 or why["due"] is None or why["due"]["holds"]:
        report.reason, report.message = explain.reason(why["due"])
    first = why["first"]
    if first and first["beyond"]:
        found = explain.explain(this.conn, UUID(first["send_id"]), datetime.fromisoformat(first["at"]))
        report.next_at = found.next_at
    elif first and first["next_at"]:
        report.next_at = datetime.fromisoformat(first["next_at"])
