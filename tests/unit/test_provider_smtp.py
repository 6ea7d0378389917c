"""SMTP: what is said to a mail server, what each of its replies means, and what is known when it says nothing."""

from __future__ import annotations

import doctest
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from mail_server import Real, Scripted

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
    clock,
)
from send_queue.providers import Provider
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.meaning import Meaning
from send_queue.providers.smtp import errors as smtp_errors
from send_queue.providers.smtp import provider as smtp
from send_queue.providers.smtp import session
from send_queue.providers.smtp.errors import AT, BASIC, BY_STAGE, ENHANCED, Stage, meaning_of
from send_queue.providers.smtp.provider import MAILS_A_CONNECTION, Smtp
from send_queue.providers.smtp.session import Server, Times, server_of
from send_queue.rules import unsubscribe

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUICK = Times(connect=2, reply=2, dot=2, total=4)
SEND = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="email",
    recipient="ana@example.com",
    subject="Good morning",
    message="Hello Ana,\n.\nshall we talk?\n..\n",
    payload={},
    account_id=UUID(int=3),
    account="sales",
    provider="smtp",
    provider_account_id=None,
    secret_env=None,
    campaign="spring",
    started_at=NOON,
    workspace_id=UUID(int=4),
    settings={"from": "carla@example.org"},
)
TAKEN = Sent("<00000000-0000-0000-0000-000000000001@example.org>", 250)


@pytest.fixture
def server() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def provider(server: Scripted) -> Iterator[Smtp]:
    made = Smtp({"SMTP_URL": server.url}, times=QUICK)
    yield made
    made.close()


def test_it_is_a_provider_of_mail() -> None:
    """It serves `email`, cannot be asked afterwards, and a call is much shorter than a lease."""
    made: Provider = Smtp({})
    assert made.channels == {"email"}
    assert made.lag is None
    assert made.longest_call < timedelta(minutes=2)


@pytest.mark.parametrize("module", [smtp_errors, session, smtp])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    """Doctests are specification."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module


# --- where and as whom ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", Server("mail.example.com", 587, False, None)),
        ("smtps://me%40x.org@mail.example.com", Server("mail.example.com", 465, True, "me@x.org")),
        ("smtp://me@MAIL.example.com:2525/", Server("mail.example.com", 2525, False, "me")),
        ("smtp://[::1]:25", Server("::1", 25, False, None)),
    ],
)
def test_a_server_is_a_url(url: str, expected: Server) -> None:
    """A scheme, a host, and where it is needed a user and a port."""
    assert server_of(url, "SMTP_URL") == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mail.example.com", "is not a mail server's address"),
        ("https://mail.example.com", "is not a mail server's address"),
        ("smtp://", "is not a mail server's address"),
        ("smtp://mail.example.com:port", "is not a mail server's address"),
        ("smtp://mail.example.com/inbox", "is not a mail server's address"),
        ("smtp://mail.example.com?tls=no", "is not a mail server's address"),
        ("smtp://me%0d%0aRSET@mail.example.com", "is not a mail server's address"),
        ("smtp://me:secret@mail.example.com", "holds a password"),
    ],
)
def test_a_wrong_url_says_what_to_do(url: str, words: str) -> None:
    """One sentence that names the variable, and no password in it."""
    with pytest.raises(ConfigurationError, match=words) as error:
        Smtp({"SMTP_URL": url})
    assert "SMTP_URL" in str(error.value)
    assert "secret" not in str(error.value).replace("--secret-env", "")


def test_without_a_server_nothing_is_tried() -> None:
    """No SMTP_URL, and no setting of the account: configuration is missing, the row waits."""
    with pytest.raises(ConfigurationError, match="SMTP_URL is not set"):
        Smtp({}).send(SEND)


def test_a_password_is_for_its_own_server_only(server: Scripted) -> None:
    """An account that brings its own server brings its own secret: SMTP_PASSWORD is not shown to it."""
    own = {"from": "carla@example.org", "smtp_url": server.url.replace("//", "//carla@")}
    made = Smtp({"SMTP_URL": "smtp://me@mail.example.com", "SMTP_PASSWORD": "the shared one"})
    with pytest.raises(ConfigurationError, match="--secret-env"):
        made.send(replace(SEND, settings=own))
    assert server.said == []


def test_an_account_may_have_its_own_server(server: Scripted) -> None:
    """The setting `smtp_url` goes before SMTP_URL."""
    made = Smtp({"SMTP_URL": "smtp://127.0.0.1:1"}, times=QUICK)
    assert made.send(replace(SEND, settings={**SEND.settings, "smtp_url": server.url})) == TAKEN
    made.close()


# --- what is said -----------------------------------------------------------------------------------------


def test_a_mail_is_said_in_order(server: Scripted, provider: Smtp) -> None:
    """EHLO by our address, the sender, one recipient, the data; and afterwards a goodbye."""
    assert provider.send(SEND) == TAKEN
    provider.close()
    assert server.said == [
        "ehlo [127.0.0.1]",
        "mail FROM:<carla@example.org>",
        "rcpt TO:<ana@example.com>",
        "DATA",
        "quit",
    ]


def test_a_mail_is_what_was_enqueued(server: Scripted, provider: Smtp) -> None:
    """Text, subject, sender, date and a Message-ID; dots at the beginning of lines arrive as they are."""
    provider.send(SEND)
    [mail] = server.mails
    parsed = mail.parsed
    assert (parsed["From"], parsed["To"], parsed["Subject"]) == (
        "carla@example.org",
        "ana@example.com",
        "Good morning",
    )
    assert parsed["Message-ID"] == TAKEN.provider_message_id
    assert parsed["Date"].datetime == NOON
    assert parsed.get_content_type() == "text/plain"
    assert parsed.get_content().replace("\r\n", "\n") == SEND.message
    assert "List-Unsubscribe" not in parsed


def test_a_mail_in_any_script(server: Scripted, provider: Smtp) -> None:
    """Letters of any script arrive, over a line that carries ASCII only: RFC 2047 in headers, domains as the DNS has
    them; HTML stands beside the text."""
    send = replace(
        SEND,
        recipient="ana@bücher.example",
        subject="Zażółć gęślą jaźń " * 12,
        message="Grüße, Ана",
        payload={"html": "<p>Grüße, Ана</p>", "headers": {"X-Campaign": "Frühling " * 9, "X-Link": "x" * 600}},
        settings={"from": "carla@example.org", "from_name": "Carla, die Größte", "reply_to": "team@example.org"},
    )
    assert provider.send(send) == TAKEN
    [mail] = server.mails
    assert mail.raw.isascii()
    assert max(map(len, mail.raw.splitlines())) <= 998
    assert (mail.sender, mail.to) == ("carla@example.org", "ana@xn--bcher-kva.example")
    parsed = mail.parsed
    assert parsed["Subject"] == ("Zażółć gęślą jaźń " * 12).strip()
    assert parsed["From"].addresses[0].display_name == "Carla, die Größte"
    assert parsed["Reply-To"] == "team@example.org"
    assert parsed["X-Campaign"].strip() == ("Frühling " * 9).strip()
    assert parsed["X-Link"] == "x" * 600
    text, html = parsed.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert (text.get_content().strip(), html.get_content().strip()) == ("Grüße, Ана", "<p>Grüße, Ана</p>")


def test_the_message_id_is_the_same_on_each_attempt(server: Scripted, provider: Smtp) -> None:
    """Whoever gets a mail twice can tell that it is one."""
    provider.send(SEND)
    provider.send(replace(SEND, attempt_id=UUID(int=9), attempt_number=2, started_at=NOON + timedelta(hours=1)))
    first, second = server.mails
    assert first.parsed["Message-ID"] == second.parsed["Message-ID"]


def test_a_link_to_unsubscribe_is_one_unbroken_line(server: Scripted) -> None:
    """RFC 8058: one https link in List-Unsubscribe, and List-Unsubscribe-Post; the link names whom it is for."""
    env = {
        "SMTP_URL": server.url,
        unsubscribe.KEY: Fernet.generate_key().decode(),
        unsubscribe.URL: "https://u.example.org/stop",
    }
    made = Smtp(env, times=QUICK)
    assert made.send(SEND) == TAKEN
    made.close()
    [line] = [line for line in server.mails[0].raw.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    link = line.decode().removeprefix("List-Unsubscribe: <https://u.example.org/stop/").removesuffix(">")
    assert unsubscribe.open(env, link) == (SEND.workspace_id, "email", "ana@example.com")
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in server.mails[0].raw


# --- what a reply means -----------------------------------------------------------------------------------

ROWS: list[tuple[Stage, int, str, Meaning]] = [
    *(("rcpt", int(code[0]) * 100 + 50, f"{code}{'.99' * (3 - len(code.split('.')))} words", meaning)
      for code, meaning in ENHANCED.items()),
    *((stage, code, "words", meaning) for (code, stage), meaning in AT.items()),
    *(("mail" if code != 556 else "data", code, "words", meaning) for code, meaning in BASIC.items()),
    *((stage, digit * 100 + 99, "words", meaning) for (digit, stage), meaning in BY_STAGE.items()),
]  # fmt: skip
"""Every row of the tables with a reply that falls under it."""


def outcome_of(meaning: Meaning, code: int) -> tuple[object, ...]:
    match meaning.kind:
        case "failed":
            return Failed, meaning.code, code
        case "retry":
            return Retry, meaning.code, meaning.after, code
        case "hold":
            return Hold, meaning.scope, meaning.code, meaning.after, meaning.ceiling, code
    raise AssertionError(meaning.kind)


def in_short(outcome: Outcome) -> tuple[object, ...]:
    match outcome:
        case Failed(code, _, status):
            return Failed, code, status
        case Retry(code, _, after, status):
            return Retry, code, after, status
        case Hold(scope, code, _, after, ceiling, status):
            return Hold, scope, code, after, ceiling, status
    return (outcome,)


@pytest.mark.parametrize(
    ("stage", "code", "text", "meaning"), [row for row in ROWS if row[0] != "auth"], ids=lambda value: str(value)[:12]
)
def test_each_row_of_the_tables_is_what_becomes_of_a_mail(
    server: Scripted, provider: Smtp, stage: Stage, code: int, text: str, meaning: Meaning
) -> None:
    """A no at any stage, to the very dot, is an outcome of a mail that was not taken; what the server said is told."""
    at = {"hello": "greeting", "data": "dot"}.get(stage, stage)
    server.order(at, f"{code} {text}")
    outcome = provider.send(SEND)
    assert in_short(outcome) == outcome_of(meaning, code)
    assert isinstance(outcome, Failed | Retry | Hold)
    assert str(code) in outcome.detail
    assert server.mails == []


def test_there_is_a_row_for_every_no() -> None:
    """Whatever a server says, at any stage; and a passing no never makes a mail fail."""
    stages: tuple[Stage, ...] = ("hello", "auth", "mail", "rcpt", "data")
    for stage in stages:
        for code in range(400, 600):
            for text in ("", "5.9.9 odd", "4.9.9 odd", "5.1.1 no such user", "5.7.1 policy", "4.2.2 full"):
                meaning = meaning_of(stage, code, text)
                assert code >= 500 or meaning.kind != "failed", (stage, code, text)


@pytest.mark.parametrize(
    ("stage", "reply", "expected"),
    [
        ("rcpt", "450 4.7.1 greylisted", Retry("try_later", "450 4.7.1 greylisted", timedelta(minutes=5), 450)),
        ("rcpt", "550 5.1.1 no such user", Failed("mailbox_unknown", "550 5.1.1 no such user", 550)),
        ("rcpt", "452 4.5.3 too many", Retry("server_busy", "452 4.5.3 too many", timedelta(minutes=30), 452)),
        ("dot", "552 5.2.3 too large", Failed("message_too_large", "552 5.2.3 too large", 552)),
        ("mail", "550-5.1.1 this\r\n550 5.1.1 user", Failed("mailbox_unknown", "550 5.1.1 this 5.1.1 user", 550)),
        ("data", "250 what?", Hold("lane", "protocol_error", "250 what? Check SMTP_URL.", timedelta(hours=1),
                                   timedelta(hours=6), 250)),
    ],
)  # fmt: skip
def test_replies_as_servers_give_them(
    server: Scripted, provider: Smtp, stage: str, reply: str, expected: Outcome
) -> None:
    """Greylisting is tried again in minutes, an unknown mailbox never, a server out of step holds the lane."""
    server.order(stage, reply)
    assert provider.send(SEND) == expected


def test_a_policy_that_holds_the_lane_makes_way_in_the_end(server: Scripted, provider: Smtp) -> None:
    """5.7.x holds the lane, for the next mail has the same sender; one that it has held three times may be refused for
    itself, and lets the others go."""
    said = "550 5.7.1 not from you"
    server.order("rcpt", said, said)
    assert isinstance(provider.send(SEND), Hold)
    held_before = replace(SEND, attempt_number=MAX_LANE_HOLDS + 1)
    assert in_short(provider.send(held_before)) == (Retry, "policy", None, 550)


@pytest.mark.parametrize(
    "said",
    [
        "550 relay not permitted", "550 Sender verify failed", "550-Verification failed for <a@example.com>",
        "550 Invalid recipient: <a@example.org>", "550 relaying denied", "551 we do not relay",
        "554 blocked, see a list", "556 no", "521 no", "550 5.2.1 receives mail too quickly", "550 5.4.4 unrouteable",
        "550 5.7.1 relaying denied", "550 no such user here", "553 not in my rcpthosts",
    ],
)  # fmt: skip
def test_only_proof_about_the_mailbox_suppresses(said: str) -> None:
    """Servers without enhanced codes refuse a sender, a relay and a mailbox by the same 550: nobody is suppressed."""
    code, _, text = said[:3], said[3], said[4:]
    assert meaning_of("rcpt", int(code), text).code not in Smtp.suppresses


def test_hard_bounces_are_what_suppresses() -> None:
    """Only what says that nobody reads there: not a full mailbox, not a policy, not a large message."""
    assert Smtp.suppresses == {"mailbox_unknown", "domain_takes_no_mail"}
    assert {meaning_of("rcpt", 550, text).code for text in ("5.1.1 x", "5.1.10 x", "5.7.17 x")} == Smtp.suppresses


# --- what is known when it says nothing -------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_connection_lost_before_the_dot_is_a_mail_that_did_not_go_out(
    server: Scripted, provider: Smtp, stage: str
) -> None:
    """Before the final dot a server must forget the mail: it is tried again."""
    server.order(stage, None)
    outcome = provider.send(SEND)
    assert in_short(outcome)[:2] in ((Retry, "connect_failed"), (Retry, "connection_lost"))
    assert server.mails == []


@pytest.mark.parametrize("reply", [None, "hello?", "354 more?", "999 odd"])
def test_a_reply_lost_after_the_dot_is_in_doubt(server: Scripted, provider: Smtp, reply: str | None) -> None:
    """The whole mail was sent: only the reply tells whether it was taken, and there is none that can be read."""
    server.order("dot", reply)
    outcome = provider.send(SEND)
    assert isinstance(outcome, Uncertain)
    assert outcome.code == "reply_lost"
    assert len(server.mails) == (reply is None)
    assert isinstance(provider.look_up(SEND), CannotTell)


@pytest.mark.parametrize(("stage", "expected"), [("rcpt", Retry), ("data", Retry), ("dot", Uncertain)])
def test_a_server_that_keeps_silent_is_left(server: Scripted, stage: str, expected: type) -> None:
    """At the time-out, and at the deadline of the whole call, the same holds as for a lost connection."""
    silent = threading.Event()

    def wait() -> str:
        silent.wait(5)
        return "250 too late"

    for times in (Times(reply=0.1, dot=0.1, total=4), Times(reply=4, dot=0.2, total=1.2)):
        made = Smtp({"SMTP_URL": server.url}, times=times)
        server.order(stage, wait)
        assert isinstance(made.send(SEND), expected)
        made.close()
    silent.set()


def test_nobody_there() -> None:
    """A connection that cannot be made, or a name that nobody has: it certainly did not go out."""
    assert in_short(Smtp({"SMTP_URL": "smtp://127.0.0.1:1"}).send(SEND))[:2] == (Retry, "connect_refused")
    assert in_short(Smtp({"SMTP_URL": "smtp://nobody.invalid"}).send(SEND))[:2] == (Retry, "dns")


def test_nothing_leaves_when_others_may_take_it_for_dead(
    server: Scripted, provider: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past `leave_by` no dot is said, also where the time ran out while the mail was on its way."""
    assert in_short(provider.send(replace(SEND, leave_by=clock() - 1)))[:2] == (Retry, "deadline")
    assert server.said == []
    late = [0.0]
    monkeypatch.setattr(smtp, "clock", lambda: clock() + late[0])

    def suspended() -> str:
        late[0] = 1000
        return "354 go on"

    server.order("data", suspended)
    assert in_short(provider.send(replace(SEND, leave_by=clock() + 500)))[:2] == (Retry, "deadline")
    assert server.said[-1] == "DATA"
    assert server.mails == []


def test_what_is_wrong_with_a_mail_is_found_before_anything_is_said(server: Scripted, provider: Smtp) -> None:
    """A recipient that is none, a header that nobody may set, an account without a from-address."""
    assert in_short(provider.send(replace(SEND, recipient="ana")))[:2] == (Failed, "invalid_recipient")
    hostile = replace(SEND, payload={"headers": {"X-A": "b\r\nBcc: all@example.com"}})
    assert in_short(provider.send(hostile))[:2] == (Failed, "invalid_headers")
    assert in_short(provider.send(replace(SEND, settings={})))[1:3] == ("lane", "from_missing")
    assert server.said == []


# --- connections ------------------------------------------------------------------------------------------


def test_one_connection_carries_many_mails(server: Scripted, provider: Smtp) -> None:
    """It is kept between sends, asked whether it is there before each, and left after its share."""
    for _ in range(MAILS_A_CONNECTION + 1):
        assert provider.send(SEND) == TAKEN
    assert server.connections == 2
    assert server.said.count("rset") == MAILS_A_CONNECTION - 1


def test_a_refusal_does_not_end_a_connection(server: Scripted, provider: Smtp) -> None:
    """The next mail begins with RSET, and has nothing of the one before."""
    server.order("rcpt", "550 5.1.1 no such user")
    assert isinstance(provider.send(SEND), Failed)
    assert provider.send(SEND) == TAKEN
    assert server.connections == 1


def test_a_connection_that_was_cut_meanwhile_costs_nothing(server: Scripted, provider: Smtp) -> None:
    """It is found out before MAIL FROM, and another is made: the mail goes once."""
    provider.send(SEND)
    server.cut_all()
    assert provider.send(SEND) == TAKEN
    assert (server.connections, len(server.mails)) == (2, 2)


def test_a_connection_that_has_had_its_share_is_left_for_a_new_one(server: Scripted, provider: Smtp) -> None:
    """421 to MAIL FROM on a connection that was used before is about that connection; on a new one it is a hold."""
    provider.send(SEND)
    server.order("mail", "421 4.7.0 enough")
    assert provider.send(SEND) == TAKEN
    server.cut_all()
    server.order("mail", "421 4.7.0 not today")
    assert in_short(provider.send(SEND))[:3] == (Hold, "lane", "server_closing")


def test_one_used_connection_and_one_new_one_are_tried_and_no_more(server: Scripted, provider: Smtp) -> None:
    """Also where more idle connections wait: a server that closes them all must not be asked once for each."""
    together = threading.Barrier(3)

    def meet() -> str:
        together.wait(5)
        return "250 ok"

    server.order("rcpt", meet, meet, meet)
    sends = [replace(SEND, send_id=UUID(int=n), recipient=f"p{n}@example.com") for n in (7, 8, 9)]
    with ThreadPoolExecutor(3) as threads:
        assert all(isinstance(outcome, Sent) for outcome in threads.map(provider.send, sends))
    server.order("mail", *["421 4.7.0 enough"] * 4)
    assert in_short(provider.send(SEND))[:3] == (Hold, "lane", "server_closing")
    assert server.connections == 4


def test_threads_do_not_share_a_connection(server: Scripted, provider: Smtp) -> None:
    """Two mails at a time have a connection each, and both go out."""
    together = threading.Barrier(2)

    def meet() -> str:
        together.wait(5)
        return "250 ok"

    server.order("rcpt", meet, meet)
    sends = [replace(SEND, send_id=UUID(int=n), recipient=f"p{n}@example.com") for n in (7, 8)]
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(provider.send, sends))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert sorted(mail.to for mail in server.mails) == ["p7@example.com", "p8@example.com"]
    assert server.connections == 2


# --- TLS and login, with a real server --------------------------------------------------------------------


def real(real: Real, password: str | None = None) -> Smtp:
    env = {"SMTP_URL": real.url} | ({"SMTP_PASSWORD": password} if password else {})
    return Smtp(env, times=QUICK)


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "smtps"])
def test_mails_go_under_tls_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, implicit: bool) -> None:
    """By STARTTLS or from the first byte, with a certificate that is trusted, and as whom SMTP_URL says."""
    with Real(tmp_path, implicit=implicit, user="carla@example.org", password="sesame-3417") as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        made = real(server, "sesame-3417")
        assert [made.send(SEND), made.send(SEND)] == [TAKEN, TAKEN]
        assert len(server.mails) == 2
        assert len(server.sessions) == 1
        made.close()


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """A server that cannot show who it is gets neither mail nor password."""
    for implicit in (False, True):
        with Real(tmp_path, implicit=implicit) as server:
            assert in_short(real(server).send(SEND))[:2] == (Retry, "tls")
            assert server.mails == []


def test_nothing_is_sent_in_the_clear(tmp_path: Path) -> None:
    """A server elsewhere that offers no STARTTLS, or from whose offer somebody has struck it, holds the lane."""
    with Real(tmp_path, starttls=False) as server:
        assert in_short(real(server).send(SEND))[:3] == (Hold, "lane", "no_tls")
        assert server.mails == []


def test_a_wrong_password_is_shown_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again and again, which would lock the mailbox; and it is in no detail."""
    with Real(tmp_path, user="carla", password="right-3417") as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        made = real(server, "wrong-3417")
        outcome = made.send(SEND)
        assert in_short(outcome) == (Hold, "account", "login_refused", timedelta(minutes=15), None, 535)
        assert isinstance(outcome, Hold)
        assert outcome.secret == "SMTP_PASSWORD"
        assert "wrong-3417" not in outcome.detail
    assert made.send(SEND) == outcome  # the server is not there any more


def test_the_reply_of_a_real_server_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under TLS too: taken, the connection cut, in doubt."""
    with Real(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        server.lose = 1
        made = real(server)
        assert isinstance(made.send(SEND), Uncertain)
        assert len(server.mails) == 1
        assert made.send(replace(SEND, leave_by=inf)) == TAKEN
        made.close()
