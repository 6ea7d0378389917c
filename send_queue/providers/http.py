"""HTTP, and the one question that matters after an error: did it leave?

httpx's exceptions, and the answer for each. "No" becomes Retry, "perhaps" Uncertain, "never" Failed.

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

import html
import json
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import inf
from queue import SimpleQueue
from socket import gaierror
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote, quote_plus, urljoin, urlsplit

from send_queue.model import Failed, Hold, Retry, Uncertain, clock
from send_queue.providers.reach import host_of, refuse, rehearses

if TYPE_CHECKING:
    # At run time httpx (70 ms) is imported by the first call: a tick with nothing due makes none.
    import httpx

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that are never reached through a proxy, and that may be spoken to without TLS."""

LOOPBACK_PATTERNS = tuple(f"all://{f'[{host}]' if ':' in host else host}" for host in LOOPBACK)
REDIRECTS = 3
MAX_WAIT = timedelta(days=30)
"""No Retry-After is believed beyond this."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: seconds, and bytes of the answer, both as sent and unpacked.

    `total` is the deadline of all of it; the others only let a hopeless call end earlier.
    """

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0
    max_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered, read to its end.

    `headers` have names in lower case; `json` is null where the body is not JSON; `text` is its beginning
    for a person, on one line, without what the call was told to hide.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    text: str


NoAnswer: TypeAlias = Retry | Hold | Failed | Uncertain

_LEFT: Mapping[str, tuple[Literal["no", "perhaps", "never"], str, str]] = {
    "ConnectTimeout": ("no", "connect_timeout", "the server did not take the connection in time"),
    "PoolTimeout": ("no", "pool_timeout", "no connection was free"),
    "ConnectError": ("no", "connect_failed", "no connection could be made"),
    "ProxyError": ("no", "proxy_refused", "the proxy refused to connect: check HTTPS_PROXY"),
    "WriteTimeout": ("perhaps", "write_timeout", "the server stopped reading"),
    "ReadTimeout": ("perhaps", "read_timeout", "no answer in time"),
    "NetworkError": ("perhaps", "connection_lost", "the connection was lost before the answer was there"),
    "RemoteProtocolError": ("perhaps", "connection_lost", "the answer was cut off or is not HTTP"),
    "DecodingError": ("perhaps", "unreadable_answer", "the answer could not be unpacked"),
    "LocalProtocolError": ("never", "invalid_request", "no valid request can be made of it"),
    "UnsupportedProtocol": ("never", "invalid_request", "no valid request can be made of it"),
    "InvalidURL": ("never", "invalid_request", "no valid request can be made of it"),
    "_TooLate": ("no", "deadline", "the request had not left in time, and will not"),
    "Exception": ("perhaps", "connection_lost", "the call broke off"),
}


class Http:
    """Makes requests, from any thread. Connections are kept for a few seconds and reused.

    Proxies and certificates come from HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, as httpx reads them. `direct`: no proxy,
    and no connection is used twice, for with `connect_to` two names may share an address, but no connection. Where
    `env` rehearses, nothing beyond this machine is called.
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
        """Ask. Redirects are followed on the same host only: a header with a key goes nowhere else."""
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
        """Make one request and follow nothing. `content` is httpx's: json, files, data, content, params.

        `connect_to` is an address to connect to instead of asking for the host's, where a client is `direct`: the Host
        header and the name in the certificate stay those of the URL.

        The strings of `hide`, such as a key that an error page may repeat, are kept out of the answer's text.

        It leaves before its deadline and `leave_by` (on `model.clock`) or not at all, also where this process was
        suspended in between. Raises `ConfigurationError` where a rehearsal must not call there.
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

                # A sandbox on this machine is not behind the proxy that the world is behind.
                past = self._direct or self._near
                without_proxy = ("http://", "https://", "all://") if past else LOOPBACK_PATTERNS
                self._made = httpx.Client(
                    mounts=dict.fromkeys(without_proxy),
                    limits=httpx.Limits(max_connections=100, max_keepalive_connections=0 if self._direct else 20),
                    # Packed answers are unpacked here, bounded; httpx unpacks a whole chunk at once.
                    headers={"Accept-Encoding": "identity", "User-Agent": "send-queue"},
                )
                # One account's cookies are not sent with another's key.
                self._made.cookies.jar.set_policy(_no_cookies())
            return self._made


class _Threads:
    """Threads that have one call at a time to themselves, and are used again; one that hangs is simply not there."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None] | None]] = []

    def run(self, call: Callable[[], None], then: Callable[[], None]) -> None:
        """Begin a call that raises nothing; `then` is called when it has ended and its thread may be used again.

        Raises `RuntimeError` where the machine has no thread left.
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


class _TooLate(Exception):
    """The caller has left: nothing may go out any more."""


class _Call:
    """One request on its thread, and what the caller may know of it at the deadline."""

    def __init__(self, leave_by: float, hide: Sequence[str]) -> None:
        self.done = threading.Event()
        self._leave_by = leave_by
        self._hide = hide
        self._lock = threading.Lock()
        self._left = False
        self._given_up = False
        self._verdict: Answer | NoAnswer | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx tells what it is about to do. The CONNECT to a proxy carries nothing of the message."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            with self._lock:
                if self._given_up or clock() > self._leave_by:
                    raise _TooLate
                self._left = True
        # The headers are checked after that event and before their first byte.
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
        text = plain(hidden(whole.decode("utf-8", "replace"), self._hide))
        return Answer(status, dict(response.headers), _json(whole), text)


def by_status(answer: Answer | NoAnswer, now: datetime) -> Answer | NoAnswer:
    """What an answer to a POST means by its status alone, for a provider that says nothing better: itself, if it is a
    yes. `now` is what a Retry-After date is measured by.

    What is 5xx, 408 or 499 may have arrived; 429 stops the lane, for 15 minutes where nothing else is asked for; any
    other no, and a redirect, is for good.
    """
    if not isinstance(answer, Answer) or 200 <= answer.status < 300:
        return answer
    code, status = f"http_{answer.status}", answer.status
    if status < 200 or status >= 500 or status in (408, 499):
        return Uncertain(code, answer.text, status)
    if status == 429:
        return Hold("lane", code, answer.text, retry_after(answer, now) or timedelta(minutes=15), http_status=status)
    return Failed(code, answer.text, status)


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """How long the server asks to wait, from seconds or an HTTP date; null where it says nothing usable.

    A date is measured by the server's own clock, its Date header, and by `now` where that is missing.
    """
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = min(int(value[:12]), int(MAX_WAIT.total_seconds()))
        return timedelta(seconds=seconds)
    until = _http_date(value)
    if until is None:
        return None
    wait = until - (answered_at(answer) or now)
    return min(max(wait, timedelta(0)), MAX_WAIT)


def answered_at(answer: Answer) -> datetime | None:
    """When the server answered by its own clock, to the second; null where its Date header says nothing usable."""
    return _http_date(answer.headers.get("date", ""))


def hidden(text: str, secrets: Sequence[str]) -> str:
    """A text on one line without the secrets, in whatever form an answer repeats what it was sent.

    Of the whole text: a secret that has been cut through is no longer found. One of less than 8 characters gives
    nothing away, and is part of other words.

    >>> hidden("X-API-KEY: a&b/c-0123 /?key=a%26b%2fc-0123", ["a&b/c-0123"])
    'X-API-KEY: … /?key=…'
    """
    line = _one_line(text)
    for secret in secrets:
        in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        in_url = (quote(secret, safe=safe, errors="replace") for safe in ("", "/"))
        forms = {secret, *in_json, *in_url, quote_plus(secret, errors="replace"), html.escape(secret)}
        for form in sorted(map(_one_line, forms), key=len, reverse=True):
            if len(form) >= 8:
                line = re.sub(re.escape(form), "…", line, flags=re.IGNORECASE)
    return line


def plain(text: str, limit: int = 300) -> str:
    """One printable line of at most `limit` characters: no control characters, nothing Postgres refuses.

    >>> plain("Cannot\\r\\n  resend\\x00 \\x1b[31myet")
    'Cannot resend [31myet'
    """
    line = _one_line(text[: limit * 20])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(filter(str.isprintable, line))


def _judge(error: BaseException, host: str, *, left: bool) -> NoAnswer:
    """Tell from an exception what became of the request."""
    names = (c.__name__ for c in type(error).__mro__)
    kind, code, words = next((_LEFT[name] for name in names if name in _LEFT), _LEFT["Exception"])
    if code == "connect_failed":
        code, words = why_no_connection(error) or (code, words)
    detail = f"{host}: {words}."
    if left or kind == "perhaps":
        return Uncertain(code, detail)
    return Retry(code, detail) if kind == "no" else Failed(code, detail)


def why_no_connection(error: BaseException) -> tuple[str, str] | None:
    """A code and words for an error that kept a connection from being made; null where nothing is known of it."""
    for cause in _causes(error):
        if isinstance(cause, gaierror):
            return "dns", "the name could not be resolved"
        if isinstance(cause, ConnectionRefusedError):
            return "connect_refused", "nothing listens there"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "tls", f"its certificate is not trusted ({plain(cause.verify_message, 80)})"
        if isinstance(cause, ssl.SSLError):
            return "tls", "no TLS could be agreed on"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """At most one byte more than `max_bytes`, however much a small body may hold."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            # 32 added to the window: zlib finds out itself whether the header is gzip's or its own.
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, max_bytes + 1)
        case _:
            raise zlib.error("unknown encoding")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _http_date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _redirect(url: str, answer: Answer) -> str | None:
    """Where an answer redirects to, if that is on the same host, port and scheme."""
    location = answer.headers.get("location")
    if answer.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    return target if same else None


def _timeouts(limits: Limits) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(limits.read, connect=limits.connect)


def _no_cookies() -> Any:
    from http.cookiejar import DefaultCookiePolicy

    return DefaultCookiePolicy(allowed_domains=[])
