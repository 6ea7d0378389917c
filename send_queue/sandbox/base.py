"""What do providers have in common that are simpler than Unipile? Routes, a list of what was accepted, faults.

A provider of the sandbox is a subclass that says its routes and what it answers. What it accepts goes through
`accept`: checked and written to the journal under one lock, on disk before the answer leaves, and there again after a
`kill -9`, for the list is read back from the journal.
"""

from __future__ import annotations

import re
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from send_queue.sandbox.http_messages import Request, SandboxCall, SandboxResponse
from send_queue.sandbox.journal import Entry, Journal
from send_queue.sandbox.linkedin_state import iso

REQUEST_ID_HEADERS = ("idempotency-key", "x-idempotency-key", "x-request-id", "x-send-id", "webhook-id",
                   "webhook-timestamp", "webhook-signature")  # fmt: skip
"""What a client may send to recognise its own request by; the journal keeps it."""


class Refusal(Exception):
    """The provider says no, with this answer."""

    def __init__(self, answer: SandboxResponse) -> None:
        self.answer = answer


class BaseProvider(ABC):
    """A provider whose state is the list of what it accepted.

    name, prefixes   what faults call it, and the beginnings of the paths that are its own
    routes           (method, a regular expression for the whole path, op); its groups are given to `answer`
    """

    name: str
    prefixes: Sequence[str]
    routes: Sequence[tuple[str, str, str]]

    def __init__(self, journal: Journal, clock: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self._journal = journal
        self._compiled = [(method, re.compile(path), op) for method, path, op in self.routes]
        self.entries: list[Entry] = []
        for entry in journal.entries():
            if entry["provider"] == self.name:
                self._take(entry)

    @property
    def ops(self) -> Collection[str]:
        return tuple(op for _, _, op in self.routes)

    # --- what a subclass says -----------------------------------------------------------------------------

    @abstractmethod
    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        """Do what is asked and answer. May raise `Refusal`."""

    @abstractmethod
    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:
        """Who sends to whom (account id, recipient), as far as the request says so: for faults to match."""

    @abstractmethod
    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        """Say no in this provider's own form."""

    # --- what the sandbox calls ---------------------------------------------------------------------------

    def understand(self, request: Request) -> SandboxCall:
        op, named = self._route(request)
        account_id, recipient = self.between(op, request, named) if op else (None, None)
        return SandboxCall(
            self.name, op, account_id, recipient, request.path, lambda hidden: self._perform(op, request, named, hidden)
        )

    def forget(self) -> None:
        """Be as on the first day."""
        with self.lock:
            self.entries.clear()

    def _route(self, request: Request) -> tuple[str, Sequence[str]]:
        for method, pattern, op in self._compiled:
            if method == request.method and (found := pattern.fullmatch(request.path)):
                return op, tuple(unquote(group or "") for group in found.groups())
        return "", ()

    def _perform(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        if not op:
            return self.error(404, "not_found", None, f"Cannot {request.method} {request.path}")
        try:
            return self.answer(op, request, named, hidden)
        except Refusal as refusal:
            return refusal.answer

    # --- what a subclass uses -----------------------------------------------------------------------------

    def accept(self, request: Request, hidden: timedelta, *, account_id: str, channel: str, recipient: str, text: str,
               **more: Any) -> Entry:  # fmt: skip
        """Accept a send: it is in the journal, on disk, when this returns. Call it with `lock` held where what was
        checked before must still be so."""
        now = self.clock()
        entry: Entry = {"at": iso(now), "provider": self.name, "account_id": account_id, "channel": channel,
                        "recipient": recipient, "text": text, "id": more.pop("id", None) or secrets.token_urlsafe(16),
                        **more}  # fmt: skip
        headers = {name: request.headers[name] for name in REQUEST_ID_HEADERS if name in request.headers}
        if headers:
            entry["headers"] = headers
        if hidden:
            entry["visible_at"] = iso(now + hidden)
        with self.lock:
            ticket = self._journal.append(entry)
            self._take(entry)
        self._journal.sync(ticket)
        return entry

    def visible(self) -> Iterator[Entry]:
        """What was accepted and may be listed by now, newest first."""
        now = iso(self.clock())
        with self.lock:
            entries = list(reversed(self.entries))
        return (entry for entry in entries if entry.get("visible_at", "") <= now)

    def _take(self, entry: Entry) -> None:
        self.entries.append(entry)


def form(request: Request) -> Mapping[str, str]:
    """The fields of a body in application/x-www-form-urlencoded; of one that comes twice the last."""
    from urllib.parse import parse_qsl

    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
