"""X's API. It refuses a text that the profile has posted lately, without naming the post.

POST /2/tweets   tweet       GET /2/users/me   x_me       GET /2/users/{id}/tweets   timeline
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any

from send_queue.sandbox.http_messages import Request, SandboxResponse, json_answer
from send_queue.sandbox.journal import Entry
from send_queue.sandbox.post_base import PostProvider, number_of

DUPLICATE_WINDOW = timedelta(days=1)
"""The time for which an equal text is refused; X documents none."""

_TITLES = {400: "Invalid Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class X(PostProvider):
    """The API. The token names the profile; the number in the timeline's path does not matter."""

    name = "x"
    prefixes: Sequence[str] = ("/2/tweets", "/2/users/")
    routes = (
        ("POST", "/2/tweets", "tweet"),
        ("GET", "/2/users/me", "x_me"),
        ("GET", "/2/users/([^/]+)/tweets", "timeline"),
    )
    allowed = (100, timedelta(minutes=15))

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        title = title or _TITLES.get(status, "Internal Server Error")
        kind = f"https://api.x.com/2/problems/{code}" if code else "about:blank"
        return json_answer(status, {"title": title, "type": kind, "detail": detail or title, "status": status})

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        me = number_of(request.headers.get("authorization", "").partition(" ")[2])
        return me, me

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        me = number_of(self.token(request))
        match op:
            case "tweet":
                return self._tweet(me, request, hidden)
            case "x_me":
                return json_answer(200, {"data": {"id": me, "name": "Me", "username": "me"}})
            case _:
                return json_answer(200, self._timeline(me, request))

    def _tweet(self, me: str, request: Request, hidden: timedelta) -> SandboxResponse:
        text = self.body(request).get("text")
        if not isinstance(text, str) or not text.strip():
            return self.error(400, "invalid-request", None, "One or more parameters to your request was invalid.")
        left, reset = self.left(me)
        headers = {"x-rate-limit-limit": str(self.allowed[0]), "x-rate-limit-remaining": str(max(left - 1, 0)),
                   "x-rate-limit-reset": str(reset)}  # fmt: skip
        if left <= 0:
            return SandboxResponse(429, self.error(429, None, None, None).body, headers)
        with self.lock:
            if any(entry["text"] == text for entry in self.lately(me, DUPLICATE_WINDOW)):
                said = self.error(403, None, None, "You are not allowed to create a Tweet with duplicate content.")
                return SandboxResponse(403, said.body, headers)
            n = f"{int(self.clock().timestamp() * 1000)}{len(self.entries):06}"
            self.accept(request, hidden, account_id=me, channel="post", recipient=me, text=text, id=n,
                        unix=self.clock().timestamp())  # fmt: skip
        return json_answer(201, {"data": {"id": n, "text": text}}, headers)

    def _timeline(self, me: str, request: Request) -> dict[str, Any]:
        after, since = request.query.get("pagination_token"), request.query.get("start_time", "")
        most = int(request.query.get("max_results", "10"))
        posts = [e for e in self.posted(me) if e["at"] >= since and (after is None or int(e["id"]) < int(after))]
        data = [_shown(entry) for entry in posts[:most]]
        meta: dict[str, Any] = {"result_count": len(data)}
        if len(posts) > most:
            meta["next_token"] = data[-1]["id"]
        return {"data": data, "meta": meta} if data else {"meta": meta}


def _shown(entry: Entry) -> dict[str, Any]:
    """Show a post as in lists: links by t.co, HTML escaped."""
    urls: list[dict[str, str]] = []

    def shortened(link: re.Match[str]) -> str:
        urls.append({"url": f"https://t.co/{len(urls):010}", "expanded_url": link[0]})
        return urls[-1]["url"]

    text = escape(re.sub(r"https?://[^\s]*[^\s.,;:!?)]", shortened, entry["text"]), quote=False)
    return {"id": entry["id"], "text": text, "created_at": entry["at"], "entities": {"urls": urls}}
