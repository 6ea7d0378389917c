"""Slack: a message into a channel, by an incoming webhook, which answers with words in plain text.

The webhook's address is the secret: anyone who has it may write there. So it stays out of the queue, in the variable of
the account's `secret_env`, else in SLACK_WEBHOOK_URL; the row's recipient is for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeGuard
from urllib.parse import urlsplit

from send_queue.model import CannotTell, Claimed, Failed, Hold, LookUp, Outcome, ProbeResult, Sent, Uncertain
from send_queue.providers.address import checked_url
from send_queue.providers.credentials import refused, secret_of, variable_of
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, advised, hidden, plain, retry_after
from send_queue.providers.reach import host_of

VARIABLE = "SLACK_WEBHOOK_URL"
LIMITS = Limits(connect=5, read=15, total=20)

Meaning = Literal["failed", "hold", "uncertain"]
"""About this message, about the address (which a person must mend), or unknown."""

MEANINGS: Mapping[str, Meaning] = {
    # 400: about this message
    "invalid_payload": "failed",
    "no_text": "failed",
    "invalid_blocks": "failed",
    "user_not_found": "failed",
    # 403, 404, 410: about all messages
    "action_prohibited": "hold",  # an administrator has restricted posting
    "invalid_token": "hold",
    "channel_not_found": "hold",
    "no_service": "hold",  # the webhook was removed
    "channel_is_archived": "hold",
    # 500: it may have been posted
    "rollup_error": "uncertain",
}
"""The meaning of Slack's words, from its changelog of 2016-05-17 on errors of incoming webhooks."""

BY_STATUS: Mapping[int, Meaning] = {401: "hold", 403: "hold", 404: "hold", 408: "uncertain", 410: "hold"}
"""For other words. Any other 4xx is about the message."""

RATE_LIMITED = timedelta(seconds=30)
"""The wait after a 429 without a time; Slack takes about one message a second for a channel."""


@dataclass(frozen=True, slots=True)
class _Address:
    url: str
    secrets: tuple[str, ...]


class Slack:
    """Incoming webhooks of Slack and of servers with the same JSON (Mattermost, Rocket.Chat)."""

    channels: frozenset[str] = frozenset({"webhook"})
    longest_call: timedelta = timedelta(seconds=LIMITS.total)
    lag: timedelta | None = None
    secret: str = VARIABLE

    def __init__(self, env: Mapping[str, str]) -> None:
        """Read nothing yet: each send reads its account's variable."""
        self._env = env
        self._http = Http(env=env)

    def send(self, send: Claimed) -> Outcome:
        """Post the message as text: `&`, `<` and `>` are escaped, so no name in it calls a channel. `payload.blocks`
        are Slack's own blocks, unchanged."""
        address = self._address(send)
        body: dict[str, Any] = {"text": escaped(send.message)}
        if isinstance(blocks := send.payload.get("blocks"), list):
            body["blocks"] = blocks
        answer = self._http.request(
            "POST", address.url, limits=LIMITS, leave_by=send.leave_by, hide=address.secrets, json=body
        )
        if not isinstance(answer, Answer):
            return answer
        outcome = judge(answer, address.secrets)
        return refused(outcome, variable_of(send, VARIABLE)) if _is_refusal(outcome) else outcome

    def look_up(self, send: Claimed) -> LookUp:  # noqa: ARG002 — the protocol's signature
        return CannotTell("Slack's incoming webhooks have no look-up: look into the channel.")

    def check(self, send: Claimed) -> None:
        self._address(send)

    def probe(self, send: Claimed) -> ProbeResult:
        self.check(send)
        return ProbeResult("unknown", "an incoming webhook of Slack has no harmless request")

    def hosts(self, send: Claimed) -> tuple[str]:
        return (host_of(self._address(send).url),)

    def close(self) -> None:
        self._http.close()

    def _address(self, send: Claimed) -> _Address:
        url = checked_url(secret_of(send, self._env, VARIABLE), send.secret_env or VARIABLE)
        path = urlsplit(url).path
        return _Address(url, (url, path, *path.split("/")))


def _is_refusal(outcome: Outcome) -> TypeGuard[Hold]:
    """Whether Slack refuses the address, which is the secret."""
    of_the_channel = ("action_prohibited", "channel_is_archived")
    return isinstance(outcome, Hold) and outcome.after is None and outcome.code not in of_the_channel


def judge(answer: Answer, hide: tuple[str, ...] = ()) -> Outcome:
    """Judge an answer; its detail holds no string of `hide`."""
    status = answer.status
    if 200 <= status < 300:
        return Sent(None, status)
    said = answer.text
    word = said.strip() if said.strip() in MEANINGS else ""
    code = word or f"http_{status}"
    detail = plain(f"Slack: {hidden(said, hide)}")
    if status == 429:
        after = retry_after(answer, datetime.now(UTC)) or RATE_LIMITED
        return Hold("lane", "rate_limited", detail, after, http_status=status)
    if status < 400:
        return Hold(
            "account", "unexpected_redirect", "It is not the address of an incoming webhook.", None, None, status
        )
    meaning = MEANINGS.get(word) or BY_STATUS.get(status) or ("uncertain" if status >= 500 else "failed")
    match meaning:
        case "failed":
            return Failed(code, detail, status)
        case "hold":
            advice = "Make a new incoming webhook, put its address into the variable, then resume the account."
            return Hold("account", code, advised(detail, advice), http_status=status)
        case "uncertain":
            return Uncertain(code, detail, status)


def escaped(text: str) -> str:
    """Escape text for Slack, so that nothing in it is a command.

    >>> escaped("R&D <!channel>")
    'R&amp;D &lt;!channel&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
