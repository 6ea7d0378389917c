"""What is under way? Calls to providers, each in a thread of its own: sends, and questions about sends in doubt; and
results that are being written down meanwhile.

    begin   as many as there are hands, and, where calls are short, those that will find a hand in a moment
    done    wait until something is, and a little longer for more
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from math import inf
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from send_queue.core.record import record
from send_queue.core.results import LookUpResult, Released, Result, Results, Written
from send_queue.core.state import SEND_LEASE, Pass, RunReport
from send_queue.model import (
    Claimed,
    ConfigurationError,
    Failed,
    Outcome,
    Uncertain,
    clock,
)
from send_queue.providers import Provider, takes_batches
from send_queue.store import InDoubt

BATCH_WAIT_SECONDS = 0.01
"""Seconds that what is done may wait for more, so that they are written down, and others claimed, together."""

PREFETCH_SECONDS = 0.1
"""Seconds that a send is to wait for a hand, at the most, once it is claimed, if calls go on as they went of late."""

WRITE_STALL_SECONDS = 2.0
"""Seconds after which results that are not written down yet keep more from being begun."""


@dataclass(slots=True)
class InFlight:
    """Calls under way, and what has come of them.

    `write` begins to write results down beside them; null: who asks what is done writes it down then.
    """

    threads: ThreadPoolExecutor
    size: int
    write: Callable[[Results], Future[Written]] | None
    sending: dict[Future[Sequence[Result]], Sequence[Claimed]] = field(default_factory=dict)
    asking: dict[Future[LookUpResult], InDoubt] = field(default_factory=dict)
    writing: Future[Written] | None = None
    writing_since: float = 0.0
    results: Results = field(default_factory=list)
    """Of calls that are done, and not written down yet."""
    first_error: Exception | None = None
    """What went wrong first: it ends the run, once all that is under way is written down."""
    began: dict[Future[Any], float] = field(default_factory=dict)
    slowest_call_seconds: float = 0.0
    """Seconds that the slowest call so far has taken."""
    mean_call_seconds: float = inf
    """Seconds that calls last, of late."""
    _ended: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue)

    def free(self, ahead: bool) -> int:
        """How many calls may be begun: none while what is done cannot be written down. `ahead`: also those that wait
        for a hand, where it is for a moment only, so that no hand is idle while others are claimed."""
        if self.writing and clock() > self.writing_since + WRITE_STALL_SECONDS:
            return 0
        waiting = (
            int(self.size * min(1.0, PREFETCH_SECONDS / max(self.mean_call_seconds, PREFETCH_SECONDS)))
            if ahead and self.write
            else 0
        )
        return max(0, self.size + waiting - len(self.began))

    @property
    def busy(self) -> bool:
        return bool(self.began) or self.writing is not None

    def send(self, sends: Sequence[Claimed], call: Callable[[], Sequence[Result]]) -> None:
        if future := self._begin(call):
            self.sending[future] = sends
        else:
            self.results += [(send, Released()) for send in sends]

    def ask(self, doubt: InDoubt, call: Callable[[], LookUpResult]) -> None:
        if future := self._begin(call):
            self.asking[future] = doubt

    def take_results(self) -> Results:
        """The results of calls that are done; they are the caller's from now on."""
        results, self.results = self.results, []
        return results

    def written(self, by: Future[Written]) -> None:
        """Results are being written down."""
        self.writing, self.writing_since = by, clock()
        by.add_done_callback(self._ended.put)

    def _begin(self, call: Callable[[], Any]) -> Future[Any] | None:
        """Hand a call to a thread. None where the machine has no thread left: then it is not made, and the run ends."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            since = clock()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            lasted = clock() - since
            self.mean_call_seconds = (
                lasted if self.mean_call_seconds == inf else 0.9 * self.mean_call_seconds + 0.1 * lasted
            )

        try:
            self.threads.submit(work)
        except RuntimeError:  # some other thread may have taken it up all the same
            self.first_error = self.first_error or ConfigurationError(
                f"This machine has no thread left for {self.size} calls at a time: give a smaller --concurrency."
            )
            if future.cancel():
                return None
        self.began[future] = clock()
        future.add_done_callback(self._ended.put)
        return future

    def wait_done(self) -> list[Future[Any]]:
        """Wait until something is done, and a moment longer, until half of the hands have nothing to do: a claim, or a
        record, of several rows costs hardly more than one of one."""
        done = [self._ended.get()] if self.busy else []
        until = clock() + BATCH_WAIT_SECONDS
        while self.began:
            try:
                done.append(self._ended.get(timeout=max(0.0, until - clock()) if self._few(done) else 0))
            except Empty:
                break
        for future in done:
            if began := self.began.pop(future, None):
                self.slowest_call_seconds = max(self.slowest_call_seconds, clock() - began)
        return done

    @contextmanager
    def keep_first_error(self) -> Iterator[None]:
        """Go on with all else whatever goes wrong here, and know of it."""
        try:
            yield
        except Exception as error:
            self.first_error = self.first_error or error

    def _few(self, done: Sequence[Future[Any]]) -> bool:
        return self.write is not None and self.free(ahead=True) + len(done) < self.size / 2


MAX_QUEUE_SECONDS = 2.0
"""Seconds that it does wait, at the most."""

TOO_LATE = Uncertain("too_late_to_repeat", "An earlier try may have gone out, and its provider may not know it again.")
"""Of a repeat that waited too long for its turn: not begun."""


def provider_calls(
    pass_: Pass, claimed: Sequence[Claimed], report: RunReport
) -> Iterator[tuple[Provider, Sequence[Claimed]]]:
    """The calls that carry these sends: one for each, or one for as many of a lane as its provider takes at once.

    Those whose provider lacks its configuration are released.
    """
    for _, of_lane in groupby(claimed, key=lambda send: (send.account_id, send.channel)):
        sends = tuple(of_lane)
        late = [send for send in sends if too_late(send, SEND_LEASE)]
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


def call_provider(provider: Provider, sends: Sequence[Claimed], stop: Event, since: float) -> Sequence[Result]:
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


def too_late(send: Claimed, lease: timedelta) -> bool:
    """Whether a repeat may arrive when its provider has forgotten the first try: it leaves within its lease."""
    return send.repeat_by is not None and send.started_at + lease > send.repeat_by
