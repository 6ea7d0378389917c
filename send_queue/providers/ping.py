"""Pings for a dead-man's switch, which raises the alarm when they stay away.

By the convention of healthchecks.io: URL/start when a run begins, URL when it ended well, URL/fail when not; `rid`
identifies the run. A failed ping does not affect the run.
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
"""Seconds that the end of a run waits for its pings."""


class Ping:
    """The pings of one run, made one after the other on a thread."""

    def __init__(self, url: str, run_id: str) -> None:
        """Raise `ConfigurationError` if it is no URL."""
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigurationError("it is not a URL: set it to one that begins with https://")
        self._parts = parts
        self._run_id = run_id
        self._todo: SimpleQueue[str | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Report that a run has begun."""
        self._todo.put("/start")

    def end(self, *, well: bool) -> None:
        """Report how it ended, and wait briefly for the pings."""
        self._todo.put("" if well else "/fail")
        self._todo.put(None)
        self._thread.join(PING_TIMEOUT_SECONDS)

    def _work(self) -> None:
        http = Http()
        while (word := self._todo.get()) is not None:
            http.get(self.url(word), limits=LIMITS)
        http.close()

    def url(self, word: str) -> str:
        """Return the address of a word; the URL's own query (`?status=up`) stays.

        >>> Ping("https://hc.example/uuid?a=b", "7").url("/start")
        'https://hc.example/uuid/start?a=b&rid=7'
        """
        query = "&".join(filter(None, (self._parts.query, f"rid={self._run_id}")))
        return self._parts._replace(path=self._parts.path.rstrip("/") + word, query=query, fragment="").geturl()
