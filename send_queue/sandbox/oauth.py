"""Token endpoints of X, LinkedIn, Bluesky and Facebook, with their rules for refresh tokens.

    X          a refresh token serves once: each answer has the next, and a used one is refused
    LinkedIn   the refresh token stays and ends a year after the grant; no access token outlasts it
    Bluesky    like X, but for two hours a used one gives the same next one again
    Facebook   a valid access token is exchanged for another

FILE.changes holds the grants with the ids of tokens; the tokens are derived from their ids.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from send_queue.sandbox.base import BaseProvider, Refusal, form
from send_queue.sandbox.http_messages import Request, SandboxResponse, json_answer
from send_queue.sandbox.journal import Entry, Journal
from send_queue.sandbox.linkedin_state import iso

CHECKED = "a sandbox has no secrets"
"""The salt of a token's second half, which tells granted tokens from invented ones."""


@dataclass(slots=True)
class Token:
    """A token. `next` is the refresh token that replaced it at `used_at`."""

    id: str
    account_id: str
    ends: datetime | None
    next: str | None = None
    used_at: datetime | None = None


@dataclass(slots=True)
class Grants:
    access: dict[str, Token] = field(default_factory=dict)
    refresh: dict[str, Token] = field(default_factory=dict)


class Tokens(BaseProvider):
    """The base of the four endpoints: grants and their ends.

    life, refresh_life   lifetimes of access and refresh tokens; None: no refresh token
    """

    life: timedelta
    refresh_life: timedelta | None

    def __init__(self, changes: Journal, clock: Callable[[], datetime]) -> None:
        self.grants = Grants()
        super().__init__(changes, clock)

    # --- called by tests ----------------------------------------------------------------------------------

    def connect(self, account_id: str) -> dict[str, Any]:
        """Grant an account its first tokens, as after a person's consent. Returns OAuth's fields."""
        with self.lock:
            now = self.clock()
            refresh_ends = now + self.refresh_life if self.refresh_life else None
            made = self._give(account_id, now, secrets.token_hex(8) if refresh_ends else None, refresh_ends)
        return {
            "access_token": text(made["access"]),
            "refresh_token": text(made["refresh"]) if made["refresh"] else None,
            "expires_in": self._seconds_until(made["ends"]),
        }

    def revoke(self, account_id: str) -> None:
        """Revoke all tokens of the account."""
        with self.lock:
            self._write({"at": iso(self.clock()), "provider": self.name, "account_id": account_id, "revoked": True})

    def honours(self, access_token: str) -> bool:
        """Whether this is a valid access token."""
        with self.lock:
            return self._alive(self.grants.access.get(id_of(access_token) or ""))

    # --- called by the sandbox ----------------------------------------------------------------------------

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        with self.lock:
            shown = id_of(self.shown(request)) or ""
            token = self.grants.refresh.get(shown) or self.grants.access.get(shown)
        return (token.account_id if token else None), None

    def forget(self) -> None:
        with self.lock:
            self.grants = Grants()

    def shown(self, request: Request) -> str:
        """Return the token that the request exchanges."""
        return form(request).get("refresh_token", "")

    # --- for subclasses -----------------------------------------------------------------------------------

    def _refresh(self, token: Token, *, next_id: str, refresh_ends: datetime | None) -> Entry:
        """Grant new tokens for this refresh token."""
        now = self.clock()
        return self._give(token.account_id, now, next_id, refresh_ends, instead_of=token.id)

    def _give(
        self,
        account_id: str,
        now: datetime,
        refresh: str | None,
        refresh_ends: datetime | None,
        instead_of: str | None = None,
    ) -> Entry:
        return self._write({
            "at": iso(now), "provider": self.name, "account_id": account_id, "access": secrets.token_hex(8),
            "ends": iso(self._access_ends(now, refresh_ends)), "refresh": refresh,
            "refresh_ends": iso(refresh_ends) if refresh_ends else None, "from": instead_of,
        })  # fmt: skip

    def _access_ends(self, now: datetime, refresh_ends: datetime | None) -> datetime:  # noqa: ARG002 — LinkedIn's
        return now + self.life

    def _write(self, entry: Entry) -> Entry:
        """Write to disk before the answer. It is rare, so it may wait under the lock."""
        ticket = self._journal.append(entry)
        self._take(entry)
        self._journal.sync(ticket)
        return entry

    def _take(self, entry: Entry) -> None:
        account_id, at = entry["account_id"], datetime.fromisoformat(entry["at"])
        if entry.get("revoked"):
            for tokens in (self.grants.access, self.grants.refresh):
                for token in [token for token in tokens.values() if token.account_id == account_id]:
                    del tokens[token.id]
            return
        access, refresh, old = entry["access"], entry["refresh"], entry["from"]
        self.grants.access[access] = Token(access, account_id, datetime.fromisoformat(entry["ends"]))
        if refresh and refresh not in self.grants.refresh:
            ends = datetime.fromisoformat(entry["refresh_ends"]) if entry["refresh_ends"] else None
            self.grants.refresh[refresh] = Token(refresh, account_id, ends)
        if old and old != refresh and (used := self.grants.refresh.get(old)) and used.next is None:
            used.next, used.used_at = refresh, at

    def _alive(self, token: Token | None) -> bool:
        return token is not None and (token.ends is None or self.clock() < token.ends)

    def _seconds_until(self, moment: str) -> int:
        return round((datetime.fromisoformat(moment) - self.clock()).total_seconds())

    def _must(self, holds: bool, status: int, code: str, detail: str) -> None:
        if not holds:
            raise Refusal(self.error(status, code, None, detail))


# --- the four ---------------------------------------------------------------------------------------------


class _OAuth(Tokens):
    """X and LinkedIn: form bodies and the errors of RFC 6749."""

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        usual = {400: "invalid_request", 401: "invalid_client", 429: "rate_limited"}.get(status, "server_error")
        said = {"error": code or usual, "error_description": detail or title or "The request was refused."}
        return json_answer(status, said)

    def _asked(self, request: Request, *needed: str) -> Mapping[str, str]:
        given = form(request)
        self._must(request.content_type == "application/x-www-form-urlencoded", 400, "invalid_request",
                   "Missing parameters: the body must be a form.")  # fmt: skip
        for name in ("grant_type", "refresh_token", *needed):
            self._must(bool(given.get(name)), 400, "invalid_request", f"A required parameter {name} is missing.")
        self._must(given["grant_type"] == "refresh_token", 400, "unsupported_grant_type", "Only refresh_token is.")
        return given


class X(_OAuth):
    name = "x_tokens"
    prefixes = ("/2/oauth2/",)
    routes = (("POST", "/2/oauth2/token", "x_refresh"),)
    life = timedelta(hours=2)
    refresh_life = timedelta(days=180)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        given = self._asked(request)
        self._must(bool(given.get("client_id") or _basic(request)), 401, "unauthorized_client",
                   "Missing valid authorization header")  # fmt: skip
        with self.lock:
            token = self.grants.refresh.get(id_of(given["refresh_token"]) or "")
            invalid = "Value passed for the token was invalid."
            if token is None or token.next is not None or not self._alive(token):
                raise Refusal(self.error(400, "invalid_request", None, invalid))
            made = self._refresh(token, next_id=secrets.token_hex(8), refresh_ends=self.clock() + self.refresh_life)
        return json_answer(200, {
            "token_type": "bearer", "expires_in": self._seconds_until(made["ends"]),
            "access_token": text(made["access"]),
            "scope": "tweet.write users.read offline.access", "refresh_token": text(made["refresh"]),
        })  # fmt: skip


class LinkedIn(_OAuth):
    name = "linkedin_tokens"
    prefixes = ("/oauth/v2/",)
    routes = (("POST", "/oauth/v2/accessToken", "linkedin_refresh"),)
    life = timedelta(days=60)
    refresh_life = timedelta(days=365)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        given = self._asked(request, "client_id", "client_secret")
        with self.lock:
            token = self.grants.refresh.get(id_of(given["refresh_token"]) or "")
            if token is None or not self._alive(token):
                detail = "The provided authorization grant or refresh token is invalid, expired or revoked."
                raise Refusal(self.error(400, "invalid_request", None, detail))
            made = self._refresh(token, next_id=token.id, refresh_ends=token.ends)
        return json_answer(200, {
            "access_token": text(made["access"]), "expires_in": self._seconds_until(made["ends"]),
            "refresh_token": text(token.id), "refresh_token_expires_in": self._seconds_until(made["refresh_ends"]),
        })  # fmt: skip

    def _access_ends(self, now: datetime, refresh_ends: datetime | None) -> datetime:
        return min(now + self.life, refresh_ends or now + self.life)


class Bluesky(Tokens):
    name = "bluesky_tokens"
    prefixes = ("/xrpc/com.atproto.server.refreshSession",)
    routes = (("POST", "/xrpc/com.atproto.server.refreshSession", "bluesky_refresh"),)
    life = timedelta(hours=2)
    refresh_life = timedelta(days=90)
    grace = timedelta(hours=2)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        self._must(not request.body, 400, "InvalidRequest", "No body was expected.")
        self._must(bool(self.shown(request)), 401, "AuthMissing", "Authentication Required")
        with self.lock:
            token = self.grants.refresh.get(id_of(self.shown(request)) or "")
            if token is None:
                raise Refusal(self.error(400, "InvalidToken", None, "Token could not be verified"))
            over = token.used_at is not None and self.clock() >= token.used_at + self.grace
            self._must(self._alive(token) and not over, 400, "ExpiredToken", "Token has expired")
            next_id = token.next or secrets.token_hex(8)
            made = self._refresh(token, next_id=next_id, refresh_ends=self.clock() + self.refresh_life)
        return json_answer(200, {
            "accessJwt": text(made["access"]), "refreshJwt": text(made["refresh"]), "handle": token.account_id,
            "did": f"did:plc:{token.account_id}", "active": True,
        })  # fmt: skip

    def shown(self, request: Request) -> str:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else ""

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        usual = {400: "InvalidRequest", 401: "AuthMissing", 429: "RateLimitExceeded"}.get(status, "InternalServerError")
        return json_answer(status, {"error": code or usual, "message": detail or title or "The request was refused."})


class Facebook(Tokens):
    name = "facebook_tokens"
    prefixes = ("/oauth/", *(f"/v{n}.0/oauth/" for n in range(1, 60)))
    routes = (("GET", r"(?:/v\d+\.\d+)?/oauth/access_token", "facebook_exchange"),)
    life = timedelta(seconds=5_183_944)
    refresh_life = None

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — the base's
        given = request.query
        self._must(
            given.get("grant_type") == "fb_exchange_token", 400, "100", "The grant_type is not fb_exchange_token."
        )
        self._must(bool(given.get("client_id") and given.get("client_secret")), 400, "101",
                   "Missing client_id or client_secret parameter.")  # fmt: skip
        with self.lock:
            token = self.grants.access.get(id_of(self.shown(request)) or "")
            if token is None or not self._alive(token):
                detail = "Error validating access token: Session has expired."
                raise Refusal(self.error(400, "190", None, detail))
            made = self._give(token.account_id, self.clock(), None, None)
        return json_answer(200, {
            "access_token": text(made["access"]), "token_type": "bearer",
            "expires_in": self._seconds_until(made["ends"]),
        })  # fmt: skip

    def shown(self, request: Request) -> str:
        return request.query.get("fb_exchange_token", "")

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        number = int(code) if code and code.isdigit() else {429: 4}.get(status, 2 if status >= 500 else 100)
        said = {"message": detail or title or "The request was refused.", "type": "OAuthException", "code": number,
                "fbtrace_id": "sandbox"}  # fmt: skip
        return json_answer(status, {"error": said})


TOKENS: tuple[type[Tokens], ...] = (X, LinkedIn, Bluesky, Facebook)


# --- tokens -----------------------------------------------------------------------------------------------


def text(id: str) -> str:
    """Derive the token of an id."""
    return f"{id}.{hashlib.sha256(f'{CHECKED} {id}'.encode()).hexdigest()[:32]}"


def id_of(token: str) -> str | None:
    """Return the id of a token; None: an invented one."""
    first = token.partition(".")[0]
    return first if secrets.compare_digest(token.encode(), text(first).encode()) else None


def _basic(request: Request) -> str:
    """Return the client of basic auth."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(given).decode().partition(":")[0] if kind == "Basic" else ""
    except ValueError:
        return ""
