"""A dead-man's switch to test with: it notes what it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Switch:
    """`heard` are the paths that were asked for, in order; it answers once `go_on` is set, as it is from the start."""

    url: str
    heard: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening() -> Iterator[Switch]:
    """A switch on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            switch.heard.append(self.path)
            switch.go_on.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    switch = Switch(f"http://127.0.0.1:{server.server_port}/check")
    switch.go_on.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield switch
    finally:
        switch.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
