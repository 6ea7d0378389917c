"""What have the networks in common that take posts? Who a token is, how much it may do, and what it has posted.

A token that begins with `expired` has ended and one that begins with `revoked` was taken back; any other is somebody's,
always the same person's. What a profile may do in a time is counted from what it did, and told in headers.
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
    """A subclass says its routes, its answers and its errors.

    allowed   how many posts in how long
    """

    allowed: ClassVar[tuple[int, timedelta]]

    def token(self, request: Request) -> str:
        """The token of a request; refused where it is none, or not good any more."""
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
        """What a profile shows by now, newest first."""
        return (entry for entry in self.visible() if entry["account_id"] == account_id)

    def lately(self, account_id: str, within: timedelta) -> Iterator[Entry]:
        """All that a profile posted within that time, shown or not, newest first. Call it with `lock` held."""
        since = iso(self.clock() - within)
        return (e for e in reversed(self.entries) if e["account_id"] == account_id and e["at"] > since)

    def left(self, account_id: str) -> tuple[int, int]:
        """How many posts a profile has left, and when that changes, in seconds since 1970."""
        most, within = self.allowed
        with self.lock:
            used = list(self.lately(account_id, within))
        first = used[-1]["unix"] if used else self.clock().timestamp()
        return most - len(used), int(first + within.total_seconds()) + 1


def number_of(token: str, beginning: str = "") -> str:
    """The number that a network knows the owner of a token by."""
    digits = str(int.from_bytes(sha256(token.encode()).digest()[:8], "big"))
    return beginning + digits.rjust(20, "0")[: 18 - len(beginning)]


def refused(status: int, body: object, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(json_answer(status, body, headers))
