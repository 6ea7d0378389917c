"""Twilio: it accepts and lists messages, and answers problems with error codes.

    POST   /2010-04-01/Accounts/{sid}/Messages.json    sms
    GET    /2010-04-01/Accounts/{sid}/Messages.json    sms_list

The numbers of Twilio's test credentials have the same effect here (`MAGIC_TO`, `MAGIC_FROM`). It never refuses a
duplicate. The `type` of a fault with a status is an error code, such as 20429.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from send_queue.rules.sms import segments
from send_queue.sandbox.base import BaseProvider, Refusal
from send_queue.sandbox.http_messages import Request, SandboxResponse, json_answer
from send_queue.sandbox.journal import Entry

MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}

ERROR_TEXTS = {
    20001: "A parameter of the request is wrong.",
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    21211: "The 'To' number is not a valid phone number.",
    21212: "The 'From' number is not a valid phone number.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21606: "The 'From' phone number provided is not a valid message-capable Twilio phone number.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21612: "The 'To' phone number is not currently reachable using the 'From' phone number",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit.",
}
BY_STATUS = {401: 20003, 404: 20404, 429: 20429}

MAX_TEXT_CHARS = 1600
MAX_MEDIA_ITEMS = 10
MAX_PAGE_ITEMS = 1000


class Twilio(BaseProvider):
    """Twilio; every account exists, and any secret that is not empty is valid."""

    name = "twilio"
    prefixes = ("/2010-04-01/",)
    routes = (
        ("POST", "/2010-04-01/Accounts/([^/]+)/Messages\\.json", "sms"),
        ("GET", "/2010-04-01/Accounts/([^/]+)/Messages\\.json", "sms_list"),
    )

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        if not _authorized(request.headers.get("authorization", "")):
            raise Refusal(self._refused(20003, 401))
        [account] = named
        return self._make(account, request, hidden) if op == "sms" else self._list(account, request)

    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:
        return named[0], _one(_form(request), "To") if op == "sms" else request.query.get("To")

    def error(
        self,
        status: int,
        code: str | None,
        title: str | None,  # noqa: ARG002 — its errors have none
        detail: str | None,
    ) -> SandboxResponse:
        default = BY_STATUS.get(status, 20500 if status >= 500 else 20001)
        number = int(code) if code and code.isascii() and code.isdigit() else default
        return self._refused(number, status, detail)

    def _refused(self, code: int, status: int = 400, detail: str | None = None) -> SandboxResponse:
        return json_answer(status, {
            "code": code, "message": detail or ERROR_TEXTS.get(code, "The request was refused."),
            "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status,
        })  # fmt: skip

    def _make(self, account: str, request: Request, hidden: timedelta) -> SandboxResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            return self._refused(20001)
        form = _form(request)
        to, sender, service = (_one(form, name) for name in ("To", "From", "MessagingServiceSid"))
        body, media = _one(form, "Body"), form.get("MediaUrl", [])
        if code := _wrong(to, sender, service, body, media):
            return self._refused(code)
        entry = self.accept(
            request, hidden, account_id=account, channel="sms", recipient=to, text=body,
            id=("MM" if media else "SM") + secrets.token_hex(16), media_urls=media, **{"from": sender or service},
            status_callback=_one(form, "StatusCallback") or None, validity_period=_one(form, "ValidityPeriod") or None,
        )  # fmt: skip
        return json_answer(201, _message(entry))

    def _list(self, account: str, request: Request) -> SandboxResponse:
        wanted = {"recipient": request.query.get("To"), "from": request.query.get("From")}
        found = [
            entry
            for entry in self.visible()
            if entry["account_id"] == account and all(entry[k] == v for k, v in wanted.items() if v is not None)
        ]
        size = request.query.get("PageSize", "50")
        if not size.isdigit() or not 1 <= int(size) <= MAX_PAGE_ITEMS:
            return self._refused(20001)
        more = f"{request.path}?{request.query_string}&Page=1" if len(found) > int(size) else None
        return json_answer(200, {
            "messages": [_message(entry) for entry in found[: int(size)]], "page": 0, "page_size": int(size),
            "uri": request.path, "next_page_uri": more,
        })  # fmt: skip


def _wrong(to: str, sender: str, service: str, body: str, media: Sequence[str]) -> int | None:
    """Return the code of the first problem."""
    if not re.fullmatch(r"\+[1-9]\d{6,14}", to):
        return 21211
    if service and not re.fullmatch("MG[0-9a-f]{32}", service):
        return 20001
    if not service and not sender:
        return 21603
    if not body and not media:
        return 21602
    if len(body) > MAX_TEXT_CHARS:
        return 21617
    if len(media) > MAX_MEDIA_ITEMS:
        return 20001
    return MAGIC_TO.get(to) or MAGIC_FROM.get(sender)


def _message(entry: Entry) -> Mapping[str, Any]:
    """Show a message in Twilio's form."""
    service = entry["from"] if str(entry["from"]).startswith("MG") else None
    return {
        "sid": entry["id"], "account_sid": entry["account_id"], "to": entry["recipient"],
        "from": None if service else entry["from"], "messaging_service_sid": service, "body": entry["text"],
        "status": "accepted" if service else "queued", "direction": "outbound-api", "error_code": None,
        "error_message": None, "num_media": str(len(entry["media_urls"])), "date_sent": None,
        "num_segments": str(segments(entry["text"]).count or 1),
        "date_created": format_datetime(datetime.fromisoformat(entry["at"])), "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/{entry['account_id']}/Messages/{entry['id']}.json",
    }  # fmt: skip


def _authorized(header: str) -> bool:
    try:
        user, _, secret = b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except ValueError:
        return False
    return header.startswith("Basic ") and bool(user and secret)


def _form(request: Request) -> Mapping[str, list[str]]:
    return parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def _one(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[-1]
