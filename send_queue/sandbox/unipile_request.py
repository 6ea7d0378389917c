"""A parsed request to Unipile: path, query and body as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from send_queue.sandbox.http_messages import BadBody, Field, Request, form_fields, json_object
from send_queue.sandbox.unipile_errors import Refused

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class UnipileRequest:
    """A request. `named` is the id in its path; an unreadable body is a `problem`, raised later.

    Faults also match requests that will be refused, and the key is checked before the body.
    """

    request: Request
    op: str
    named: str
    fields: tuple[Field, ...] = field(default=())
    problem: Refused | None = None

    def refuse_bad_body(self) -> None:
        """Raise the body's problem."""
        if self.problem is not None:
            raise self.problem

    def all(self, name: str) -> list[str]:
        """Return all values of a repeatable field that are not empty."""
        return [one.value for one in self.fields if one.name == name and one.value]

    def get(self, name: str) -> str | None:
        """Return a field of the body; None: missing or empty."""
        return next(iter(self.all(name)), None)

    def need(self, name: str) -> str:
        """Return a field of the body, or refuse with 400."""
        return _needed(name, self.get(name))

    def content(self) -> str:
        """Return a message's text; only with an attachment may it be empty."""
        text = self.get("text")
        if text is None and not any(one.file is not None for one in self.fields):
            raise Refused(400, "missing_parameters", "text or an attachment is required.")
        return text or ""

    def query(self, name: str) -> str | None:
        """Return a parameter of the query; None: missing or empty."""
        return self.request.query.get(name) or None

    def need_query(self, name: str) -> str:
        """Return a parameter of the query, or refuse with 400."""
        return _needed(name, self.query(name))

    def limit(self, usual: int, most: int) -> int:
        """Return the requested size of a page, 1 to `most` items."""
        given = self.query("limit")
        if given is None:
            return usual
        if not re.fullmatch(r"[0-9]{1,6}", given) or not 1 <= int(given) <= most:
            raise Refused(400, "invalid_parameters", f"limit must lie between 1 and {most}.")
        return int(given)

    def moment(self, name: str) -> str | None:
        """Return `after` or `before` in its only form, 2026-04-12T19:09:31.566Z, which sorts by time."""
        given = self.query(name)
        if given is not None and not _MOMENT.fullmatch(given):
            raise Refused(
                400,
                "invalid_parameters",
                f"{name} must be like 2026-04-12T19:09:31.566Z, in UTC with milliseconds.",
            )
        return given


def read(request: Request, op: str, named: str) -> UnipileRequest:
    """Read the body in the op's form: JSON for an invitation, multipart for a message."""
    if op == "invite":
        return _read(request, op, named, "application/json")
    if op in ("chat", "message"):
        return _read(request, op, named, "multipart/form-data")
    return UnipileRequest(request, op, named)


def _read(request: Request, op: str, named: str, takes: str) -> UnipileRequest:
    if request.content_type != takes:
        refused = Refused(415, "unsupported_media_type", f"The body must be {takes}.")
        return UnipileRequest(request, op, named, problem=refused)
    try:
        fields = form_fields(request) if takes == "multipart/form-data" else _json_fields(request.body)
    except BadBody as bad:
        return UnipileRequest(request, op, named, problem=Refused(400, "malformed_request", str(bad)))
    except Refused as refused:
        return UnipileRequest(request, op, named, problem=refused)
    return UnipileRequest(request, op, named, tuple(fields))


def _json_fields(body: bytes) -> list[Field]:
    given = json_object(body)
    for name in ("account_id", "provider_id", "message", "user_email"):
        if not isinstance(given.get(name, ""), str):
            raise Refused(400, "invalid_parameters", f"{name} must be a string.")
        if _has_lone_surrogate(given.get(name, "")):
            raise Refused(400, "invalid_parameters", f"{name} holds half a character.")
    return [Field(name, value) for name, value in given.items() if isinstance(value, str)]


def _has_lone_surrogate(text: str) -> bool:
    """Whether JSON smuggled in half a surrogate pair, which no other encoding can write."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise Refused(400, "missing_parameters", f"{name} is required.")
    return value
