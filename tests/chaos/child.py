"""`python child.py POINT … -- COMMAND …`: send-queue itself, which kills or suspends itself at a named point.

Production code has no hook: what is patched here is patched in this process only.

POINT is SIGNAL@PLACE, e.g. KILL@after-claim or STOP@before-request; PLACE one of

    after-claim      rows are claimed, and nothing is done with them yet
    before-send      on the thread of a send, before the run looks whether the lease outlasts it
    before-request   in the provider: decided, and not a byte has left
    leaving          in the HTTP client, about to write the first byte
    accepted         the answer's head is there, the answer is not read
    before-record    the outcome is known, and not written
    after-record     it is written, and nothing is said yet
    refused          the database has refused to write it, or was not there
    look-up          a send in doubt is this run's to ask about, and nobody is asked yet
    looked-up        the provider has answered, and that is not written

or clock=FILE: the seconds in FILE have passed by the run's own clock besides those that have.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from send_queue import cli, model, store
from send_queue.core import calls, look_up, record, run
from send_queue.model import DatabaseUnreachable
from send_queue.providers import http
from send_queue.providers.unipile import provider as unipile
from send_queue.store import connection, queue


def before(owner: Any, name: str, act: Callable[[], None], when: Callable[..., bool] = lambda *_, **__: True) -> None:
    original = getattr(owner, name)

    def patched(*args: Any, **named: Any) -> Any:
        if when(*args, **named):
            act()
        return original(*args, **named)

    setattr(owner, name, patched)


def after(owner: Any, name: str, act: Callable[[], None], when: Callable[[Any], bool] = lambda _: True) -> None:
    original = getattr(owner, name)

    def patched(*args: Any, **named: Any) -> Any:
        result = original(*args, **named)
        if when(result):
            act()
        return result

    setattr(owner, name, patched)


def refused(name: str, act: Callable[[], None]) -> None:
    original = getattr(store, name)

    def patched(*args: Any) -> Any:
        try:
            return original(*args)
        except DatabaseUnreachable:
            act()
            raise

    setattr(store, name, patched)


RECORDS = ("record_sent", "record")
"""What went out is written down by the one, all else by the other; on the run's own thread or at its desk."""


def move_clock(ahead: Path) -> None:
    """As if the run had been suspended for that long."""
    for module in (run, calls, record, connection, queue, http):
        assert "clock" in vars(module), module
        vars(module)["clock"] = lambda: model.clock() + float(ahead.read_text())


def arm(place: str, act: Callable[[], None]) -> None:
    match place:
        case "after-claim":
            after(store, "claim", act, lambda claim: bool(claim.sends))
        case "before-send":
            before(calls, "call_provider", act)
        case "before-request":
            before(unipile.Unipile, "send", act)
        case "leaving":
            before(http._Call, "trace", act, lambda _, event, __: event.endswith("send_request_headers.started"))
        case "accepted":
            before(http._Call, "_read", act, lambda _, response, __: response.request.method == "POST")
        case "before-record":
            for name in RECORDS:
                before(store, name, act)
        case "after-record":
            for name in RECORDS:
                after(store, name, act)
        case "refused":
            for name in RECORDS:
                refused(name, act)
        case "look-up":
            before(look_up, "ask", act)
        case "looked-up":
            after(look_up, "ask", act)
        case _:
            raise SystemExit(f"There is no place {place}.")


def once(number: signal.Signals) -> Callable[[], None]:
    left = [number]

    def act() -> None:
        if left:
            signal.pthread_kill(threading.get_ident(), left.pop())  # this thread goes no further

    return act


def main(args: list[str]) -> None:
    end = args.index("--")
    for point in args[:end]:
        if "@" in point:
            name, _, place = point.partition("@")
            arm(place, once(signal.Signals[f"SIG{name}"]))
            continue
        move_clock(Path(point.removeprefix("clock=")))
    sys.argv[1:] = args[end + 1 :]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1:])
