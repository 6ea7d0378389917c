"""HTTP/1.1 over sockets, a thread for each connection.

It drops broken connections silently, since clients break many here. It prints any other error and closes the connection
without an answer.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl

from send_queue.sandbox.http_messages import Request, SandboxResponse
from send_queue.sandbox.journal import JournalClosed

MAX_BODY_BYTES = 32 * 1024 * 1024  # bytes; Unipile takes attachments of about 15 MB
_CHUNK = 1024 * 1024  # bytes
_LONGEST_LENGTH = 19  # digits of a Content-Length; Python refuses thousands of digits
_SHUTDOWN_POLL = 0.05  # seconds; the longest wait of stop() for the accepting thread


class Answering(Protocol):
    """Makes the answers."""

    def answer(self, request: Request) -> SandboxResponse | None:
        """Answer one request; None: close the connection."""
        ...

    def refuse(self, path: str, code: str, detail: str) -> SandboxResponse:
        """Refuse unreadable bytes with 400, in the form of the path's provider."""
        ...


class Server(ThreadingHTTPServer):
    """The listening socket and its connections. `clock` dates the answers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024  # simultaneous new connections

    def __init__(self, host: str, port: int, answering: Answering, clock: Callable[[], datetime]) -> None:
        self.answering = answering
        self.clock = clock
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without resolving the own host name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]  # IPv4: a str

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(_SHUTDOWN_POLL,), name="sandbox", daemon=True).start()

    def stop(self) -> None:
        """Accept no more connections and cut the open ones: a kept-alive one would go on."""
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, dict(parse_qsl(query, keep_blank_values=True)), headers, body)
        try:
            answer = self.server.answering.answer(request)
        except JournalClosed:
            answer = None
        except Exception:
            traceback.print_exc()
            answer = None
        if answer is None:
            self.close_connection = True
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _body(self) -> bytes | None:
        """Read the whole body; None after a refusal or a broken connection."""
        if "transfer-encoding" in self.headers:
            self._refuse("malformed_request", "A body needs a Content-Length here.")
            return None
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < _LONGEST_LENGTH):
            self._refuse("malformed_request", "The Content-Length is not a number.")
            return None
        if int(length) > MAX_BODY_BYTES:
            self._refuse("content_too_large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
            self._discard(min(int(length), 2 * MAX_BODY_BYTES))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # the client closed halfway
            return None
        return body

    def _refuse(self, code: str, detail: str) -> None:
        self.close_connection = True
        self._send(self.server.answering.refuse(self.path, code, detail))

    def _discard(self, length: int) -> None:
        """Read the rest for a while: closing a socket with unread bytes would reset it before the client reads."""
        while length > 0 and (chunk := self.rfile.read(min(length, _CHUNK))):
            length -= len(chunk)

    def _send(self, answer: SandboxResponse) -> None:
        """Send head and body in one write, hence in one packet."""
        if answer.cut is not None:
            self.close_connection = True
        reason = self.responses.get(answer.status, ("Unknown",))[0]
        lines = [
            f"HTTP/1.1 {answer.status} {reason}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        if "date" not in answer.headers:
            lines.append(f"Date: {format_datetime(self.server.clock().astimezone(UTC), usegmt=True)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.wfile.write(head + answer.body[: answer.cut])

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the journal is the log."""
