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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import inf
from types import MappingProxyType

from send_queue import store
from send_queue.core import log_lines
from send_queue.core.calls import InFlight, call_provider, provider_calls
from send_queue.core.look_up import ask_about_doubts, settle_doubt
from send_queue.core.record import ResultWriter, count, explain_idle, note_refusal, record
from send_queue.core.state import LOCK_WAIT_SECONDS, SEND_LEASE, Pass, RunReport
from send_queue.model import (
    Claimed,
    ConfigurationError,
    Window,
    clock,
)
from send_queue.store import Json

__all__ = ["LOCK_WAIT_SECONDS", "SEND_LEASE", "Pass", "RunReport", "explain_idle", "rehearse", "run", "take"]

MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.03, 0.5
"""Seconds between looks meanwhile, longer each time: where many runs wait, looks are what the others are slowed by."""


NEVER_OPENS = Window(datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
"""The window of a schedule that does not open."""

MAX_WAIT_SECONDS = 30.0
"""Seconds to wait for other runs in all."""


def run(
    pass_: Pass,
    limit: int | None = 1,
    concurrency: int = 1,
    until: float = inf,
    telling: bool = True,
    progress: Callable[[RunReport], None] = lambda _: None,
) -> RunReport:
    """Send what is due: up to `limit` rows, in up to `concurrency` calls at a time; with no limit, as many rows in a
    call as its provider takes. Nothing is begun that might not be done by `until` (of `model.clock`).

    `telling` False: nobody is told why nothing went out, or what remains, so a run with nothing to do does not ask.
    `progress` is told what was done so far.
    Where a provider lacks something, the report says so (`lacking`), after all others had their turn. Raises
    `DatabaseUnreachable` where the database does not come back while the leases last.
    """
    report = RunReport()
    left = limit if limit is not None else sys.maxsize
    writer = ResultWriter(pass_, pass_.reconnect) if limit is None and pass_.reconnect else None
    with ThreadPoolExecutor(concurrency) as threads:
        in_flight = InFlight(threads, concurrency, writer.write if writer else None)

        def begin(claimed: Sequence[Claimed]) -> None:
            for provider, sends in provider_calls(pass_, claimed, report):
                in_flight.send(sends, partial(call_provider, provider, sends, pass_.stop, clock()))

        try:
            while not in_flight.first_error:
                in_time = clock() + 2 * in_flight.slowest_call_seconds < until
                claimed: tuple[Claimed, ...] = ()
                batches = pass_.providers.batches() if limit is None else {}
                free = min(in_flight.free(ahead=not batches), left)
                if in_time and free > 0:
                    claimed = take(pass_, free, report, not in_flight.busy, batches, until, begin)
                    left -= len(claimed)
                if in_time:
                    ask_about_doubts(pass_, in_flight, report)
                if in_flight.busy:
                    _finish(pass_, in_flight, report)
                    progress(report)
                elif not claimed:
                    break
        finally:
            while in_flight.busy or in_flight.results:
                _finish(pass_, in_flight, report)
            if writer:
                writer.close()
    if in_flight.first_error:
        raise in_flight.first_error
    if report.sent == 0 and (telling or report.processed) and not report.missing_config:
        explain_idle(pass_, report, counting=telling)
    return report


def _finish(pass_: Pass, in_flight: InFlight, report: RunReport) -> None:
    """Wait until something is done, and see that all that is done is written down, each though another could not be."""
    for future in in_flight.wait_done():
        with in_flight.keep_first_error():
            if future in in_flight.sending:
                in_flight.results += zip(in_flight.sending.pop(future), future.result(), strict=True)
            elif future is in_flight.writing:
                in_flight.writing = None
                count(pass_, future.result(), report)
            else:
                settle_doubt(pass_, in_flight.asking.pop(future), future.result(), report)
    if in_flight.results and not in_flight.writing:
        with in_flight.keep_first_error():
            if in_flight.write and in_flight.began:
                in_flight.written(in_flight.write(in_flight.take_results()))
            else:
                record(pass_, in_flight.take_results(), report)


def rehearse(pass_: Pass, limit: int, report: RunReport) -> tuple[Claimed, ...]:
    """Claim as a run would, and take it all back: what would go out now. The report says why nothing would.

    Windows that have passed are worked out first, before a claim has lanes in hand: who changes gates wants those.
    """
    pass_ = replace(pass_, resolve_doubts=False, dry_run=True, reconnect=None)
    with store.rolled_back(pass_.conn):
        first = _claim(pass_, limit)
    with store.rolled_back(pass_.conn):
        if first.stale:
            _refresh_windows(pass_, first.stale, first.at)
        claimed = take(pass_, limit, RunReport(), patient=False)
        if not claimed:
            explain_idle(pass_, report, counting=False)
        return claimed


# --- recover ----------------------------------------------------------------------------------------------


# --- claim ------------------------------------------------------------------------------------------------


def take(
    pass_: Pass,
    max_rows: int,
    report: RunReport,
    patient: bool = True,
    batches: Mapping[str, int] = MappingProxyType({}),
    until: float = inf,
    begin: Callable[[Sequence[Claimed]], None] = lambda _: None,
) -> tuple[Claimed, ...]:
    """Claim; `begin` what was claimed; see to what the claim finds on the way, which may take a while; with patience,
    wait a moment for others that hold what we need.

    Of a provider in `batches` so many rows count as one.
    """
    began = waited_since = clock()
    seen: str | None = None
    looked = False
    pause = MIN_POLL_SECONDS
    while not pass_.stop.is_set():
        claim = _claim(pass_, max_rows, batches)
        report.skipped += claim.expired
        report.in_doubt = report.in_doubt or claim.look_ups_due
        if claim.lacking:
            report.missing_config = report.missing_config or ConfigurationError(claim.lacking)
        if claim.refused:
            note_refusal(report, **claim.refused)
        if pass_.log:
            if claim.expired:
                pass_.log({"event": "expired", "status": "skipped", "sends": claim.expired})
            for send in claim.sends:
                pass_.log(log_lines.log_event("claimed", send, "sending"))
        begin(claim.sends)
        # Each may find that somebody holds what it needs: then it is for later.
        recovered = claim.expired_leases and (_recover(pass_, report) or not looked)
        looked = looked or claim.expired_leases  # it says nothing of what has turned out to be sent
        worked_out = claim.stale and not pass_.dry_run and _refresh_windows(pass_, claim.stale, claim.at)
        if claim.sends:
            return claim.sends
        if recovered or worked_out:
            continue
        if claim.in_flight != seen:
            seen, waited_since = claim.in_flight, clock()
        others = claim.lock_skipped or claim.expired_leases or claim.stale or claim.in_flight is not None
        given_up = clock() > min(waited_since + LOCK_WAIT_SECONDS, began + MAX_WAIT_SECONDS, until)
        if not patient or not others or given_up or (report.in_doubt and pass_.resolve_doubts):
            break
        pass_.stop.wait(random.uniform(pause / 2, pause))
        pause = min(2 * pause, MAX_POLL_SECONDS)
    return ()


def _claim(pass_: Pass, max_rows: int, batches: Mapping[str, int] = MappingProxyType({})) -> store.Claim:
    return pass_.call(LOCK_WAIT_SECONDS, lambda: store.claim(
        pass_.conn, pass_.worker, max_rows, SEND_LEASE, pass_.filters, pass_.now(), batches, tuple(pass_.skip_accounts),
        not pass_.dry_run,
    ))  # fmt: skip


def _recover(pass_: Pass, report: RunReport) -> bool:
    """Put in doubt what dead runs have left; whether there was anything that nobody holds."""
    left = pass_.call(LOCK_WAIT_SECONDS, lambda: store.recover(pass_.conn, pass_.now()))
    if pass_.log:
        for send_id in left:
            pass_.log({"event": "left_behind", "send_id": send_id, "status": "uncertain"})
    report.uncertain_ids.update(left)
    report.uncertain += len(left)
    report.in_doubt = report.in_doubt or bool(left)
    return bool(left)


# --- send -------------------------------------------------------------------------------------------------


# --- record -----------------------------------------------------------------------------------------------


# --- say why ----------------------------------------------------------------------------------------------


def _refresh_windows(pass_: Pass, stale: Sequence[Json], at: datetime) -> bool:
    """Work out the windows that have passed, by the calendar, and cache them; whether any is. Imported here, since few
    runs need it."""
    from send_queue.rules import calendar, schedule_text

    windows = []
    for row in stale:
        try:
            opens = calendar.openings(schedule_text.schedule_from(row), at, 5)
        except calendar.ScheduleError as error:
            pass_.warn(f"The schedule {row['name']!r} never opens: {error}")
            opens = [NEVER_OPENS]
        windows.append({
            "id": row["id"],
            "version": row["version"],
            "window_since": at.isoformat(),
            "opens_at": opens[0].opens_at.isoformat(),
            "closes_at": opens[0].closes_at.isoformat(),
            "later": [[w.opens_at.isoformat(), w.closes_at.isoformat()] for w in opens[1:]],
        })  # fmt: skip
    return pass_.call(LOCK_WAIT_SECONDS, lambda: store.set_windows(pass_.conn, windows)) > 0
