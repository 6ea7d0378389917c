"""HTTP, and the question after each error: did the request leave?

The answer for each of httpx's exceptions; "no" becomes Retry, "perhaps" Uncertain, "never" Failed:

    HTTPError
      RequestError
        TransportError
          TimeoutException
            ConnectTimeout         no        connect_timeout
            PoolTimeout            no        pool_timeout
            WriteTimeout           perhaps   write_timeout
            ReadTimeout            perhaps   read_timeout
          NetworkError
            ConnectError           no        dns, connect_refused, tls, connect_failed
            WriteError             perhaps   connection_lost
            ReadError              perhaps   connection_lost
            CloseError             perhaps   connection_lost
          ProtocolError
            LocalProtocolError     never     invalid_request
            RemoteProtocolError    perhaps   connection_lost (cut off, or not HTTP)
          ProxyError               no        proxy_refused
          UnsupportedProtocol      never     invalid_request
        DecodingError              perhaps   unreadable_answer
        TooManyRedirects           perhaps   (httpx follows none for us)
      HTTPStatusError              (not raised: a status is an answer)
    InvalidURL                     never     invalid_request
    StreamError, CookieConflict    perhaps   (a mistake of ours)

The class alone is not believed: httpx also tells when the first byte of a request goes out, and from then on
every error is "perhaps". Nothing that httpx says in words is passed on: its messages may hold headers.

A call has one deadline for all of it. httpx has time-outs per operation only, so that a server may drip a
byte at a time, and none for DNS; hence each call runs on a thread that it has to itself, whose caller leaves at
the deadline. A request that has not left by then never will.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from send_queue.model import Failed, Hold, Retry, Uncertain, clock
from send_queue.providers.http_answer import (
    Answer,
    Limits,
    NoAnswer,
    _json,
    _judge,
    _redirect,
    _TooLate,
    _unpacked,
    answered_at,
    by_status,
    hidden,
    plain,
    retry_after,
    why_no_connection,
)
from send_queue.providers.reach import host_of, refuse, rehearses

if TYPE_CHECKING:
    # At run time httpx (70 ms) is imported by the first call: a tick with nothing due makes none.
    import httpx

__all__ = [
    "Answer",
    "Http",
    "Limits",
    "NoAnswer",
    "answered_at",
    "by_status",
    "hidden",
    "plain",
    "retry_after",
    "why_no_connection",
]
"""Providers of others need these names for HTTP, and no other module of ours."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts called without a proxy, and perhaps without TLS."""

LOOPBACK_PATTERNS = tuple(f"all://{f'[{host}]' if ':' in host else host}" for host in LOOPBACK)
REDIRECTS = 3


class Http:
    """Make requests, from any thread; connections are reused for a few seconds.

    Proxies and certificates come from HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, as httpx reads them. `direct`: no proxy,
    and a connection for each request, since with `connect_to` two names may share an address, but no connection. If
    `env` rehearses, call this machine only.
    """

    def __init__(self, *, direct: bool = False, env: Mapping[str, str] | None = None) -> None:
        self._near = rehearses(env or {})
        self._direct = direct
        self._lock = threading.Lock()
        self._made: httpx.Client | None = None
        self._threads = _Threads()

    def get(
        self,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        hide: Sequence[str] = (),
    ) -> Answer | NoAnswer:
        """Make a GET request; follow redirects on the same host only, since headers hold a key."""
        until = time.monotonic() + limits.total
        answer = self.request("GET", url, limits=limits, headers=headers, params=params, hide=hide)
        for _ in range(REDIRECTS):
            if not isinstance(answer, Answer):
                return answer
            target = _redirect(url, answer)
            if target is None:
                return answer
            url = target
            left = replace(limits, total=max(0.0, until - time.monotonic()))
            answer = self.request("GET", url, limits=left, headers=headers, hide=hide)
        return answer

    def request(
        self,
        method: str,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        leave_by: float = inf,
        hide: Sequence[str] = (),
        connect_to: str | None = None,
        **content: Any,
    ) -> Answer | NoAnswer:
        """Make one request without redirects. `content` is httpx's: json, files, data, content, params.

        `connect_to`, for a `direct` client: the address to connect to, without a name server; the Host header and the
        certificate's name stay those of the URL. The answer's text leaves out the strings of `hide`, such as a key.

        The request leaves before its deadline and `leave_by` (on `model.clock`) or not at all, even if this process is
        suspended meanwhile. Raises `ConfigurationError` if a rehearsal must not call there.
        """
        if self._near:
            refuse(connect_to or host_of(url), "what it would call")
        call = _Call(min(leave_by, clock() + limits.total), hide)
        try:
            client = self._client()
        except Exception as error:  # an unknown proxy scheme, an unreadable certificate file
            return Hold(
                "lane",
                "client_unusable",
                f"No HTTP client can be made here ({type(error).__name__}): check HTTPS_PROXY, NO_PROXY and"
                " SSL_CERT_FILE.",
                after=timedelta(minutes=15),
            )
        try:
            request = client.build_request(
                method,
                url,
                headers=dict(headers or {}),
                timeout=_timeouts(limits),
                extensions={"trace": call.trace},
                **content,
            )
            if connect_to is not None:
                request.extensions["sni_hostname"] = request.url.host
                request.url = request.url.copy_with(host=connect_to)
            request.read()  # so that a form leaves in one piece, not in a packet for each boundary
        except Exception:  # a header that is not ASCII, a URL that is none
            return Failed("invalid_request", "No valid request can be made of it.")
        try:
            self._threads.run(lambda: call.run(client, request, limits), then=call.done.set)
        except RuntimeError:
            return Retry("no_thread", "The machine has no thread left.")
        call.done.wait(limits.total)
        return call.verdict_or_give_up(request.url.host)

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()
        self._threads.close()

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._made is None:
                import httpx

                # A sandbox on this machine is not behind the proxy.
                past = self._direct or self._near
                without_proxy = ("http://", "https://", "all://") if past else LOOPBACK_PATTERNS
                self._made = httpx.Client(
                    mounts=dict.fromkeys(without_proxy),
                    limits=httpx.Limits(max_connections=100, max_keepalive_connections=0 if self._direct else 20),
                    # Unpack here, bounded: httpx unpacks a whole chunk at once.
                    headers={"Accept-Encoding": "identity", "User-Agent": "send-queue"},
                )
                # Send no account's cookies with another's key.
                self._made.cookies.jar.set_policy(_no_cookies())
            return self._made


class _Threads:
    """Reusable threads, each with one call at a time; one that hangs is not reused."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None] | None]] = []

    def run(self, call: Callable[[], None], then: Callable[[], None]) -> None:
        """Begin a call that raises nothing; call `then` at its end, when its thread is free again.

        Raises `RuntimeError` if the machine has no thread left.
        """
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), daemon=True).start()

        def work() -> None:
            call()
            self._idle.append(inbox)
            then()

        inbox.put(work)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().put(None)

    @staticmethod
    def _work(inbox: SimpleQueue[Callable[[], None] | None]) -> None:
        while work := inbox.get():
            work()


class _Call:
    """One request on its thread, with its state for the caller at the deadline."""

    def __init__(self, leave_by: float, hide: Sequence[str]) -> None:
        self.done = threading.Event()
        self._leave_by = leave_by
        self._hide = hide
        self._lock = threading.Lock()
        self._left = False
        self._given_up = False
        self._verdict: Answer | NoAnswer | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note, before httpx writes, that the request leaves. A CONNECT to a proxy holds nothing of the message."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            with self._lock:
                if self._given_up or clock() > self._leave_by:
                    raise _TooLate
                self._left = True
        # httpx checks the headers after that event, before their first byte.
        if event.endswith("send_request_headers.failed"):
            self._left = self._left and type(info["exception"]).__name__ != "LocalProtocolError"

    def run(self, client: httpx.Client, request: httpx.Request, limits: Limits) -> None:
        verdict: Answer | NoAnswer = Uncertain("connection_lost", "The call broke off.")
        try:
            response = client.send(request, stream=True)
            try:
                verdict = self._read(response, limits.max_bytes)
            finally:
                response.close()
        except Exception as error:
            verdict = _judge(error, request.url.host, left=self._left)
        finally:
            with self._lock:
                self._verdict = verdict

    def verdict_or_give_up(self, host: str) -> Answer | NoAnswer:
        with self._lock:
            if self._verdict is not None:
                return self._verdict
            self._given_up = True
            if self._left:
                return Uncertain("deadline", f"{host}: no whole answer before the deadline.")
            return Retry("deadline", f"{host}: the request had not left at the deadline, and will not.")

    def _read(self, response: httpx.Response, max_bytes: int) -> Answer | NoAnswer:
        status, host = response.status_code, response.request.url.host
        body = bytearray()
        taken = 0
        try:
            for raw in response.iter_raw():
                if self._given_up:
                    raise _TooLate
                taken += len(raw)
                if taken > max_bytes:
                    break
                body += raw
            whole = _unpacked(bytes(body), response.headers.get("content-encoding", ""), max_bytes)
        except zlib.error:
            return Uncertain("unreadable_answer", f"{host}: the answer could not be unpacked.", status)
        if taken > max_bytes or len(whole) > max_bytes:
            return Uncertain("answer_too_large", f"{host}: the answer is over {max_bytes} bytes.", status)
        return Answer(status, dict(response.headers), _json(whole), whole.decode("utf-8", "replace"), self._hide)


def _timeouts(limits: Limits) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(limits.read, connect=limits.connect)


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy

    return DefaultCookiePolicy(allowed_domains=[])
