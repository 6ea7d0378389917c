"""Webhooks: the rules of Standard Webhooks, and where a call must not go."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from answering import Answering, answering

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers import FOREVER, repeatable_for, url_guard
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Limits
from send_queue.providers.url_guard import addresses, is_public, resolved
from send_queue.providers.webhook import SUPPRESSES, Webhook, signature
from send_queue.sandbox import Fault, Sandbox
from send_queue.sandbox.webhook import SECRET

QUICK = Limits(connect=5, read=5, total=15)
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
KEY = bytes(range(32))
WHSEC = "whsec_" + b64encode(KEY).decode()
NAME = f"msg_{UUID(int=1)}"

CALL = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="webhook",
    recipient="https://hooks.example.org/x",
    subject=None,
    message="paid: 5 €",
    payload={},
    account_id=UUID(int=3),
    account="events",
    provider="webhook",
    provider_account_id=None,
    secret_env=None,
    campaign="events",
    started_at=NOON,
    created_at=NOON - timedelta(days=1),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Answering]:
    with answering() as api:
        yield api


@pytest.fixture
def api(running: Answering) -> Answering:
    running.asked.clear()
    running.now = NOON
    running.always(204, b"")
    return running


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    provider = made()
    yield provider
    provider.close()


def made(**env: str) -> Webhook:
    return Webhook({"WEBHOOK_SECRET": WHSEC, "WEBHOOK_ALLOW_HOSTS": "127.0.0.1", **env}, post=QUICK)


def to(api: Answering, send: Claimed = CALL, **more: Any) -> Claimed:
    return replace(send, recipient=f"{api.url}/hooks?id=7", **more)


# --- the request ------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_published_vector() -> None:
    key = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_request_is_one_that_a_receiver_can_verify(api: Answering, webhook: Webhook) -> None:
    assert webhook.send(to(api)) == Sent(NAME, 204)
    [asked] = api.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/hooks", {"id": ["7"]})
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["webhook-id"] == NAME
    assert asked.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    content = f"{NAME}.{int(NOON.timestamp())}.".encode() + asked.body
    expected = b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    assert asked.headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(asked.body) == {
        "type": "message", "timestamp": "2026-03-01T12:00:00.123456Z",
        "data": {"message": CALL.message, "subject": None, "recipient": f"{api.url}/hooks?id=7"},
    }  # fmt: skip


def test_every_try_has_the_same_id_and_the_same_bytes_and_a_time_of_its_own(api: Answering, webhook: Webhook) -> None:
    webhook.send(to(api))
    webhook.send(to(api, attempt_id=UUID(int=9), attempt_number=2, started_at=NOON + timedelta(hours=1)))
    first, second = api.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600


def test_while_a_secret_is_changed_both_sign(api: Answering) -> None:
    other = bytes(24)
    webhook = made(WEBHOOK_SECRET=f"{WHSEC} whsec_{b64encode(other).decode()}")
    webhook.send(to(api))
    first, second = api.asked[0].headers["webhook-signature"].split(" ")
    assert first != second
    for word, key in ((first, KEY), (second, other)):
        assert word == signature(key, NAME, int(NOON.timestamp()), api.asked[0].body)


def test_the_payload_says_what_happened_and_when(api: Answering, webhook: Webhook) -> None:
    event = {"type": "invoice.paid", "timestamp": "2026-02-01T00:00:00Z", "data": {"id": 7, "who": "Zoë"}}
    webhook.send(to(api, payload=event))
    assert json.loads(api.asked[0].body) == event


@pytest.mark.parametrize("kind", [7, "", "a b", "invoice..paid", ".", None])
def test_a_type_that_is_none_is_not_sent(api: Answering, webhook: Webhook, kind: object) -> None:
    said = webhook.send(to(api, payload={"type": kind}))
    assert isinstance(said, Failed)
    assert (said.code, api.asked) == ("invalid_payload", [])


@pytest.mark.parametrize("secret", [
    "", WHSEC.removeprefix("whsec_"), "whsec_" + b64encode(bytes(23)).decode(),
    "whsec_" + b64encode(bytes(65)).decode(), "whsec_not base64", f"{WHSEC} second",
])  # fmt: skip
def test_a_secret_that_is_none_is_said_before_anything_leaves(api: Answering, secret: str) -> None:
    with pytest.raises(ConfigurationError) as said:
        made(WEBHOOK_SECRET=secret).send(to(api))
    assert api.asked == []
    assert not secret or secret not in str(said.value)


# --- the answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "outcome", "code"), [
    ((200, b"ok"), Sent, None), ((202, {}), Sent, None), ((299, b""), Sent, None),
    ((200, b"x" * (2 << 20)), Sent, None),
    ((301, b"", {"Location": "/new"}), Failed, "redirected"), ((307, b"", {"Location": "/new"}), Failed, "redirected"),
    ((304, b""), Failed, "redirected"),
    ((400, b"no"), Failed, "http_400"), ((401, b""), Failed, "http_401"), ((404, b""), Failed, "http_404"),
    ((410, b"gone"), Failed, "endpoint_gone"),
    ((408, b""), Retry, "http_408"), ((425, b""), Retry, "http_425"), ((429, b""), Retry, "http_429"),
    ((499, b""), Retry, "http_499"),
    ((500, b""), Retry, "http_500"), ((502, b""), Retry, "http_502"), ((503, b""), Retry, "http_503"),
    ((504, b""), Retry, "http_504"),
])  # fmt: skip
def test_every_status_has_its_outcome(
    api: Answering, webhook: Webhook, reply: tuple[Any, ...], outcome: type[Outcome], code: str | None
) -> None:
    api.always(*reply)
    said = webhook.send(to(api))
    assert type(said) is outcome
    assert getattr(said, "code", None) == code
    assert len(api.asked) == 1, "no redirect is followed"


def test_retry_after_is_honoured(api: Answering, webhook: Webhook) -> None:
    api.always(503, b"", {"Retry-After": "120"})
    said = webhook.send(to(api))
    assert isinstance(said, Retry)
    assert said.after == timedelta(minutes=2)


def test_a_lost_answer_is_in_doubt_and_may_be_repeated_for_ever(api: Answering, webhook: Webhook) -> None:
    """In doubt, so that it stays in the cap; to be repeated, since its receiver knows it by its id."""
    api.reply = lambda _: None
    assert isinstance(webhook.send(to(api)), Uncertain)
    assert repeatable_for(webhook) == FOREVER
    assert isinstance(webhook.look_up(CALL), CannotTell)


def test_an_endpoint_that_is_gone_is_written_to_no_more() -> None:
    assert {"endpoint_gone"} == SUPPRESSES == Webhook.suppresses


# --- where it must not go ---------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::",
    "64:ff9b::10.0.0.1", "64:ff9b:1::127.0.0.1", "not an address", "",
])  # fmt: skip
def test_no_address_but_one_of_the_open_internet_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]",
    "169.254.169.254", "10.0.0.1", "0",
])  # fmt: skip
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    said = addresses(f"https://{host}/x", ())
    assert isinstance(said, Failed)
    assert said.code == "address_refused"


def answers_of_dns(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    info = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: info)


def test_a_name_that_leads_into_a_private_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers_of_dns(monkeypatch, "10.1.2.3", "::ffff:127.0.0.1")
    said = addresses("https://hooks.example.org/x", ())
    assert isinstance(said, Failed)
    assert said.code == "address_refused"


def test_the_call_goes_to_an_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """And to no other: a name that has private addresses too is called at its public ones."""
    answers_of_dns(monkeypatch, "10.1.2.3", "8.8.8.8", "8.8.8.8", "2606:4700:4700::1111")
    assert addresses("https://hooks.example.org/x", ()) == ["8.8.8.8", "2606:4700:4700::1111"]


def test_a_name_server_that_knows_nothing_or_keeps_silent_costs_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolved("no-such-host.invalid", 443) == Retry(
        "dns", "no-such-host.invalid: the name could not be resolved."
    )
    silent = threading.Event()

    def keeps_silent(*_: object, **__: object) -> list[Any]:
        silent.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", keeps_silent)
    monkeypatch.setattr(url_guard, "RESOLVE_WITHIN", 0.01)
    assert isinstance(resolved("hooks.example.org", 443), Retry)
    silent.set()


def test_http_is_for_hosts_that_are_allowed_by_name() -> None:
    said = addresses("http://hooks.example.org/x", ())
    assert isinstance(said, Failed)
    assert said.code == "insecure_endpoint"
    assert addresses("http://hooks.example.org/x", {"hooks.example.org"}) == [None]
    assert url_guard.allowed_hosts({"WEBHOOK_ALLOW_HOSTS": "A.example, b.example  c.example"}) == {
        "a.example", "b.example", "c.example"}  # fmt: skip


def test_a_recipient_that_is_no_url_is_not_repeated(webhook: Webhook) -> None:
    said = webhook.send(replace(CALL, recipient="https://me:hunter2@example.org/"))
    assert isinstance(said, Failed)
    assert said.code == "invalid_recipient"
    assert "hunter2" not in said.detail


def test_a_call_that_is_pinned_names_its_host_as_before(api: Answering) -> None:
    http = Http(direct=True)
    port = api.url.rpartition(":")[2]
    http.request("POST", f"http://hooks.example.org:{port}/x", limits=QUICK, connect_to="127.0.0.1", content=b"{}")
    assert api.asked[0].headers["host"] == f"hooks.example.org:{port}"
    http.close()


def test_a_call_that_is_pinned_believes_the_certificate_of_its_host_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = _certificate(tmp_path, "hooks.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked: list[str | None] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _, name, __: asked.append(name)

        def serve() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    try:
                        with context.wrap_socket(connection, server_side=True) as secure:
                            said = b""
                            while not said.endswith(b"{}") and (more := secure.recv(65536)):
                                said += more  # all of it: who closes before it has read all cuts the answer off
                            secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        port = listening.getsockname()[1]
        http = Http(direct=True)
        call = {"limits": QUICK, "connect_to": "127.0.0.1", "content": b"{}"}
        good = http.request("POST", f"https://hooks.example.org:{port}/", **call)  # type: ignore[arg-type]
        bad = http.request("POST", f"https://other.example.org:{port}/", **call)  # type: ignore[arg-type]
        http.close()
    assert getattr(good, "status", good) == 204
    assert isinstance(bad, Retry)
    assert (bad.code, asked) == ("tls", ["hooks.example.org", "other.example.org"])


def _certificate(folder: Path, name: str) -> Path:
    """A certificate of a host that signs itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)  # TLS knows no other time
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "host.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


# --- the sandbox ------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=lambda: NOON) as sandbox:
        yield sandbox


def test_the_sandbox_takes_each_id_once_and_keeps_what_came_again_apart(sandbox: Sandbox) -> None:
    webhook, send = made(WEBHOOK_SECRET=SECRET), replace(CALL, recipient=f"{sandbox.url}/webhooks/crm")
    sandbox.order(Fault(op="webhook", drop="after", times=1))
    assert isinstance(webhook.send(send), Uncertain)
    assert webhook.send(send) == Sent(NAME, 200)
    first, again = sandbox.accepted()
    assert (first["channel"], again["channel"]) == ("webhook", "webhook_again")
    assert (first["id"], first["body"]) == (again["id"], again["body"])


def test_the_sandbox_refuses_what_is_not_signed_by_its_secret(sandbox: Sandbox) -> None:
    said = made().send(replace(CALL, recipient=f"{sandbox.url}/webhooks/crm"))
    assert isinstance(said, Failed)
    assert (said.code, sandbox.accepted()) == ("http_401", [])
