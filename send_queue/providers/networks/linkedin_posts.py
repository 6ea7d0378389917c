"""LinkedIn's Posts API: a post of a member or an organization.

    POST /rest/posts    201, and the post's URN in the header x-restli-id

It has no idempotency key, and no list for a member's token. But LinkedIn refuses equal content with the name of the
existing post: so an uncertain send is sent again, byte for byte, and the refusal settles the first try. The period is
not documented: send-queue relies on an hour, or on LINKEDIN_DUPLICATE_MINUTES.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from send_queue.model import CannotTell, Claimed, LookUp, Outcome, Sent
from send_queue.providers.environment import minutes
from send_queue.providers.http_answer import Answer, Limits, answered_at, retry_after
from send_queue.providers.meaning import Meaning, hours
from send_queue.providers.networks.base import (
    DUPLICATE,
    EXPIRED,
    GET,
    POST,
    REFUSED,
    Network,
    Profile,
    broken,
    judge,
    odd,
    waits,
)

VERSION = "202606"
"""The API's version, year and month: LinkedIn serves each for a year or more. Accounts may set linkedin_version."""

AGAIN = broken("Connect the account again, then resume it.")
OLD = Meaning("hold", scope="account", after=hours(1), advice="Set LINKEDIN_VERSION to a version that LinkedIn serves.")

MEANINGS: Mapping[str, Meaning] = {
    "VERSION_MISSING": OLD,
    "INVALID_VERSION": OLD,
    "NONEXISTENT_VERSION": OLD,
    "FIELD_LENGTH_TOO_LONG": REFUSED,
    "INVALID_VALUE_FOR_FIELD": REFUSED,
    "INVALID_URN_TYPE": REFUSED,
    "INVALID_URN_ID": REFUSED,
    "MISSING_FIELD": REFUSED,
    "ILLEGAL_ARGUMENT": REFUSED,
    "BAD_REQUEST": REFUSED,
    "UNPROCESSABLE_ENTITY": REFUSED,
    "EMPTY_ACCESS_TOKEN": AGAIN,
    "INVALID_ACCESS_TOKEN": AGAIN,
    "REVOKED_ACCESS_TOKEN": AGAIN,
    "EXPIRED_ACCESS_TOKEN": EXPIRED,
    "UNAUTHORIZED": AGAIN,
    "ACCESS_DENIED": broken("The token may not post as this author."),
    "RESOURCE_NOT_FOUND": Meaning("odd"),
    "CONFLICT": Meaning("retry"),  # simultaneous writes
    "TOO_MANY_REQUESTS": waits(24 * 60),  # quotas of the member and the app, until midnight UTC
    "DUPLICATE_POST": DUPLICATE,
    "http_401": AGAIN,
    "http_403": broken("The token may not post as this author."),
    "http_426": OLD,
    "http_429": waits(24 * 60),
}

OF_LITTLE_TEXT = re.compile(r"[|{}@\[\]()<>#\\*_~]")
"""Signs of LinkedIn's "little text", to escape with a backslash."""

DUPLICATE_OF = re.compile(r"duplicate of (urn:li:(?:share|ugcPost|activity):\d+)")


class LinkedIn(Network):
    """A profile or a page on LinkedIn. The account's id is its URN. Setting `visibility`: CONNECTIONS, LOGGED_IN or
    PUBLIC (default).

    LINKEDIN_VERSION             the API's version, YYYYMM
    LINKEDIN_DUPLICATE_MINUTES   the time for which LinkedIn surely refuses a duplicate; 0: none
    """

    name, variable, default, longest = "LinkedIn", "LINKEDIN_BASE_URL", "https://api.linkedin.com", 3000
    id_is = (r"urn:li:(person|organization):[A-Za-z0-9_-]+", "its URN (urn:li:person:… or urn:li:organization:…)")
    lag: timedelta | None = None
    repeatable: timedelta | None

    def __init__(self, env: Mapping[str, str], *, post: Limits = POST, get: Limits = GET) -> None:
        super().__init__(env, post=post, get=get)
        self.repeatable = minutes(env, "LINKEDIN_DUPLICATE_MINUTES", hours(1)) or None

    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        visibility = send.settings.get("visibility")
        body = {
            "author": profile.id,
            "commentary": OF_LITTLE_TEXT.sub(r"\\\g<0>", send.message),
            "visibility": visibility if visibility in ("CONNECTIONS", "LOGGED_IN") else "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }
        version = send.settings.get("linkedin_version") or self.env.get("LINKEDIN_VERSION", "").strip() or VERSION
        headers = {"LinkedIn-Version": str(version), "X-Restli-Protocol-Version": "2.0.0"}
        answer = profile.post("/rest/posts", headers, json=body)
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 201:
            return Sent(answer.headers.get("x-restli-id", "").strip()[:200] or None, answer.status)
        if 200 <= answer.status < 300:
            return odd(answer.status, answer.text, send)
        return _refused(answer, send)

    def find(self, profile: Profile, send: Claimed) -> LookUp:  # noqa: ARG002 — there is no list
        return CannotTell("LinkedIn lists no member's posts.")


def _refused(answer: Answer, send: Claimed) -> Outcome:
    said = answer.json if isinstance(answer.json, dict) else {}
    code = str(said["code"]) if said.get("code") else None
    message = str(said.get("message") or "")
    if code is None and message:
        code = f"http_{answer.status}"
    if answer.status == 422 and "duplicate" in message.lower():
        code = "DUPLICATE_POST"
        there = DUPLICATE_OF.search(message)
        # For a repeat, this is the lost answer of the earlier try.
        if there and send.repeat_by is not None:
            return Sent(there[1], answer.status)
    wait = None
    if answer.status == 429:
        wait = retry_after(answer, send.started_at) or _to_midnight(answered_at(answer) or send.started_at)
    return judge(answer, send, code, MEANINGS, detail=message, wait=wait)


def _to_midnight(now: datetime) -> timedelta:
    """Return the time until midnight UTC, when quotas reset."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC) - now
