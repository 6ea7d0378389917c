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
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from math import inf
from threading import Event
from types import MappingProxyType
from typing import TypeAlias, TypeVar
from uuid import UUID

from send_queue import store
from send_queue.core import explain, log_lines, look_up
from send_queue.core.calls import InFlight
from send_queue.core.results import Released, Result, Results, Written, as_json, as_row, clean_message_id
from send_queue.model import (
    Claimed,
    ConfigurationError,
    DatabaseBusy,
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
from send_queue.providers import Provider, Providers, takes_batches
from send_queue.store import Connection, Filters, InDoubt, Json

T = TypeVar("T")

Now: TypeAlias = Callable[[], datetime | None]
"""The moment that it is believed to be; None: the database's clock decides."""

SEND_LEASE = timedelta(minutes=10)
"""How long a send may last. Longer than the longest call of any provider (`Provider.longest_call`)."""

LOCK_WAIT_SECONDS = 2.0
"""Seconds to wait for other runs that hold what we need, counted anew whenever one of them gets on."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.03, 0.5
"""Seconds between looks meanwhile, longer each time: where many runs wait, looks are what the others are slowed by."""

LOOK_UPS_A_RUN = 10
"""How many sends in doubt one run asks about: each may take as long as a send."""

MAX_QUEUE_SECONDS = 2.0
"""Seconds that it does wait, at the most."""

MAX_WAIT_SECONDS = 30.0
"""Seconds to wait for other runs in all."""

CONNECT_ERROR_CODES = ("dns", "connect_refused", "connect_timeout", "connect_failed", "tls", "proxy_refused")
"""The codes of what did not get as far as the provider (providers/http.py)."""

MAX_CONNECT_FAILURES = 3
"""How often a run meets that for an account before it passes the account by: each send would lose a try to it."""

NO_FILTERS = Filters()

NEVER_OPENS = Window(datetime(9999, 12, 30, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
"""The window of a schedule that does not open."""


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
    lacking: ConfigurationError | None = None
    """What the environment, or the database server, lacks for an account that had something to send."""
    refusals: dict[tuple[str, str], ConfigurationError] = field(default_factory=dict)
    """By provider and variable, what is said of a secret that was refused while something waits for it."""
    away: Counter[UUID] = field(default_factory=Counter)
    """How often nothing was reached for an account."""
    doubted: set[UUID] = field(default_factory=set)
    """The sends that became uncertain in this run."""
    mended: set[UUID] = field(default_factory=set)
    """The accounts whose secret was refused before, and that have sent."""
    in_doubt: bool = False
    """Whether there may be sends of which a provider is to be asked now."""
    asked: int = 0

    @property
    def problem(self) -> ConfigurationError | None:
        """Why the command exits with 78 when all others had their turn."""
        return self.lacking or next(iter(self.refusals.values()), None)

    @property
    def processed(self) -> int:
        return self.sent + self.retried + self.held + self.failed + self.skipped + self.uncertain


@dataclass(slots=True)
class Pass:
    """What a pass needs: a connection in autocommit, providers, a clock, a name, and a word to stop.

    `reconnect` makes a new connection when this one is lost; without it a lost one is lost for good. `log` is told of
    each step of each send.
    `asking` False leaves alone what is in doubt.
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
    asking: bool = True
    keeping: bool = True
    """False in a transaction that is going to be taken back: then nothing that others may wait for is done in it."""
    unable: set[UUID] = field(default_factory=set)
    """Accounts that cannot send here, since something is lacking: passed by for the rest of the run."""


TOO_LATE = Uncertain("too_late_to_repeat", "An earlier try may have gone out, and its provider may not know it again.")
"""Of a repeat that waited too long for its turn: not begun."""


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
    desk = ResultWriter(pass_, pass_.reconnect) if limit is None and pass_.reconnect else None
    with ThreadPoolExecutor(concurrency) as threads:
        in_flight = InFlight(threads, concurrency, desk.write if desk else None)

        def begin(claimed: Sequence[Claimed]) -> None:
            for provider, sends in _calls(pass_, claimed, report):
                in_flight.send(sends, partial(_send, provider, sends, pass_.stop, clock()))

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
                    _ask(pass_, in_flight, report)
                if in_flight.busy:
                    _finish(pass_, in_flight, report)
                    progress(report)
                elif not claimed:
                    break
        finally:
            while in_flight.busy or in_flight.results:
                _finish(pass_, in_flight, report)
            if desk:
                desk.close()
    if in_flight.first_error:
        raise in_flight.first_error
    if report.sent == 0 and (telling or report.processed) and not report.lacking:
        say_why(pass_, report, counting=telling)
    return report


def _finish(pass_: Pass, in_flight: InFlight, report: RunReport) -> None:
    """Wait until something is done, and see that all that is done is written down, each though another could not be."""
    for future in in_flight.wait_done():
        with in_flight.keep_first_error():
            if future in in_flight.sending:
                in_flight.results += zip(in_flight.sending.pop(future), future.result(), strict=True)
            elif future is in_flight.writing:
                in_flight.writing = None
                _count(pass_, future.result(), report)
            else:
                _settle(pass_, in_flight.asking.pop(future), future.result(), report)
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
    pass_ = replace(pass_, asking=False, keeping=False, reconnect=None)
    with store.rolled_back(pass_.conn):
        first = _claim(pass_, limit)
    with store.rolled_back(pass_.conn):
        if first.stale:
            _refresh_windows(pass_, first.stale, first.at)
        claimed = take(pass_, limit, RunReport(), patient=False)
        if not claimed:
            say_why(pass_, report, counting=False)
        return claimed


# --- recover ----------------------------------------------------------------------------------------------


def _ask(pass_: Pass, in_flight: InFlight, report: RunReport) -> None:
    """Begin to ask the providers about sends in doubt, with the in_flight that are free, a few a run."""
    while (
        report.in_doubt
        and pass_.asking
        and in_flight.free(ahead=False)
        and report.asked < LOOK_UPS_A_RUN
        and not pass_.stop.is_set()
    ):
        doubts = _surely(pass_, LOCK_WAIT_SECONDS, lambda: store.look_ups(pass_.conn, 1, SEND_LEASE, pass_.now()))
        for doubt in doubts:
            in_flight.ask(doubt, partial(look_up.ask, pass_.providers, doubt))
        report.asked += len(doubts)
        report.in_doubt = bool(doubts)


def _settle(pass_: Pass, doubt: InDoubt, verdict: look_up.LookUpResult, report: RunReport) -> None:
    """Write down what a provider said of a send in doubt."""
    status = _surely(
        pass_,
        LOCK_WAIT_SECONDS,
        lambda: store.looked_up(pass_.conn, doubt.send.attempt_id, doubt.until, *verdict, pass_.now()),
    )
    if status is None:
        pass_.warn(f"The send {doubt.send.send_id} was deleted while its provider was asked about it.")
        return
    if pass_.log:
        pass_.log(log_lines.log_event("looked_up", doubt.send, status))
    _count_settled(report, doubt.send, status)


def _count_settled(report: RunReport, send: Claimed, status: str) -> None:
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
    pause = SHORTEST_PAUSE
    while not pass_.stop.is_set():
        claim = _claim(pass_, max_rows, batches)
        report.skipped += claim.expired
        report.in_doubt = report.in_doubt or claim.in_doubt
        if claim.lacking:
            report.lacking = report.lacking or ConfigurationError(claim.lacking)
        if claim.refused:
            _refused(report, **claim.refused)
        if pass_.log:
            if claim.expired:
                pass_.log({"event": "expired", "status": "skipped", "sends": claim.expired})
            for send in claim.sends:
                pass_.log(log_lines.log_event("claimed", send, "sending"))
        begin(claim.sends)
        # Each may find that somebody holds what it needs: then it is for later.
        recovered = claim.left and (_recover(pass_, report) or not looked)
        looked = looked or claim.left  # it says nothing of what has turned out to be sent
        worked_out = claim.stale and pass_.keeping and _refresh_windows(pass_, claim.stale, claim.at)
        if claim.sends:
            return claim.sends
        if recovered or worked_out:
            continue
        if claim.in_flight != seen:
            seen, waited_since = claim.in_flight, clock()
        others = claim.busy or claim.left or claim.stale or claim.in_flight is not None
        given_up = clock() > min(waited_since + LOCK_WAIT_SECONDS, began + MAX_WAIT_SECONDS, until)
        if not patient or not others or given_up or (report.in_doubt and pass_.asking):
            break
        pass_.stop.wait(random.uniform(pause / 2, pause))
        pause = min(2 * pause, LONGEST_PAUSE)
    return ()


def _claim(pass_: Pass, max_rows: int, batches: Mapping[str, int] = MappingProxyType({})) -> store.Claim:
    return _surely(pass_, LOCK_WAIT_SECONDS, lambda: store.claim(
        pass_.conn, pass_.worker, max_rows, SEND_LEASE, pass_.filters, pass_.now(), batches, tuple(pass_.unable),
        pass_.keeping,
    ))  # fmt: skip


def _recover(pass_: Pass, report: RunReport) -> bool:
    """Put in doubt what dead runs have left; whether there was anything that nobody holds."""
    left = _surely(pass_, LOCK_WAIT_SECONDS, lambda: store.recover(pass_.conn, pass_.now()))
    if pass_.log:
        for send_id in left:
            pass_.log({"event": "left_behind", "send_id": send_id, "status": "uncertain"})
    report.doubted.update(left)
    report.uncertain += len(left)
    report.in_doubt = report.in_doubt or bool(left)
    return bool(left)


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
    return _surely(pass_, LOCK_WAIT_SECONDS, lambda: store.set_windows(pass_.conn, windows)) > 0


# --- send -------------------------------------------------------------------------------------------------


def _calls(pass_: Pass, claimed: Sequence[Claimed], report: RunReport) -> Iterator[tuple[Provider, Sequence[Claimed]]]:
    """The calls that carry these sends: one for each, or one for as many of a lane as its provider takes at once.

    Those whose provider lacks its configuration are released.
    """
    for _, of_lane in groupby(claimed, key=lambda send: (send.account_id, send.channel)):
        sends = tuple(of_lane)
        late = [send for send in sends if look_up.too_late(send, SEND_LEASE)]
        if late:
            record(pass_, [(send, TOO_LATE) for send in late], report)
            sends = tuple(send for send in sends if send not in late)
            if not sends:
                continue
        try:
            provider = pass_.providers.serving(sends[0].provider, sends[0].channel)
            if provider.longest_call >= SEND_LEASE:
                raise ConfigurationError(
                    f"A call of the provider {sends[0].provider!r} may last {provider.longest_call}, and a send"
                    f" {SEND_LEASE} in all: give it shorter time-outs."
                )
        except ConfigurationError as lacking:
            record(pass_, [(send, Released(lacking)) for send in sends], report)
            continue
        size = provider.batch if takes_batches(provider) else 1
        for first in range(0, len(sends), size):
            yield provider, sends[first : first + size]


def _send(provider: Provider, sends: Sequence[Claimed], stop: Event, since: float) -> Sequence[Result]:
    """Make one call. What it answers is an outcome for each send, whatever happens. One that has waited too long for a
    hand (since `since`, of `clock`) is let go of: what was open at its claim may be closed by now, or paused."""
    first = sends[0]
    if first.channel not in provider.channels:
        return [Failed("channel_not_served", f"The provider {first.provider} does not send {first.channel}.")]
    too_late = clock() - since > MAX_QUEUE_SECONDS or clock() + provider.longest_call.total_seconds() > first.leave_by
    if stop.is_set() or too_late:
        return [Released()] * len(sends)
    try:
        outcomes = provider.send_batch(sends) if takes_batches(provider) else [provider.send(first)]
    except ConfigurationError as lacking:
        return [Released(lacking)] * len(sends)
    except Exception as error:  # a provider of one's own may break the rule: then nobody knows what became of it
        return [Uncertain("provider_raised", type(error).__name__)] * len(sends)
    if len(outcomes) != len(sends) or not all(isinstance(outcome, Outcome) for outcome in outcomes):
        return [Uncertain("provider_raised", f"It answered with {type(outcomes).__name__}.")] * len(sends)
    return outcomes


# --- record -----------------------------------------------------------------------------------------------


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
                self._run.conn = _like(self._shared, connect())
        return _write(self._run, results)

    def close(self) -> None:
        self._thread.shutdown()
        if self._run.conn is not self._shared:
            self._run.conn.close()


def record(pass_: Pass, results: Results, report: RunReport) -> None:
    """Write down what became of sends, and count it."""
    _count(pass_, _write(pass_, results), report)


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
        left = _surely(pass_, leave_by - clock(), lambda: store.record_sent(pass_.conn, went_out, pass_.now()))
        written = [(send, sent, "sent") for send, sent in went_out if send.attempt_id not in left]
        others += [pair for pair in went_out if pair[0].attempt_id in left]
    if others:
        rows = [as_row(*pair) | _suppressing(pass_, *pair) for pair in others]
        leave_by = min(send.leave_by for send, _ in others)
        statuses = _surely(pass_, leave_by - clock(), lambda: store.record(pass_.conn, rows, pass_.now()))
        for send, result in others:
            if send.send_id in statuses:
                written.append((send, result, statuses[send.send_id]))
            else:
                pass_.warn(f"The send {send.send_id} was deleted in flight ({type(result).__name__}).")
    return Written(written)


def _count(pass_: Pass, written: Written, report: RunReport) -> None:
    """Count what is written down. Raises why something could not be: its lease will put it in doubt."""
    for send, result, status in written.rows:
        if pass_.log:
            pass_.log(_step(send, result, status))
        _count_one(pass_, report, send, result, status)
    if written.error:
        raise written.error


def _count_one(pass_: Pass, report: RunReport, send: Claimed, result: Result, status: str) -> None:
    if isinstance(result, Released) and result.lacking:
        report.lacking = report.lacking or result.lacking
        pass_.unable.add(send.account_id)
        return
    if isinstance(result, Retry) and result.code in CONNECT_ERROR_CODES:
        report.away[send.account_id] += 1
        if report.away[send.account_id] >= MAX_CONNECT_FAILURES:
            pass_.unable.add(send.account_id)
    if isinstance(result, Hold) and result.secret is not None:
        _refused(report, send.account, send.provider, result.secret, result.code)
    report.send_id = send.send_id
    if send.secret_refused is not None and send.account_id not in report.mended and status == "sent":
        report.mended.add(send.account_id)
        report.refusals.pop((send.provider, send.secret_refused), None)
        _surely(pass_, LOCK_WAIT_SECONDS, lambda: store.secret_works(pass_.conn, send.account_id))
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
            report.doubted.add(send.send_id)
            report.in_doubt = True


def _refused(report: RunReport, account: str, provider: str, secret: str, code: str) -> None:
    """Note a secret that its provider refuses, once however many accounts share it."""
    report.refusals.setdefault((provider, secret), ConfigurationError(
        f"The provider {provider} refuses the secret in {secret} (account {account}, {code}): put a working one there;"
        f" runs try it every 15 minutes, and at once after `send-queue resume account {shlex.quote(account)}`."
    ))  # fmt: skip


def _surely(pass_: Pass, seconds: float, call: Callable[[], T]) -> T:
    """Call the database. If it is gone, try again on a new connection, for so many seconds (of a record: while its
    lease lasts), or for a moment where we are told to stop.

    An earlier try may have come through without our hearing of it: an attempt is finished once, and what was claimed
    then its lease gives back.
    """
    told_at: float | None = None
    last = clock() + seconds
    while True:
        try:
            return call()
        except DatabaseUnreachable as error:
            if pass_.stop.is_set() and told_at is None:
                told_at = clock()
            until = last if told_at is None else min(last, told_at + LOCK_WAIT_SECONDS)
            if pass_.reconnect is None or clock() > until:
                raise
            time.sleep(0.1)  # seconds; a server that is away can only be tried again
            if not isinstance(error, DatabaseBusy):
                with suppress(DatabaseUnreachable):
                    pass_.conn = _like(pass_.conn, pass_.reconnect())


def _like(known: Connection, new: Connection) -> Connection:
    """A new connection that knows what the other has learned of the server's isolation level."""
    new.isolation_level = known.isolation_level
    return new


def _suppressing(pass_: Pass, send: Claimed, result: Result) -> Json:
    """Whether nobody may write to the recipient any more: the provider has a name for such refusals."""
    if not isinstance(result, Failed):
        return {}
    provider = pass_.providers.serving(send.provider, send.channel)
    return {"suppress": True} if result.code in getattr(provider, "suppresses", ()) else {}


# --- say why ----------------------------------------------------------------------------------------------


def say_why(pass_: Pass, report: RunReport, counting: bool) -> None:
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
