"""Connect a provider to a server of the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from send_queue.model import (
    AlreadyDone,
    Claimed,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers import Provider, takes_batches
from send_queue.providers.http import Http
from send_queue.testing.server import (
    ENDLESS,
    Behaviour,
    Seen,
    Server,
)

MESSAGE = "a-wording-that-nobody-else-may-read"
"""The text of the send that `a_send` makes."""

HURRY_SECONDS = 0.6
"""Seconds that a call waits for an answer that never comes, whatever its provider allows: checks stay fast."""

CHECK_TIMEOUT_SECONDS = 10.0
"""Seconds that a call may take if the server answers at once: the machine may be busy."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Subject:
    """The provider under test, and how to connect it to the checks' server.

    provider  its class, or a function from an environment to a provider.
    env       its environment for the server's URL. Values of variables with KEY, TOKEN, SECRET or PASSWORD in the name
              are secrets.
    send      a send that it takes, for the server's URL (`a_send`).
    yes       its server's answer to an accepted send; None skips that check.
    before    the answer to a request that precedes the send; None for the send itself.
    not_out   statuses of 500 and above that mean: certainly not accepted.
    """

    provider: Callable[[Mapping[str, str]], Provider]
    env: Callable[[str], Mapping[str, str]]
    send: Callable[[str], Claimed]
    yes: Behaviour | None = None
    before: Callable[[Seen], Behaviour | None] = lambda _: None
    not_out: frozenset[int] = frozenset()


def a_send(channel: str, recipient: str, **fields: Any) -> Claimed:
    """Make a claimed send on its first attempt; `fields` are those of `model.Claimed`."""
    given: dict[str, Any] = {
        "send_id": uuid4(), "attempt_id": uuid4(), "attempt_number": 1, "subject": "A subject", "message": MESSAGE,
        "payload": {}, "account_id": uuid4(), "workspace_id": uuid4(), "account": "anna", "provider": "its-name",
        "provider_account_id": "its-account", "secret_env": None, "campaign": "fall",
        "started_at": datetime.now(UTC), **fields,
    }  # fmt: skip
    return Claimed(channel=channel, recipient=recipient, **given)


# --- the connection ---------------------------------------------------------------------------------------


@dataclass
class _Facing:
    """The provider, a send, and the server."""

    provider: Provider
    send: Claimed
    server: Server
    allowed: float = 0.0
    """Seconds allowed for all requests of the last outcome."""

    def outcome(self, behave: Behaviour, send: Claimed | None = None) -> Outcome:
        """Send once while the server behaves like this; return the outcome."""
        self.server.behave, self.allowed = behave, 0.0
        self.server.sends.clear()
        return _outcome(self.provider, send or self.send)

    def others(self, n: int) -> list[Claimed]:
        return [replace(self.send, send_id=uuid4(), attempt_id=uuid4()) for _ in range(n)]

    def must_doubt(self, outcome: Outcome, when: str) -> None:
        repeatable = getattr(self.provider, "repeatable", None) is not None
        allowed = (Uncertain, Retry) if repeatable else (Uncertain,)
        _must(isinstance(outcome, allowed), f"{when}: it may have gone out, so it is Uncertain", outcome)


@contextmanager
def _facing(subject: Subject) -> Iterator[_Facing]:
    """Start a server and connect the provider to it."""
    server = Server(subject.before)
    url = f"http://127.0.0.1:{server.port}"
    try:
        provider = subject.provider(subject.env(url))
        it = _Facing(provider, subject.send(url), server)

        def limit(total: float) -> float:
            it.allowed += total
            return HURRY_SECONDS if it.server.behave in ENDLESS else CHECK_TIMEOUT_SECONDS

        try:
            with _hurried(limit):
                yield it
        finally:
            provider.close()
    finally:
        server.close()


def _alone(subject: Subject, url: str) -> Outcome:
    """Send once to an address without our server; return the outcome."""
    provider = subject.provider(subject.env(url))
    try:
        with _hurried(lambda _: HURRY_SECONDS):
            return _outcome(provider, subject.send(url))
    finally:
        provider.close()


@contextmanager
def _hurried(limit: Callable[[float], float]) -> Iterator[None]:
    """Shorten the time of each request of `Http`, in seconds, from its own to `limit` of it."""
    really = Http.request

    def request(self: Http, method: str, url: str, *, limits: Any, **more: Any) -> Any:
        short = replace(limits, total=min(limits.total, limit(limits.total)))
        return really(self, method, url, limits=short, **more)

    with patch.object(Http, "request", request):
        yield


def _outcome(provider: Provider, send: Claimed) -> Outcome:
    try:
        outcomes = provider.send_batch([send]) if takes_batches(provider) else [provider.send(send)]
    except Exception as error:
        raise AssertionError(f"send raised {type(error).__name__}: {error}. It answers with an outcome.") from error
    _must(len(outcomes) == 1 and isinstance(outcomes[0], Outcome), "one send has one outcome", outcomes)
    return outcomes[0]


def _must(holds: object, rule: str, found: object) -> None:
    if not holds:
        raise AssertionError(f"{rule}. Found: {found!r}"[:1000])


def _must_be_named(outcome: Outcome) -> None:
    name = outcome.provider_message_id if isinstance(outcome, Sent) else None
    _must(name is None or isinstance(name, str), "its server's id of a message is a text, or None", name)


def _must_not_be_out(outcome: Outcome, when: str) -> None:
    certain = (Failed, Hold, AlreadyDone, Retry)
    _must(isinstance(outcome, certain), f"{when}: it did not go out, so it is Failed, Hold or AlreadyDone", outcome)
