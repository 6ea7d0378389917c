"""The base of the networks: tokens, rate limits, posts.

A token that begins with `expired` has ended, one with `revoked` was revoked; any other belongs to one person for good.
Headers report a profile's remaining posts, counted from its posts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import ClassVar

from send_queue.sandbox.base import BaseProvider, Refusal
from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object
from send_queue.sandbox.journal import Entry
from send_queue.sandbox.linkedin_state import iso


class PostProvider(BaseProvider):
    """A subclass defines routes, answers and errors.

    allowed   the most posts, and their period
    """

    allowed: ClassVar[tuple[int, timedelta]]

    def token(self, request: Request) -> str:
        """Return the token of a request; raise `Refusal` without a valid one."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Refusal(self.error(401, None, None, None))
        return self.checked(token.strip())

    def checked(self, token: str) -> str:
        for beginning, refused in (("expired", self.expired), ("revoked", self.revoked)):
            if token.startswith(beginning):
                raise Refusal(refused())
        return token

    def expired(self) -> SandboxResponse:
        return self.error(401, None, None, None)

    def revoked(self) -> SandboxResponse:
        return self.error(401, None, None, None)

    def body(self, request: Request) -> dict[str, object]:
        try:
            return json_object(request.body)
        except BadBody as bad:
            raise Refusal(self.error(400, None, None, str(bad))) from None

    def posted(self, account_id: str) -> Iterator[Entry]:
        """Yield a profile's visible posts, newest first."""
        return (entry for entry in self.visible() if entry["account_id"] == account_id)

    def lately(self, account_id: str, within: timedelta) -> Iterator[Entry]:
        """Yield a profile's posts within that time, hidden ones too, newest first. Hold `lock`."""
        since = iso(self.clock() - within)
        return (e for e in reversed(self.entries) if e["account_id"] == account_id and e["at"] > since)

    def left(self, account_id: str) -> tuple[int, int]:
        """Return a profile's remaining posts, and the moment of the next change in seconds since 1970."""
        most, within = self.allowed
        with self.lock:
            used = list(self.lately(account_id, within))
        first = used[-1]["unix"] if used else self.clock().timestamp()
        return most - len(used), int(first + within.total_seconds()) + 1


def number_of(token: str, beginning: str = "") -> str:
    """Return the number of a token's owner."""
    digits = str(int.from_bytes(sha256(token.encode()).digest()[:8], "big"))
    return beginning + digits.rjust(20, "0")[: 18 - len(beginning)]


def refused(status: int, body: object, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(json_answer(status, body, headers))
