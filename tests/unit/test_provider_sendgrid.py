"""SendGrid: what is asked of it, field by field, what its answers mean, and what its logs prove."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.fernet import Fernet

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Found,
    Hold,
    NotThere,
    Outcome,
    Retry,
    Sent,
    Uncertain,
    clock,
)
from send_queue.providers import InBatches
from send_queue.providers.http_answer import Answer, Limits
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.meaning import Meaning
from send_queue.providers.sendgrid import provider as sendgrid
from send_queue.providers.sendgrid.errors import MEANINGS, blamed, judge
from send_queue.providers.sendgrid.provider import READ, SendGrid
from send_queue.rules import unsubscribe
from send_queue.sandbox import Fault, Sandbox

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUICK = Limits(connect=5, read=5, total=15)
KEY = "SG.a-key-of-3417"
SEND = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="email",
    recipient="ana@example.com",
    subject="Good morning",
    message="Hello Ana, a text of ours.",
    payload={},
    account_id=UUID(int=3),
    account="sales",
    provider="sendgrid",
    provider_account_id=None,
    secret_env=None,
    campaign="spring",
    started_at=NOON,
    workspace_id=UUID(int=4),
    settings={"from": "carla@example.org"},
)


def sends(*recipients: str, **changed: Any) -> list[Claimed]:
    return [replace(SEND, send_id=UUID(int=100 + n), recipient=to, **changed) for n, to in enumerate(recipients)]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=lambda: NOON) as running:
        yield running


@pytest.fixture
def provider(sandbox: Sandbox) -> Iterator[SendGrid]:
    made = SendGrid({"SENDGRID_BASE_URL": sandbox.url, "SENDGRID_API_KEY": KEY}, post=QUICK, get=QUICK)
    yield made
    made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, provider: SendGrid) -> list[tuple[str, str, dict[str, str], Any]]:
    """Every request that the provider makes, on its way to the sandbox."""
    requests: list[tuple[str, str, dict[str, str], Any]] = []
    pass_on = provider._http.request

    def note(method: str, url: str, **content: Any) -> Any:
        requests.append((method, url, content["headers"], content.get("json")))
        return pass_on(method, url, **content)

    monkeypatch.setattr(provider._http, "request", note)
    return requests


def test_it_is_a_provider_of_mail_in_batches() -> None:
    """It serves `email`, several mails a call, and can be asked; where it is can be said, and how late its logs are."""
    made: InBatches = SendGrid({})
    assert made.channels == {"email"}
    assert made.batch <= 1000
    assert made.lag == timedelta(minutes=30)
    assert made.longest_call < timedelta(minutes=2)
    assert SendGrid({"SENDGRID_LAG_MINUTES": "5"}).lag == timedelta(minutes=5)


@pytest.mark.parametrize(
    "env",
    [{"SENDGRID_BASE_URL": "http://api.sendgrid.com"}, {"SENDGRID_LAG_MINUTES": "soon"}, {"SENDGRID_LAG_MINUTES": "0"}],
)
def test_a_wrong_environment_says_what_to_do(env: dict[str, str]) -> None:
    """One sentence that names the variable."""
    with pytest.raises(ConfigurationError, match=next(iter(env))):
        SendGrid(env)


def test_without_a_key_nothing_is_asked(sandbox: Sandbox) -> None:
    """The key of the account, or SENDGRID_API_KEY, is named; a look-up cannot tell."""
    made = SendGrid({"SENDGRID_BASE_URL": sandbox.url, "CARLAS_KEY": "SG.own"})
    with pytest.raises(ConfigurationError, match="SENDGRID_API_KEY is not set"):
        made.send(SEND)
    assert isinstance(made.look_up(SEND), CannotTell)
    assert isinstance(made.send(replace(SEND, secret_env="CARLAS_KEY")), Sent)
    made.close()


# --- what is asked ----------------------------------------------------------------------------------------


def test_a_mail_is_one_request(provider: SendGrid, asked: list[Any], sandbox: Sandbox) -> None:
    """Every field of POST /v3/mail/send; of the send only ids are in custom_args, as strings."""
    outcome = provider.send(SEND)
    [entry] = sandbox.accepted()
    assert outcome == Sent(entry["id"].partition(".")[0], 202)
    [(method, url, headers, body)] = asked
    assert (method, url) == ("POST", f"{sandbox.url}/v3/mail/send")
    assert headers == {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    assert body == {
        "personalizations": [
            {"to": [{"email": "ana@example.com"}], "custom_args": {"send_id": str(SEND.send_id), "attempt": "1"}}
        ],
        "from": {"email": "carla@example.org"},
        "subject": "Good morning",
        "content": [{"type": "text/plain", "value": "Hello Ana, a text of ours."}],
    }


def test_a_mail_with_all_that_a_mail_may_have(sandbox: Sandbox) -> None:
    """HTML after the text, a name, a reply-to, headers in ASCII; the link to unsubscribe is the recipient's own."""
    env = {
        "SENDGRID_BASE_URL": sandbox.url,
        "SENDGRID_API_KEY": KEY,
        unsubscribe.KEY: Fernet.generate_key().decode(),
        unsubscribe.URL: "https://u.example.org",
    }
    made = SendGrid(env, post=QUICK)
    settings = {"from": "carla@example.org", "from_name": "Carla Größte", "reply_to": "team@example.org"}
    payload = {"html": "<p>Grüße</p>", "headers": {"X-Campaign": "Frühling " * 9}}
    batch = sends("ana@example.com", "bob@bücher.example", settings=settings, payload=payload, subject="Grüße")
    assert all(isinstance(outcome, Sent) for outcome in made.send_batch(batch))
    made.close()
    entries = sandbox.accepted()
    assert [entry["recipient"] for entry in entries] == ["ana@example.com", "bob@xn--bcher-kva.example"]
    assert len({entry["id"].partition(".")[0] for entry in entries}) == 1
    for entry, send in zip(entries, batch, strict=True):
        assert entry["subject"] == "Grüße"
        assert entry["html"] == "<p>Grüße</p>"
        assert entry["reply_to"] == "team@example.org"
        assert entry["from"]["email"] == "carla@example.org"
        assert entry["mail_headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = entry["mail_headers"]["List-Unsubscribe"].removesuffix(">").rpartition("/")[2]
        assert unsubscribe.open(env, link) == (send.workspace_id, "email", send.recipient)
        assert entry["custom_args"]["send_id"] == str(send.send_id)


# --- batches ----------------------------------------------------------------------------------------------


def calls(asked: Sequence[Any]) -> list[list[str]]:
    """The recipients of each call."""
    return [[one["to"][0]["email"] for one in body["personalizations"]] for _, _, _, body in asked]


def test_what_is_alike_goes_in_one_call(provider: SendGrid, asked: list[Any], sandbox: Sandbox) -> None:
    """A personalization each; what differs in text, subject, sender or header goes in a call of its own. The outcomes
    are in the order of the sends, each with a name of its own that begins with the call's."""
    batch = sends("a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com")
    batch[1] = replace(batch[1], message="Another text")
    batch[3] = replace(batch[3], settings={"from": "other@example.org"})
    outcomes = provider.send_batch(batch)
    assert calls(asked) == [["a@example.com", "c@example.com", "e@example.com"], ["b@example.com"], ["d@example.com"]]
    names = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, Sent)]
    assert len(set(names)) == 5
    by_send = {entry["custom_args"]["send_id"]: entry["id"] for entry in sandbox.accepted()}
    for send, name in zip(batch, names, strict=True):
        assert str(name).partition(".")[0] == by_send[str(send.send_id)].partition(".")[0]


def test_nobody_is_twice_in_a_call(provider: SendGrid, asked: list[Any]) -> None:
    """SendGrid refuses a call with an address twice, however it is written: the second goes in the next call."""
    outcomes = provider.send_batch(sends("a@example.com", "A@Example.com", "b@example.com", "a@example.com"))
    assert [len(call) for call in calls(asked)] == [2, 1, 1]
    assert all(isinstance(outcome, Sent) for outcome in outcomes)


def test_what_is_wrong_with_one_does_not_stop_the_others(provider: SendGrid, asked: list[Any]) -> None:
    """A recipient that is none is not even asked about."""
    first, second = provider.send_batch(sends("nobody", "b@example.com"))
    assert isinstance(first, Failed)
    assert isinstance(second, Sent)
    assert calls(asked) == [["b@example.com"]]


def test_one_that_sendgrid_refuses_does_not_fail_its_call(
    provider: SendGrid, asked: list[Any], sandbox: Sandbox
) -> None:
    """A 400 takes none of a call: those that it names have failed, and the others go in the next one."""
    fault = Fault(op="mail_send", status=400, type="personalizations.1.to.0.email", detail="Does not exist.", times=1)
    sandbox.order(fault)
    outcomes = provider.send_batch(sends("a@example.com", "b@example.com", "c@example.com"))
    assert outcomes[1] == Failed("invalid_recipient", "personalizations.1.to.0.email: Does not exist.", 400)
    assert [type(outcome) for outcome in outcomes] == [Sent, Failed, Sent]
    assert calls(asked)[1] == ["a@example.com", "c@example.com"]


def test_the_failure_of_a_call_is_that_of_all_in_it(provider: SendGrid, sandbox: Sandbox) -> None:
    """An answer that is lost leaves all of the call in doubt, and nobody else."""
    sandbox.order(Fault(op="mail_send", drop="after", times=1))
    batch = sends("a@example.com", "b@example.com", "c@example.com")
    batch[2] = replace(batch[2], message="Another text")
    outcomes = provider.send_batch(batch)
    assert [type(outcome) for outcome in outcomes] == [Uncertain, Uncertain, Sent]
    assert len(sandbox.accepted()) == 3


def test_what_stops_one_call_stops_the_next(provider: SendGrid, asked: list[Any], sandbox: Sandbox) -> None:
    """After a hold nothing more is asked: all that is left is held alike."""
    sandbox.order(Fault(op="mail_send", status=429))
    batch = [replace(send, message=str(n)) for n, send in enumerate(sends("a@example.com", "b@example.com"))]
    outcomes = provider.send_batch(batch)
    assert len(asked) == 1
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0], Hold)


def test_a_batch_ends_in_time(provider: SendGrid, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not been begun when time is up is held for a minute, which costs no attempt."""
    late = iter([0.0, 0.0, 1000.0])
    monkeypatch.setattr(sendgrid, "clock", lambda: clock() + next(late, 1000.0))
    batch = [replace(send, message=str(n)) for n, send in enumerate(sends("a@example.com", "b@example.com"))]
    first, second = provider.send_batch(batch)
    assert isinstance(first, Sent)
    assert isinstance(second, Hold)
    assert (second.code, second.after) == ("too_slow", timedelta(minutes=1))
    assert len(asked) == 1


def test_nothing_leaves_when_others_may_take_it_for_dead(provider: SendGrid, sandbox: Sandbox) -> None:
    """The first of a call whose time is over keeps all of it here."""
    first, second = sends("a@example.com", "b@example.com")
    outcomes = provider.send_batch([first, replace(second, leave_by=clock() - 1)])
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Retry)] == ["deadline", "deadline"]
    assert sandbox.accepted() == []


# --- what an answer means ---------------------------------------------------------------------------------


def expected(meaning: Meaning) -> tuple[Any, ...]:
    if meaning.kind == "failed":
        return Failed, meaning.code
    return Hold, meaning.code, meaning.scope, meaning.after, meaning.ceiling


def in_short(outcome: Outcome) -> tuple[Any, ...]:
    if isinstance(outcome, Hold):
        return Hold, outcome.code, outcome.scope, outcome.after, outcome.ceiling
    assert isinstance(outcome, Failed | Retry | Uncertain)
    return type(outcome), outcome.code


@pytest.mark.parametrize(
    ("status", "field", "words", "meaning"), MEANINGS, ids=[f"{row[0]}-{row[1] or row[2] or 'any'}" for row in MEANINGS]
)
def test_each_row_of_the_table_is_what_becomes_of_a_mail(
    provider: SendGrid, sandbox: Sandbox, status: int, field: str, words: str, meaning: Meaning
) -> None:
    """An error of SendGrid's is the outcome that its row says; what it said is told, and nothing was accepted."""
    sandbox.order(Fault(op="mail_send", status=status, type=field or None, detail=f"No: {words.title()} 4711."))
    outcome = provider.send(SEND)
    assert in_short(outcome) == expected(meaning)
    assert isinstance(outcome, Failed | Hold)
    assert "4711" in outcome.detail
    assert sandbox.accepted() == []


@pytest.mark.parametrize("status", [408, 499, 500, 502, 503, 504])
def test_what_may_have_gone_out_is_in_doubt(provider: SendGrid, sandbox: Sandbox, status: int) -> None:
    """A 5xx may come after the mail was taken, and SendGrid takes it a second time without a word."""
    sandbox.order(Fault(op="mail_send", status=status))
    assert in_short(provider.send(SEND)) == (Uncertain, f"http_{status}")


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(drop="before"), (Uncertain, "connection_lost")),
        (Fault(drop="after"), (Uncertain, "connection_lost")),
        (Fault(spoil="html"), (Uncertain, "unreadable_answer")),
        (Fault(status=200, accept=True), (Uncertain, "unreadable_answer")),
        (Fault(status=202), (Uncertain, "unreadable_answer")),
        (Fault(status=307, body="elsewhere"), (Hold, "unexpected_redirect", "lane", timedelta(hours=1), None)),
        (Fault(status=403, body="<html>"), (Hold, "unexpected_answer", "lane", timedelta(hours=1), None)),
        (Fault(status=400, body="<html>"), (Retry, "unexpected_answer")),
        (Fault(status=418, detail="I am a teapot"), (Failed, "invalid_message")),
    ],
)
def test_answers_that_are_odd(provider: SendGrid, sandbox: Sandbox, fault: Fault, outcome: tuple[Any, ...]) -> None:
    """A yes without a message's name is none; what is not SendGrid's says nothing of the mail; an error that is not
    known is not tried again."""
    sandbox.order(replace(fault, op="mail_send"))
    assert in_short(provider.send(SEND)) == outcome


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, timedelta(minutes=1)),
        ({"retry-after": "600"}, timedelta(minutes=10)),
        ({"x-ratelimit-reset": str(int(NOON.timestamp()) + 300)}, timedelta(minutes=5)),
        ({"x-ratelimit-reset": "soon"}, timedelta(minutes=1)),
        ({"x-ratelimit-reset": "0"}, timedelta(minutes=1)),
        ({"x-ratelimit-reset": "9" * 30}, timedelta(days=30)),
    ],
)
def test_a_429_waits_as_long_as_it_says(
    provider: SendGrid, sandbox: Sandbox, headers: dict[str, str], after: timedelta
) -> None:
    """Until X-RateLimit-Reset, or as long as Retry-After; a minute at the least, thirty days at the most."""
    sandbox.order(Fault(op="mail_send", status=429, headers=headers))
    outcome = provider.send(SEND)
    assert isinstance(outcome, Hold)
    assert outcome.after == after
    assert outcome.ceiling is not None
    assert outcome.ceiling >= after


def test_a_sender_that_is_refused_makes_way_in_the_end(provider: SendGrid, sandbox: Sandbox) -> None:
    """It may be one campaign's alone: a mail that has been held three times lets the others go."""
    nobody = replace(SEND, settings={"from": "carla@unverified.example"})
    outcome = provider.send(nobody)
    assert in_short(outcome)[:3] == (Hold, "sender_refused", "lane")
    assert in_short(provider.send(replace(nobody, attempt_number=MAX_LANE_HOLDS + 1))) == (Retry, "sender_refused")
    assert sandbox.accepted() == []


def test_the_gravest_of_several_errors_counts() -> None:
    """What stops the lane goes before what fails a mail; and then nobody is blamed alone."""
    errors = [{"message": "bad", "field": "personalizations.0.to"}, {"message": "bad", "field": "from.email"}]
    answer = Answer(400, {}, {"errors": errors}, "")
    outcome = judge(answer, now=NOON, hide=())
    assert isinstance(outcome, Hold)
    assert blamed(answer) == frozenset()


def test_neither_key_nor_text_is_in_what_is_told(provider: SendGrid, sandbox: Sandbox) -> None:
    """An error page may repeat the request: what is secret in it is struck out."""
    page = f"You sent {KEY} and {SEND.message}"
    for body in (page, json.dumps({"errors": [{"message": page, "field": None}]})):
        sandbox.order(Fault(op="mail_send", status=400, body=body, times=1))
        outcome = provider.send(SEND)
        assert isinstance(outcome, Failed | Retry)
        assert KEY not in outcome.detail
        assert SEND.message not in outcome.detail


# --- what its logs prove ----------------------------------------------------------------------------------


def test_a_send_is_found_by_its_id(provider: SendGrid, asked: list[Any], sandbox: Sandbox) -> None:
    """Listed by recipient and time, told by custom_args: a mail of another send to the same person is not taken for it,
    whatever its text."""
    sandbox.order(Fault(op="mail_send", drop="after", times=2))
    batch = sends("Ana@example.com", "ana@example.com")
    provider.send_batch(batch)
    entries = sandbox.accepted()
    assert [provider.look_up(send) for send in batch] == [Found(entry["id"]) for entry in entries]
    assert provider.look_up(SEND) == NotThere()
    method, _, _, body = next(request for request in asked if request[1].endswith("/v3/logs"))
    assert method == "POST"
    assert body == {
        "query": 'to_email IN ("Ana@example.com", "ana@example.com")'
        ' AND sg_message_id_created_at >= TIMESTAMP "2026-03-01T12:00:00Z"',
        "limit": 1000,
    }


def test_logs_that_list_late_do_not_show_it_yet(provider: SendGrid, sandbox: Sandbox) -> None:
    """Not there, which proves something only when the lag is over."""
    sandbox.order(Fault(op="mail_send", drop="after", hide=60))
    provider.send(SEND)
    assert provider.look_up(SEND) == NotThere()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(op="email_logs", status=403),
        Fault(op="email_logs", status=404),
        Fault(op="email_logs", status=401),
        Fault(op="email_logs", status=429),
        Fault(op="email_logs", status=500),
        Fault(op="email_logs", drop="before"),
        Fault(op="email_logs", spoil="garbage"),
        Fault(op="email_logs", spoil="html"),
        Fault(op="email_logs", status=200, body='{"result": []}'),
        Fault(op="email_logs", status=200, body='{"messages": ["?"]}'),
        Fault(op="email_log", status=404),
        Fault(op="email_log", status=200, body="{}"),
        Fault(op="email_log", status=200, body='{"custom_args": null}'),
        Fault(op="email_log", status=200, body='{"custom_args": "?"}'),
    ],
    ids=repr,
)
def test_logs_that_cannot_be_read_prove_nothing(provider: SendGrid, sandbox: Sandbox, fault: Fault) -> None:
    """An add-on that is not there, a shape that is not known, a mail that does not say whose it is: nobody can tell."""
    provider.send(replace(SEND, send_id=UUID(int=99)))
    sandbox.order(fault)
    assert isinstance(provider.look_up(SEND), CannotTell)


def test_more_mails_than_can_be_read_prove_nothing(provider: SendGrid) -> None:
    """What was not read may be the one; what is found all the same counts."""
    for n in range(READ + 1):
        provider.send(replace(SEND, send_id=UUID(int=200 + n)))
    assert isinstance(provider.look_up(SEND), CannotTell)
    assert isinstance(provider.look_up(replace(SEND, send_id=UUID(int=200 + READ))), Found)


def test_custom_args_may_be_a_text(provider: SendGrid, sandbox: Sandbox) -> None:
    """SendGrid's specification calls them a string at one place and an object at another."""
    provider.send(SEND)
    body = json.dumps({"custom_args": json.dumps({"send_id": str(SEND.send_id)})})
    sandbox.order(Fault(op="email_log", status=200, body=body))
    assert isinstance(provider.look_up(SEND), Found)


# --- the sandbox ------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "ana@example.com"}], "custom_args": {"send_id": "1"}}],
    "from": {"email": "carla@example.org"},
    "subject": "Hello",
    "content": [{"type": "text/plain", "value": "Hello"}],
}


def post(sandbox: Sandbox, body: Any, **more: Any) -> httpx.Response:
    headers = {"Authorization": "Bearer key"}
    return httpx.post(f"{sandbox.url}/v3/mail/send", json=body, headers=headers, verify=False, **more)


def test_the_sandbox_answers_as_sendgrid_does(sandbox: Sandbox) -> None:
    """202 with an empty body and the message's name; in sandbox mode 200, and nothing is sent; 401 without a key."""
    answer = post(sandbox, GOOD)
    assert (answer.status_code, answer.content) == (202, b"")
    assert sandbox.accepted()[0]["id"].startswith(f"{answer.headers['x-message-id']}.")
    assert post(sandbox, {**GOOD, "mail_settings": {"sandbox_mode": {"enable": True}}}).status_code == 200
    assert httpx.post(f"{sandbox.url}/v3/mail/send", json=GOOD, verify=False).status_code == 401
    assert httpx.get(f"{sandbox.url}/v3/nothing", verify=False).status_code == 404
    assert len(sandbox.accepted()) == 1


def personalized(**changed: Any) -> dict[str, Any]:
    return {**GOOD, "personalizations": [{**GOOD["personalizations"][0], **changed}]}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({**GOOD, "personalizations": []}, 400, "personalizations"),
        (personalized(to=[]), 400, "personalizations.0.to"),
        (personalized(to=[{"email": "ana"}]), 400, "personalizations.0.to.0.email"),
        (personalized(to=[{"email": "ana@example.com", "name": "A; B"}]), 400, "personalizations.0.to.0.name"),
        (personalized(cc=[{"email": "ANA@example.com"}]), 400, "personalizations"),
        ({**GOOD, "personalizations": GOOD["personalizations"] * 2}, 400, "personalizations"),
        (personalized(to=[{"email": f"a{n}@example.com"} for n in range(1001)]), 400, "personalizations"),
        (personalized(custom_args={"n": 1}), 400, "personalizations.0.custom_args"),
        (personalized(custom_args={"n": "x" * 10_000}), 400, "personalizations.0.custom_args"),
        (personalized(headers={"To": "x"}), 400, "personalizations.0.headers.To"),
        ({**GOOD, "from": {"email": "carla"}}, 400, "from"),
        ({**GOOD, "from": {"email": "carla@example.org", "name": "Größte"}}, 400, "from"),
        ({**GOOD, "reply_to": {}}, 400, "reply_to"),
        ({**GOOD, "subject": ""}, 400, "subject"),
        ({**GOOD, "content": []}, 400, "content"),
        ({**GOOD, "content": [{"type": "text/plain", "value": ""}]}, 400, "content.0.value"),
        ({**GOOD, "content": [{"type": "text/html", "value": "x"}, *GOOD["content"]]}, 400, "content"),
        ({**GOOD, "headers": {"DKIM-Signature": "x"}}, 400, "headers.DKIM-Signature"),
        ({**GOOD, "headers": {"X-A": "ü"}}, 400, "headers.X-A"),
        ({**GOOD, "from": {"email": "carla@unverified.example"}}, 403, "from"),
        ([], 400, None),
    ],
)
def test_the_sandbox_refuses_what_sendgrid_refuses(sandbox: Sandbox, body: Any, status: int, field: str) -> None:
    """Each rule of the reference, with the field that breaks it; nothing is accepted."""
    answer = post(sandbox, body)
    assert answer.status_code == status
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert sandbox.accepted() == []


def test_the_sandbox_refuses_what_is_too_large_or_no_json(sandbox: Sandbox) -> None:
    """413 from 30 MB on, 415 for anything but JSON."""
    large = {**GOOD, "content": [{"type": "text/plain", "value": "x" * 31_000_000}]}
    assert post(sandbox, large, timeout=30).status_code == 413
    answer = httpx.post(
        f"{sandbox.url}/v3/mail/send", content=b"x", headers={"Authorization": "Bearer key"}, verify=False
    )
    assert answer.status_code == 415
