"""HTTP requests and answers as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.errors import CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect
from email.parser import BytesParser
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A whole HTTP request. Header names are in lower case; `path` is quoted."""

    method: str
    path: str
    query_string: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case: `multipart/form-data`."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class SandboxResponse:
    """An answer. With `cut`, only so many bytes of the body leave before the connection closes."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    cut: int | None = None


@dataclass(frozen=True, slots=True)
class SandboxCall:
    """A parsed request: operation, account, recipient; faults match on these.

    perform(hidden) performs it and answers; reads omit an accepted send for `hidden`.
    """

    provider: str
    op: str
    account_id: str | None
    recipient: str | None
    path: str
    perform: Callable[[timedelta], SandboxResponse]


class Provider(Protocol):
    """A provider of the sandbox; it gets the paths whose longest matching prefix is among its `prefixes`."""

    name: str
    prefixes: Sequence[str]

    @property
    def ops(self) -> Collection[str]: ...

    def understand(self, request: Request) -> SandboxCall:
        """Parse a request without performing it. A bad request becomes a call that refuses."""
        ...

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        """Make an error in this provider's form, with its usual words for null arguments."""
        ...

    def forget(self) -> None:
        """Restore the initial state, after the journal was cleared."""
        ...


class BadBody(Exception):
    """The body does not match its Content-Type."""


@dataclass(frozen=True, slots=True)
class Field:
    """A form's field: bytes of a file, else text."""

    name: str
    value: str
    file: bytes | None = None


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> SandboxResponse:
    """Answer with JSON in ASCII: a client's text may hold lone surrogates."""
    return SandboxResponse(status, json.dumps(value, separators=(",", ":")).encode(), headers or {})


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object or raise `BadBody`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"The body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadBody("The body must be a JSON object.")
    return value


def form_fields(request: Request) -> list[Field]:
    """Parse multipart/form-data, keeping every byte of texts, or raise `BadBody`."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n"
    message = BytesParser().parsebytes(head.encode("latin-1") + request.body)
    if not message.is_multipart():
        raise BadBody("The body is not multipart: is the boundary missing?")
    for defect in message.defects:
        if isinstance(defect, StartBoundaryNotFoundDefect | CloseBoundaryNotFoundDefect):
            raise BadBody("The multipart body is cut off or its boundary does not match.")
    fields: list[Field] = []
    for part in message.get_payload():
        if isinstance(part, str):
            raise BadBody("The multipart body has a part without headers.")
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise BadBody("A part of the multipart body has no name.")
        payload = part.get_payload(decode=True)
        value = payload if isinstance(payload, bytes) else b""
        if part.get_filename() is not None:
            fields.append(Field(name, "", value))
            continue
        try:
            fields.append(Field(name, value.decode()))
        except UnicodeDecodeError:
            raise BadBody(f"The field {name} is not UTF-8.") from None
    return fields
