"""A mail of a send: what is taken from where, and what is wrong with it before anybody is asked."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from send_queue.model import Claimed, ConfigurationError, Failed, Hold, Retry
from send_queue.providers import mail
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.mail import NOT_OURS, Mail, Mails, in_ascii, one_line
from send_queue.rules import unsubscribe
from send_queue.rules.recipients import address

KEYED = {unsubscribe.KEY: Fernet.generate_key().decode(), unsubscribe.URL: "https://u.example.org/stop/"}
SEND = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="email",
    recipient=" ana@example.com ",
    subject="Good\r\n morning",
    message="Hello",
    payload={},
    account_id=UUID(int=3),
    account="sales",
    provider="smtp",
    provider_account_id=None,
    secret_env=None,
    campaign="spring",
    started_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    workspace_id=UUID(int=4),
    settings={"from": "carla@example.org"},
)


def of(env: dict[str, str] | None = None, **changed: Any) -> Any:
    return Mails(env or {}).of(replace(SEND, **changed))


def test_a_mail_is_put_together() -> None:
    """Columns, payload and settings; what stands in a header stands on one line."""
    settings = {**SEND.settings, "from_name": "Carla\nB.", "reply_to": "team@example.org"}
    payload = {"html": "<p>Hello</p>", "headers": {"X-Ours": "1"}}
    assert of(settings=settings, payload=payload) == Mail(
        "ana@example.com", "carla@example.org", "Carla B.", "team@example.org", "Good morning", "Hello",
        "<p>Hello</p>", (("X-Ours", "1"),), (),
    )  # fmt: skip


def test_html_for_a_whole_campaign() -> None:
    """The setting `html` is for mails that bring none of their own."""
    settings = {**SEND.settings, "html": "<p>all</p>"}
    assert of(settings=settings).html == "<p>all</p>"
    assert of(settings=settings, payload={"html": "<p>own</p>"}).html == "<p>own</p>"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"recipient": "ana"}, "invalid_recipient"),
        ({"recipient": "Ana <ana@example.com>"}, "invalid_recipient"),
        ({"recipient": "ana@example.com,bob@example.com"}, "invalid_recipient"),
        ({"recipient": "ana@example.com\r\nRSET"}, "invalid_recipient"),
        ({"recipient": "änne@example.com"}, "invalid_recipient"),
        ({"recipient": "ana@localhost"}, "invalid_recipient"),
        ({"recipient": "a" * 65 + "@example.com"}, "invalid_recipient"),
        ({"recipient": "a@" + "b." * 130 + "com"}, "invalid_recipient"),
        ({"recipient": "a@" + "ü" * 70 + ".com"}, "invalid_recipient"),
        ({"subject": None}, "subject_missing"),
        ({"subject": " \n"}, "subject_missing"),
        ({"payload": {"html": 5}}, "invalid_payload"),
        ({"payload": {"headers": ["X"]}}, "invalid_headers"),
        ({"payload": {"headers": {"X A": "1"}}}, "invalid_headers"),
        ({"payload": {"headers": {"X:A": "1"}}}, "invalid_headers"),
        ({"payload": {"headers": {"": "1"}}}, "invalid_headers"),
        ({"payload": {"headers": {"X-A": "1\r\nBcc: b@example.com"}}}, "invalid_headers"),
        ({"payload": {"headers": {"X-A": "1\n"}}}, "invalid_headers"),
        ({"payload": {"headers": {"X-A": "\x00"}}}, "invalid_headers"),
        ({"payload": {"headers": {"X-A": 1}}}, "invalid_headers"),
        ({"payload": {"headers": {"X-A": "x" * 901}}}, "invalid_headers"),
        *(({"payload": {"headers": {name.title(): "x"}}}, "invalid_headers") for name in sorted(NOT_OURS)),
    ],
)
def test_what_is_wrong_with_one_mail_fails_it(changed: dict[str, Any], code: str) -> None:
    """It never goes out, whatever the settings; and no value of it is in the words."""
    outcome = of(**changed)
    assert isinstance(outcome, Failed)
    assert outcome.code == code
    assert "Bcc: b" not in outcome.detail


def test_what_is_wrong_with_the_settings_holds_the_lane() -> None:
    """No from-address, or one that is none: no mail is to blame. The words name both commands that mend it. It may be
    one campaign's alone: a mail that has been held three times makes way for the others."""
    for settings, code in (
        ({}, "from_missing"),
        ({"from": "carla"}, "from_invalid"),
        ({"from": "carla@example.org", "reply_to": "team"}, "reply_to_invalid"),
    ):
        outcome = of(settings=settings)
        assert isinstance(outcome, Hold)
        assert (outcome.scope, outcome.code, outcome.after) == ("lane", code, timedelta(minutes=15))
        name = code.rpartition("_")[0]
        assert f"`send-queue account set sales --set {name}=you@example.com`" in outcome.detail
        assert f"`send-queue campaign set spring --set sales:{name}=you@example.com`" in outcome.detail
        assert isinstance(of(settings=settings, attempt_number=MAX_LANE_HOLDS + 1), Retry)


# --- links to unsubscribe by ------------------------------------------------------------------------------


def test_a_mail_has_a_link_where_there_is_a_key_and_an_address() -> None:
    """The two headers of RFC 8058, for this workspace, channel and recipient; without either there are none."""
    (name, link), post = of(KEYED).unsubscribe
    assert name == "List-Unsubscribe"
    assert post == ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    assert link.startswith("<https://u.example.org/stop/v1.")
    token = link.removesuffix(">").rpartition("/")[2]
    assert unsubscribe.open(KEYED, token) == (SEND.workspace_id, "email", SEND.recipient)
    for name in KEYED:
        assert of({k: v for k, v in KEYED.items() if k != name}).unsubscribe == ()
    assert of().unsubscribe == ()


def test_an_account_may_have_its_own_address_for_links() -> None:
    """The setting `unsubscribe_url` goes before the environment; a wrong one is said, not sent."""
    own = {**SEND.settings, "unsubscribe_url": "https://stop.example.net"}
    assert of(KEYED, settings=own).unsubscribe[0][1].startswith("<https://stop.example.net/v1.")
    with pytest.raises(ConfigurationError, match="unsubscribe_url of the account sales must begin with https"):
        of(KEYED, settings={**SEND.settings, "unsubscribe_url": "http://stop.example.net"})


def test_a_mail_has_one_list_unsubscribe() -> None:
    """RFC 8058 allows one: a mail that brings its own has no other."""
    made = of(KEYED, payload={"headers": {"list-unsubscribe": "<https://example.com/stop>"}})
    assert made.unsubscribe == ()
    assert made.headers == (("list-unsubscribe", "<https://example.com/stop>"),)


@pytest.mark.parametrize("name", sorted(KEYED))
def test_what_is_wrong_with_links_is_said_before_anything_is_sent(name: str) -> None:
    """A key that is none, an address that is none: one sentence, exit 78."""
    with pytest.raises(ConfigurationError, match=name):
        Mails({**KEYED, name: "http://nowhere.example.org"})


# --- small things -----------------------------------------------------------------------------------------


def test_the_examples_in_the_docstrings_hold() -> None:
    """Doctests are specification."""
    assert doctest.testmod(mail).failed == 0


@given(st.text())
def test_an_address_is_safe_wherever_it_stands(text: str) -> None:
    """Whatever is taken for an address has no space, bracket, quote or line break: it cannot become a second command or
    header."""
    found = address(text)
    assert found is None or not set(found) & set(' \t\r\n<>()[],;:\\"\0')
    assert found is None or found.isascii()


@given(st.text(st.characters(codec="utf-8")))
def test_a_header_is_one_header(text: str) -> None:
    """Whatever stands in it, its lines after the first begin with a space."""
    said = in_ascii("Subject", one_line(text))
    assert said.isascii()
    assert all(line.startswith(" ") and line.strip() for line in said.split("\r\n")[1:])
    assert "\n" not in said.replace("\r\n", "")
