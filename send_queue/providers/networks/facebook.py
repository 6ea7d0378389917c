"""Facebook: a post on a page, by the Graph API.

    POST /v{N}/{page}/feed    200 and its id, which is PAGE_POST
    GET  /v{N}/{page}/feed    the page's posts
    GET  /v{N}/{page}         its id

It has no idempotency key, and refuses a repetition of the page's last text (506) without naming that post: a look-up
reads the feed. Its errors are numbers; 1 and 2 leave the post's fate open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from send_queue.model import CannotTell, Claimed, Failed, LookUp, Outcome, Sent
from send_queue.providers.http_answer import Answer, answered_at, retry_after
from send_queue.providers.meaning import Meaning, hours
from send_queue.providers.networks.base import (
    DUPLICATE,
    EXPIRED,
    IN_DOUBT,
    REFUSED,
    Network,
    Profile,
    broken,
    id_in,
    judge,
    name_of,
    odd,
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

VERSION = "v24.0"
"""The Graph API's version: Facebook serves each for about two years. Accounts may set graph_version."""

AGAIN = broken("Connect the page again, then resume the account.")
NOT_ALLOWED = broken("The token may not post on this page: it needs pages_manage_posts.")
WRONG_PAGE = broken("No page that this token sees has the account's id: check it with `send-queue account show`.")
BLOCKED = Meaning(
    "hold",
    scope="account",
    after=hours(24),
    ceiling=hours(72),
    advice="Facebook has blocked posting for a time.",
)

MEANINGS: Mapping[str, Meaning] = {
    "code_1": IN_DOUBT,
    "code_2": IN_DOUBT,
    "code_3": NOT_ALLOWED,
    # Too many calls of the app, the user or the page. Further calls count too.
    "code_4": waits(60, up_to=24 * 60),
    "code_17": waits(60, up_to=24 * 60),
    "code_32": waits(60, up_to=24 * 60),
    "code_341": waits(60, up_to=24 * 60),
    "code_613": waits(60, up_to=24 * 60),
    "code_10": NOT_ALLOWED,
    **{f"code_{n}": NOT_ALLOWED for n in range(200, 300)},
    "code_100": REFUSED,  # an invalid parameter
    "code_100_33": WRONG_PAGE,
    "code_803": WRONG_PAGE,
    "code_102": AGAIN,
    "code_190": AGAIN,
    "code_190_458": AGAIN,  # the app was removed
    "code_190_459": AGAIN,  # the user must log in at Facebook
    "code_190_460": AGAIN,  # the password was changed
    "code_190_463": EXPIRED,
    "code_190_464": AGAIN,
    "code_190_467": AGAIN,
    "code_2500": AGAIN,  # without a token
    "code_368": BLOCKED,
    "code_506": DUPLICATE,
    "code_1500": REFUSED,  # an invalid link
    "code_1609005": REFUSED,  # the link cannot be shown
    "http_429": waits(60, up_to=24 * 60),
}

PER_PAGE = 100
"""The most that Facebook lists."""


class Facebook(Network):
    """A page on Facebook. The account's id is the page's number; its secret the page's token with pages_manage_posts,
    and pages_read_engagement for look-ups. The payload may hold a `link`.

    FACEBOOK_GRAPH_VERSION   the API's version, such as v24.0
    """

    name, variable, default, longest = "Facebook", "FACEBOOK_BASE_URL", "https://graph.facebook.com", 63_206
    id_is = (r"\d+", "the page's number")

    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        form = {"message": send.message, "access_token": profile.token}
        link = send.payload.get("link")
        if link is not None:
            if not isinstance(link, str) or not re.match(r"https?://\S+$", link):
                return Failed("invalid_payload", "payload.link must be a URL.")
            form["link"] = link
        answer = profile.post(self._feed(profile, send), data=form)
        if not isinstance(answer, Answer):
            return answer
        said = answer.json if isinstance(answer.json, dict) else {}
        error = said.get("error")
        if answer.status == 200 and error is None and (name := name_of(said.get("id"))):
            return Sent(name, answer.status)
        if not isinstance(error, dict):
            if 200 <= answer.status < 300:
                return odd(answer.status, answer.text, send)
            error = {}
        wait = retry_after(answer, send.started_at)
        return judge(answer, send, _code(error), MEANINGS, detail=str(error.get("message") or ""), wait=wait)

    def me(self, profile: Profile) -> tuple[Answer | CannotTell, str | None]:
        page = self._feed(profile, profile.sending).removesuffix("/feed")
        answer = profile.ask(page, {"fields": "id", "access_token": profile.token})
        return answer, id_in(answer, "id")

    def find(self, profile: Profile, send: Claimed) -> LookUp:
        return find(send, _posts(profile, self._feed(profile, send), send))

    def _feed(self, profile: Profile, send: Claimed) -> str:
        version = str(
            send.settings.get("graph_version") or self.env.get("FACEBOOK_GRAPH_VERSION", "").strip() or VERSION
        )
        return f"/{segment(version)}/{segment(profile.id)}/feed"


def _code(error: Mapping[str, Any]) -> str | None:
    """Return Facebook's number of the error, with the second number if that is more exact; None: not Facebook's."""
    code, subcode = error.get("code"), error.get("error_subcode")
    if not isinstance(code, int):
        return None
    return f"code_{code}_{subcode}" if f"code_{code}_{subcode}" in MEANINGS else f"code_{code}"


def _posts(profile: Profile, feed: str, send: Claimed) -> Pages:
    """Yield the page's own posts, without visitors' posts."""
    params = {
        "fields": "id,message,created_time,from",
        "limit": str(PER_PAGE),
        "since": str(int(since(send).timestamp())),
        "access_token": profile.token,
    }
    for _ in range(MAX_PAGES):
        answer = profile.get(feed, params)
        if isinstance(answer, CannotTell):
            yield answer
            return
        said = answer.json if isinstance(answer.json, dict) else {}
        data, paging = said.get("data"), said.get("paging", {})
        if (
            not isinstance(data, list)
            or any(not isinstance(post, dict) for post in data)
            or not isinstance(paging, dict)
        ):
            yield CannotTell(UNKNOWN_SHAPE)
            return
        ours = [p for p in data if not isinstance(p.get("from"), dict) or p["from"].get("id") in (None, profile.id)]
        yield Page(
            tuple(
                # A post without text, such as a picture, has no message.
                Listed(str(p.get("id")), p.get("message", ""), moment(p.get("created_time")))
                for p in ours
            ),
            answered_at(answer),
        )
        after = paging.get("cursors", {}).get("after") if isinstance(paging.get("cursors"), dict) else None
        if "next" not in paging or not isinstance(after, str):
            return
        params["after"] = after
    yield too_many()
