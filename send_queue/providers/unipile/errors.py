"""The meaning of Unipile's answers to a POST: its error types as data, and one function that judges by them.

It answers 500 also for LinkedIn's exceeded limit: never repeat a 5xx blindly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from send_queue.model import Outcome, Uncertain
from send_queue.providers.credentials import TRY_AGAIN
from send_queue.providers.http_answer import Answer, NoAnswer, advised, hidden, plain, retry_after
from send_queue.providers.intermediary import IN_DOUBT_BY_STATUS, judge_stranger
from send_queue.providers.meaning import Meaning, hours, outcome_of

REFUSED = Meaning("failed")
DONE = Meaning("already_done")
IN_DOUBT = Meaning("uncertain")
THROTTLED = Meaning("hold", scope="lane", after=hours(6), ceiling=hours(72))
PASSING = Meaning("hold", scope="lane", after=hours(1), ceiling=hours(6))
SENDER_REFUSED = Meaning("hold", scope="lane", after=hours(24))
NO_CREDIT = Meaning("hold", scope="lane", after=hours(24), advice="The account has no credit left for this.")
BROKEN = Meaning("hold", scope="account", advice="Mend the account in Unipile, then resume it.")
OUR_KEY = Meaning(
    "hold", scope="account", after=TRY_AGAIN, advice="Check UNIPILE_API_KEY, or the account's own secret."
)

MEANINGS: Mapping[str, Meaning] = {
    # 400: about this request
    "invalid_parameters": REFUSED,
    "malformed_request": REFUSED,
    "content_too_large": REFUSED,
    "invalid_url": REFUSED,
    "too_many_characters": REFUSED,
    "unescaped_characters": REFUSED,
    "missing_parameters": REFUSED,
    # 401: the account needs a person, unless our own key is wrong
    "missing_credentials": OUR_KEY,  # sent for an absent and for a wrong key alike
    "multiple_sessions": BROKEN,
    "invalid_checkpoint_solution": BROKEN,
    "checkpoint_error": BROKEN,
    "invalid_credentials": BROKEN,
    "expired_credentials": BROKEN,
    "insufficient_privileges": BROKEN,
    "disconnected_account": BROKEN,
    "disconnected_feature": BROKEN,
    "invalid_credentials_but_valid_account_imap": BROKEN,
    "expired_link": BROKEN,
    "wrong_account": BROKEN,
    "captcha_not_supported": BROKEN,
    "invalid_proxy_credentials": BROKEN,
    "invalid_imap_configuration": BROKEN,
    "invalid_smtp_configuration": BROKEN,
    # 403
    "account_restricted": BROKEN,
    "account_mismatch": REFUSED,  # this chat is another account's: the next message has another chat
    "insufficient_permissions": OUR_KEY,  # the key is valid and lacks a right: so it will for the next
    "session_mismatch": BROKEN,
    "feature_not_subscribed": BROKEN,
    "subscription_required": BROKEN,
    "unknown_authentication_context": BROKEN,
    "action_required": BROKEN,
    "resource_access_restricted": REFUSED,  # of this recipient or chat
    # 404: the recipient, or the account? `_who_is_missing` asks
    "resource_not_found": REFUSED,
    "invalid_resource_identifier": REFUSED,
    # 415
    "unsupported_media_type": REFUSED,
    # 422
    "invalid_account": BROKEN,
    "invalid_recipient": REFUSED,
    "no_connection_with_recipient": REFUSED,
    "blocked_recipient": REFUSED,
    "user_unreachable": REFUSED,
    "unprocessable_entity": REFUSED,
    "action_already_performed": DONE,
    "already_connected": DONE,
    "invalid_message": REFUSED,
    "invalid_post": REFUSED,
    "not_allowed_inmail": REFUSED,
    "insufficient_credits": NO_CREDIT,
    "payment_error": NO_CREDIT,
    # LinkedIn's throttle on the whole account, though the name sounds like this recipient. Read as
    # "already invited" it has burned whole lists of leads.
    "cannot_resend_yet": THROTTLED,
    "cannot_resend_within_24hrs": Meaning("hold", scope="lane", after=hours(24), ceiling=hours(72)),
    "limit_exceeded": THROTTLED,
    "connection_limit_reached": THROTTLED,
    "already_invited_recently": REFUSED,  # unless the invitation is pending: `_really_invited` asks
    "cannot_invite_attendee": REFUSED,
    "parent_mail_not_found": REFUSED,
    "invalid_reply_subject": REFUSED,
    "invalid_headers": REFUSED,
    "send_as_denied": SENDER_REFUSED,  # not this message's fault: the next would be refused too
    "sender_rejected": SENDER_REFUSED,
    "ip_rejected_by_server": SENDER_REFUSED,
    "recipient_rejected": REFUSED,
    "invalid_folder": REFUSED,
    "invalid_thread": REFUSED,
    "limit_too_high": REFUSED,
    "unauthorized": BROKEN,  # a 401 under another number
    "provider_unreachable": PASSING,
    "account_configuration_error": BROKEN,
    "cant_send_message": REFUSED,
    "realtime_client_not_initialized": PASSING,  # Unipile's own session is still starting
    # 429
    "too_many_requests": THROTTLED,
    # 5xx: it may have gone out, unless Unipile lacks the feature
    "unexpected_error": IN_DOUBT,
    "provider_error": IN_DOUBT,
    "authentication_intent_error": IN_DOUBT,
    "feature_not_implemented": REFUSED,
    "no_client_session": IN_DOUBT,
    "no_channel": IN_DOUBT,
    "no_handler": IN_DOUBT,
    "network_down": IN_DOUBT,
    "service_unavailable": IN_DOUBT,
    "request_timeout": IN_DOUBT,
}

REFUSES_KEY = frozenset(code for code, meaning in MEANINGS.items() if meaning is OUR_KEY)
"""The codes about our key, whatever the account."""

UNKNOWN_BY_STATUS: Mapping[int, Meaning] = {401: BROKEN, 429: THROTTLED}
"""For other types, by status. Any other status is final: retrying unknown errors gets an account restricted."""


def judge(answer: Answer | NoAnswer, *, now: datetime, hide: Sequence[str], held: int = 0) -> Answer | Outcome:
    """Judge an answer to a POST; return a yes with a JSON object as it is.

    A Retry-After date counts from `now`; no detail holds a string of `hide`; `held` counts the send's uncounted tries.
    """
    if not isinstance(answer, Answer):
        return answer
    status, body = answer.status, answer.json
    code = _error_code(body)
    if 200 <= status < 300:
        if isinstance(body, dict) and code is None:
            return answer
        return Uncertain("unreadable_answer", f"HTTP {status} with no answer of Unipile's in it.", status)
    detail = _detail(answer, hide)
    if (
        status < 200
        or status in IN_DOUBT_BY_STATUS
        or (status >= 500 and (status, code) != (501, "feature_not_implemented"))
    ):
        return Uncertain(code or f"http_{status}", detail, status)
    if status < 400 or (code is None and status != 429):
        return judge_stranger(status, detail, whose="Unipile's API: check UNIPILE_DSN", held=held)
    code = code or "too_many_requests"
    meaning = MEANINGS.get(code) or UNKNOWN_BY_STATUS.get(status, REFUSED)
    return outcome_of(meaning, code, advised(detail, meaning.advice), status, wait=retry_after(answer, now))


def _error_code(body: object) -> str | None:
    """Return the error type without its prefix; None if the body has another shape."""
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str):
        return None
    name = kind.removeprefix("errors/")
    if name == kind and name not in MEANINGS:
        return None
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()[:64]).strip("_") or "unknown_error"


def _detail(answer: Answer, hide: Sequence[str]) -> str:
    """Return the error's title and detail, without the request's secrets."""
    body = answer.json if isinstance(answer.json, dict) else {}
    said = [s for s in (body.get("title"), body.get("detail")) if isinstance(s, str) and s.strip()]
    return plain(hidden(": ".join(said), hide) if said else answer.text)
