"""A provider that has accepted, and answers only when a test says so: what happens meanwhile needs no clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from send_queue.sandbox import Fault, Sandbox

LONGEST = 25
"""Seconds that an answer is held, and that it is waited for: less than a call may last."""


class Held:
    """Calls that have been accepted and wait for their answer."""

    def __init__(self) -> None:
        self._there = threading.Semaphore(0)
        self._let_go = threading.Semaphore(0)

    def wait(self, calls: int = 1) -> None:
        """Wait for so many more calls."""
        for _ in range(calls):
            assert self._there.acquire(timeout=LONGEST), "The call never came."

    def hold(self, seconds: float) -> None:
        if seconds:
            self._there.release()
            self._let_go.acquire(timeout=LONGEST)

    def let_go(self, calls: int = 1000) -> None:
        """Give the answers to so many calls, or, as it were, to all from now on."""
        self._let_go.release(calls)


@contextmanager
def answers_held(sandbox: Sandbox, *faults: Fault) -> Iterator[Held]:
    """Hold the answers to calls that `faults` delay, until `let_go` or the end of the block."""
    assert sandbox._running is not None
    held = Held()
    sandbox._running.server.answering._sleep = held.hold  # type: ignore[attr-defined]  # an App answers
    sandbox.order(*faults)
    try:
        yield held
    finally:
        held.let_go()
