"""A server that misbehaves on demand, on real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole request. Header names are in lower case; `raw` is the unchanged bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes


Behaviour: TypeAlias = Callable[["Server", socket.socket, Seen], None]
"""The reaction to a request that was read; the server then closes the connection."""


class Server:
    """Apply `behave` to every request for a send. `before` returns the behaviour for any other request, such as a
    preceding query, and None for a send. With `mute` the server neither reads nor writes."""

    behave: Behaviour

    def __init__(self, before: Callable[[Seen], Behaviour | None] = lambda _: None, *, mute: bool = False) -> None:
        self.sends: list[Seen] = []
        """The requests without a behaviour of `before`."""
        self.over = threading.Event()
        """Set when the server closes; behaviours that hold a connection wait for it."""
        self.behave = silence
        self._before, self._mute = before, mute
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name="misbehaving", daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._mute:
                self.over.wait()
                return
            if (seen := _read(connection)) is None:
                return
            behave = self._before(seen)
            if behave is None:
                self.sends.append(seen)
                behave = self.behave
            behave(self, connection, seen)


def _read(connection: socket.socket) -> Seen | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        if not (more := connection.recv(65536)):
            return None
        raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, *_ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")) and (more := connection.recv(65536)):
        body += more
    return Seen(method, path, headers, body, head + b"\r\n\r\n" + body)


# --- behaviours -------------------------------------------------------------------------------------------


def reply(status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> Behaviour:
    """Answer completely; `Retry_After="7"` is a header."""

    def behave(_: Server, connection: socket.socket, __: Seen) -> None:
        connection.sendall(_head(status, len(body), {"content-type": content_type, **headers}) + body)

    return behave


def echo(status: int) -> Behaviour:
    """Answer with the request, like error pages."""

    def behave(server: Server, connection: socket.socket, seen: Seen) -> None:
        reply(status, b"<pre>" + seen.raw + b"</pre>", "text/html")(server, connection, seen)

    return behave


def silence(server: Server, _: socket.socket, __: Seen) -> None:
    """Send nothing."""
    server.over.wait()


def hang_up(_: Server, __: socket.socket, ___: Seen) -> None:
    """Close the connection without an answer."""


def reset(_: Server, connection: socket.socket, __: Seen) -> None:
    """Reset the connection, losing written data."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_off(_: Server, connection: socket.socket, __: Seen) -> None:
    """Begin an answer that says yes, and close halfway."""
    connection.sendall(_head(200, 1000) + b'{"id": ')


def drip(server: Server, connection: socket.socket, _: Seen) -> None:
    """Send a yes byte by byte, without end."""
    connection.sendall(_head(200, 1 << 20))
    while not server.over.wait(0.05):  # seconds
        connection.sendall(b" ")


ENDLESS = (silence, drip)
"""Behaviours that never end by themselves."""


def babble(_: Server, connection: socket.socket, __: Seen) -> None:
    """Answer in another protocol than HTTP."""
    connection.sendall(b"220 mail.example.org ESMTP\r\n")


def _head(status: int, length: int, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {length}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
