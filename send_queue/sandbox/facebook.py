"""Facebook's Graph API for pages. It refuses a repetition of the last post with error 506.

POST /v{N}/{page}/feed   feed_post       GET /v{N}/{page}/feed   feed       GET /v{N}/{page}   page
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from send_queue.sandbox.base import Refusal, form
from send_queue.sandbox.http_messages import Request, SandboxResponse, json_answer
from send_queue.sandbox.post_base import PostProvider


class Facebook(PostProvider):
    """The API; every token may write to every page."""

    name = "facebook"
    prefixes: Sequence[str] = tuple(f"/v{n}." for n in range(1, 100))
    routes = (("POST", r"/v\d+\.\d+/([^/]+)/feed", "feed_post"), ("GET", r"/v\d+\.\d+/([^/]+)/feed", "feed"),
              ("GET", r"/v\d+\.\d+/(\d+)", "page"))  # fmt: skip
    allowed = (200, timedelta(hours=24))

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        """Make an error; `code` is a number, or two with a slash: 190/463."""
        usual = {401: "190", 403: "200", 404: "803", 429: "32"}
        number, _, sub = (code or usual.get(status, "100" if status < 500 else "2")).partition("/")
        said: dict[str, Any] = {"message": detail or title or f"(#{number}) Error", "type": "OAuthException",
                                "code": int(number) if number.isdigit() else 100, "fbtrace_id": "A0"}  # fmt: skip
        if sub.isdigit():
            said["error_subcode"] = int(sub)
        return json_answer(status, {"error": said})

    def expired(self) -> SandboxResponse:
        return self.error(400, "190/463", None, "Error validating access token: Session has expired")

    def revoked(self) -> SandboxResponse:
        return self.error(
            400, "190/460", None, "The session has been invalidated because the user changed the password"
        )

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        return (named[0], named[0]) if named else (None, None)

    def token(self, request: Request) -> str:
        """Read the token, a parameter here."""
        given = form(request) if request.method == "POST" else request.query
        if not (token := given.get("access_token", "").strip()):
            raise Refusal(self.error(400, "2500", None, "An active access token must be used"))
        return self.checked(token)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        self.token(request)
        page = named[0]
        if not page.isdigit():
            return self.error(404, "803", None, "(#803) Some of the aliases you requested do not exist")
        if op == "page":
            return json_answer(200, {"id": page})
        return self._post(page, request, hidden) if op == "feed_post" else json_answer(200, self._feed(page, request))

    def _post(self, page: str, request: Request, hidden: timedelta) -> SandboxResponse:
        fields = form(request)
        text, link = fields.get("message", ""), fields.get("link")
        if not text and not link:
            return self.error(400, "100", None, "(#100) Missing message or attachment")
        if link is not None and not link.startswith(("http://", "https://")):
            return self.error(400, "1500", None, "The url you supplied is invalid")
        with self.lock:
            left = self.left(page)[0]
            if left <= 0:
                return self.error(400, "32", None, "(#32) Page request limit reached")
            last = next(self.lately(page, timedelta(days=365)), None)
            if last is not None and (last["text"], last.get("link")) == (text, link):
                return self.error(400, "506", None, "(#506) Duplicate status message")
            n = f"{page}_{int(self.clock().timestamp() * 1000)}{len(self.entries):04}"
            self.accept(request, hidden, account_id=page, channel="post", recipient=page, text=text, id=n, link=link,
                        unix=self.clock().timestamp())  # fmt: skip
        return json_answer(200, {"id": n}, {"x-page-usage": '{"call_count":1,"total_time":1,"total_cputime":1}'})

    def _feed(self, page: str, request: Request) -> dict[str, Any]:
        since, after = float(request.query.get("since", "0")), request.query.get("after")
        most = int(request.query.get("limit", "25"))
        posts = [e for e in self.posted(page) if e["unix"] >= since and (after is None or e["id"] < after)]
        data = [
            {
                "id": entry["id"],
                "message": entry["text"],
                "created_time": datetime.fromisoformat(entry["at"]).strftime("%Y-%m-%dT%H:%M:%S+0000"),
                "from": {"id": page, "name": "The page"},
            }
            for entry in posts[:most]
        ]
        if len(posts) <= most:
            return {"data": data}
        return {"data": data, "paging": {"cursors": {"after": data[-1]["id"]}, "next": "https://graph.facebook.com/…"}}
