"""What came back from an HTTP call, and what it means."""

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

    `headers` have names in lower case; `json` is null where the body is not JSON; `body` is all of it; `hide` are the
    strings that `text` leaves out.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    body: str
    hide: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The beginning of the body for a person, on one line, without what the call was told to hide.

        It is made when it is asked for, after the call: most answers are a yes, whose text nobody reads.
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
    """The caller has left: nothing may go out any more."""


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
        if len(_one_line(secret)) > len(line):
            continue  # as are all its forms
        in_json = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        in_url = (quote(secret, safe=safe, errors="replace") for safe in ("", "/"))
        forms = {secret, *in_json, *in_url, quote_plus(secret, errors="replace"), html.escape(secret)}
        for form in sorted(map(_one_line, forms), key=len, reverse=True):
            if len(form) >= 8:
                line = _without(line, form)
    return line


def _without(line: str, form: str) -> str:
    """A line with "…" in place of each occurrence of a form, in upper or lower case, in linear time."""
    low, sought = _lower(line), _lower(form)
    kept, since = [], 0
    while (at := low.find(sought, since)) >= 0:
        kept += [line[since:at], "…"]
        since = at + len(sought)
    return "".join([*kept, line[since:]])


def _lower(text: str) -> str:
    """A text in lower case, each character in its place: of some, the lower case is two, or depends on the next."""
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def advised(detail: str, advice: str) -> str:
    """What a provider said, and what to do about it: two sentences, of which its own may lack the full stop.

    >>> advised("bad key", "Check the key."), advised("Bad key.", "Check the key."), advised("", "Check the key.")
    ('bad key. Check the key.', 'Bad key. Check the key.', 'Check the key.')
    """
    detail = detail.strip()
    ends = not detail or not advice or detail[-1] in ".!?:;…"
    return f"{detail}{'' if ends else '.'} {advice}".strip()


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
