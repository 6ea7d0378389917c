"""Slack's incoming webhooks: JSON with a text gets `ok`, an error is one word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from send_queue.sandbox.base import BaseProvider
from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_object

STATUS_OF = {"invalid_payload": 400, "no_text": 400, "user_not_found": 400, "action_prohibited": 403,
             "channel_not_found": 404, "no_service": 404, "channel_is_archived": 410, "rate_limited": 429,
             "rollup_error": 500}  # fmt: skip


class Slack(BaseProvider):
    """Every `/services/TEAM/SERVICE/TOKEN` is a webhook of the account TEAM/SERVICE."""

    name = "slack"
    prefixes = ("/services/",)
    routes = (("POST", r"/services/([^/]+)/([^/]+)/([^/]+)", "slack_post"),)

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        try:
            body = json_object(request.body)
        except BadBody:
            return self.error(400, "invalid_payload", None, None)
        text = body.get("text")
        if not isinstance(text, str) or not text:
            return self.error(400, "no_text", None, None)
        account_id, recipient = self.between(op, request, named)
        self.accept(request, hidden, account_id=account_id or "", channel="webhook", recipient=recipient or "",
                    text=text, **({"blocks": body["blocks"]} if "blocks" in body else {}))  # fmt: skip
        return _words("ok")

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:  # noqa: ARG002 — the base's
        webhook = "/".join(named[:2])
        return webhook, webhook

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:  # noqa: ARG002 — the base's
        usual = next((word for word, usual in STATUS_OF.items() if usual == status), "rollup_error")
        return _words(code or usual, status)


def _words(text: str, status: int = 200) -> SandboxResponse:
    return SandboxResponse(status, text.encode(), content_type="text/html")
