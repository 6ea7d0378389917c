"""The base of the providers except Unipile: routes, the list of accepted sends, faults.

A subclass defines routes and answers. `accept` checks a send and writes it to the journal under one lock, on disk
before the answer; the list is read from the journal at the start, so it survives a `kill -9`.
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
"""Headers by which clients recognise their requests; the journal keeps them."""


class Refusal(Exception):
    """The provider refuses with this answer."""

    def __init__(self, answer: SandboxResponse) -> None:
        self.answer = answer


class BaseProvider(ABC):
    """A provider whose state is the list of accepted sends.

    name, prefixes   its name in faults, and the prefixes of its paths
    routes           (method, a regular expression for the whole path, op); `answer` gets its groups
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

    # --- defined by subclasses ----------------------------------------------------------------------------

    @abstractmethod
    def answer(self, op: str, request: Request, named: Sequence[str], hidden: timedelta) -> SandboxResponse:
        """Perform the request and answer. May raise `Refusal`."""

    @abstractmethod
    def between(self, op: str, request: Request, named: Sequence[str]) -> tuple[str | None, str | None]:
        """Return account id and recipient as far as the request names them, for faults to match."""

    @abstractmethod
    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        """Make an error in this provider's form."""

    # --- called by the sandbox ----------------------------------------------------------------------------

    def understand(self, request: Request) -> SandboxCall:
        op, named = self._route(request)
        account_id, recipient = self.between(op, request, named) if op else (None, None)
        return SandboxCall(
            self.name, op, account_id, recipient, request.path, lambda hidden: self._perform(op, request, named, hidden)
        )

    def forget(self) -> None:
        """Restore the initial state."""
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

    # --- for subclasses -----------------------------------------------------------------------------------

    def accept(self, request: Request, hidden: timedelta, *, account_id: str, channel: str, recipient: str, text: str,
               **more: Any) -> Entry:  # fmt: skip
        """Accept a send; when this returns, it is in the journal on disk. Hold `lock` if earlier checks must still
        hold."""
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
        """Yield the accepted sends that are no longer hidden, newest first."""
        now = iso(self.clock())
        with self.lock:
            entries = list(reversed(self.entries))
        return (entry for entry in entries if entry.get("visible_at", "") <= now)

    def _take(self, entry: Entry) -> None:
        self.entries.append(entry)


def form(request: Request) -> Mapping[str, str]:
    """Read the fields of a body in application/x-www-form-urlencoded; the last of equal names wins."""
    from urllib.parse import parse_qsl

    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
