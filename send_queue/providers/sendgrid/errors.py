"""What SendGrid's answers to a mail mean: its errors as data, and one function that reads an answer by them.

SendGrid has no error codes: an error is a message, and often the field of the request that it speaks of. So a row is
chosen by the status, by what the field begins with, and by words of the message; the first that fits counts, and what
stops everybody stands before what is one mail's fault.
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
"""The codes that are about the key."""

Row: TypeAlias = tuple[int, str, str, Meaning]
"""Status, what the field begins with, words of the message in lower case; empty: any."""

MEANINGS: Sequence[Row] = (
    # 400: what is wrong with the settings stops the lane, all else is this mail's
    (400, "from", "", SENDER),
    (400, "reply_to", "", REPLY_TO),
    (400, "personalizations", "", RECIPIENT),
    (400, "", "", MESSAGE),
    # 401: seen of a plan that is used up, not documented; else the key
    (401, "", "maximum credits exceeded", CREDIT),
    (401, "", "", KEY),
    # 403: the from-address is nobody's that was verified, or the key may not send
    (403, "from", "", SENDER),
    (403, "", "sender identity", SENDER),
    (403, "", "", RIGHT),
    # SendGrid, but not where mails are taken
    (404, "", "", PLACE),
    (405, "", "", PLACE),
    (413, "", "", TOO_LARGE),
    (415, "", "", MESSAGE),
    (429, "", "", SLOWER),
)

Error: TypeAlias = tuple[str, str]
"""The field, empty where there is none, and the message."""


def judge(answer: Answer | NoAnswer, *, now: datetime, hide: Sequence[str], held: int = 0) -> Answer | Outcome:
    """Read an answer to a mail: itself, if it says yes with the name of a message, or what became of the call.

    `now` is what a date is measured by where the answer has none; the strings of `hide` are kept out of every detail;
    `held` is how many tries of the send did not count.
    """
    if not isinstance(answer, Answer):
        return answer
    status = answer.status
    if 200 <= status < 300:
        # 202 is the only yes: 200 is said of what was only checked, and by anything that stands in SendGrid's place.
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
    """Which of the personalizations of a call SendGrid refuses, by their places, where it says that and nothing else.

    The whole call is then refused, but the others would have been taken.
    """
    if not isinstance(answer, Answer) or answer.status != 400:
        return frozenset()
    places = [re.match(r"personalizations\.(\d{1,4})\b", field) for field, _ in _errors(answer)]
    return frozenset(int(place[1]) for place in places if place) if all(places) else frozenset()


def message_id(answer: Answer) -> str | None:
    """The name that SendGrid gives to all that was accepted in a call."""
    return plain(answer.headers.get("x-message-id", ""), 200) or None


def _meaning(status: int, errors: Sequence[Error]) -> Meaning:
    for of_status, field, words, meaning in MEANINGS:
        if of_status == status and any(
            (not field or of == field or of.startswith(f"{field}.")) and words in message.lower()
            for of, message in errors or [("", "")]
        ):
            return meaning
    return MESSAGE  # an error that is not known is not tried again


def _asked_to_wait(answer: Answer, now: datetime) -> timedelta:
    """Until X-RateLimit-Reset, which is a moment in seconds of the epoch, or as long as Retry-After says."""
    if (wait := retry_after(answer, now)) is not None:
        return wait
    reset = answer.headers.get("x-ratelimit-reset", "").strip()
    if not (reset.isascii() and reset.isdigit()):
        return timedelta()
    until = datetime.fromtimestamp(min(int(reset[:12]), 2**35), UTC)
    return min(until - (answered_at(answer) or now), MAX_WAIT)


def _errors(answer: Answer) -> list[Error]:
    """The errors in SendGrid's form; none where the answer has not that form."""
    listed = answer.json.get("errors") if isinstance(answer.json, Mapping) else None
    if not isinstance(listed, list):
        return []
    errors = [error for error in listed if isinstance(error, Mapping) and isinstance(error.get("message"), str)]
    return [(_text(error.get("field")), _text(error["message"])) for error in errors]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
