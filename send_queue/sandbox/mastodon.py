"""A Mastodon instance. A status with an idempotency key of the last hour returns the first status.

POST /api/v1/statuses               status           GET /api/v1/accounts/{id}/statuses   statuses
GET  /api/v1/statuses/{id}/source   status_source    GET /api/v1/accounts/verify_credentials   credentials
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from send_queue.sandbox.base import form
from send_queue.sandbox.http_messages import Request, SandboxResponse, json_answer
from send_queue.sandbox.journal import Entry
from send_queue.sandbox.post_base import PostProvider, number_of

DUPLICATE_WINDOW = timedelta(hours=1)  # the life of a key
MAX_TEXT_CHARS = 500

_OURS = "1093"
"""The prefix of its accounts' numbers: Unipile's paths begin with /api/v1/accounts/ too."""


class Mastodon(PostProvider):
    """The instance; every token belongs to an account."""

    name = "mastodon"
    prefixes: Sequence[str] = (
        "/api/v1/statuses", "/api/v1/accounts/verify_credentials", f"/api/v1/accounts/{_OURS}"
    )  # fmt: skip
    routes = (
        ("POST", "/api/v1/statuses", "status"),
        ("GET", "/api/v1/statuses/([^/]+)/source", "status_source"),
        ("GET", "/api/v1/accounts/verify_credentials", "credentials"),
        ("GET", "/api/v1/accounts/([^/]+)/statuses", "statuses"),
    )
    allowed = (300, timedelta(minutes=5))

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        usual = {401: "The access token is invalid", 422: "Validation failed", 429: "Too many requests"}
        return json_answer(status, {"error": detail or title or code or usual.get(status, "Record not found")})

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        me = number_of(request.headers.get("authorization", "").partition(" ")[2], _OURS)
        return me, me

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        me = number_of(self.token(request), _OURS)
        match op:
            case "status":
                return self._status(me, request, hidden)
            case "credentials":
                return json_answer(200, {"id": me, "username": "me", "acct": "me"})
            case "status_source":
                for entry in self.posted(me):
                    if entry["id"] == named[0]:
                        return json_answer(200, {"id": entry["id"], "text": entry["text"], "spoiler_text": ""})
                return self.error(404, None, None, None)
            case _:
                return json_answer(200, self._statuses(named[0], request))

    def _status(self, me: str, request: Request, hidden: timedelta) -> SandboxResponse:
        body: dict[str, Any] = dict(form(request) if "form" in request.content_type else self.body(request))
        text = str(body.get("status") or "")
        if not text.strip():
            return self.error(422, None, None, "Validation failed: Text can't be blank")
        if len(re.sub(r"https?://\S+", "x" * 23, text)) > MAX_TEXT_CHARS * 2:  # a bound: Mastodon counts clusters
            return self.error(422, None, None, f"Validation failed: Text character limit of {MAX_TEXT_CHARS} exceeded")
        left, reset = self.left(me)
        headers = {
            "x-ratelimit-limit": str(self.allowed[0]),
            "x-ratelimit-remaining": str(max(left - 1, 0)),
            "x-ratelimit-reset": datetime.fromtimestamp(reset, UTC).isoformat().replace("+00:00", "Z"),
        }
        if left <= 0:
            said = self.error(429, None, None, None)
            return SandboxResponse(429, said.body, headers)
        key = request.headers.get("idempotency-key")
        with self.lock:
            entry = next((e for e in self.lately(me, DUPLICATE_WINDOW) if key and e.get("key") == key), None)
            if entry is None:
                n = f"{int(self.clock().timestamp() * 1000)}{len(self.entries):06}"
                entry = self.accept(
                    request, hidden, account_id=me, channel="post", recipient=me, text=text, id=n, key=key,
                    unix=self.clock().timestamp(),
                )  # fmt: skip
        return json_answer(200, _shown(entry), headers)

    def _statuses(self, account: str, request: Request) -> list[dict[str, Any]]:
        before = request.query.get("max_id")
        limit = min(int(request.query.get("limit", "20")), 40)
        listed = (e for e in self.posted(account) if before is None or int(e["id"]) < int(before))
        return [_shown(entry) for _, entry in zip(range(limit), listed, strict=False)]


def _shown(entry: Entry) -> dict[str, Any]:
    """Show a status as in lists: HTML, mentions without hosts, shortened links."""
    text = escape(entry["text"], quote=False)
    text = re.sub(r"@(\w+)@[\w.]+", r'<span class="h-card">@<a href="#"><span>\1</span></a></span>', text)
    text = re.sub(r"(https?://)(\S+)", r'<a href="\1\2"><span class="invisible">\1</span><span>\2</span></a>', text)
    return {"id": entry["id"], "created_at": entry["at"], "content": f"<p>{text}</p>",
            "url": f"https://sandbox.example/@me/{entry['id']}"}  # fmt: skip
