"""LinkedIn's Posts API. It answers 201 with only a header, and a duplicate with 422 and the first post's URN.

POST /rest/posts   linkedin_post
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object
from send_queue.sandbox.post_base import PostProvider

MAX_TEXT_CHARS = 3000
DUPLICATE_WINDOW = timedelta(days=1)
"""The time for which equal content is refused; LinkedIn documents none."""

_UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*[|{}@\[\]()<>#*_~]")


class LinkedIn(PostProvider):
    """The API; every token may post as every author."""

    name = "linkedin"
    prefixes: Sequence[str] = ("/rest/posts",)
    routes = (("POST", "/rest/posts", "linkedin_post"),)
    allowed = (150, timedelta(days=1))

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        usual = {400: "BAD_REQUEST", 401: "EMPTY_ACCESS_TOKEN", 403: "ACCESS_DENIED", 409: "CONFLICT",
                 422: "UNPROCESSABLE_ENTITY", 426: "NONEXISTENT_VERSION", 429: "TOO_MANY_REQUESTS"}  # fmt: skip
        said = code or usual.get(status, "INTERNAL_SERVER_ERROR")
        return json_answer(status, {"status": status, "code": said, "message": detail or title or said})

    def expired(self) -> SandboxResponse:
        return self.error(401, "EXPIRED_ACCESS_TOKEN", None, "The token used in the request has expired")

    def revoked(self) -> SandboxResponse:
        return self.error(
            401, "REVOKED_ACCESS_TOKEN", None, "The token used in the request has been revoked by the user"
        )

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        try:
            author = json_object(request.body).get("author")
        except BadBody:
            author = None
        return (author, author) if isinstance(author, str) else (None, None)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        self.token(request)
        version = request.headers.get("linkedin-version", "")
        if not version:
            return self.error(400, "VERSION_MISSING", None, "A version must be present")
        if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", version):
            return self.error(426, None, None, f"Requested version {version} is not active")
        body = self.body(request)
        author, text = body.get("author"), body.get("commentary")
        if not isinstance(author, str) or not author.startswith(("urn:li:person:", "urn:li:organization:")):
            return self.error(400, "INVALID_VALUE_FOR_FIELD", None, "author is not a valid URN")
        if not isinstance(text, str) or body.get("lifecycleState") != "PUBLISHED" or "distribution" not in body:
            return self.error(400, "INVALID_VALUE_FOR_FIELD", None, "It is no post")
        if len(re.sub(r"\\(.)", r"\1", text)) > MAX_TEXT_CHARS:
            return self.error(400, "FIELD_LENGTH_TOO_LONG", None, "commentary is too long")
        if _UNESCAPED.search(text):
            return self.error(400, "INVALID_VALUE_FOR_FIELD", None, "commentary is no little text")
        with self.lock:
            for entry in self.lately(author, DUPLICATE_WINDOW):
                if entry["commentary"] == text:
                    return self.error(422, "DUPLICATE_POST", None, f"Content is a duplicate of {entry['id']}")
            if self.left(author)[0] <= 0:
                return self.error(
                    429, None, None, "Resource level throttle limit for calls to this resource is reached"
                )
            n = 7_000_000_000_000_000_000 + int(self.clock().timestamp()) * 1000 + len(self.entries)
            entry = self.accept(
                request, hidden, account_id=author, channel="post", recipient=author,
                text=re.sub(r"\\(.)", r"\1", text), id=f"urn:li:share:{n}", commentary=text,
                unix=self.clock().timestamp(),
            )  # fmt: skip
        return SandboxResponse(201, b"", {"x-restli-id": entry["id"]})
