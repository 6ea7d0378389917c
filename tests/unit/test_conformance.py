"""Every provider keeps the rules of send_queue.testing; and its checks find those that do not."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from send_queue.model import Claimed, Failed, Hold, LookUp, NotThere, Outcome, Retry, Sent, Uncertain
from send_queue.providers.networks.bluesky import Bluesky
from send_queue.providers.networks.facebook import Facebook
from send_queue.providers.networks.linkedin_posts import LinkedIn
from send_queue.providers.networks.mastodon import Mastodon
from send_queue.providers.networks.x import X
from send_queue.providers.sendgrid.provider import SendGrid
from send_queue.providers.twilio.provider import Twilio
from send_queue.providers.unipile.provider import Unipile
from send_queue.providers.webhook import Webhook
from send_queue.testing import CHECKS, Subject, a_send, conformance, reply
from send_queue.testing.checks import Check

SID = "AC" + "0" * 32
KEYS = {"ANNA_TOKEN": "a-token-that-is-secret"}


def post(**more: Any) -> Callable[[str], Claimed]:
    return lambda _: a_send("post", "@anna", subject=None, secret_env="ANNA_TOKEN", **more)


SUBJECTS = {
    "unipile invitation": Subject(
        Unipile,
        env=lambda url: {"UNIPILE_DSN": url, "UNIPILE_API_KEY": "a-key-that-is-secret"},
        send=lambda _: a_send("linkedin_invite", "ACoAAAexample1"),
        yes=reply(201, b'{"object": "UserInvitationSent", "invitation_id": "7"}'),
    ),
    "unipile message": Subject(
        Unipile,
        env=lambda url: {"UNIPILE_DSN": url, "UNIPILE_API_KEY": "a-key-that-is-secret"},
        send=lambda _: a_send("linkedin_message", "ACoAAAexample1", subject=None),
        yes=reply(201, b'{"object": "ChatStarted", "chat_id": "7", "message_id": "8"}'),
    ),
    "sendgrid": Subject(
        SendGrid,
        env=lambda url: {"SENDGRID_BASE_URL": url, "SENDGRID_API_KEY": "SG.a-key-that-is-secret"},
        send=lambda _: a_send("email", "ada@example.org", settings={"from": "anna@example.com"}),
        yes=reply(202, X_Message_Id="7"),
    ),
    "twilio": Subject(
        Twilio,
        env=lambda url: {
            "TWILIO_BASE_URL": url,
            "TWILIO_AUTH_TOKEN": "a-token-that-is-secret",
            "TWILIO_ACCOUNT_SID": SID,
        },
        send=lambda _: a_send(
            "sms", "+14155550100", subject=None, provider_account_id=SID, settings={"from": "+14155550199"}
        ),
        yes=reply(201, b'{"sid": "SM%s", "status": "queued"}' % (b"0" * 32)),
    ),
    "webhook": Subject(
        Webhook,
        env=lambda _: {"WEBHOOK_SECRET": "whsec_" + b64encode(b"s" * 32).decode(), "WEBHOOK_ALLOW_HOSTS": "127.0.0.1"},
        send=lambda url: a_send("webhook", f"{url}/hook"),
        yes=reply(204),
    ),
    "mastodon": Subject(
        Mastodon, env=lambda url: {"MASTODON_BASE_URL": url, **KEYS}, send=post(), yes=reply(200, b'{"id": "7"}')
    ),
    "bluesky": Subject(
        Bluesky,
        env=lambda url: {"BLUESKY_BASE_URL": url, **KEYS},
        send=post(provider_account_id="did:plc:" + "a" * 24),
        yes=reply(200, b'{"uri": "at://x/y/z", "cid": "c"}'),
    ),
    "facebook": Subject(
        Facebook,
        env=lambda url: {"FACEBOOK_BASE_URL": url, **KEYS},
        send=post(provider_account_id="123"),
        yes=reply(200, b'{"id": "123_7"}'),
    ),
    "linkedin": Subject(
        LinkedIn,
        env=lambda url: {"LINKEDIN_BASE_URL": url, **KEYS},
        send=post(provider_account_id="urn:li:person:abc"),
        yes=reply(201, X_Restli_Id="urn:li:share:7"),
    ),
    "x": Subject(
        X,
        env=lambda url: {"X_BASE_URL": url, **KEYS},
        send=post(provider_account_id="123"),
        yes=reply(201, b'{"data": {"id": "7"}}'),
    ),
}
"""Each provider of ours that speaks HTTP: one more for each new one."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_provider_keeps_the_rule(name: str, check: Check) -> None:
    """Whatever its server does, what it says of a send is true."""
    check(SUBJECTS[name])


# --- the checks find what is wrong ------------------------------------------------------------------------


def example() -> Any:
    """The provider of the documents, which keeps every rule."""
    text = (Path(__file__).parents[2] / "examples/pigeon_post.py").read_text()
    names: dict[str, Any] = {"__name__": "pigeon_post"}
    exec(text, names)
    return names["Pigeon"]


Pigeon: Any = example()


class Raises(Pigeon):  # type: ignore[misc]  # Pigeon is made at run time
    """It takes every answer for what it expects."""

    def send(self, send: Claimed) -> Outcome:
        answer = httpx.post(self._url, json={"id": str(send.send_id), "text": send.message}, timeout=0.5)
        return Sent(answer.json()["letter"])


class Hopeful(Pigeon):  # type: ignore[misc]
    """It tries again what may have gone out."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(send)
        return Retry(outcome.code) if isinstance(outcome, Uncertain) else outcome


class GivesUp(Pigeon):  # type: ignore[misc]
    """It fails what only has to wait."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(send)
        return Failed(outcome.code) if isinstance(outcome, Hold | Retry) else outcome


class Insists(Pigeon):  # type: ignore[misc]
    """It asks twice where the first answer does not please it."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(send)
        return super().send(send) if isinstance(outcome, Uncertain) else outcome


class Late(Pigeon):  # type: ignore[misc]
    """It lets a request leave whose lease is over."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(replace(send, leave_by=float("inf")))
        return outcome


class Chatty(Pigeon):  # type: ignore[misc]
    """It shows what it has sent."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(send)
        return replace(outcome, detail=send.message) if isinstance(outcome, Failed) else outcome


class Hasty(Pigeon):  # type: ignore[misc]
    """Its calls may last longer than it says."""

    longest_call = timedelta(seconds=30)


class Knowing(Pigeon):  # type: ignore[misc]
    """It takes silence for an answer."""

    lag = timedelta(minutes=1)

    def look_up(self, send: Claimed) -> LookUp:  # noqa: ARG002 — it does not look at it
        return NotThere()


class Numbers(Pigeon):  # type: ignore[misc]
    """It names a message by a number."""

    def send(self, send: Claimed) -> Outcome:
        outcome: Outcome = super().send(send)
        return replace(outcome, provider_message_id=7) if isinstance(outcome, Sent) else outcome  # type: ignore[arg-type]


def facing(provider: Callable[[Mapping[str, str]], Any]) -> Subject:
    return Subject(
        provider,
        env=lambda url: {"PIGEON_BASE_URL": url},
        send=lambda _: a_send("webhook", "somebody"),
        yes=reply(201, b'{"letter": "7"}'),
    )


@pytest.mark.parametrize(("provider", "rules"), [
    (Raises, {"nothing_listens_there", "it_is_refused", "the_answer_is_lost", "a_yes_cannot_be_read"}),
    (Hopeful, {"the_answer_is_lost", "the_server_is_in_trouble", "a_yes_cannot_be_read"}),
    (GivesUp, {"nothing_listens_there", "no_connection_comes_about", "it_is_too_much"}),
    (Insists, {"the_answer_is_lost", "its_calls_are_as_short_as_it_says"}),
    (Late, {"after_its_time_nothing_leaves"}),
    (Chatty, {"it_shows_no_secrets"}),
    (Hasty, {"its_calls_are_as_short_as_it_says"}),
    (Knowing, {"what_could_not_be_asked_proves_nothing"}),
    (Numbers, {"it_is_accepted"}),
], ids=lambda value: value.__name__ if isinstance(value, type) else "")  # fmt: skip
def test_a_rule_that_is_broken_is_found(provider: Any, rules: set[str]) -> None:
    """Each way to be wrong is found by the check that is meant for it."""
    found = set()
    for check in CHECKS:
        if check.__name__ in rules:
            with pytest.raises(AssertionError):
                check(facing(provider))
            found.add(check.__name__)
    assert found == rules


def test_all_checks_in_one_call() -> None:
    """It says each rule that is broken, and how; of a provider that keeps them all, nothing."""
    with pytest.raises(AssertionError) as broken:
        conformance(facing(Late))
    [line] = str(broken.value).splitlines()
    assert line.startswith("after_its_time_nothing_leaves: nothing leaves after `leave_by`: give it to `Http.request`.")
