"""A server that answers as a test says, and remembers what it was asked: for providers that speak HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)


Reply = tuple[int, Any] | tuple[int, Any, Mapping[str, str]] | None
"""Status, a body (bytes as they are, all else as JSON), headers; null drops the connection."""


@dataclass
class Answering:
    """`reply` is called for every request; `now` is what answers are dated by."""

    reply: Callable[[Asked], Reply] = lambda _: (404, {})
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    now: datetime = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)

    def always(self, *reply: Any) -> None:
        self.reply = lambda _: reply


@contextmanager
def answering() -> Iterator[Answering]:
    api = Answering()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the second write of each answer waits 40 ms for the first

        def answer(self) -> None:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, url.path, parse_qs(url.query), headers, body)
            api.asked.append(asked)
            reply = api.reply(asked)
            if reply is None:
                self.close_connection = True
                return
            content = reply[1] if isinstance(reply[1], bytes) else json.dumps(reply[1]).encode()
            self.send_response_only(reply[0])
            self.send_header("Date", format_datetime(api.now, usegmt=True))
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply[2].items() if len(reply) > 2 else ():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that goes away is none of a test's business."""

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
