"""X, API v2: a post.

    POST /2/tweets               201 and its id
    GET  /2/users/me             the token's profile, if the account has no id
    GET  /2/users/{id}/tweets    its posts

It has no idempotency key, and refuses a text that the profile has posted lately (403) without naming the post: a
look-up reads the timeline, and replaces t.co's links by their targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from html import unescape
from typing import Any

from send_queue.model import CannotTell, Claimed, LookUp, Outcome, Sent
from send_queue.providers.http_answer import Answer, answered_at
from send_queue.providers.meaning import Meaning, hours
from send_queue.providers.networks.base import (
    DUPLICATE,
    EXPIRED,
    IN_DOUBT,
    REFUSED,
    UNKNOWN_ANSWER,
    Network,
    Profile,
    broken,
    id_in,
    judge,
    name_of,
    odd,
    reset_after,
    segment,
    waits,
)
from send_queue.providers.networks.look_up import (
    MAX_PAGES,
    UNKNOWN_SHAPE,
    Listed,
    Page,
    Pages,
    find,
    moment,
    since,
    too_many,
)
from send_queue.rules.post_length import bare, weighted, without_links

AGAIN = broken("Connect the account again, then resume it.")
LOCKED = broken("Log in to X as this profile and do what it asks, then resume the account.")
NO_CREDIT = Meaning(
    "hold", scope="account", after=hours(24), advice="The app's credits or posts of the month are used up."
)

MEANINGS: Mapping[str, Meaning] = {
    "duplicate-content": DUPLICATE,
    # The last word of a problem's type (https://api.x.com/2/problems/…)
    "invalid-request": REFUSED,
    "resource-not-found": REFUSED,
    "not-authorized-for-resource": REFUSED,
    "not-authorized-for-field": REFUSED,
    "disallowed-resource": REFUSED,
    "unsupported-authentication": AGAIN,
    "oauth1-permissions": AGAIN,
    "client-forbidden": broken("The app may not post: see its access in X's developer portal."),
    "client-disconnected": IN_DOUBT,
    "usage-capped": NO_CREDIT,
    "credits": NO_CREDIT,
    "rate-limits": waits(15),
    "operational-disconnect": IN_DOUBT,
    # Codes of the older API, which v2 still uses at times
    "code_32": AGAIN,  # could not authenticate
    "code_64": LOCKED,  # suspended
    "code_88": waits(15),
    "code_89": AGAIN,  # the token is invalid, or revoked
    "code_130": IN_DOUBT,  # over capacity
    "code_131": IN_DOUBT,
    "code_185": waits(180, up_to=24 * 60),  # the day's posts of this profile
    "code_186": REFUSED,  # too long
    "code_187": DUPLICATE,
    "code_226": waits(6 * 60, up_to=72 * 60, scope="account"),  # "this looks automated"
    "code_261": AGAIN,  # the app may not write
    "code_326": LOCKED,
    # Problems without a type of their own (about:blank)
    "http_400": REFUSED,
    "http_401": EXPIRED,  # X gives no reason; an access token lasts two hours
    "http_402": NO_CREDIT,
    "http_403": UNKNOWN_ANSWER,  # a suspended profile, an app without access, or this text
    "http_404": UNKNOWN_ANSWER,
    "http_429": waits(15),
}

PER_PAGE = 100
"""The most that X lists."""


class X(Network):
    """A profile on X. The account's secret is a user's token with tweet.write, and tweet.read and users.read for
    look-ups; its id, the user's number, is optional.
    """

    name, variable, default, longest = "X", "X_BASE_URL", "https://api.x.com", 280
    id_is = (r"\d*", "the user's number")

    @classmethod
    def length(cls, text: str) -> int:
        return weighted(text)

    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        answer = profile.post("/2/tweets", json={"text": send.message})
        if not isinstance(answer, Answer):
            return answer
        said = answer.json if isinstance(answer.json, dict) else {}
        data = said.get("data")
        if answer.status in (200, 201) and isinstance(data, dict) and (name := name_of(data.get("id"))):
            return Sent(name, answer.status)
        if 200 <= answer.status < 300:
            return odd(answer.status, answer.text, send)
        wait = reset_after(answer, "x-rate-limit-reset", send.started_at) if answer.status == 429 else None
        detail = said.get("detail") or said.get("title")
        return judge(answer, send, _code(answer, said), MEANINGS, detail=str(detail or ""), wait=wait)

    def me(self, profile: Profile) -> tuple[Answer | CannotTell, str | None]:
        answer = profile.ask("/2/users/me")
        return answer, id_in(answer, "data", "id")

    def find(self, profile: Profile, send: Claimed) -> LookUp:
        user = profile.id
        if not user:
            me = profile.get("/2/users/me")
            if isinstance(me, CannotTell):
                return me
            data = me.json.get("data") if isinstance(me.json, dict) else None
            user = name_of(data.get("id")) or "" if isinstance(data, dict) else ""
        return find(send, _timeline(profile, user, send), _without_links) if user else CannotTell(UNKNOWN_SHAPE)


def _code(answer: Answer, said: Mapping[str, Any]) -> str | None:
    """Return X's name of the error; None: the body is not X's."""
    if "duplicate content" in str(said.get("detail", "")):
        return "duplicate-content"
    errors = said.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    if isinstance(first.get("code"), int):
        return f"code_{first['code']}"
    kind = said.get("type") if isinstance(said.get("type"), str) else None
    if kind is None and not isinstance(said.get("title"), str):
        return None
    kind = (kind or "").rstrip("/").rpartition("/problems/")[2]
    return kind if kind in MEANINGS else f"http_{answer.status}"


def _timeline(profile: Profile, user: str, send: Claimed) -> Pages:
    params = {
        "max_results": str(PER_PAGE),
        "exclude": "retweets",
        "start_time": since(send).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tweet.fields": "created_at,entities,note_tweet",
    }
    for _ in range(MAX_PAGES):
        answer = profile.get(f"/2/users/{segment(user)}/tweets", params)
        if isinstance(answer, CannotTell):
            yield answer
            return
        said = answer.json if isinstance(answer.json, dict) else {}
        meta, data = said.get("meta"), said.get("data", [])
        if not isinstance(meta, dict) or not isinstance(data, list) or any(not isinstance(post, dict) for post in data):
            yield CannotTell(UNKNOWN_SHAPE)
            return
        posts = tuple(Listed(str(post.get("id")), _written(post), moment(post.get("created_at"))) for post in data)
        yield Page(posts, answered_at(answer))
        if not isinstance(meta.get("next_token"), str):
            return
        params["pagination_token"] = meta["next_token"]
    yield too_many()


def _written(post: Mapping[str, Any]) -> str | None:
    """Return a post as written: replace t.co's links by their targets, and &amp; by &."""
    note = post.get("note_tweet")
    whole = note if isinstance(note, dict) and isinstance(note.get("text"), str) else post
    text, entities = whole.get("text"), whole.get("entities")
    if not isinstance(text, str):
        return None
    for url in entities.get("urls", []) if isinstance(entities, dict) else []:
        if isinstance(url, dict) and isinstance(url.get("url"), str) and isinstance(url.get("expanded_url"), str):
            text = text.replace(url["url"], url["expanded_url"])
    return unescape(text)


def _without_links(text: str) -> str:
    return bare(without_links(text)[0])
