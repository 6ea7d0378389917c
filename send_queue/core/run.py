"""One pass over the queue: claim, send, record, look up.

    claim    one transaction: due rows of open lanes, within every limit, with a lease               (send_claim)
             then, if the claim saw any: expired leases become uncertain sends (send_recover), and windows that have
             passed are computed anew (send_set_windows)
    send     no transaction is open; a provider returns an outcome and never raises
    record   the result, if the attempt is still ours: one transaction for what was sent (send_record_sent), one for the
             rest                                                                                    (send_record)
    look up  the provider is queried about uncertain sends                                           (look_up.py)

All that a run knows is in the database, so it may be killed anywhere. A send begins only while its lease is sure to
outlast it: a run that was suspended releases it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from math import inf
from types import MappingProxyType
from uuid import UUID

from send_queue import store
from send_queue.core.calls import InFlight
from send_queue.core.look_up import begin_look_ups, settle_doubt
from send_queue.core.record import ResultWriter, count, explain_idle, note_refusal, record
from send_queue.core.state import LOCK_WAIT_SECONDS, MAX_LOOK_UPS, SEND_LEASE, Pass, Progress, RunReport
from send_queue.model import Claimed, ConfigurationError, Json, clock

__all__ = [
    "LOCK_WAIT_SECONDS", "SEND_LEASE", "Pass", "Progress", "RunReport", "explain_idle", "rehearse", "run", "take",
]  # fmt: skip

MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.03, 0.5
"""Seconds between two claims while other runs hold what we need, doubled each time: every claim slows the others."""

MAX_WAIT_SECONDS = 30.0
"""Seconds to wait for other runs in all."""

NO_BATCHES: Mapping[str, int] = MappingProxyType({})


def run(
    pass_: Pass,
    limit: int | None = 1,
    concurrency: int = 1,
    until: float = inf,
    *,
    explain: bool = True,
    resolve_doubts: bool = True,
    on_progress: Callable[[RunReport], None] = lambda _: None,
) -> RunReport:
    """Send what is due: at most `limit` rows, in at most `concurrency` calls at a time. Without a limit a call carries
    as many rows as its provider takes. Nothing begins that may not end by `until` (on `model.clock`).

    `explain` reports why nothing went out and what remains. `resolve_doubts` False leaves uncertain sends alone.
    Where configuration is missing, the report says so, after all other sends had their turn. Raises
    `DatabaseUnreachable` where the database does not come back while the leases last.
    """
    progress = Progress(look_ups_left=MAX_LOOK_UPS if resolve_doubts else 0)
    report = progress.report
    left = limit if limit is not None else sys.maxsize
    writer = ResultWriter(pass_) if limit is None and pass_.database.reconnect else None
    with ThreadPoolExecutor(concurrency) as threads:
        in_flight = InFlight(threads, concurrency, writer.write if writer else None)

        def begin(claimed: Sequence[Claimed]) -> None:
            in_flight.send(pass_.providers, claimed, pass_.stop)

        try:
            while not in_flight.first_error:
                in_time = clock() + 2 * in_flight.slowest_call_seconds < until
                claimed: tuple[Claimed, ...] = ()
                batches = pass_.providers.batches() if limit is None else NO_BATCHES
                free = min(in_flight.free(ahead=not batches), left)
                if in_time and free > 0:
                    claimed = take(pass_, free, progress, not in_flight.busy, batches, until, begin)
                    left -= len(claimed)
                if in_time:
                    begin_look_ups(pass_, in_flight, progress)
                if in_flight.busy or in_flight.results:
                    _finish(pass_, in_flight, progress)
                    on_progress(report)
                elif not claimed:
                    break
        finally:
            while in_flight.busy or in_flight.results:
                _finish(pass_, in_flight, progress)
            if writer:
                writer.close()
    if in_flight.first_error:
        raise in_flight.first_error
    if report.sent == 0 and (explain or report.processed) and not report.missing_config:
        explain_idle(pass_, report, with_remaining=explain)
    return report


def _finish(pass_: Pass, in_flight: InFlight, progress: Progress) -> None:
    """Block until something finishes, then record every finished call, even if one fails to record."""
    for future in in_flight.wait_done():
        with in_flight.keep_first_error():
            if future in in_flight.sending:
                in_flight.results += zip(in_flight.sending.pop(future), future.result(), strict=True)
            elif future is in_flight.writing:
                in_flight.writing = None
                count(pass_, future.result(), progress)
            else:
                settle_doubt(pass_, in_flight.asking.pop(future), future.result(), progress)
    if in_flight.recordable:
        with in_flight.keep_first_error():
            if in_flight.write and in_flight.began:
                in_flight.written(in_flight.write(in_flight.take_results()))
            else:
                record(pass_, in_flight.take_results(), progress)


def take(
    pass_: Pass,
    max_rows: int,
    progress: Progress,
    patient: bool = True,
    batches: Mapping[str, int] = NO_BATCHES,
    until: float = inf,
    begin: Callable[[Sequence[Claimed]], None] = lambda _: None,
) -> tuple[Claimed, ...]:
    """Claim rows, `begin` them, then recover expired leases and refresh windows, which may take a while.

    A provider's batch in `batches` counts as one row. A patient claim that took nothing waits for other runs that hold
    what it needs: seconds since the last of them progressed, and `MAX_WAIT_SECONDS` in all.
    """
    began = waited_since = clock()
    in_flight: str | None = None
    recovered = False
    pause = MIN_POLL_SECONDS
    while not pass_.stop.is_set() and clock() <= began + MAX_WAIT_SECONDS:
        claim = _claim(pass_, max_rows, progress.skip_accounts, batches)
        _note(pass_, claim, progress)
        begin(claim.sends)
        # A claim after a recovery is another one, even where all expired leases turned out to be sent.
        found = claim.expired_leases and (_recover(pass_, progress) or not recovered)
        recovered = recovered or claim.expired_leases
        refreshed = claim.stale and _refresh_windows(pass_, claim.stale, claim.at)
        if claim.sends:
            return claim.sends
        if found or refreshed:
            continue
        if claim.in_flight != in_flight:  # another run progressed
            in_flight, waited_since = claim.in_flight, clock()
        others = claim.lock_skipped or claim.expired_leases or claim.stale or claim.in_flight is not None
        given_up = clock() > min(waited_since + LOCK_WAIT_SECONDS, until)
        if not patient or not others or given_up or progress.asks:
            break
        pass_.stop.wait(random.uniform(pause / 2, pause))
        pause = min(2 * pause, MAX_POLL_SECONDS)
    return ()


def rehearse(pass_: Pass, limit: int) -> tuple[tuple[Claimed, ...], RunReport]:
    """Return what a run would claim now, and a report that explains why that is nothing; roll all of it back.

    Store windows first: storing locks lanes, and the claim would hold them.
    """
    report, nobody = RunReport(), frozenset[UUID]()
    database = pass_.database
    pass_ = replace(pass_, database=store.Database(database.conn, database.now))  # no other connection has this state
    with store.rolled_back(database.conn):
        first = _claim(pass_, limit, nobody, dry_run=True)
    with store.rolled_back(database.conn):
        if first.stale:
            _refresh_windows(pass_, first.stale, first.at)
        claimed = _claim(pass_, limit, nobody, dry_run=True).sends
        if not claimed and pass_.call(store.recover):
            claimed = _claim(pass_, limit, nobody, dry_run=True).sends
        if not claimed:
            explain_idle(pass_, report, with_remaining=False)
        return claimed, report


def _claim(
    pass_: Pass,
    max_rows: int,
    skip_accounts: Collection[UUID],
    batches: Mapping[str, int] = NO_BATCHES,
    dry_run: bool = False,
) -> store.Claim:
    return pass_.call(lambda conn, at: store.claim(
        conn, pass_.worker, max_rows, SEND_LEASE, pass_.filters, at, batches, tuple(skip_accounts), dry_run
    ))  # fmt: skip


def _note(pass_: Pass, claim: store.Claim, progress: Progress) -> None:
    """Report and log what a claim saw."""
    report = progress.report
    report.skipped += claim.expired
    progress.look_ups_due = progress.look_ups_due or claim.look_ups_due
    if claim.lacking:
        report.missing_config = report.missing_config or ConfigurationError(claim.lacking)
    if claim.refused:
        note_refusal(report, **claim.refused)
    if claim.expired:
        pass_.listener.note("expired", status="skipped", sends=claim.expired)
    for send in claim.sends if pass_.listener.log else ():
        pass_.listener.step("claimed", send, "sending")


def _recover(pass_: Pass, progress: Progress) -> bool:
    """Make sends with expired leases uncertain; return whether there were any that no other run locks."""
    left = pass_.call(store.recover)
    for send_id in left:
        pass_.listener.note("left_behind", send_id=send_id, status="uncertain")
    progress.uncertain_ids.update(left)
    progress.report.uncertain += len(left)
    progress.look_ups_due = progress.look_ups_due or bool(left)
    return bool(left)


def _refresh_windows(pass_: Pass, stale: Sequence[Json], at: datetime) -> bool:
    """Compute and store the windows of these schedules; return whether any is stored. Few runs import the calendar."""
    from send_queue.rules import schedule_text

    windows = []
    for row in stale:
        window, never = schedule_text.window_row(row, at)
        if never:
            pass_.listener.warn(f"The schedule {row['name']!r} never opens: {never}")
        windows.append(window)
    return pass_.call(lambda conn, _: store.set_windows(conn, windows)) > 0
