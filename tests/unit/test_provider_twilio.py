"""Twilio: what is asked of it, field by field, and what each of its answers means for a send."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
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
    Found,
    Hold,
    NotThere,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers import Provider
from send_queue.providers.http_answer import Limits
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.twilio.errors import MEANINGS, SUPPRESSES
from send_queue.providers.twilio.provider import Twilio
from send_queue.sandbox import Fault, Sandbox
from send_queue.sandbox.twilio import MAGIC_FROM, MAGIC_TO

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUICK = Limits(connect=5, read=5, total=15)
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
TOKEN = "the-secret-auth-token"
SID = "AC0123456789abcdef0123456789abcdef"
MESSAGES = f"/2010-04-01/Accounts/{SID}/Messages.json"
NAME = "SM0123456789abcdef0123456789abcdef"
SERVICE = "MG0123456789abcdef0123456789abcdef"

SMS = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="sms",
    recipient="+14155552671",
    subject=None,
    message="Hello Ana & Bo, 5 € off",
    payload={},
    account_id=UUID(int=3),
    account="texts",
    provider="twilio",
    provider_account_id=SID,
    secret_env=None,
    campaign="spring",
    started_at=NOON,
    settings={"from": "+15005550006"},
)


@pytest.fixture(scope="module")
def running() -> Iterator[Answering]:
    with answering() as api:
        yield api


@pytest.fixture
def api(running: Answering) -> Answering:
    running.asked.clear()
    running.now = NOON + MINUTE
    running.always(201, {"sid": NAME, "status": "queued", "error_code": None})
    return running


@pytest.fixture
def twilio(api: Answering) -> Iterator[Provider]:
    provider = made(api)
    yield provider
    provider.close()


def made(api: Answering, **env: str) -> Twilio:
    return Twilio({"TWILIO_BASE_URL": api.url, "TWILIO_AUTH_TOKEN": TOKEN, **env}, post=QUICK, get=QUICK)


def with_settings(**more: Any) -> Claimed:
    return replace(SMS, settings={**SMS.settings, **more})


def refused(code: int | None, status: int = 400, message: str = "No.") -> tuple[int, Any]:
    return status, {"code": code, "message": message, "more_info": "https://www.twilio.com", "status": status}


# --- the request ------------------------------------------------------------------------------------------


def test_the_request_has_what_twilios_reference_asks_for_and_nothing_else(api: Answering, twilio: Provider) -> None:
    assert twilio.send(SMS) == Sent(NAME, 201)
    [asked] = api.asked
    assert (asked.method, asked.path, asked.query) == ("POST", MESSAGES, {})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {"To": ["+14155552671"], "From": ["+15005550006"], "Body": ["Hello Ana & Bo, 5 € off"]}
    kind, _, word = asked.headers["authorization"].partition(" ")
    assert (kind, b64decode(word).decode()) == ("Basic", f"{SID}:{TOKEN}")


@pytest.mark.parametrize(("send", "fields"), [
    (with_settings(messaging_service_sid=SERVICE), {"MessagingServiceSid": [SERVICE], "From": None}),
    (with_settings(validity_period="14400"), {"ValidityPeriod": ["14400"]}),
    (with_settings(validity_period=60), {"ValidityPeriod": ["60"]}),
    (with_settings(status_callback_url="https://hooks.example.org/sms/"),
     {"StatusCallback": [f"https://hooks.example.org/sms/{UUID(int=1)}"]}),
    (replace(SMS, payload={"media_urls": ["https://a.example/1.png", "https://a.example/2.png"]}),
     {"MediaUrl": ["https://a.example/1.png", "https://a.example/2.png"], "Body": [SMS.message]}),
    (replace(SMS, payload={"media_urls": ["https://a.example/1.png"]}, message=" "), {"Body": None}),
    (replace(SMS, recipient="+1 (415) 555-2671"), {"To": ["+14155552671"]}),
])  # fmt: skip
def test_settings_and_payload_become_fields(
    api: Answering, twilio: Provider, send: Claimed, fields: dict[str, Any]
) -> None:
    assert isinstance(twilio.send(send), Sent)
    assert {name: api.asked[0].form.get(name) for name in fields} == fields


def test_the_environment_names_the_account_and_the_callback_where_the_account_does_not(api: Answering) -> None:
    twilio = made(api, TWILIO_ACCOUNT_SID="ACother", TWILIO_STATUS_CALLBACK_URL="https://hooks.example.org")
    assert isinstance(twilio.send(replace(SMS, provider_account_id=None)), Sent)
    assert api.asked[0].path == "/2010-04-01/Accounts/ACother/Messages.json"
    assert api.asked[0].form["StatusCallback"] == [f"https://hooks.example.org/{UUID(int=1)}"]
    twilio.close()


def test_an_api_key_stands_in_for_the_account(api: Answering, twilio: Provider) -> None:
    """Its SID is the user, its secret the password; the address stays the account's."""
    twilio.send(with_settings(api_key_sid="SKkey"))
    assert b64decode(api.asked[0].headers["authorization"][6:]).decode() == f"SKkey:{TOKEN}"
    assert api.asked[0].path == MESSAGES


@pytest.mark.parametrize(("send", "outcome", "code"), [
    (replace(SMS, recipient="4155552671"), Failed, "invalid_recipient"),
    (replace(SMS, message="a" * 1601), Failed, "message_too_long"),
    (replace(SMS, message=" "), Failed, "empty_message"),
    (replace(SMS, payload={"media_urls": ["https://a.example/x"] * 11}), Failed, "invalid_payload"),
    (replace(SMS, payload={"media_urls": ["a.png"]}), Failed, "invalid_payload"),
    (replace(SMS, payload={"media_urls": "https://a.example/x"}), Failed, "invalid_payload"),
    (replace(SMS, settings={}), Hold, "sender_missing"),
    (replace(SMS, provider_account_id=None), Hold, "provider_account_id_missing"),
    (replace(SMS, provider_account_id="AC/../x"), Hold, "provider_account_id_missing"),
])  # fmt: skip
def test_what_twilio_would_refuse_is_not_sent(
    api: Answering, twilio: Provider, send: Claimed, outcome: type, code: str
) -> None:
    said = twilio.send(send)
    assert type(said) is outcome
    assert isinstance(said, Failed | Hold)
    assert (said.code, api.asked) == (code, [])


@pytest.mark.parametrize(("env", "send", "names"), [
    ({"TWILIO_AUTH_TOKEN": ""}, SMS, "TWILIO_AUTH_TOKEN"),
    ({}, replace(SMS, secret_env="TEXTS_TOKEN"), "TEXTS_TOKEN"),
    ({}, with_settings(validity_period="1h"), "validity_period"),
    ({}, with_settings(validity_period=36001), "validity_period"),
    ({}, with_settings(status_callback_url="http://hooks.example.org"), "status_callback_url"),
    ({"TWILIO_STATUS_CALLBACK_URL": "http://hooks.example.org"}, SMS, "TWILIO_STATUS_CALLBACK_URL"),
    ({"TWILIO_LAG_MINUTES": "soon"}, SMS, "TWILIO_LAG_MINUTES"),
    ({"TWILIO_BASE_URL": "http://twilio.example.org"}, SMS, "TWILIO_BASE_URL"),
])  # fmt: skip
def test_what_is_set_wrongly_is_said_before_anything_leaves(
    api: Answering, env: dict[str, str], send: Claimed, names: str
) -> None:
    with pytest.raises(ConfigurationError, match=names):
        made(api, **env).send(send)
    assert api.asked == []


# --- the answer -------------------------------------------------------------------------------------------

FAILS = {21211, 21614, 21635, 21612, 21610, 21408, 30004, 30005, 30006, 30007}
TRIES_AGAIN = {30003, 30008}
STOPS_THE_ACCOUNT = {20003, 20404, 60728, 63038}


@pytest.mark.parametrize("code", MEANINGS)
def test_every_error_code_has_its_outcome(api: Answering, twilio: Provider, code: int) -> None:
    api.always(*refused(code, {20003: 401, 20404: 404, 20429: 429}.get(code, 400)))
    said = twilio.send(SMS)
    kind = Failed if code in FAILS else Retry if code in TRIES_AGAIN else Hold
    assert type(said) is kind
    assert isinstance(said, Failed | Hold | Retry)
    assert said.code == MEANINGS[code].code
    if isinstance(said, Hold):
        assert (said.scope == "account") == (code in STOPS_THE_ACCOUNT)
        assert said.after is not None, "no code of Twilio's needs a person before it may be tried again"


@pytest.mark.parametrize(("reply", "outcome", "code"), [
    (refused(99999), Failed, "twilio_99999"),
    (refused(20001), Failed, "twilio_20001"),
    (refused(99999, 401), Hold, "key_refused"),
    (refused(99999, 403), Hold, "access_forbidden"),
    (refused(99999, 429), Hold, "too_many_requests"),
    ((429, b"slow down"), Hold, "too_many_requests"),
    (refused(20500, 500), Uncertain, "twilio_20500"),
    ((503, b"<html>"), Uncertain, "http_503"),
    ((504, {}), Uncertain, "http_504"),
    ((408, {}), Uncertain, "http_408"),
    ((200, b"<html>hello</html>"), Uncertain, "unreadable_answer"),
    ((201, {"sid": None}), Uncertain, "unreadable_answer"),
    ((301, {}, {"Location": "/elsewhere"}), Hold, "unexpected_redirect"),
    ((403, b"<html>firewall</html>"), Hold, "unexpected_answer"),
    ((400, b"<html>firewall</html>"), Retry, "unexpected_answer"),
    ((201, {"sid": NAME, "status": "failed", "error_code": 30007}), Failed, "carrier_filtered"),
])  # fmt: skip
def test_an_answer_that_is_not_in_the_table_is_judged_by_its_status(
    api: Answering, twilio: Provider, reply: tuple[Any, ...], outcome: type, code: str
) -> None:
    api.always(*reply)
    said = twilio.send(SMS)
    assert type(said) is outcome
    assert isinstance(said, Failed | Hold | Retry | Uncertain)
    assert said.code == code


def test_a_dropped_connection_is_in_doubt(api: Answering, twilio: Provider) -> None:
    api.reply = lambda _: None
    assert isinstance(twilio.send(SMS), Uncertain)


def test_nothing_listens_there_is_tried_again(api: Answering) -> None:
    twilio = made(api, TWILIO_BASE_URL="http://127.0.0.1:1")
    assert twilio.send(SMS) == Retry("connect_refused", "127.0.0.1: nothing listens there.")


def test_a_longer_retry_after_is_believed(api: Answering, twilio: Provider) -> None:
    api.always(*refused(20429, 429), {"Retry-After": "90"})
    said = twilio.send(SMS)
    assert isinstance(said, Hold)
    assert (said.after, said.ceiling) == (timedelta(seconds=90), 10 * MINUTE)


def test_a_number_that_may_be_one_campaigns_own_makes_way_for_the_others(api: Answering, twilio: Provider) -> None:
    api.always(*refused(21606))
    assert isinstance(twilio.send(replace(SMS, attempt_number=MAX_LANE_HOLDS)), Hold)
    assert isinstance(twilio.send(replace(SMS, attempt_number=MAX_LANE_HOLDS + 1)), Retry)


def test_who_is_never_to_be_written_to_again_is_said_by_codes_that_there_are() -> None:
    assert {meaning.code for meaning in MEANINGS.values() if meaning.kind == "failed"} >= SUPPRESSES
    assert "opted_out" in Twilio.suppresses


def test_no_detail_repeats_the_token_or_the_text(api: Answering, twilio: Provider) -> None:
    api.always(*refused(21211, message=f"Refused: {SMS.message} by {TOKEN}"))
    said = twilio.send(SMS)
    assert isinstance(said, Failed)
    assert TOKEN not in said.detail
    assert SMS.message not in said.detail


# --- looking up -------------------------------------------------------------------------------------------


def listed(text: str = SMS.message, at: datetime = NOON + SECOND, **more: Any) -> dict[str, Any]:
    return {"sid": NAME, "body": text, "direction": "outbound-api", "date_created": format_datetime(at),
            "status": "sent", **more}  # fmt: skip


OTHER = NAME[:-1] + "0"


@pytest.mark.parametrize(("messages", "found"), [
    ([listed()], Found(NAME)),
    ([listed(text="Sent from your Twilio trial account - " + SMS.message)], Found(NAME)),
    ([listed(text=SMS.message + " ")], Found(NAME)),
    ([listed(at=NOON - 4 * MINUTE)], Found(NAME)),
    ([listed(at=NOON + HOUR)], Found(NAME)),
    ([], NotThere()),
    ([listed(at=NOON - 2 * DAY)], NotThere()),
    ([listed(direction="inbound")], NotThere()),
    ([listed(text="Another", at=NOON - HOUR)], NotThere()),
    ([listed(text="Another", at=NOON + HOUR)], NotThere()),
    ([listed(at=NOON - HOUR)], CannotTell),
    ([listed(), listed(sid=OTHER)], CannotTell),
    ([listed(text="Hello Ana & Bo, 5 EUR off")], CannotTell),
    ([listed(text="Say: " + SMS.message)], CannotTell),
    ([listed(date_created=None)], CannotTell),
    ([listed(sid=None)], CannotTell),
    (["odd"], CannotTell),
])  # fmt: skip
def test_what_is_listed_proves_only_so_much(
    api: Answering, twilio: Provider, messages: list[Any], found: object
) -> None:
    """One message with the text is it; none is an absence; anything else is for a person."""
    api.always(200, {"messages": messages, "next_page_uri": None})
    said = twilio.look_up(replace(SMS, finished_at=NOON + MINUTE))
    assert type(said) is found if isinstance(found, type) else said == found
    [asked] = api.asked
    assert (asked.method, asked.path) == ("GET", MESSAGES)
    assert asked.query == {"To": ["+14155552671"], "PageSize": ["1000"]}, "no DateSent: what waits has none yet"


def test_a_database_whose_clock_was_ahead_hides_no_message(api: Answering, twilio: Provider) -> None:
    """The attempt ended at a moment that has not come yet by Twilio's clock: all is looked for as much earlier."""
    api.now = NOON - 3 * HOUR
    api.always(200, {"messages": [listed(at=NOON - 3 * HOUR)]})
    assert twilio.look_up(replace(SMS, finished_at=NOON + SECOND)) == Found(NAME)


@pytest.mark.parametrize("reply", [
    (200, {"messages": [], "next_page_uri": "/2010-04-01/…"}), (200, {}), (200, b"<html>"), (404, {}), (500, {}), None,
])  # fmt: skip
def test_what_is_no_list_proves_nothing(api: Answering, twilio: Provider, reply: Any) -> None:
    api.reply = lambda _: reply
    assert isinstance(twilio.look_up(SMS), CannotTell)


def test_an_account_that_cannot_be_asked_proves_nothing(api: Answering) -> None:
    assert isinstance(made(api, TWILIO_AUTH_TOKEN="").look_up(SMS), CannotTell)
    assert isinstance(made(api).look_up(replace(SMS, provider_account_id=None)), CannotTell)
    assert made(api, TWILIO_LAG_MINUTES="7").lag == 7 * MINUTE


# --- the sandbox ------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture
def at_sandbox(sandbox: Sandbox) -> Iterator[Twilio]:
    provider = Twilio({"TWILIO_BASE_URL": sandbox.url, "TWILIO_AUTH_TOKEN": TOKEN}, post=QUICK, get=QUICK)
    yield provider
    provider.close()


def test_the_sandbox_takes_a_message_and_lists_it(sandbox: Sandbox, at_sandbox: Twilio) -> None:
    send = replace(SMS, payload={"media_urls": ["https://a.example/1.png"]})
    said = at_sandbox.send(send)
    [entry] = sandbox.accepted()
    assert isinstance(said, Sent)
    assert said.provider_message_id == entry["id"]
    assert (entry["text"], entry["recipient"], entry["media_urls"]) == (
        SMS.message, SMS.recipient, ["https://a.example/1.png"],
    )  # fmt: skip
    assert at_sandbox.look_up(send) == Found(entry["id"])


@pytest.mark.parametrize(("to", "code"), MAGIC_TO.items())
def test_the_sandbox_refuses_the_numbers_that_twilios_test_credentials_refuse(
    at_sandbox: Twilio, to: str, code: int
) -> None:
    said = at_sandbox.send(replace(SMS, recipient=to))
    assert isinstance(said, Failed)
    assert said.code == MEANINGS[code].code


@pytest.mark.parametrize(("sender", "code"), MAGIC_FROM.items())
def test_the_sandbox_refuses_the_senders_that_twilios_test_credentials_refuse(
    at_sandbox: Twilio, sender: str, code: int
) -> None:
    said = at_sandbox.send(with_settings(**{"from": sender}))
    assert isinstance(said, Hold)
    assert said.code == MEANINGS[code].code


@pytest.mark.parametrize(("fault", "outcome", "kept"), [
    (Fault(op="sms", drop="before"), Uncertain, 0), (Fault(op="sms", drop="after"), Uncertain, 1),
    (Fault(op="sms", status=504, accept=True), Uncertain, 1), (Fault(op="sms", spoil="garbage"), Uncertain, 1),
    (Fault(op="sms", status=429, type="20429"), Hold, 0), (Fault(op="sms", status=401), Hold, 0),
    (Fault(provider="twilio", status=400, type="21610"), Failed, 0),
])  # fmt: skip
def test_faults_break_it_as_twilio_would(
    sandbox: Sandbox, at_sandbox: Twilio, fault: Fault, outcome: type[Outcome], kept: int
) -> None:
    sandbox.order(fault)
    assert isinstance(at_sandbox.send(SMS), outcome)
    sandbox.clear_faults()
    assert len(sandbox.accepted()) == kept
    assert isinstance(at_sandbox.look_up(SMS), Found if kept else NotThere)
