"""The answer to an HTTP call, and its meaning."""

from __future__ import annotations

import html
import json
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from socket import gaierror
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, quote_plus, urljoin, urlsplit

from send_queue.model import Failed, Hold, Retry, Uncertain

MAX_WAIT = timedelta(days=30)
"""The longest Retry-After that is believed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one call: seconds, and bytes of the answer, packed and unpacked.

    `total` is the call's deadline; the others end a hopeless call earlier.
    """

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0
    max_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, read to its end.

    `headers` have names in lower case; `json` is None if the body is not JSON; `text` leaves out the strings of `hide`.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    body: str
    hide: Sequence[str] = ()

    @property
    def text(self) -> str:
        """Return the beginning of the body, on one line, without the strings of `hide`.

        Computed on demand: nobody reads the text of a yes.
        """
        return plain(hidden(self.body, self.hide))


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


class _TooLate(Exception):
    """The caller gave up: nothing may leave any more."""


def by_status(answer: Answer | NoAnswer, now: datetime) -> Answer | NoAnswer:
    """Judge an answer to a POST by its status alone; return a yes as it is. A Retry-After date counts from `now`.

    After 5xx, 408 and 499 it may have arrived; 429 holds the lane, for 15 minutes unless the answer gives a time; any
    other refusal, and a redirect, is final.
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
    """Return the time of Retry-After, in seconds or as an HTTP date; None without a usable one.

    A date counts from the server's clock, its Date header, else from `now`.
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
    """Return the moment of the answer by the server's clock, to the second; None without a usable Date header."""
    return _http_date(answer.headers.get("date", ""))


def hidden(text: str, secrets: Sequence[str]) -> str:
    """Return a text on one line without the secrets, in any form in which an answer may repeat them.

    Give it the whole text: a cut secret is not found. Secrets of less than 8 characters stay: they are part of other
    words.

    >>> hidden("X-API-KEY: a&b/c-0123 /?key=a%26b%2fc-0123", ["a&b/c-0123"])
    'X-API-KEY: … /?key=…'
    """
    line = _one_line(text)
    for secret in secrets:
        if len(_one_line(secret)) > len(line):
            continue  # so are all its forms
        in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        in_url = (quote(secret, safe=safe, errors="replace") for safe in ("", "/"))
        forms = {secret, *in_json, *in_url, quote_plus(secret, errors="replace"), html.escape(secret)}
        for form in sorted(map(_one_line, forms), key=len, reverse=True):
            if len(form) >= 8:
                line = _without(line, form)
    return line


def _without(line: str, form: str) -> str:
    """Replace each occurrence of a form, in any case, by "…"; in linear time."""
    low, sought = _lower(line), _lower(form)
    kept, since = [], 0
    while (at := low.find(sought, since)) >= 0:
        kept += [line[since:at], "…"]
        since = at + len(sought)
    return "".join([*kept, line[since:]])


def _lower(text: str) -> str:
    """Lower a text and keep each character's place: some would become two, or depend on the next."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def advised(detail: str, advice: str) -> str:
    """Join a provider's detail and advice as two sentences; the first may lack its full stop.

    >>> advised("bad key", "Check the key."), advised("Bad key.", "Check the key."), advised("", "Check the key.")
    ('bad key. Check the key.', 'Bad key. Check the key.', 'Check the key.')
    """
    detail = detail.strip()
    ends = not detail or not advice or detail[-1] in ".!?:;…"
    return f"{detail}{'' if ends else '.'} {advice}".strip()


def plain(text: str, limit: int = 300) -> str:
    """Return one printable line of at most `limit` characters, without control characters.

    >>> plain("Cannot\\r\\n  resend\\x00 \\x1b[31myet")
    'Cannot resend [31myet'
    """
    line = _one_line(text[: limit * 20])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(filter(str.isprintable, line))


def _judge(error: BaseException, host: str, *, left: bool) -> NoAnswer:
    """Judge an exception: whether the request left."""
    names = (c.__name__ for c in type(error).__mro__)
    kind, code, words = next((_LEFT[name] for name in names if name in _LEFT), _LEFT["Exception"])
    if code == "connect_failed":
        code, words = why_no_connection(error) or (code, words)
    detail = f"{host}: {words}."
    if left or kind == "perhaps":
        return Uncertain(code, detail)
    return Retry(code, detail) if kind == "no" else Failed(code, detail)


def why_no_connection(error: BaseException) -> tuple[str, str] | None:
    """Return a code and words for a failed connection; None for an unknown error."""
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
    """Unpack at most one byte more than `max_bytes`, however much a small body holds."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip" | "deflate":
            # 32 added to the window: zlib detects gzip's header or its own.
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
    """Return the target of a redirect to the same host, port and scheme; else None."""
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
