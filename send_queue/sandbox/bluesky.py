"""Bluesky's data server (AT Protocol). Putting an identical record again changes nothing.

POST /xrpc/com.atproto.repo.putRecord   put_record       GET /xrpc/com.atproto.repo.getRecord   get_record
GET  /xrpc/com.atproto.server.getSession   session: the token's DID
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object
from send_queue.sandbox.post_base import PostProvider, number_of

MAX_TEXT_BYTES = 3000  # bytes of a post's text
TID = re.compile(r"[234567abcdefghij][234567a-z]{12}")


class Bluesky(PostProvider):
    """The data server; every token may write to every repository."""

    name = "bluesky"
    prefixes: Sequence[str] = ("/xrpc/com.atproto.repo.", "/xrpc/com.atproto.server.getSession")
    routes = (
        ("POST", "/xrpc/com.atproto.repo.putRecord", "put_record"),
        ("GET", "/xrpc/com.atproto.repo.getRecord", "get_record"),
        ("GET", "/xrpc/com.atproto.server.getSession", "session"),
    )
    allowed = (1666, timedelta(hours=1))  # 5,000 points; a new record costs 3

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        usual = {400: "InvalidRequest", 401: "AuthMissing", 429: "RateLimitExceeded", 404: "XRPCNotSupported"}
        said = code or usual.get(status, "InternalServerError")
        return json_answer(status, {"error": said, "message": detail or title or said})

    def expired(self) -> SandboxResponse:
        return self.error(400, "ExpiredToken", None, "Token has expired")

    def revoked(self) -> SandboxResponse:
        return self.error(400, "InvalidToken", None, "Token could not be verified")

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        try:
            repo = json_object(request.body).get("repo") if op == "put_record" else request.query.get("repo")
        except BadBody:
            repo = None
        return (repo, repo) if isinstance(repo, str) else (None, None)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        if op == "put_record":
            self.token(request)
            return self._put(request, hidden)
        if op == "session":
            did = f"did:plc:{number_of(self.token(request))}"
            return json_answer(200, {"did": did, "handle": "me.sandbox.example", "active": True})
        uri = f"at://{request.query.get('repo')}/{request.query.get('collection')}/{request.query.get('rkey')}"
        for entry in self.visible():
            if entry["id"] == uri:
                return json_answer(200, {"uri": uri, "cid": _cid(entry["record"]), "value": entry["record"]})
        return self.error(400, "RecordNotFound", None, f"Could not locate record: {uri}")

    def _put(self, request: Request, hidden: timedelta) -> SandboxResponse:
        body: dict[str, Any] = self.body(request)
        record, repo, rkey = body.get("record"), body.get("repo"), str(body.get("rkey"))
        text = record.get("text") if isinstance(record, dict) else None
        if (
            not isinstance(repo, str)
            or body.get("collection") != "app.bsky.feed.post"
            or not isinstance(record, dict)
            or not isinstance(text, str)
            or len(text.encode()) > MAX_TEXT_BYTES
            or not isinstance(record.get("createdAt"), str)
        ):
            return self.error(400, None, None, "Invalid app.bsky.feed.post record")
        if not TID.fullmatch(rkey):
            return self.error(400, None, None, "Invalid record key: a post's is a TID")
        uri = f"at://{repo}/app.bsky.feed.post/{rkey}"
        left, reset = self.left(repo)
        headers = {"ratelimit-limit": "5000", "ratelimit-remaining": str(max(3 * left - 3, 0)),
                   "ratelimit-reset": str(reset), "ratelimit-policy": "5000;w=3600"}  # fmt: skip
        if left <= 0:
            return SandboxResponse(429, self.error(429, None, None, "Rate Limit Exceeded").body, headers)
        with self.lock:
            there = next((entry for entry in reversed(self.entries) if entry["id"] == uri), None)
            if there is None or there["record"] != record:
                # Putting an existing record changes it, without a second post; the journal tells the two apart.
                channel = "post" if there is None else "post_change"
                self.accept(
                    request, hidden, account_id=repo, channel=channel, recipient=repo, text=text, id=uri,
                    record=record, unix=self.clock().timestamp(),
                )  # fmt: skip
        return json_answer(200, {"uri": uri, "cid": _cid(record), "validationStatus": "valid"}, headers)


def _cid(record: object) -> str:
    return "bafyrei" + sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:52]
