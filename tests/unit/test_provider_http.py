"""Did it leave? Against real sockets that misbehave in every way that servers do."""

from __future__ import annotations

import gzip
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from chaos.ports import unused_port
from hypothesis import given, settings
from hypothesis import strategies as st

from send_queue.model import Failed, Hold, Retry, Uncertain
from send_queue.providers import http, http_answer
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, NoAnswer, answered_at, hidden, plain, retry_after

QUICK = Limits(connect=5, read=5, total=15, max_bytes=100_000)
HASTY = Limits(connect=1, read=5, total=0.3)
KEY = {"X-API-KEY": "the-secret-key"}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

Script = Callable[[socket.socket], None]


class Server:
    """Hands each connection to `script` on a thread; keeps what was read through `request`."""

    def __init__(self, script: Script | None = None) -> None:
        self.script: Script = script or self.ok
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = threading.Semaphore(0)
        """A connection that is over."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.script(connection)
        self.ended.release()

    def request(self, connection: socket.socket) -> bytes:
        """Read one whole request; empty where the other side has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            got = connection.recv(65536)
            if not got:
                return b""
            data += got
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def answer(self, *, status: str = "200 OK", headers: str = "", body: bytes = b'{"ok": 1}') -> Script:
        def script(connection: socket.socket) -> None:
            while self.request(connection):
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
                connection.sendall(head.encode() + body)

        return script

    def ok(self, connection: socket.socket) -> None:
        self.answer()(connection)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def client() -> Iterator[Http]:
    made = Http()
    yield made
    made.close()


def post(client: Http, url: str, limits: Limits = QUICK, **content: Any) -> Answer | NoAnswer:
    return client.request("POST", url, limits=limits, headers=KEY, **(content or {"json": {"text": "hello"}}))


# --- the tree ---------------------------------------------------------------------------------------------

EXPECTED = {
    httpx.ConnectTimeout: (Retry, "connect_timeout"),
    httpx.PoolTimeout: (Retry, "pool_timeout"),
    httpx.ConnectError: (Retry, "connect_failed"),
    httpx.ProxyError: (Retry, "proxy_refused"),
    httpx.WriteTimeout: (Uncertain, "write_timeout"),
    httpx.ReadTimeout: (Uncertain, "read_timeout"),
    httpx.WriteError: (Uncertain, "connection_lost"),
    httpx.ReadError: (Uncertain, "connection_lost"),
    httpx.CloseError: (Uncertain, "connection_lost"),
    httpx.RemoteProtocolError: (Uncertain, "connection_lost"),
    httpx.DecodingError: (Uncertain, "unreadable_answer"),
    httpx.TooManyRedirects: (Uncertain, "connection_lost"),
    httpx.LocalProtocolError: (Failed, "invalid_request"),
    httpx.UnsupportedProtocol: (Failed, "invalid_request"),
    httpx.InvalidURL: (Failed, "invalid_request"),
}


def leaves(kind: type[BaseException]) -> list[type[BaseException]]:
    below = kind.__subclasses__()
    return [leaf for sub in below for leaf in leaves(sub)] if below else [kind]


def test_every_exception_of_httpx_has_an_answer() -> None:
    """Each exception that a request of httpx's can end with is in the tree."""
    assert set(leaves(httpx.RequestError)) | {httpx.InvalidURL} == set(EXPECTED)


@pytest.mark.parametrize(("kind", "expected"), EXPECTED.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_the_class_of_an_error_says_whether_it_left(kind: type[Exception], expected: tuple[type, str]) -> None:
    """Before the bytes are written: Retry; after: Uncertain; a request that cannot be made: Failed."""
    verdict = http_answer._judge(kind("X-API-KEY: the-secret-key"), "host", left=False)

    assert expected == (type(verdict), verdict.code)
    assert "secret" not in verdict.detail


@pytest.mark.parametrize("kind", [*EXPECTED, ValueError, OSError], ids=lambda k: k.__name__)
def test_after_the_first_byte_every_error_is_uncertain(kind: type[Exception]) -> None:
    """Once the request has begun to go out, no error proves that it did not arrive."""
    assert isinstance(http_answer._judge(kind("x"), "host", left=True), Uncertain)


def test_an_unknown_error_is_uncertain() -> None:
    """What nobody has thought of is not sent again."""
    assert isinstance(http_answer._judge(RuntimeError("x"), "host", left=False), Uncertain)


# --- it certainly did not leave ---------------------------------------------------------------------------


def test_nothing_listens(client: Http) -> None:
    """A refused connection carried nothing: Retry."""
    verdict = post(client, f"http://127.0.0.1:{unused_port()}/x")

    assert isinstance(verdict, Retry)
    assert verdict.code == "connect_refused"


def test_the_name_is_not_known(client: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve carried nothing: Retry."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    verdict = post(client, "https://api8.example.invalid/x")

    assert isinstance(verdict, Retry)
    assert verdict.code == "dns"
    assert "api8.example.invalid" in verdict.detail


def test_no_tls_there(client: Http, server: Server) -> None:
    """Without TLS nothing is written, least of all the key: Retry."""
    seen: list[bytes] = []

    def plaintext(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server.script = plaintext
    verdict = post(client, server.url.replace("http:", "https:"))

    assert isinstance(verdict, Retry)
    assert verdict.code == "tls"
    assert b"secret" not in b"".join(seen)


def test_a_request_that_cannot_be_made_fails(client: Http, server: Server) -> None:
    """A header that breaks the line is no request: Failed, nothing is sent, and the key stays unsaid."""
    for key in ("the-secret\nkey", "the-secret-kéy"):
        verdict = client.request("POST", server.url, limits=QUICK, headers={"X-API-KEY": key})

        assert isinstance(verdict, Failed)
        assert verdict.code == "invalid_request"
        assert "secret" not in repr(verdict)
    assert server.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:x/", "gopher://127.0.0.1/x", "http://", "/x"])
def test_an_address_that_is_none_fails(client: Http, url: str) -> None:
    """A URL that names no HTTP server is not asked again."""
    verdict = post(client, url)

    assert isinstance(verdict, Failed)
    assert verdict.code == "invalid_request"


def test_what_has_not_left_at_the_deadline_never_leaves(
    client: Http, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers after the deadline starts no request behind the caller's back."""
    real, resolved = socket.getaddrinfo, threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        resolved.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    verdict = post(client, server.url, HASTY)
    resolved.set()
    assert server.ended.acquire(timeout=10)  # it connected, too late, and has hung up

    assert isinstance(verdict, Retry)
    assert verdict.code == "deadline"
    assert server.requests == []


# --- it may have left -------------------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    connection.recv(1, socket.MSG_PEEK)  # it has arrived, and stays unread
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_closed_before_reading(client: Http, server: Server) -> None:
    """A reset by a server that has read nothing looks like one by a server that has read all: Uncertain."""
    server.script = reset
    verdict = post(client, server.url)

    assert isinstance(verdict, Uncertain)
    assert verdict.code == "connection_lost"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    ],
)
def test_closed_after_reading(client: Http, server: Server, sent: bytes) -> None:
    """Nothing, half an answer, or no HTTP at all: the request was read, so it may have gone out."""

    def script(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(sent)

    server.script = script
    verdict = post(client, server.url)

    assert isinstance(verdict, Uncertain)
    assert verdict.code == "connection_lost"
    assert len(server.requests) == 1


def test_silence(client: Http, server: Server) -> None:
    """A server that takes the request and says nothing: Uncertain, after the read time-out."""
    silent = threading.Event()

    def script(connection: socket.socket) -> None:
        server.request(connection)
        silent.wait(3)

    server.script = script
    verdict = post(client, server.url, Limits(read=0.1, total=2))
    silent.set()

    assert isinstance(verdict, Uncertain)
    assert verdict.code == "read_timeout"


@pytest.mark.parametrize("before", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_a_slow_drip_meets_the_deadline(client: Http, server: Server, before: bytes) -> None:
    """A byte now and then, in the headers or in the body, holds nobody longer than the deadline."""

    def script(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(before)
        for _ in range(400):
            time.sleep(0.05)  # the drip itself, which is what is tested
            connection.sendall(b"x")

    server.script = script
    began = time.monotonic()
    verdict = post(client, server.url, Limits(connect=5, read=5, total=1))

    assert time.monotonic() - began < 15  # seconds; the drip lasts 20
    assert isinstance(verdict, Uncertain)
    assert verdict.code == "deadline"


def test_a_huge_answer(client: Http, server: Server) -> None:
    """Ten megabytes are not read to their end."""
    server.script = server.answer(body=b" " * 10_000_000)
    verdict = post(client, server.url)

    assert isinstance(verdict, Uncertain)
    assert (verdict.code, verdict.http_status) == ("answer_too_large", 200)


def test_a_packed_bomb(client: Http, server: Server) -> None:
    """A small packed answer is unpacked to the limit and no further."""
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < QUICK.max_bytes
    server.script = server.answer(headers="Content-Encoding: gzip\r\n", body=bomb)
    verdict = post(client, server.url)

    assert isinstance(verdict, Uncertain)
    assert verdict.code == "answer_too_large"


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_packed_wrongly(client: Http, server: Server, encoding: str) -> None:
    """An answer that cannot be unpacked tells nothing."""
    server.script = server.answer(headers=f"Content-Encoding: {encoding}\r\n", body=b"{}")
    verdict = post(client, server.url)

    assert isinstance(verdict, Uncertain)
    assert verdict.code == "unreadable_answer"


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_a_server_says_is_a_value(sent: bytes) -> None:
    """No bytes of a server's make a request raise."""
    server, client = Server(), Http()

    def script(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" * (len(sent) % 2) + sent)

    server.script = script
    try:
        assert isinstance(post(client, server.url), Answer | Uncertain)
    finally:
        client.close()
        server.close()


# --- an answer --------------------------------------------------------------------------------------------


def test_an_answer(client: Http, server: Server) -> None:
    """An answer has its status, its headers in lower case, its JSON and its beginning as one line."""
    server.script = server.answer(status="422 No", headers="X-Is: Here\r\n", body=b'{"type":\r\n "errors/x"}')
    answer = post(client, server.url)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["x-is"]) == (422, "Here")
    assert answer.json == {"type": "errors/x"}
    assert answer.text == '{"type": "errors/x"}'


def test_a_packed_answer(client: Http, server: Server) -> None:
    """We ask for no packing, and unpack what comes packed all the same."""
    server.script = server.answer(headers="Content-Encoding: gzip\r\n", body=gzip.compress(b'{"a": 1}'))
    answer = post(client, server.url)

    assert isinstance(answer, Answer)
    assert answer.json == {"a": 1}
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 90_000, b"\xff\xfe\xfd", b'{"a": ' + b"9" * 5000 + b"}", b"{"])
def test_no_json(client: Http, server: Server, body: bytes) -> None:
    """HTML, nothing, and JSON made to break a parser are answers without JSON."""
    server.script = server.answer(body=body)
    answer = post(client, server.url)

    assert isinstance(answer, Answer)
    assert answer.json is None


def test_connections_are_kept_and_cookies_are_not(client: Http, server: Server) -> None:
    """The second request uses the first one's connection, and none of its cookies."""
    server.script = server.answer(headers="Set-Cookie: seen=1; Path=/\r\n")
    post(client, server.url)
    post(client, server.url)

    assert server.connections == 1
    assert b"cookie" not in server.requests[1].lower()


def test_many_threads_share_a_client(client: Http, server: Server) -> None:
    """Requests from many threads at once all get their own answers."""

    def echo(connection: socket.socket) -> None:
        while asked := server.request(connection):
            body = asked.partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    server.script = echo
    answers: dict[int, Answer | NoAnswer] = {}

    def ask(n: int) -> None:
        answers[n] = post(client, server.url, json={"n": n})

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {n: {"n": n} for n in range(20)} == {
        n: answer.json for n, answer in answers.items() if isinstance(answer, Answer)
    }


def test_a_closed_client_opens_again(client: Http, server: Server) -> None:
    """Closing gives back connections; a later request makes new ones."""
    post(client, server.url)
    client.close()

    assert isinstance(post(client, server.url), Answer)


# --- redirects --------------------------------------------------------------------------------------------


def test_a_post_is_never_redirected(client: Http, server: Server) -> None:
    """A redirected POST is an answer: it is not made twice, nor elsewhere."""
    server.script = server.answer(status="307 Temporary Redirect", headers="Location: /y\r\n")
    answer = post(client, server.url)

    assert isinstance(answer, Answer)
    assert answer.status == 307
    assert len(server.requests) == 1


def test_a_get_follows_on_the_same_host(client: Http, server: Server) -> None:
    """A path without its slash may redirect; the key goes along to the same host."""

    def script(connection: socket.socket) -> None:
        while asked := server.request(connection):
            moved = b"HTTP/1.1 301 Moved\r\nLocation: /x/?a=1\r\nContent-Length: 0\r\n\r\n"
            here = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            connection.sendall(here if asked.startswith(b"GET /x/") else moved)

    server.script = script
    answer = client.get(server.url, limits=QUICK, headers=KEY, params={"a": "1"})

    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert [r.split(b" ")[1] for r in server.requests] == [b"/x?a=1", b"/x/?a=1"]
    assert b"the-secret-key" in server.requests[1]


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/", "https://127.0.0.1:{port}/", "//127.0.0.1/", "http://["]
)
def test_a_get_goes_to_no_other_host(client: Http, server: Server, target: str) -> None:
    """Another host, port or scheme would be shown the key: the redirect itself is the answer."""
    location = target.format(port=server.port)
    server.script = server.answer(status="302 Found", headers=f"Location: {location}\r\n")
    answer = client.get(server.url, limits=QUICK, headers=KEY)

    assert isinstance(answer, Answer)
    assert answer.status == 302
    assert len(server.requests) == 1


def test_a_redirect_loop_ends(client: Http, server: Server) -> None:
    """Redirects that go in a circle are followed three times."""
    server.script = server.answer(status="302 Found", headers="Location: /x\r\n")
    answer = client.get(server.url, limits=QUICK, headers=KEY)

    assert isinstance(answer, Answer)
    assert answer.status == 302
    assert len(server.requests) == 1 + http.REDIRECTS


# --- proxies ----------------------------------------------------------------------------------------------


def test_a_sandbox_is_not_behind_the_proxy(client: Http, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is reached directly, whatever proxy the world is behind."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")

    assert isinstance(post(client, server.url), Answer)
    assert isinstance(post(client, server.url.replace("127.0.0.1", "localhost")), Answer)


def test_the_world_is_reached_through_the_proxy(client: Http, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is used; when it refuses to connect, nothing has left: Retry."""
    server.script = server.answer(status="407 Proxy Authentication Required", body=b"")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    verdict = post(client, "https://api8.example.invalid:13851/x")

    assert isinstance(verdict, Retry)
    assert verdict.code == "proxy_refused"
    assert server.requests[0].startswith(b"CONNECT api8.example.invalid:13851 ")
    assert b"the-secret-key" not in server.requests[0]


def test_a_proxy_that_cannot_be_used_holds(client: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind is the machine's fault: no message pays for it, and a person is told."""
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "gopher://127.0.0.1:1")

    verdict = post(client, "https://api8.example.invalid/x")

    assert isinstance(verdict, Hold)
    assert (verdict.scope, verdict.code, verdict.after) == ("lane", "client_unusable", timedelta(minutes=15))
    assert "HTTPS_PROXY" in verdict.detail


# --- small things -----------------------------------------------------------------------------------------


def answered(**headers: str) -> Answer:
    return Answer(429, {name.replace("_", "-"): value for name, value in headers.items()}, None, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Mon, 02 Mar 2026 13:00:00 GMT", timedelta(hours=1)),
        ("Mon, 02 Mar 2026 14:00:00 +0100", timedelta(hours=1)),
        ("Mon, 02 Mar 2026 13:00:00 -0000", timedelta(hours=1)),
        ("Mon, 02 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("9" * 400, timedelta(days=30)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(days=30)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("Mon, 99 Foo 2026", None),
        ("Mon, 02 Mar 2026 13:00:00 +9999", None),
    ],
)
def test_retry_after(value: str, expected: timedelta | None) -> None:
    """Seconds or a date; never less than nothing, never more than 30 days; nonsense is silence."""
    assert expected == retry_after(answered(retry_after=value), NOON)


def test_a_date_is_measured_by_the_servers_clock() -> None:
    """A server an hour ahead of us asks for the wait that it means."""
    answer = answered(retry_after="Mon, 02 Mar 2026 13:30:00 GMT", date="Mon, 02 Mar 2026 13:00:00 GMT")

    assert retry_after(answer, NOON) == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 02 Mar 2026 13:00:00 GMT", NOON + timedelta(hours=1)),
        ("now", None),
        ("", None),
    ],
)
def test_when_a_server_answered(date: str, expected: datetime | None) -> None:
    """By its Date header alone; nonsense is silence."""
    assert answered_at(answered(date=date)) == expected


def test_a_secret_is_hidden_before_the_text_is_cut(server: Server, client: Http) -> None:
    """A page that repeats the key across the end of what is kept shows no part of it; also when it was asked for
    through a redirect."""
    page = b"x" * 290 + b" " * 5000 + b"the-secret-key, and so on"
    server.script = server.answer(status="502 Bad Gateway", body=page)
    answer = client.request("POST", server.url, limits=QUICK, hide=("the-secret-key",))
    assert isinstance(answer, Answer)
    assert answer.text == "x" * 290 + " …, and s…"

    asked = client.get(server.url, limits=QUICK, hide=("the-secret-key",))
    assert isinstance(asked, Answer)
    assert asked.text == answer.text


class Unread(tuple[str, ...]):
    """Strings to hide that nobody may look at."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("somebody looked for what is to be hidden")


def test_a_yes_looks_for_no_secret(server: Server, client: Http) -> None:
    """Secrets are sought only where the text is read: to look for a mail of 200 kB takes long."""
    answer = client.request("POST", server.url, limits=QUICK, hide=Unread(["the-secret-key"]))
    assert isinstance(answer, Answer)
    assert answer.status == 200
    with pytest.raises(AssertionError):
        _ = answer.text


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("İ THE-SECRET-KEY İ", "the-secret-key"),  # whose lower case is two characters
        ("ΣΊΣΥΦΟΣ ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ ΣΊΣΥΦΟΣ"),  # a sigma at the end has a lower case of its own
        ("GRÜSSE AUS KÖLN", "grüsse aus köln"),
        ("no the%2Dsecret-key, THE&AMP;SECRET", "the&secret"),
    ],
)
def test_a_secret_is_hidden_in_upper_and_lower_case(said: str, secret: str) -> None:
    """Each form, in the letters of any language."""
    assert "…" in hidden(said, [secret])
    assert secret.lower() not in hidden(said, [secret]).lower()


@given(st.text(min_size=8), st.text(max_size=20), st.text(max_size=20))
def test_what_is_hidden_is_not_there(secret: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    line = hidden(" ".join(secret.split()), [])
    found = hidden(f"{before} {secret} {after}", [secret])

    if len(line) >= 8:
        assert line not in found.replace("…", "")
        assert "…" in found


@given(st.text(), st.integers(1, 50))
def test_plain_text_can_always_be_stored(text: str, limit: int) -> None:
    """One printable line within its limit, whatever went in."""
    line = plain(text, limit)

    assert len(line) <= limit
    assert line.isprintable()
    assert line.encode().decode() == line


def test_httpx_is_imported_by_the_first_call_only() -> None:
    """A tick with nothing due pays for no HTTP client."""
    program = (
        "import sys, send_queue.providers, send_queue.providers.unipile.provider as u;"
        "u.Unipile({'UNIPILE_DSN': 'a.example'}); sys.exit('httpx' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
