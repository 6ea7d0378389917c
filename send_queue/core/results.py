"""Results of sends and look-ups, in the words of send_record and send_looked_up.

A foreign provider may return anything: values that no column takes are made to fit.
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
    Json,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers import Providers
from send_queue.rules.backoff import retry_seconds

MAX_HOLD_SECONDS = timedelta(days=3650).total_seconds()
"""The longest wait that a provider can request: as long as the longest rolling limit."""

STATUSES = range(1000)
"""The HTTP statuses that a column takes."""


@dataclass(frozen=True, slots=True)
class Released:
    """Not begun: its lease is too short, the run is told to stop, or configuration is missing."""

    missing_config: ConfigurationError | None = None


Result: TypeAlias = Outcome | Released

Results: TypeAlias = list[tuple[Claimed, Result]]

Recorded: TypeAlias = tuple[Claimed, Result, str]
"""A result that is recorded, with the status that the row has now."""


class Written(NamedTuple):
    """Recorded results, the error of one that the database refused, and the number of such results."""

    rows: list[Recorded]
    error: Exception | None = None
    refused: int = 0


class LookUpResult(NamedTuple):
    """A verdict as send_looked_up takes it.

    `again` is the wait until the next look-up or the repeat; `repeat_by` the end of the provider's memory of a repeat.
    """

    verdict: str
    provider_message_id: str | None = None
    again: timedelta | None = None
    repeat_by: datetime | None = None


def as_row(send: Claimed, outcome: Result, providers: Providers) -> Json:
    """Return a result as send_record takes it; a refusal for good, as its provider names them, suppresses."""
    row = _storable(as_json(send, outcome))
    if isinstance(outcome, Failed):
        provider = providers.serving(send.provider, send.channel)
        if outcome.code in getattr(provider, "suppresses", ()):
            row["suppress"] = True
    return row


def as_json(send: Claimed, outcome: Result) -> Json:
    """Return a result in the words of send_record."""
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
    """Return a success that the database takes: a provider may name a message with a NUL."""
    name, status = sent.provider_message_id, sent.http_status
    if (name is None or (isinstance(name, str) and name.isprintable())) and (status is None or status in STATUSES):
        return sent
    return replace(
        sent, provider_message_id=None if name is None else _text(str(name)),
        http_status=status if status in STATUSES else None,
    )  # fmt: skip


def _text(text: str) -> str:
    """Return a text without NUL and without lone surrogates: the database takes neither."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _storable(result: Json) -> Json:
    """Return a result that the database takes: without NULs, odd statuses and endless holds."""
    if result.get("http_status") not in STATUSES:
        result.pop("http_status", None)
    return {
        name: _text(value) if isinstance(value, str)
        else min(value, MAX_HOLD_SECONDS) if isinstance(value, float) else value
        for name, value in result.items() if value is not None
    }  # fmt: skip
