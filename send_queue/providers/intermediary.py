"""The meaning of a refusal that is not the provider's own.

It comes from a proxy, a firewall or a wrongly configured server. Nothing went out, but it may later. If the address is
the cause, no message may fail; if this message is, no other may wait for it. The answer does not tell which.
"""

from __future__ import annotations

from datetime import timedelta

from send_queue.model import Claimed, Hold, Retry
from send_queue.providers.http_answer import plain

IN_DOUBT_BY_STATUS = frozenset({408, 499})
"""A gateway's time-out, and its closed connection: the server behind it may have the request."""

REQUEST_ONLY_STATUSES = frozenset({400, 413, 414, 415, 422, 431})
"""Statuses about one request, even from a gateway: the next may pass."""

MAX_LANE_HOLDS = 3
"""How often a send may hold its lane for a cause that may be its own, such as a firewall that dislikes its text: later
sends must not wait for ever."""


def tries_that_did_not_count(send: Claimed) -> int:
    """Return how often a send was held or released before."""
    return send.attempt_number - 1 - send.attempts


def judge_stranger(status: int, said: str, *, whose: str, held: int) -> Hold | Retry:
    """Judge a status below 500 from a server that is not `whose` (`SendGrid's API: check SENDGRID_BASE_URL`)."""
    code = "unexpected_redirect" if status < 400 else "unexpected_answer"
    detail = plain(f"HTTP {status} from something that is not {whose}. {said}".strip())
    if status in REQUEST_ONLY_STATUSES or held >= MAX_LANE_HOLDS:
        return Retry(code, detail, http_status=status)
    return Hold("lane", code, detail, after=timedelta(hours=1), http_status=status)
