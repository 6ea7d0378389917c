"""Mastodon: a status on an instance.

    POST /api/v1/statuses                          with an Idempotency-Key, which is the send's id
    GET  /api/v1/accounts/verify_credentials       the token's profile
    GET  /api/v1/accounts/{id}/statuses            its statuses
    GET  /api/v1/statuses/{id}/source              a status as written

For up to an hour a key makes one status, however often it comes (docs.joinmastodon.org/methods/statuses); later a
look-up is needed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import unescape

from send_queue.model import CannotTell, Claimed, LookUp, Outcome, Sent
from send_queue.providers.http_answer import Answer, answered_at
from send_queue.providers.meaning import Meaning
from send_queue.providers.networks.base import (
    REFUSED,
    Network,
    Profile,
    broken,
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
from send_queue.rules.post_length import SHORTENED, graphemes, without_links

MEANINGS: Mapping[str, Meaning] = {
    # Errors have sentences without names, so the status decides.
    "http_400": REFUSED,
    # Mastodon's tokens do not end: a refused one was revoked.
    "http_401": broken("Connect the account again, then resume it."),
    "http_403": broken("The token lacks the scope write:statuses, or the profile is suspended."),
    "http_404": broken("Is base_url the instance of this profile?"),
    "http_410": broken("The profile is gone."),
    "http_422": REFUSED,  # too long, blank, or otherwise invalid
    "http_429": waits(5),  # 300 requests in 5 minutes
}

PER_PAGE = 40
"""The most that Mastodon lists."""

VISIBILITIES = ("public", "unlisted", "private", "direct")


class Mastodon(Network):
    """A profile on Mastodon. Settings: base_url, its instance; `visibility`; `language`. The secret is a token with
    write:statuses, and read:accounts and read:statuses for look-ups.
    """

    name, variable, longest = "Mastodon", "MASTODON_BASE_URL", 500
    repeatable: timedelta | None = timedelta(minutes=55)
    """Below the key's hour, since clocks differ."""

    @classmethod
    def length(cls, text: str) -> int:
        """Count 23 for each link."""
        rest, n = without_links(text)
        return graphemes(rest) + n * SHORTENED

    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        body = {"status": send.message}
        if send.settings.get("visibility") in VISIBILITIES:
            body["visibility"] = send.settings["visibility"]
        if send.settings.get("language"):
            body["language"] = str(send.settings["language"])
        answer = profile.post("/api/v1/statuses", {"Idempotency-Key": str(send.send_id)}, json=body)
        if not isinstance(answer, Answer):
            return answer
        said = answer.json if isinstance(answer.json, dict) else {}
        if answer.status in (200, 201) and (name := name_of(said.get("id"))):
            return Sent(name, answer.status)
        if 200 <= answer.status < 300:
            return odd(answer.status, answer.text, send)
        code = f"http_{answer.status}" if isinstance(said.get("error"), str) else None
        wait = reset_after(answer, "x-ratelimit-reset", send.started_at) if answer.status == 429 else None
        return judge(answer, send, code, MEANINGS, detail=str(said.get("error", "")), wait=wait)

    def me(self, profile: Profile) -> tuple[Answer | CannotTell, str | None]:
        return profile.ask("/api/v1/accounts/verify_credentials"), None  # accounts need no id

    def find(self, profile: Profile, send: Claimed) -> LookUp:
        me = profile.get("/api/v1/accounts/verify_credentials")
        if isinstance(me, CannotTell):
            return me
        mine = name_of(me.json.get("id")) if isinstance(me.json, dict) else None
        return find(send, _statuses(profile, mine, send)) if mine else CannotTell(UNKNOWN_SHAPE)


def _statuses(profile: Profile, account: str, send: Claimed) -> Pages:
    """Yield the profile's statuses as written: the listed HTML has rewritten mentions and links."""
    params = {"limit": str(PER_PAGE), "exclude_reblogs": "true"}
    for _ in range(MAX_PAGES):
        answer = profile.get(f"/api/v1/accounts/{segment(account)}/statuses", params)
        if isinstance(answer, CannotTell):
            yield answer
            return
        if not isinstance(answer.json, list) or any(not isinstance(item, dict) for item in answer.json):
            yield CannotTell(UNKNOWN_SHAPE)
            return
        posts = []
        for item in answer.json:
            name, at = name_of(item.get("id")), moment(item.get("created_at"))
            if name is None or at is None or not isinstance(item.get("content"), str):
                yield CannotTell(UNKNOWN_SHAPE)
                return
            if at < since(send):
                text: str | CannotTell = ""
            elif _text(item["content"]) == _text(send.message):
                text = send.message
            else:
                text = _source(profile, name)
            if isinstance(text, CannotTell):
                yield text
                return
            posts.append(Listed(name, text, at))
        yield Page(tuple(posts), answered_at(answer))
        if len(posts) < PER_PAGE:
            return
        params["max_id"] = posts[-1].id
    yield too_many()


def _source(profile: Profile, name: str) -> str | CannotTell:
    answer = profile.get(f"/api/v1/statuses/{segment(name)}/source")
    if isinstance(answer, CannotTell):
        return answer
    text = answer.json.get("text") if isinstance(answer.json, dict) else None
    return text if isinstance(text, str) else CannotTell(UNKNOWN_SHAPE)


def _text(content: str) -> str:
    """Return the visible text of HTML without white space: enough to recognise a text without rewritten parts."""
    return "".join(
        c for c in unicodedata.normalize("NFC", unescape("".join(_outside_tags(content)))) if not c.isspace()
    )


def _outside_tags(content: str) -> Iterator[str]:
    for i, part in enumerate(content.split("<")):
        yield part if i == 0 else part.partition(">")[2]
