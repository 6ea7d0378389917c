"""Answers of token endpoints: a table of errors, and one function that applies it.

Only a provider's own refusal with a row here disconnects an account. All other answers are retried: connecting again
mends neither a proxy's 403, nor an outage, nor a wrong client id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypeGuard

from send_queue.model import Uncertain
from send_queue.providers.http_answer import Answer, NoAnswer, hidden, plain, retry_after

Meaning: TypeAlias = Literal["refused", "our_client", "later"]
"""An error's meaning: the tokens cannot be renewed; our client id or secret is wrong; retry."""


# --- results of a renewal ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Renewed:
    """New tokens. None: the answer has no `refresh_token`, or gives no lifetime (`lasts`)."""

    access_token: str
    refresh_token: str | None = None
    lasts: timedelta | None = None
    refresh_lasts: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotNow:
    """No new tokens yet.

    answer_lost  the provider may have granted tokens that got lost
    answered     the provider answered
    """

    code: str
    detail: str
    after: timedelta | None = None
    answer_lost: bool = False
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider renews these tokens no more: a person must connect the account again."""

    code: str
    detail: str


Renewal: TypeAlias = Renewed | NotNow | Refused


# --- the tables -------------------------------------------------------------------------------------------

OAUTH: Mapping[str, Meaning] = {
    "invalid_grant": "refused",
    "invalid_request": "refused",  # for a used or revoked refresh token, by X and LinkedIn
    "invalid_client": "our_client",
    "unauthorized_client": "our_client",
    "unsupported_grant_type": "our_client",
    "invalid_scope": "our_client",
    "temporarily_unavailable": "later",
    "server_error": "later",
}
"""RFC 6749, section 5.2, as X and LinkedIn use it."""

OURS = re.compile(r"missing|parameter|client", re.IGNORECASE)
"""Words of an `invalid_request` about the request, not the token."""

ATPROTO: Mapping[str, Meaning] = {
    "ExpiredToken": "refused",
    "InvalidToken": "refused",
    "AccountTakedown": "refused",
    "AccountDeactivated": "refused",
    "AuthMissing": "our_client",
    "AuthRequired": "our_client",
    "RateLimitExceeded": "later",
}
"""The lexicon of com.atproto.server.refreshSession."""

GRAPH: Mapping[str, Meaning] = {
    "1": "later",
    "2": "later",
    "4": "later",  # too many calls of the app, the user, the page, the app again
    "17": "later",
    "32": "later",
    "341": "later",
    "101": "our_client",
    "102": "refused",
    "190": "refused",
}
"""Facebook's error codes."""


# --- reading an answer ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """The form of a provider's answer: the meaning of errors, the advice for a refused client, and the keys of the
    tokens and their lifetimes in seconds."""

    meanings: Mapping[str, Meaning]
    advice: str = ""
    access_token: str = "access_token"
    refresh_token: str = "refresh_token"
    lasts: str = "expires_in"
    refresh_lasts: str = "refresh_token_expires_in"


def judge(answer: Answer | NoAnswer, reading: Reading, hide: Sequence[str], now: datetime) -> Renewal:
    """Judge an answer of a token endpoint. Details omit the strings of `hide` and all of a yes."""
    if not isinstance(answer, Answer):
        return NotNow(answer.code, answer.detail, answer_lost=isinstance(answer, Uncertain), answered=False)
    said = answer.json if isinstance(answer.json, dict) else {}
    if answer.status == 200:
        return _renewed(said, reading) or NotNow(
            "unreadable_answer", "The answer is a yes without tokens.", answer_lost=True
        )
    if answer.status >= 500 or answer.status in (408, 499):
        return NotNow(f"http_{answer.status}", answer.text, answer_lost=True)
    code, words = _error(said)
    detail = plain(hidden(words, hide)) or answer.text
    meaning = reading.meanings.get(code, "later")
    if code == "invalid_request" and OURS.search(words):
        meaning = "our_client"
    if meaning == "refused" and answer.status != 429:
        return Refused("token_refused", f"{code}: {detail}")
    if meaning == "our_client":
        return NotNow("client_refused", f"{code}: {detail} {reading.advice}")
    code = f"error_{code}" if code.isdigit() else plain(hidden(code, hide), 60) or f"http_{answer.status}"
    return NotNow(code, detail, after=retry_after(answer, now))


def _renewed(said: Mapping[str, Any], reading: Reading) -> Renewed | None:
    access, refresh = said.get(reading.access_token), said.get(reading.refresh_token)
    if not is_token(access):
        return None
    return Renewed(
        access,
        refresh if is_token(refresh) else None,
        _seconds(said.get(reading.lasts)),
        _seconds(said.get(reading.refresh_lasts)),
    )


def is_token(value: object) -> TypeGuard[str]:
    """Whether a header can carry this text."""
    return isinstance(value, str) and bool(re.fullmatch(r"[!-~]{1,8192}", value))


def _seconds(value: object) -> timedelta | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 10**9
    return timedelta(seconds=int(value)) if whole and isinstance(value, int | float) else None


def _error(said: Mapping[str, Any]) -> tuple[str, str]:
    """Return the code and words of an error: OAuth's `error` and `error_description`, Bluesky's `message`, or
    Facebook's object with a number."""
    error = said.get("error")
    if isinstance(error, dict):
        return str(error.get("code", "")), str(error.get("message", ""))
    return str(error or ""), str(said.get("error_description") or said.get("message") or "")
