"""Log lines: one for each step of a send in a run, with names, codes and seconds; no recipient, no provider's words.

claimed      the run claimed it
sent, already_done, retry, held, failed, uncertain, released     the attempt's outcome
left_behind  a dead run had claimed it: it is in doubt
looked_up    the provider answered a look-up
expired      skipped after its expires_at; several at once, with their number
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from send_queue.model import Claimed

Transition: TypeAlias = Mapping[str, Any]
Log: TypeAlias = Callable[[Transition], None]

ORDER = ("event", "send_id", "campaign", "account", "channel", "attempt", "status", "code", "http_status", "seconds",
         "sends")  # fmt: skip


def log_event(
    event: str,
    send: Claimed,
    status: str,
    *,
    code: str | None = None,
    http_status: int | None = None,
    seconds: float | None = None,
) -> Transition:
    """Return a step of one send: the row's new `status`, the attempt's `seconds` so far."""
    return {
        "event": event,
        "send_id": send.send_id,
        "campaign": send.campaign,
        "account": send.account,
        "channel": send.channel,
        "attempt": send.attempt_number,
        "status": status,
        "code": code,
        "http_status": http_status,
        "seconds": None if seconds is None else round(seconds, 3),
    }


@dataclass(frozen=True, slots=True)
class Listener:
    """The listeners of a run: `warn` gets sentences for a person, `log` each step of each send."""

    warn: Callable[[str], None] = lambda _: None
    log: Log | None = None

    def step(self, event: str, send: Claimed, status: str, **known: Any) -> None:
        """Log a step of one send, with the arguments of `log_event`."""
        if self.log:
            self.log(log_event(event, send, status, **known))

    def note(self, event: str, **known: Any) -> None:
        """Log a step without a single send."""
        if self.log:
            self.log({"event": event, **known})


def as_json(step: Transition, at: datetime) -> str:
    """Write one line of JSON, `at` first, without nulls. In ASCII, since names may hold any character."""
    known = {name: step[name] for name in ORDER if step.get(name) is not None}
    return json.dumps({"at": at.isoformat(timespec="milliseconds"), **known}, default=str)


def as_text(step: Transition, at: datetime) -> str:
    """Write one line for a person.

    >>> from datetime import UTC
    >>> as_text({"event": "expired", "status": "skipped", "sends": 3}, datetime(2026, 3, 2, 9, tzinfo=UTC))
    '2026-03-02T09:00:00.000+00:00 expired sends=3 status=skipped'
    """
    rest = [name for name in ORDER if name != "event" and step.get(name) is not None]
    first = [name for name in ("send_id", "sends") if name in rest]
    words = " ".join(f"{name}={_word(step[name])}" for name in [*first, *(n for n in rest if n not in first)])
    return f"{at.isoformat(timespec='milliseconds')} {step['event']} {words}"


def _word(value: object) -> str:
    """Write a value as one word, quoted if needed."""
    if (
        isinstance(value, str | UUID)
        and str(value).replace("_", "").replace("-", "").isalnum()
        and str(value).isascii()
    ):
        return str(value)
    return json.dumps(value, default=str)
