"""Twilio's answers to a message: a table of error codes, and one function that applies it.

Twilio changes its codes often, as it documents: for a code without a row the HTTP status decides. A request with a 429
was not processed (Twilio, error 20429); one with a 5xx may have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from send_queue.model import Failed, Outcome, Uncertain
from send_queue.providers.credentials import TRY_AGAIN
from send_queue.providers.http_answer import Answer, NoAnswer, advised, hidden, plain, retry_after
from send_queue.providers.intermediary import IN_DOUBT_BY_STATUS, judge_stranger
from send_queue.providers.meaning import Meaning, hours, minutes, outcome_of


def _sender(code: str, advice: str) -> Meaning:
    return Meaning("hold", code, "lane", hours(1), hours(24), may_be_its_own=True, advice=advice)


KEY = Meaning(
    "hold", "key_refused", "account", TRY_AGAIN, advice="Check TWILIO_AUTH_TOKEN, or the account's own secret."
)
FORBIDDEN = Meaning(
    "hold", "access_forbidden", "account", hours(1), hours(24), advice="Look at the account in Twilio's console."
)
NO_ACCOUNT = Meaning(
    "hold", "account_not_found", "account", hours(1),
    advice="Check the account's provider-account-id, or TWILIO_ACCOUNT_SID.",
)  # fmt: skip
SLOWER = Meaning("hold", "too_many_requests", "lane", minutes(0.5), minutes(10))

MEANINGS: Mapping[int, Meaning] = {
    # the recipient
    21211: Meaning("failed", "invalid_recipient"),
    21614: Meaning("failed", "not_a_mobile_number"),
    21635: Meaning("failed", "landline"),
    21612: Meaning("failed", "unroutable"),
    21610: Meaning("failed", "opted_out"),  # the recipient answered STOP to this sender
    21408: Meaning("failed", "region_not_permitted", advice="Allow the country in Twilio's geo permissions."),
    # the sender: the next message would meet it too
    21212: _sender("invalid_sender", "Set another number with `send-queue account set --set from=…`."),
    21606: _sender("sender_not_usable", "The number is not this account's, or cannot send SMS."),
    21603: _sender("sender_missing", "Set a number with `send-queue account set --set from=…`."),
    # a trial account: the next recipient would meet it too
    21608: _sender(
        "trial_account", "A trial account sends to verified numbers only: upgrade it, or verify the number."
    ),
    20003: KEY,
    20404: NO_ACCOUNT,
    # limits
    20429: SLOWER,
    63017: SLOWER,
    30022: Meaning("hold", "carrier_rate_exceeded", "lane", minutes(1), hours(1)),
    21611: Meaning("hold", "sender_queue_full", "lane", hours(1), hours(10)),
    60728: Meaning("hold", "hourly_limit", "account", hours(1)),
    63038: Meaning("hold", "daily_limit", "account", hours(6), hours(24)),
    # codes of callbacks for accepted messages; in an answer they refuse the message
    30001: Meaning("hold", "queue_overflow", "lane", minutes(5), hours(1)),
    30003: Meaning("retry", "unreachable_handset"),
    30004: Meaning("failed", "message_blocked"),
    30005: Meaning("failed", "unknown_handset"),
    30006: Meaning("failed", "landline_or_unreachable_carrier"),
    30007: Meaning("failed", "carrier_filtered"),
    30008: Meaning("retry", "unknown_delivery_error"),
}

REFUSES_KEY = frozenset({KEY.code})
"""Codes that refuse the secret."""

BY_STATUS: Mapping[int, Meaning] = {401: KEY, 403: FORBIDDEN, 429: SLOWER}
"""Statuses that suffice without a known code. Any other 4xx fails: retrying an unknown error for ever gets a number
blocked."""

SUPPRESSES = frozenset({"opted_out", "landline", "not_a_mobile_number", "unknown_handset"})
"""Codes that concern the recipient for good: they suppress it."""


def judge(answer: Answer | NoAnswer, *, now: datetime, hide: Sequence[str], held: int = 0) -> Answer | Outcome:
    """Judge an answer to a message: return the answer itself if it is a yes with a message's id, else the outcome.

    `now` is the base of a Retry-After date; details omit the strings of `hide`; `held` counts the send's holds.
    """
    if not isinstance(answer, Answer):
        return answer
    status = answer.status
    body = answer.json if isinstance(answer.json, Mapping) else {}
    if 200 <= status < 300:
        if not sid_of(body):
            return Uncertain("unreadable_answer", f"HTTP {status} with no message of Twilio's in it.", status)
        if body.get("status") == "failed":  # created, and failed at once
            meaning = MEANINGS.get(_code(body.get("error_code")) or 0)
            return Failed(meaning.code if meaning else "failed", _said(body.get("error_message"), hide), status)
        return answer
    code = _code(body.get("code"))
    said = _said(body.get("message"), hide) or answer.text
    if status < 200 or status >= 500 or status in IN_DOUBT_BY_STATUS:
        return Uncertain(f"twilio_{code}" if code else f"http_{status}", said, status)
    if status < 400 or (code is None and status != 429):
        return judge_stranger(status, said, whose="Twilio's API: check TWILIO_BASE_URL", held=held)
    meaning = MEANINGS.get(code or 0) or BY_STATUS.get(status) or Meaning("failed", f"twilio_{code}")
    return outcome_of(
        meaning, meaning.code, advised(said, meaning.advice), status, held=held, wait=retry_after(answer, now)
    )


def sid_of(message: Mapping[str, object]) -> str | None:
    """Return Twilio's id of a message, SM… or MM…; None: there is none."""
    sid = message.get("sid")
    return plain(sid, 64) if isinstance(sid, str) and sid.startswith(("SM", "MM")) else None


def _code(value: object) -> int | None:
    """Read an error code, a number or text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 6:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000 else None


def _said(message: object, hide: Sequence[str]) -> str:
    return plain(hidden(message, hide)) if isinstance(message, str) else ""
