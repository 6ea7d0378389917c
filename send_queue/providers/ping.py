"""Tell a dead-man's switch that runs happen: who hears nothing any more raises the alarm.

The convention is that of healthchecks.io, which others follow: URL/start when a run begins, URL when it went well,
URL/fail when it did not; `rid` says which of several runs at once. Nothing that goes wrong here is of any consequence
to the run: silence is what the other side is there to notice.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

from send_queue.model import ConfigurationError
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Limits

LIMITS = Limits(connect=3, read=3, total=5)

PING_TIMEOUT_SECONDS = 2.0
"""Seconds that the end of a run waits, at the most, for what it has told to arrive."""


class Ping:
    """The pings of one run: made one after the other, on a thread that nobody waits for but at the end."""

    def __init__(self, url: str, run_id: str) -> None:
        """Raises `ConfigurationError` for what is no URL."""
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError("it is not a URL: set it to one that begins with https://")
        self._parts = parts
        self._run_id = run_id
        self._todo: SimpleQueue[str | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Say that a run has begun."""
        self._todo.put("/start")

    def end(self, *, well: bool) -> None:
        """Say how it ended, and wait a moment for that to arrive."""
        self._todo.put("" if well else "/fail")
        self._todo.put(None)
        self._thread.join(PING_TIMEOUT_SECONDS)

    def _work(self) -> None:
        http = Http()
        while (word := self._todo.get()) is not None:
            http.get(self.url(word), limits=LIMITS)
        http.close()

    def url(self, word: str) -> str:
        """The address that says a word. What the URL asks for already (`?status=up`) is kept.

        >>> Ping("https://hc.example/uuid?a=b", "7").url("/start")
        'https://hc.example/uuid/start?a=b&rid=7'
        """
        query = "&".join(filter(None, (self._parts.query, f"rid={self._run_id}")))
        return self._parts._replace(path=self._parts.path.rstrip("/") + word, query=query, fragment="").geturl()
