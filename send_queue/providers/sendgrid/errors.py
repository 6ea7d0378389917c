"""SendGrid's answers to a mail: a table of errors, and one function that applies it.

SendGrid has no error codes: an error is a message, often with a field of the request. A row matches by status, prefix
of the field, and words of the message; the first match counts, so errors for all mails precede those for one mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from send_queue.model import Outcome, Uncertain
from send_queue.providers.credentials import TRY_AGAIN
from send_queue.providers.http_answer import (
    MAX_WAIT,
    Answer,
    NoAnswer,
    advised,
    answered_at,
    hidden,
    plain,
    retry_after,
)
from send_queue.providers.intermediary import IN_DOUBT_BY_STATUS, judge_stranger
from send_queue.providers.meaning import Meaning, hours, minutes, outcome_of

RECIPIENT = Meaning("failed", "invalid_recipient")
MESSAGE = Meaning("failed", "invalid_message")
TOO_LARGE = Meaning("failed", "message_too_large")
SENDER = Meaning(
    "hold", "sender_refused", "lane", hours(1), hours(24), may_be_its_own=True,
    advice="Verify the from-address at SendGrid, or set another.",
)  # fmt: skip
REPLY_TO = Meaning(
    "hold", "reply_to_refused", "lane", hours(1), hours(24), may_be_its_own=True,
    advice="Set another reply_to.",
)  # fmt: skip
KEY = Meaning(
    "hold", "key_refused", "account", TRY_AGAIN, advice="Check SENDGRID_API_KEY, or the account's own secret."
)
RIGHT = Meaning("hold", "access_forbidden", "account", TRY_AGAIN, advice="The key needs the right to send mail.")
CREDIT = Meaning("hold", "credits_used_up", "account", hours(1), hours(24), advice="The plan has no mails left.")
PLACE = Meaning("hold", "wrong_address", "lane", hours(1), advice="Check SENDGRID_BASE_URL.")
SLOWER = Meaning("hold", "too_many_requests", "lane", minutes(1), hours(1))

REFUSES_KEY = frozenset({KEY.code, RIGHT.code})
"""Codes that refuse the key."""

Row: TypeAlias = tuple[int, str, str, Meaning]
"""Status, prefix of the field, words of the message in lower case; empty: any."""

MEANINGS: Sequence[Row] = (
    # 400: errors of settings hold the lane, others concern this mail
    (400, "from", "", SENDER),
    (400, "reply_to", "", REPLY_TO),
    (400, "personalizations", "", RECIPIENT),
    (400, "", "", MESSAGE),
    # 401: a used-up plan (observed, not documented); else the key
    (401, "", "maximum credits exceeded", CREDIT),
    (401, "", "", KEY),
    # 403: the from-address is not verified, or the key may not send
    (403, "from", "", SENDER),
    (403, "", "sender identity", SENDER),
    (403, "", "", RIGHT),
    # SendGrid, but not its endpoint for mails
    (404, "", "", PLACE),
    (405, "", "", PLACE),
    (413, "", "", TOO_LARGE),
    (415, "", "", MESSAGE),
    (429, "", "", SLOWER),
)

Error: TypeAlias = tuple[str, str]
"""The field, perhaps empty, and the message."""


def judge(answer: Answer | NoAnswer, *, now: datetime, hide: Sequence[str], held: int = 0) -> Answer | Outcome:
    """Judge an answer to a mail: return the answer itself if it is a yes with a message's id, else the outcome.

    `now` replaces a missing date of the answer; details omit the strings of `hide`; `held` counts the send's holds.
    """
    if not isinstance(answer, Answer):
        return answer
    status = answer.status
    if 200 <= status < 300:
        # Only 202 is a yes: 200 answers a mere check, and comes from anything in SendGrid's place.
        if status == 202 and message_id(answer):
            return answer
        return Uncertain("unreadable_answer", f"HTTP {status} with no answer of SendGrid's in it.", status)
    errors = _errors(answer)
    said = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
    detail = plain(hidden(said, hide)) if said else answer.text
    if status < 200 or status >= 500 or status in IN_DOUBT_BY_STATUS:
        return Uncertain(f"http_{status}", detail, status)
    if status < 400 or (not errors and status != 429):
        return judge_stranger(status, detail, whose="SendGrid's API: check SENDGRID_BASE_URL", held=held)
    meaning = _meaning(status, errors)
    wait = _asked_to_wait(answer, now) if meaning is SLOWER else None
    return outcome_of(meaning, meaning.code, advised(detail, meaning.advice), status, held=held, wait=wait)


def blamed(answer: Answer | NoAnswer) -> frozenset[int]:
    """Return the places of the personalizations that SendGrid refuses, if it names no other error.

    It refuses the whole call then, but would accept the others.
    """
    if not isinstance(answer, Answer) or answer.status != 400:
        return frozenset()
    places = [re.match(r"personalizations\.(\d{1,4})\b", field) for field, _ in _errors(answer)]
    return frozenset(int(place[1]) for place in places if place) if all(places) else frozenset()


def message_id(answer: Answer) -> str | None:
    """Return SendGrid's id of an accepted call."""
    return plain(answer.headers.get("x-message-id", ""), 200) or None


def _meaning(status: int, errors: Sequence[Error]) -> Meaning:
    for of_status, field, words, meaning in MEANINGS:
        if of_status == status and any(
            (not field or of == field or of.startswith(f"{field}.")) and words in message.lower()
            for of, message in errors or [("", "")]
        ):
            return meaning
    return MESSAGE  # do not retry unknown errors


def _asked_to_wait(answer: Answer, now: datetime) -> timedelta:
    """Return the time until X-RateLimit-Reset (seconds since 1970), else that of Retry-After."""
    if (wait := retry_after(answer, now)) is not None:
        return wait
    reset = answer.headers.get("x-ratelimit-reset", "").strip()
    if not (reset.isascii() and reset.isdigit()):
        return timedelta()
    until = datetime.fromtimestamp(min(int(reset[:12]), 2**35), UTC)
    return min(until - (answered_at(answer) or now), MAX_WAIT)


def _errors(answer: Answer) -> list[Error]:
    """Return the errors in SendGrid's form; none in another form."""
    listed = answer.json.get("errors") if isinstance(answer.json, Mapping) else None
    if not isinstance(listed, list):
        return []
    errors = [error for error in listed if isinstance(error, Mapping) and isinstance(error.get("message"), str)]
    return [(_text(error.get("field")), _text(error["message"])) for error in errors]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
