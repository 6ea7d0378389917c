"""Calls to providers, each on a thread of its own: sends and look-ups; results are recorded meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from send_queue.core.results import LookUpResult, Released, Result, Results, Written
from send_queue.core.state import SEND_LEASE
from send_queue.model import Claimed, ConfigurationError, Failed, Outcome, Uncertain, clock
from send_queue.providers import Provider, Providers, takes_batches
from send_queue.store import InDoubt

BATCH_WAIT_SECONDS = 0.01
"""Seconds that a finished call waits for others, so that one transaction records them and one claim replaces them."""

PREFETCH_SECONDS = 0.1
"""Claim at most 0.1 s of work ahead of free threads, by the mean duration of recent calls."""

WRITE_STALL_SECONDS = 2.0
"""Begin nothing more once a write has taken so long."""

MAX_QUEUE_SECONDS = 2.0
"""Release a claimed send after 2 s in the thread queue; its gates may have closed."""

TOO_LATE = Uncertain("too_late_to_repeat", "An earlier try may have gone out, and its provider may not know it again.")
"""The result of a repeat that waited too long for its turn: it is not begun."""


@dataclass(slots=True)
class InFlight:
    """Calls in flight, and the results of those that ended.

    `write` records results in the background; None: the run records them itself.
    """

    threads: ThreadPoolExecutor
    size: int
    write: Callable[[Results], Future[Written]] | None
    sending: dict[Future[Sequence[Result]], Sequence[Claimed]] = field(default_factory=dict)
    asking: dict[Future[LookUpResult], InDoubt] = field(default_factory=dict)
    writing: Future[Written] | None = None
    writing_since: float = 0.0
    results: Results = field(default_factory=list)
    """Results that are not recorded yet."""
    first_error: Exception | None = None
    """It ends the run, once all calls in flight are recorded."""
    began: dict[Future[Any], float] = field(default_factory=dict)
    slowest_call_seconds: float = 0.0
    mean_call_seconds: float = inf
    """The mean of recent calls, weighted towards the latest."""
    _ended: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue)

    def free(self, ahead: bool) -> int:
        """Return how many calls can begin; none while a write stalls. `ahead` adds calls that wait a moment for a
        thread, so that no thread is idle during a claim."""
        if self.writing and clock() > self.writing_since + WRITE_STALL_SECONDS:
            return 0
        waiting = 0
        if ahead and self.write:
            waiting = int(self.size * min(1.0, PREFETCH_SECONDS / max(self.mean_call_seconds, PREFETCH_SECONDS)))
        return max(0, self.size + waiting - len(self.began))

    @property
    def busy(self) -> bool:
        return bool(self.began) or self.writing is not None

    @property
    def recordable(self) -> bool:
        """Whether results wait, and no write is in the way."""
        return bool(self.results) and self.writing is None

    def send(self, providers: Providers, claimed: Sequence[Claimed], stop: Event) -> None:
        """Begin the calls that carry these sends, each with as many sends of one lane as its provider takes."""
        since = clock()
        for _, lane in groupby(claimed, key=lambda send: (send.account_id, send.channel)):
            sends = []
            for send in lane:
                if too_late(send):
                    self.results.append((send, TOO_LATE))
                else:
                    sends.append(send)
            if not sends:
                continue
            try:
                provider = _serving(providers, sends[0])
            except ConfigurationError as missing:
                self.results += [(send, Released(missing)) for send in sends]
                continue
            size = provider.batch if takes_batches(provider) else 1
            for first in range(0, len(sends), size):
                self._send(provider, sends[first : first + size], stop, since)

    def _send(self, provider: Provider, sends: Sequence[Claimed], stop: Event, since: float) -> None:
        if future := self._begin(lambda: call_provider(provider, sends, stop, since)):
            self.sending[future] = sends
        else:
            self.results += [(send, Released()) for send in sends]

    def ask(self, doubt: InDoubt, call: Callable[[], LookUpResult]) -> None:
        if future := self._begin(call):
            self.asking[future] = doubt

    def take_results(self) -> Results:
        """Return the results that are not recorded yet; from now on the caller keeps them."""
        results, self.results = self.results, []
        return results

    def written(self, by: Future[Written]) -> None:
        """Note that a write has begun."""
        self.writing, self.writing_since = by, clock()
        by.add_done_callback(self._ended.put)

    def _begin(self, call: Callable[[], Any]) -> Future[Any] | None:
        """Hand a call to a thread. Returns None where the machine has no thread left: the run ends then."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            since = clock()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            lasted, mean = clock() - since, self.mean_call_seconds
            self.mean_call_seconds = lasted if mean == inf else 0.9 * mean + 0.1 * lasted

        try:
            self.threads.submit(work)
        except RuntimeError:  # another thread may have taken it all the same
            self.first_error = self.first_error or ConfigurationError(
                f"This machine has no thread left for {self.size} calls at a time: give a smaller --concurrency."
            )
            if future.cancel():
                return None
        self.began[future] = clock()
        future.add_done_callback(self._ended.put)
        return future

    def wait_done(self) -> list[Future[Any]]:
        """Block until a call finishes, then up to 10 ms more, until half of the threads are idle: to claim or record
        several rows costs hardly more than one. Returns at once where results can be recorded now."""
        done = [self._ended.get()] if self.busy and not self.recordable else []
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
        """Continue after an error; the first one ends the run."""
        try:
            yield
        except Exception as error:
            self.first_error = self.first_error or error

    def _few(self, done: Sequence[Future[Any]]) -> bool:
        return self.write is not None and self.free(ahead=True) + len(done) < self.size / 2


def _serving(providers: Providers, send: Claimed) -> Provider:
    """Return the provider of a send. Raises `ConfigurationError` also where its calls outlast a lease."""
    provider = providers.serving(send.provider, send.channel)
    if provider.longest_call >= SEND_LEASE:
        raise ConfigurationError(
            f"A call of the provider {send.provider!r} may last {provider.longest_call}, and a send {SEND_LEASE} in"
            " all: give it shorter time-outs."
        )
    return provider


def call_provider(provider: Provider, sends: Sequence[Claimed], stop: Event, since: float) -> Sequence[Result]:
    """Make one call and return a result for each send, whatever the provider does.

    `since` is the moment of the claim, on `clock`.
    """
    first = sends[0]
    if first.channel not in provider.channels:
        refusal = Failed("channel_not_served", f"The provider {first.provider} does not send {first.channel}.")
        return [refusal] * len(sends)
    late = clock() - since > MAX_QUEUE_SECONDS or clock() + provider.longest_call.total_seconds() > first.leave_by
    if stop.is_set() or late:
        return [Released()] * len(sends)
    try:
        outcomes = provider.send_batch(sends) if takes_batches(provider) else [provider.send(first)]
    except ConfigurationError as missing:
        return [Released(missing)] * len(sends)
    except Exception as error:  # a foreign provider may raise: then its send is uncertain
        return [Uncertain("provider_raised", type(error).__name__)] * len(sends)
    if len(outcomes) != len(sends) or not all(isinstance(outcome, Outcome) for outcome in outcomes):
        return [Uncertain("provider_raised", f"It answered with {type(outcomes).__name__}.")] * len(sends)
    return outcomes


def too_late(send: Claimed) -> bool:
    """Return whether a repeat could arrive after its provider forgot the first try: it leaves within its lease."""
    return send.repeat_by is not None and send.started_at + SEND_LEASE > send.repeat_by
