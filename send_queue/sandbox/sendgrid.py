"""SendGrid: POST /v3/mail/send with the checks of its reference, and the Email Logs.

The journal has a line for each recipient, with the from-address as its account. From-addresses at unverified.example
are refused with 403. Ops of faults: `mail_send`, `email_logs`, `email_log`, `scopes`; the `type` of a fault with a
status is the error's field.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from send_queue.sandbox.base import BaseProvider, Refusal
from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object
from send_queue.sandbox.journal import Entry

MAX_MAIL_BYTES = 30_000_000
"""The limit of a whole request."""

MAX_RECIPIENTS = 1000
"""To, cc and bcc, over all personalizations."""

MAX_CUSTOM_ARGS_BYTES = 10_000
"""Bytes."""

RESERVED = frozenset({
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
})  # fmt: skip

_SAID = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "access forbidden",
    404: "not found",
    413: "The JSON payload you have included in your request is too large.",
    415: "Content-Type should be application/json.",
    429: "too many requests",
}
_UNVERIFIED = (
    "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved."
)


class SendGrid(BaseProvider):
    """SendGrid; any key that is not empty is valid."""

    name = "sendgrid"
    prefixes = ("/v3/",)
    routes = (
        ("POST", "/v3/mail/send", "mail_send"),
        ("POST", "/v3/logs", "email_logs"),
        ("GET", "/v3/logs/([^/]+)", "email_log"),
        ("GET", "/v3/scopes", "scopes"),
    )

    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        if not re.fullmatch(r"Bearer \S+", request.headers.get("authorization", "")):
            raise Refusal(self.error(401, None, None, None))
        if op == "mail_send":
            return self._send(request, hidden)
        if op == "email_logs":
            return self._logs(_json(request))
        if op == "scopes":
            return json_answer(200, {"scopes": ["mail.send"]})
        return self._log(named[0])

    def between(
        self,
        op: str,
        request: Request,
        named: Sequence[str],  # noqa: ARG002 — a mail's path names nobody
    ) -> tuple[str | None, str | None]:
        """Return the from-address and the first recipient."""
        if op != "mail_send":
            return None, None
        try:
            body = json_object(request.body)
            return body["from"]["email"], body["personalizations"][0]["to"][0]["email"]
        except (BadBody, LookupError, TypeError):
            return None, None

    def error(
        self,
        status: int,
        code: str | None,
        title: str | None,  # noqa: ARG002 — its errors have none
        detail: str | None,
    ) -> SandboxResponse:
        field = code if code and re.match(r"(from|reply_to|subject|content|personalizations|headers)\b", code) else None
        message = detail or _SAID.get(status, "The request was refused.")
        return json_answer(status, {"errors": [{"message": message, "field": field, "help": None}]})

    def _send(self, request: Request, hidden: timedelta) -> SandboxResponse:
        if len(request.body) > MAX_MAIL_BYTES:
            raise Refusal(self.error(413, None, None, None))
        body = _json(request)
        errors = [{"message": message, "field": field, "help": None} for field, message in _wrong(body)]
        if errors:
            return json_answer(400, {"errors": errors})
        if body["from"]["email"].endswith("@unverified.example"):
            return self.error(403, "from", None, _UNVERIFIED)
        if body.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return SandboxResponse(200)
        name = secrets.token_urlsafe(16)
        contents = {content["type"]: content["value"] for content in body["content"]}
        for n, (one, to) in enumerate((p, to) for p in body["personalizations"] for to in _addressees(p)):
            headers = {**body.get("headers", {}), **one.get("headers", {})}
            self.accept(
                request, hidden, account_id=body["from"]["email"], channel="email", recipient=to["email"],
                text=contents.get("text/plain", ""), html=contents.get("text/html"), id=f"{name}.recvd-sandbox-{n}",
                subject=one.get("subject", body.get("subject")), custom_args=one.get("custom_args", {}),
                mail_headers=headers, reply_to=body.get("reply_to", {}).get("email"), **{"from": body["from"]},
            )  # fmt: skip
        return SandboxResponse(202, headers={"X-Message-Id": name}, content_type="text/plain; charset=utf-8")

    def _logs(self, body: Mapping[str, Any]) -> SandboxResponse:
        query, limit = body.get("query"), body.get("limit", 10)
        if not isinstance(query, str) or not isinstance(limit, int) or not 1 <= limit <= 1000:
            return self.error(400, None, None, "query must be a string, and limit a number from 1 to 1000")
        wanted, since = _query(query)
        if wanted is None:
            return self.error(400, None, None, f"The sandbox does not understand this query: {query}")
        found = [
            entry
            for entry in self.visible()
            if entry["recipient"] in wanted and (since is None or datetime.fromisoformat(entry["at"]) >= since)
        ]
        return json_answer(200, {"messages": [_listed(entry) for entry in found[:limit]]})

    def _log(self, name: str) -> SandboxResponse:
        entry = next((entry for entry in self.visible() if entry["id"] == name), None)
        if entry is None:
            return self.error(404, None, None, None)
        return json_answer(200, {**_listed(entry), "custom_args": entry["custom_args"], "events": []})


def _json(request: Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refusal(json_answer(415, {"errors": [{"message": _SAID[415], "field": None, "help": None}]}))
    try:
        return json_object(request.body)
    except BadBody:
        raise Refusal(json_answer(400, {"errors": [{"message": "Bad Request", "field": None, "help": None}]})) from None


def _listed(entry: Entry) -> dict[str, Any]:
    return {"from_email": entry["account_id"], "sg_message_id": entry["id"], "subject": entry["subject"],
            "to_email": entry["recipient"], "reason": "", "status": "processed",
            "sg_message_id_created_at": entry["at"]}  # fmt: skip


def _query(query: str) -> tuple[frozenset[str] | None, datetime | None]:
    """Return the recipients and the first moment of a query; None for an unreadable part."""
    wanted: frozenset[str] | None = None
    since: datetime | None = None
    for condition in query.split(" AND "):
        if to := re.fullmatch(r"to_email (?:= (\"[^\"]+\")|IN \(([^)]+)\))", condition):
            wanted = frozenset(re.findall(r'"([^"]+)"', to[1] or to[2]))
        elif at := re.fullmatch(r'sg_message_id_created_at >=? TIMESTAMP "([^"]+)"', condition):
            since = datetime.fromisoformat(at[1])
        else:
            return None, None
    return wanted, since


# --- the checks of a mail ---------------------------------------------------------------------------------


def _wrong(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield SendGrid's errors: the field and a message."""
    many = body.get("personalizations")
    if not isinstance(many, list) or not 1 <= len(many) <= MAX_RECIPIENTS or not all(isinstance(p, dict) for p in many):
        yield "personalizations", "The personalizations field is required and must have at least one personalization."
        return
    for n, one in enumerate(many):
        yield from _wrong_personalization(f"personalizations.{n}", one)
    people = [_lower(to) for one in many for to in _addressees(one)]
    if len(people) > MAX_RECIPIENTS:
        yield "personalizations", "You can send to at most 1000 recipients."
    for twice in sorted(who for who, times in Counter(people).items() if times > 1 and who):
        yield "personalizations", f"Each email address should be unique. We found the first duplicate of [{twice}]."
    yield from _wrong_address("from", body.get("from"))
    if not _ascii(body.get("from")):
        yield "from", "Unicode is not supported in the from object."
    if "reply_to" in body:
        yield from _wrong_address("reply_to", body["reply_to"])
    if not body.get("template_id"):
        if not isinstance(body.get("subject"), str) or not body["subject"]:
            yield "subject", "The subject is required. You can get around this requirement if you use a template."
        yield from _wrong_content(body.get("content"))
    yield from _wrong_headers("headers", body.get("headers", {}))


def _wrong_personalization(field: str, one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    to = one.get("to")
    if not isinstance(to, list) or not to:
        yield f"{field}.to", "The to array is required for all personalization objects."
    for kind in ("to", "cc", "bcc"):
        given = one.get(kind, [])
        for m, address in enumerate(given if isinstance(given, list) else [None]):
            yield from _wrong_address(f"{field}.{kind}.{m}", address)
            if isinstance(address, dict) and re.search(r"[;,]", str(address.get("name", ""))):
                yield f"{field}.{kind}.{m}.name", "The name cannot include ; or ,."
    args = one.get("custom_args", {})
    if not isinstance(args, dict) or not all(isinstance(value, str) for value in args.values()):
        yield f"{field}.custom_args", "Values of custom_args must be strings."
    elif sum(len(key.encode()) + len(value.encode()) for key, value in args.items()) > MAX_CUSTOM_ARGS_BYTES:
        yield f"{field}.custom_args", "The custom_args must be less than 10000 bytes."
    yield from _wrong_headers(f"{field}.headers", one.get("headers", {}))


def _wrong_address(field: str, address: object) -> Iterator[tuple[str, str]]:
    email = address.get("email") if isinstance(address, dict) else None
    if not isinstance(email, str) or not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+", email):
        yield (field if field in ("from", "reply_to") else f"{field}.email"), "Does not contain a valid address."


def _wrong_content(content: object) -> Iterator[tuple[str, str]]:
    if not isinstance(content, list) or not content:
        yield "content", "Unless a valid template_id is provided, the content parameter is required."
        return
    for n, one in enumerate(content):
        if not isinstance(one, dict) or not one.get("type") or not one.get("value"):
            yield f"content.{n}.value", "The content value must be a string at least one character in length."
            return
    kinds = [one["type"] for one in content]
    if "text/plain" in kinds[1:]:
        yield "content", "If present, text/plain must be first, followed by text/html."


def _wrong_headers(field: str, headers: object) -> Iterator[tuple[str, str]]:
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        yield field, "The headers must be an object of strings."
        return
    for name, value in headers.items():
        if name.lower() in RESERVED:
            yield f"{field}.{name}", f"The header {name} is reserved."
        if not value.isascii() or re.search(r"[\r\n]", value):
            yield f"{field}.{name}", "Headers must be encoded."


def _addressees(one: Mapping[str, Any]) -> list[Any]:
    return [to for kind in ("to", "cc", "bcc") if isinstance(one.get(kind), list) for to in one[kind]]


def _lower(address: object) -> str:
    return str(address.get("email", "")).lower() if isinstance(address, dict) else ""


def _ascii(address: object) -> bool:
    return not isinstance(address, dict) or all(str(value).isascii() for value in address.values())
