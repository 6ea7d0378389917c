"""What does a no mean that is not the provider's own?

It comes from something on the way: a proxy, a firewall, a server whose address was configured by mistake. Nothing went
out, and nothing says that it never will. But it does not say either whether the address is to blame, in which case no
message may fail, or this one message, in which case no other may wait for it.
"""

from __future__ import annotations

from datetime import timedelta

from send_queue.model import Claimed, Hold, Retry
from send_queue.providers.http_answer import plain

IN_DOUBT_BY_STATUS = frozenset({408, 499})
"""A gateway's time-out, and its word that its client is gone: what stands behind it may have the request."""

REQUEST_ONLY_STATUSES = frozenset({400, 413, 414, 415, 422, 431})
"""Statuses that speak of one request also where something that is not the provider says them: the next may pass."""

MAX_LANE_HOLDS = 3
"""How often a send may stop its lane for a reason that may be its own. It may be the address, and then no message is to
blame; or a firewall that dislikes this one text, and then all others would wait behind it for ever."""


def tries_that_did_not_count(send: Claimed) -> int:
    """How often a send was held or let go of before."""
    return send.attempt_number - 1 - send.attempts


def judge_stranger(status: int, said: str, *, whose: str, held: int) -> Hold | Retry:
    """A status below 400, or a 4xx, from something that is not `whose` (`SendGrid's API: check SENDGRID_BASE_URL`)."""
    code = "unexpected_redirect" if status < 400 else "unexpected_answer"
    detail = plain(f"HTTP {status} from something that is not {whose}. {said}".strip())
    if status in REQUEST_ONLY_STATUSES or held >= MAX_LANE_HOLDS:
        return Retry(code, detail, http_status=status)
    return Hold("lane", code, detail, after=timedelta(hours=1), http_status=status)
