"""What the tests of the networks share: a server that answers as it is told and keeps what it was asked, and a post."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from send_queue.model import Claimed, Hold, Outcome
from send_queue.providers.http_answer import Limits
from send_queue.providers.networks.base import Network

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUICK = Limits(connect=5, read=5, total=15)
TOKEN = "the-secret-token"
ENV = {"ADA_TOKEN": TOKEN}

POST = Claimed(
    send_id=UUID("019cafc8-9400-7abc-8123-456789abcdef"),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="post",
    recipient="ada",
    subject=None,
    message="We are hiring: https://example.com/jobs?a=1&b=2.",
    payload={},
    account_id=UUID(int=3),
    account="ada",
    provider="x",
    provider_account_id="4711",
    secret_env="ADA_TOKEN",
    campaign="posts",
    started_at=NOON,
    created_at=NOON - MINUTE,
)
DOUBTED = replace(POST, finished_at=NOON + MINUTE)
"""Its answer was lost a minute after it was begun."""


@dataclass(frozen=True)
class Said:
    """An answer to give."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


class Server:
    """Answers by `answers`, in turn; the last one for ever. Its clock says `now`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.now = NOON + 10 * MINUTE
        self._answers: list[Said | Callable[[Asked], Said]] = []

    def says(self, *answers: Said | Callable[[Asked], Said]) -> None:
        self.asked.clear()
        self._answers = list(answers)

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        said = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return said(asked) if callable(said) else said


@contextmanager
def serving() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = there.answer(Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, body))
            sent = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response_only(said.status)
            for name, value in {
                "Date": format_datetime(there.now, usegmt=True), "Content-Length": str(len(sent)), **said.headers
            }.items():  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _do

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Server(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield there
    server.shutdown()
    server.server_close()


def made(kind: type[Network], server: Server, **env: str) -> Network:
    return kind({**ENV, kind.variable: server.url, **env}, post=QUICK, get=QUICK)


def kind_of(outcome: Outcome) -> str:
    """The outcome as the tables of the tests have it: a hold with who is held, and for how long."""
    if not isinstance(outcome, Hold):
        return type(outcome).__name__
    if outcome.after is None:
        return f"Hold {outcome.scope}, a person"
    minutes = f"{outcome.after / MINUTE:g} min"
    return f"Hold {outcome.scope}, {minutes}" + (f" to {outcome.ceiling / MINUTE:g} min" if outcome.ceiling else "")
