"""What became of a send, and how is it told to the database? An outcome, or that it was not begun, in the words of
send_record.

What a provider of one's own says may be anything: what no column takes is made such that one does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias, assert_never

from send_queue.model import (
    AlreadyDone,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.rules.backoff import retry_seconds
from send_queue.store import Json

MAX_HOLD_SECONDS = timedelta(days=3650).total_seconds()
"""Seconds that a provider may ask us to wait, at the most: as long as a rolling limit may be."""

STATUSES = range(1000)
"""What an HTTP status can be; what a provider of one's own says may be anything."""


@dataclass(frozen=True, slots=True)
class Released:
    """Not begun: the lease would not have outlasted it, the run is told to stop, or something is lacking here."""

    missing_config: ConfigurationError | None = None


Result: TypeAlias = Outcome | Released

Results: TypeAlias = list[tuple[Claimed, Result]]


class Written(NamedTuple):
    """Results that are written down, each with the status that the row has now, and why one could not be."""

    rows: list[tuple[Claimed, Result, str]]
    error: Exception | None = None


class LookUpResult(NamedTuple):
    """As send_looked_up takes it: the verdict, the provider's id of the send, when to ask or to send again, and until
    when a repeat is known again."""

    verdict: str
    provider_message_id: str | None = None
    again: timedelta | None = None
    repeat_by: datetime | None = None


def as_row(send: Claimed, outcome: Result) -> Json:
    """A result as send_record takes it."""
    return _storable(as_json(send, outcome))


def as_json(send: Claimed, outcome: Result) -> Json:
    """A result in the words of send_record."""
    result: Json = {"attempt_id": str(send.attempt_id)}
    if isinstance(outcome, Released):
        return result | {"outcome": "released"}
    result["http_status"] = outcome.http_status
    match outcome:
        case Sent(provider_message_id):
            return result | {"outcome": "sent", "provider_message_id": provider_message_id}
        case AlreadyDone(code, detail):
            return result | {"outcome": "already_done", "error_code": code, "error_message": detail}
        case Retry(code, detail, after):
            wait = retry_seconds(send.attempts + 1, send.backoff_seconds, random.random())
            return result | {
                "outcome": "retry", "error_code": code, "error_message": detail,
                "retry_seconds": max(wait, after.total_seconds()) if after else wait,
            }  # fmt: skip
        case Hold(scope, code, detail, after, ceiling):
            return result | ({"secret": outcome.secret} if outcome.secret else {}) | {
                "outcome": "held", "scope": scope, "error_code": code, "error_message": detail,
                "hold_seconds": after.total_seconds() if after else None,
                "ceiling_seconds": ceiling.total_seconds() if ceiling else None,
            }  # fmt: skip
        case Failed(code, detail):
            return result | {"outcome": "failed", "error_code": code, "error_message": detail}
        case Uncertain(code, detail):
            return result | {"outcome": "uncertain", "error_code": code, "error_message": detail}
    assert_never(outcome)


def clean_message_id(sent: Sent) -> Sent:
    """As the database takes it: a provider may name a message with a NUL."""
    name, status = sent.provider_message_id, sent.http_status
    if (name is None or (isinstance(name, str) and name.isprintable())) and (status is None or status in STATUSES):
        return sent
    return replace(
        sent, provider_message_id=None if name is None else _text(str(name)),
        http_status=status if status in STATUSES else None,
    )  # fmt: skip


def _text(text: str) -> str:
    """A text as the database takes it: without NUL, and without halves of letters (surrogates)."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _storable(result: Json) -> Json:
    """What the database takes: a provider may name a message with a NUL, or hold for longer than there are days."""
    if result.get("http_status") not in STATUSES:
        result.pop("http_status", None)
    return {
        name: _text(value) if isinstance(value, str)
        else min(value, MAX_HOLD_SECONDS) if isinstance(value, float) else value
        for name, value in result.items() if value is not None
    }  # fmt: skip
