"""Webhooks: a signed call to a URL, by the rules of Standard Webhooks 1.0.

    webhook-id          msg_<send id>: the same on every try, by which the receiver knows what it has already
    webhook-timestamp   seconds since 1970, of this try
    webhook-signature   v1,<base64> of HMAC-SHA256 over id.timestamp.body; one for each secret
    body                {"type": …, "timestamp": …, "data": …}, the same bytes on every try

A receiver that keeps these rules accepts a send once, however often it comes. So an uncertain send is sent again
(`repeatable`), without a look-up. Redirects are not followed, and private networks not called (url_guard.py).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    LookUp,
    Outcome,
    ProbeResult,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers import FOREVER
from send_queue.providers.credentials import secret_of
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, NoAnswer, retry_after
from send_queue.providers.reach import host_of
from send_queue.providers.url_guard import RESOLVE_WITHIN, addresses, allowed_hosts, refused

POST = Limits(connect=10, read=20, total=30)
"""Standard Webhooks: 15 to 30 seconds."""

ADDRESSES = 2
"""The most addresses tried of one host, while no connection can be made: usually one of each family."""

SUPPRESSES = frozenset({"endpoint_gone"})
"""The codes that suppress a URL."""

TRY_AGAIN = frozenset({408, 425, 429, 499})
"""The 4xx that ask for a retry; and a gateway's 499, which leaves the answer unknown."""


class Webhook:
    """Webhooks; the recipients are URLs.

    WEBHOOK_SECRET       signs the calls of accounts without `secret_env`: whsec_ and 24 to 64 bytes as base64; several,
                         separated by blanks, while a secret is being changed
    WEBHOOK_ALLOW_HOSTS  hosts that may be called in a private network, and without TLS
    """

    channels: frozenset[str] = frozenset({"webhook"})
    longest_call: timedelta
    lag: timedelta | None = None
    repeatable: timedelta | None = FOREVER
    suppresses: frozenset[str] = SUPPRESSES
    secret: str = "WEBHOOK_SECRET"

    def __init__(self, env: Mapping[str, str], *, post: Limits = POST) -> None:
        self._env = env
        self._allowed = allowed_hosts(env)
        self._post = post
        # Past any proxy, so that the checked address is the one that is connected to.
        self._http = Http(direct=True, env=env)
        self.longest_call = timedelta(seconds=RESOLVE_WITHIN + ADDRESSES * post.total + 5)

    def send(self, send: Claimed) -> Outcome:
        secrets = secrets_of(send, self._env)
        body = body_of(send)
        if isinstance(body, Failed):
            return body
        where = addresses(send.recipient, self._allowed)
        if isinstance(where, Failed | Retry):
            return where
        name = f"msg_{send.send_id}"
        timestamp = int(send.started_at.timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(secret, name, timestamp, body) for secret in secrets),
        }
        answer: Answer | NoAnswer = Retry("no_address", "The host has no address.")
        for address in where[:ADDRESSES]:
            answer = self._http.request(
                "POST", send.recipient, limits=self._post, headers=headers, content=body, leave_by=send.leave_by,
                hide=(send.message,), connect_to=address,
            )  # fmt: skip
            if not (isinstance(answer, Retry) and answer.code.startswith("connect_")):
                break
        return judge(answer, name, send.started_at)

    def look_up(self, send: Claimed) -> LookUp:
        return CannotTell(f"An endpoint has no look-up: look for msg_{send.send_id} among the calls that it received.")

    def check(self, send: Claimed) -> None:
        secrets_of(send, self._env)

    def probe(self, send: Claimed) -> ProbeResult:
        self.check(send)
        return ProbeResult("unknown", "an endpoint has no harmless request")

    def hosts(self, send: Claimed) -> tuple[str, ...]:
        return () if refused(send.recipient, self._allowed) else (host_of(send.recipient),)

    def close(self) -> None:
        self._http.close()


def judge(answer: Answer | NoAnswer, name: str, now: datetime) -> Outcome:
    """Judge an answer: any 2xx is a yes, whatever its body. A Retry-After date counts from `now`."""
    if not isinstance(answer, Answer):
        if isinstance(answer, Uncertain) and 200 <= (answer.http_status or 0) < 300:
            return Sent(name, answer.http_status)  # too long or unreadable: the body does not matter
        return answer
    status = answer.status
    if 200 <= status < 300:
        return Sent(name, status)
    said = answer.text
    if 300 <= status < 400:
        return Failed("redirected", "The endpoint has moved, and no redirect is followed: use its new URL.", status)
    if status == 410:
        return Failed("endpoint_gone", said or "The endpoint wants no more webhooks.", status)
    if status in TRY_AGAIN or status >= 500:
        # Also after 5xx, 408 or 499: if it was accepted, the receiver knows its id.
        return Retry(f"http_{status}", said, retry_after(answer, now), status)
    return Failed(f"http_{status}", said, status)


def secrets_of(send: Claimed, env: Mapping[str, str]) -> Sequence[bytes]:
    """Return the keys that sign a call. Raises `ConfigurationError` for a missing or malformed one."""
    return [_key(secret, send.account) for secret in secret_of(send, env, Webhook.secret).split()]


def _key(secret: str, account: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ConfigurationError(
            f"The secret of the account {account} is not one of webhooks: write whsec_ and 24 to 64 bytes as base64"
            " (`openssl rand -base64 32`)."
        )
    return key


def signature(key: bytes, name: str, timestamp: int, body: bytes) -> str:
    """Return one word of the header webhook-signature.

    >>> key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{name}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def body_of(send: Claimed) -> bytes | Failed:
    """Write the body, the same bytes on every try, with the time of the event or of enqueueing."""
    kind = send.payload.get("type", "message")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", kind):
        return Failed("invalid_payload", "payload.type must be words with dots between them, such as invoice.paid.")
    data: Any = send.payload.get("data")
    if data is None:
        data = {"message": send.message, "subject": send.subject, "recipient": send.recipient}
    event: dict[str, Any] = {"type": kind, "timestamp": _moment(send), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _moment(send: Claimed) -> str:
    given = send.payload.get("timestamp")
    if isinstance(given, str) and given:
        return given
    return (send.created_at or send.started_at).astimezone(UTC).isoformat().replace("+00:00", "Z")
