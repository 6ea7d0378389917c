"""Faults: failures that a test orders; the first that matches a call applies.

delay          the request arrives late
drop="before"  the connection closes, nothing is stored
status=…       refusal, nothing is stored
  - - - - - - - here the send is accepted: in the journal, on disk - - - - - - -
hide           reads omit the accepted send for so long
answer_delay   the answer is late
drop="after"   the connection closes without an answer
status=…, accept=True   accepted, but the client sees this status ("commit, then 504")
spoil          the answer is truncated, garbage, or a foreign HTML page
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal

from send_queue.sandbox.http_messages import Provider, SandboxCall, SandboxResponse

_GARBAGE = b'{"object":"\xff\xfe\x00\x01 not json'
_HTML = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Wait.</body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. A null field matches everything; without an effect the fault does nothing.

    op            the operation: invite, chat, message, withdraw, profile, invitations, relations, chats,
                  chat_messages, messages, account; mail_send, email_logs, email_log; sms, sms_list; webhook;
                  of networks status, put_record, linkedin_post, tweet, feed_post and their reads; of token
                  endpoints x_refresh and the like: see each module
    path          a regular expression, searched in the path without the query
    status        the answer's status; its error has `type` (without `errors/`, if you like), `title` and
                  `detail`, or is the raw `body` (JSON unless `headers` name a content-type)
    accept        with `status` only: accept the send first
    delay, answer_delay, hide   seconds
    times         uses before it is spent; null: no limit
    probability   the chance to apply to a matching call, from a generator seeded with `seed`
    """

    op: str | None = None
    provider: str | None = None
    path: str | None = None
    account_id: str | None = None
    recipient: str | None = None
    status: int | None = None
    type: str | None = None
    title: str | None = None
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    accept: bool = False
    drop: Literal["before", "after"] | None = None
    delay: float = 0.0
    answer_delay: float = 0.0
    hide: float = 0.0
    spoil: Literal["truncated", "garbage", "html"] | None = None
    times: int | None = None
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _must(self.drop in (None, "before", "after"), "drop is before or after")
        _must(self.spoil in (None, "truncated", "garbage", "html"), "spoil is truncated, garbage or html")
        _must(min(self.delay, self.answer_delay, self.hide) >= 0, "delay, answer_delay and hide are seconds")
        _must(0 <= self.probability <= 1, "probability lies between 0 and 1")
        _must(self.times is None or self.times >= 1, "times is at least 1")
        _must(self.status is None or 200 <= self.status <= 599, "status lies between 200 and 599")
        told = (self.type, self.title, self.detail, self.body)
        needs_status = self.accept or self.headers or any(part is not None for part in told)
        _must(self.status is not None or not needs_status, "an answer of one's own needs a status")
        for text in (*self.headers, *self.headers.values()):
            _must(text.isprintable() and _is_latin(text), "headers are single lines of Latin-1")
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise ValueError(f"A fault's path is a regular expression: {error}.") from None

    @classmethod
    def from_json(cls, value: object) -> Fault:
        """Read a fault from a JSON object with the fields of this class. Raises `ValueError`."""
        if not isinstance(value, dict):
            raise ValueError("A fault is not a JSON object: write {…}.")
        unknown = sorted(set(value) - {known.name for known in fields(cls)})
        if unknown:
            raise ValueError(f"A fault has no {', '.join(unknown)}.")
        for name, given in value.items():
            if given is not None and not _fits(name, given):
                raise ValueError(f"A fault's {name} cannot be {given!r}.")
        return cls(**{name: given for name, given in value.items() if given is not None})

    def matches(self, call: SandboxCall) -> bool:
        """Whether the fault matches this call."""
        return (
            self.op in (None, call.op)
            and self.provider in (None, call.provider)
            and self.account_id in (None, call.account_id)
            and self.recipient in (None, call.recipient)
            and (self.path is None or re.search(self.path, call.path) is not None)
        )

    @property
    def hidden(self) -> timedelta:
        """The time for which reads omit the accepted send."""
        return timedelta(seconds=self.hide)

    def answer(self, provider: Provider) -> SandboxResponse | None:
        """Return the fault's answer in place of the provider's, if it has one."""
        if self.status is None:
            return None
        headers = {name.lower(): value for name, value in self.headers.items()}
        content_type = headers.pop("content-type", "application/json; charset=utf-8")
        if self.body is not None or self.status < 400:
            return SandboxResponse(self.status, (self.body or "").encode(), headers, content_type)
        said = provider.error(self.status, self.type, self.title, self.detail)
        return SandboxResponse(said.status, said.body, {**said.headers, **headers}, said.content_type)

    def spoiled(self, answer: SandboxResponse) -> SandboxResponse:
        """Spoil an answer."""
        match self.spoil:
            case None:
                return answer
            case "truncated":
                return SandboxResponse(
                    answer.status, answer.body, answer.headers, answer.content_type, cut=len(answer.body) // 2
                )
            case "garbage":
                return SandboxResponse(answer.status, _GARBAGE, answer.headers, answer.content_type)
            case "html":
                return SandboxResponse(200, _HTML, {}, "text/html; charset=utf-8")


class _Rule:
    """A fault and its uses."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.applied = 0
        self._dice = random.Random(fault.seed)

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.applied >= self.fault.times

    def applies(self, call: SandboxCall) -> bool:
        if self.spent or not self.fault.matches(call):
            return False
        if self.fault.probability < 1 and self._dice.random() >= self.fault.probability:
            return False
        self.applied += 1
        return True


class Faults:
    """The faults in force, in the order of their arrival."""

    def __init__(self, at_start: Iterable[Fault] = ()) -> None:
        self._at_start = tuple(at_start)
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in self._at_start]

    def order(self, faults: Iterable[Fault]) -> None:
        """Append faults."""
        with self._lock:
            self._rules += [_Rule(fault) for fault in faults]

    def clear(self) -> None:
        """Drop all faults."""
        with self._lock:
            self._rules = []

    def reset(self) -> None:
        """Restore the faults of the start, all unspent."""
        with self._lock:
            self._rules = [_Rule(fault) for fault in self._at_start]

    def pick(self, call: SandboxCall) -> Fault | None:
        """Return the first fault that applies to this call, and count the use."""
        with self._lock:
            for rule in self._rules:
                if rule.applies(call):
                    return rule.fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """List every fault with `applied`, the number of its uses, and `spent`."""
        with self._lock:
            return [{**asdict(rule.fault), "applied": rule.applied, "spent": rule.spent} for rule in self._rules]


_NUMBERS = ("delay", "answer_delay", "hide", "probability")
_WHOLE_NUMBERS = ("status", "times", "seed")


def _fits(name: str, given: object) -> bool:
    """Whether a JSON value has the type of this field."""
    if name == "accept":
        return isinstance(given, bool)
    if name in _WHOLE_NUMBERS:
        return isinstance(given, int) and not isinstance(given, bool)
    if name in _NUMBERS:
        return isinstance(given, int | float) and not isinstance(given, bool)
    if name == "headers":
        return isinstance(given, dict) and all(isinstance(text, str) for text in given.values())
    return isinstance(given, str)


def _is_latin(text: str) -> bool:
    return all(character <= "\xff" for character in text)


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(f"In a fault, {rule}.")
