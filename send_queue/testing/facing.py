"""A provider that faces a server of the tests."""

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

HURRY = 0.6
"""Seconds that a call may take where no answer ever comes, whatever its provider allows: a check lasts no minute."""

CHECK_TIMEOUT_SECONDS = 10.0
"""Seconds that it may take where the server answers at once: a machine may be busy."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Subject:
    """What is tested, and how it is brought to speak to a server of ours.

    provider  its class, or what makes one from an environment.
    env       its environment, given the server's URL. What is in a variable with KEY, TOKEN, SECRET or PASSWORD in its
              name must not be shown.
    send      a send that it would take, given the server's URL (`a_send`).
    yes       how its server says that it has accepted a send; without it, that is not tested.
    before    what to do about requests that come before the send itself; None for the send.
    not_out   statuses of 500 and above by which its server says that it certainly has not taken a send.
    """

    provider: Callable[[Mapping[str, str]], Provider]
    env: Callable[[str], Mapping[str, str]]
    send: Callable[[str], Claimed]
    yes: Behaviour | None = None
    before: Callable[[Seen], Behaviour | None] = lambda _: None
    not_out: frozenset[int] = frozenset()


def a_send(channel: str, recipient: str, **fields: Any) -> Claimed:
    """A send as a run has it in hand, for the first time; `fields` are those of `model.Claimed`."""
    given: dict[str, Any] = {
        "send_id": uuid4(), "attempt_id": uuid4(), "attempt_number": 1, "subject": "A subject", "message": MESSAGE,
        "payload": {}, "account_id": uuid4(), "workspace_id": uuid4(), "account": "anna", "provider": "its-name",
        "provider_account_id": "its-account", "secret_env": None, "campaign": "fall",
        "started_at": datetime.now(UTC), **fields,
    }  # fmt: skip
    return Claimed(channel=channel, recipient=recipient, **given)


# --- how it is faced --------------------------------------------------------------------------------------


@dataclass
class _Facing:
    """The provider, a send, and the server that it speaks to."""

    provider: Provider
    send: Claimed
    server: Server
    allowed: float = 0.0
    """Seconds that all the requests of the last outcome were allowed to last."""

    def outcome(self, behave: Behaviour, send: Claimed | None = None) -> Outcome:
        """What becomes of a send where the server behaves like this."""
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
    """Have a server to misbehave, and the provider before it."""
    server = Server(subject.before)
    url = f"http://127.0.0.1:{server.port}"
    try:
        provider = subject.provider(subject.env(url))
        it = _Facing(provider, subject.send(url), server)

        def limit(total: float) -> float:
            it.allowed += total
            return HURRY if it.server.behave in ENDLESS else CHECK_TIMEOUT_SECONDS

        try:
            with _hurried(limit):
                yield it
        finally:
            provider.close()
    finally:
        server.close()


def _alone(subject: Subject, url: str) -> Outcome:
    """What becomes of a send where nothing of ours is at the address."""
    provider = subject.provider(subject.env(url))
    try:
        with _hurried(lambda _: HURRY):
            return _outcome(provider, subject.send(url))
    finally:
        provider.close()


@contextmanager
def _hurried(limit: Callable[[float], float]) -> Iterator[None]:
    """Let no request of `Http` last longer than `limit` says, which is told how long it might have: in seconds."""
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
