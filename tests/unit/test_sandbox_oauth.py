"""The sandbox's token endpoints: orders over HTTP, and whom they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from send_queue.sandbox import Fault, Sandbox

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def now() -> list[datetime]:
    return [NOON]


@pytest.fixture
def sandbox(tmp_path: Path, now: list[datetime]) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=lambda: now[0]) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, verify=False) as client:  # it speaks no TLS: certificates take long to load
        yield client


def x(client: httpx.Client, refresh_token: str, **more: Any) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "ours", **more}
    return client.post("/2/oauth2/token", data={name: value for name, value in form.items() if value})


def test_an_account_is_connected_and_revoked_over_http(client: httpx.Client, sandbox: Sandbox) -> None:
    """POST /sandbox/tokens answers with the first tokens; DELETE makes them worthless."""
    asked = {"provider": "x", "account_id": "anna"}
    granted = client.post("/sandbox/tokens", json=asked).json()
    assert granted["expires_in"] == 7200
    assert sandbox.tokens("x").honours(granted["access_token"])
    assert client.request("DELETE", "/sandbox/tokens", json=asked).status_code == 200
    assert not sandbox.tokens("x").honours(granted["access_token"])
    assert x(client, granted["refresh_token"]).status_code == 400


@pytest.mark.parametrize("asked", [{"provider": "mastodon", "account_id": "a"}, {"provider": "x"}, {}])
def test_an_order_that_cannot_be_is_refused(client: httpx.Client, asked: Any) -> None:
    """400, and what is wrong."""
    answer = client.post("/sandbox/tokens", json=asked)
    assert (answer.status_code, "error" in answer.json()) == (400, True)


def test_a_refresh_token_of_xs_is_good_once(client: httpx.Client, sandbox: Sandbox, now: list[datetime]) -> None:
    """The next one is in the answer; the old one, a made-up one and one that has ended are refused alike."""
    first = sandbox.tokens("x").connect("anna")["refresh_token"]
    second = x(client, first).json()["refresh_token"]
    assert second != first
    invalid = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
    assert [x(client, token).json() for token in (first, "made.up", "made-up")] == [invalid] * 3
    now[0] += timedelta(days=181)
    assert x(client, second).json() == invalid


def test_a_request_without_a_client_or_a_grant_is_refused(client: httpx.Client, sandbox: Sandbox) -> None:
    """401 unauthorized_client; 400 where the form lacks something. The token is still good afterwards."""
    token = sandbox.tokens("x").connect("anna")["refresh_token"]
    assert x(client, token, client_id="").json()["error"] == "unauthorized_client"
    assert x(client, token, grant_type="").json()["error"] == "invalid_request"
    assert x(client, token, grant_type="password").json()["error"] == "unsupported_grant_type"
    assert client.post("/2/oauth2/token", json={"refresh_token": token}).status_code == 400
    assert x(client, token).status_code == 200


def test_linkedins_access_token_does_not_outlast_its_refresh_token(
    client: httpx.Client, sandbox: Sandbox, now: list[datetime]
) -> None:
    """On day 360 both end in five days."""
    token = sandbox.tokens("linkedin").connect("anna")["refresh_token"]
    now[0] += timedelta(days=360)
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "ours", "client_secret": "s"}
    answer = client.post("/oauth/v2/accessToken", data=form).json()
    assert answer["refresh_token"] == token
    assert (answer["expires_in"], answer["refresh_token_expires_in"]) == (5 * 86400, 5 * 86400)


def test_faults_are_of_an_account_and_in_the_providers_form(client: httpx.Client, sandbox: Sandbox) -> None:
    """A rule may name the account whose token is shown; what it says is said as the provider would."""
    anna, ben = (sandbox.tokens("facebook").connect(name)["access_token"] for name in ("anna", "ben"))
    sandbox.order(Fault(provider="facebook_tokens", account_id="anna", status=400, type="190"))
    asked = {"grant_type": "fb_exchange_token", "client_id": "ours", "client_secret": "s"}
    answers = [client.get("/v23.0/oauth/access_token", params={**asked, "fb_exchange_token": token})
               for token in (anna, ben)]  # fmt: skip
    assert [answer.status_code for answer in answers] == [400, 200]
    assert answers[0].json()["error"]["code"] == 190


def test_a_clean_restart_forgets_what_was_granted(client: httpx.Client, sandbox: Sandbox) -> None:
    """As at the first start."""
    token = sandbox.tokens("x").connect("anna")["refresh_token"]
    sandbox.restart_clean()
    assert x(client, token).status_code == 400
