"""A receiver by the rules of Standard Webhooks: it checks the signature and accepts each webhook-id once.

    POST   /webhooks/{name}    webhook

The journal has a new call under the channel `webhook` and a repeated one under `webhook_again`; both get a yes. The
secret is `SECRET`. It ignores a call's age, since rehearsals use other times.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from send_queue.sandbox.base import BaseProvider
from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object

SECRET = "whsec_c2VuZC1xdWV1ZSBzYW5kYm94IHdlYmhvb2sgc2VjcmV0"


class Webhook(BaseProvider):
    """A receiver at every path below /webhooks/."""

    name = "webhook"
    prefixes = ("/webhooks/",)
    routes = (("POST", "/webhooks/([^/]+)", "webhook"),)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:  # noqa: ARG002 — one op
        name = request.headers.get("webhook-id", "")
        if not name or not _signed(request, name):
            return self.error(401, "invalid_signature", None, None)
        try:
            event = json_object(request.body)
        except BadBody as wrong:
            return self.error(400, "invalid_body", None, str(wrong))
        with self.lock:
            again = any(entry["id"] == name for entry in self.entries)
            self.accept(
                request, hidden, account_id=named[0], channel="webhook_again" if again else "webhook",
                recipient=request.path, text=_text(event), id=name, event=event, body=request.body.decode(),
            )  # fmt: skip
        return json_answer(200, {"received": name, "again": again})

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        return named[0], request.path

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        return json_answer(status, {"error": detail or title or code or "refused"})


def _signed(request: Request, name: str) -> bool:
    key = b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{name}.{request.headers.get('webhook-timestamp', '')}.".encode() + request.body
    ours = "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = request.headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(ours, one) for one in given)


def _text(event: dict[str, Any]) -> str:
    data = event.get("data")
    return str(data.get("message", "")) if isinstance(data, dict) else ""
