"""Renewing tokens at a provider: what is asked of it, field by field, and what each of its answers means."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from send_queue.model import ConfigurationError, clock
from send_queue.providers.http_answer import Limits
from send_queue.providers.oauth.errors import ATPROTO, GRAPH, OAUTH, Meaning, NotNow, Refused, Renewal, Renewed
from send_queue.providers.oauth.renew import RULES, Granted, Renewers, missing_variables

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLIENTS = {f"{name}_{what}": f"{name}/{what}" for name in ("X", "LINKEDIN", "FACEBOOK")
           for what in ("CLIENT_ID", "CLIENT_SECRET")}  # fmt: skip
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Asked:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: str


@dataclass
class Provider:
    """A provider that answers what it is told to, and remembers what it was asked."""

    url: str = ""
    says: tuple[int, Any, Mapping[str, str]] = (200, {}, {})
    asked: list[Asked] = field(default_factory=list)

    def renew(self, provider: str, *, env: Mapping[str, str] = CLIENTS, **granted: Any) -> Renewal:
        where = dict.fromkeys(("X_BASE_URL", "LINKEDIN_OAUTH_URL", "BLUESKY_BASE_URL", "FACEBOOK_BASE_URL"), self.url)
        renewers = Renewers({**where, **env}, Limits(connect=5, read=5, total=15))
        try:
            given = Granted(provider, "the-old-access-token", "the-old-refresh-token", NOON)
            return renewers.renew(replace(given, **granted))
        finally:
            renewers.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            provider.asked.append(Asked(self.command, url.path, parse_qs(url.query), headers, body))
            status, said, more = provider.says
            answer = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        provider.url = f"http://127.0.0.1:{listening.server_port}"
        threading.Thread(target=listening.serve_forever, args=(0.01,)).start()
        yield provider
        listening.shutdown()


@pytest.fixture
def provider(server: Provider) -> Provider:
    server.asked.clear()
    server.says = (200, {}, {})
    return server


def says(provider: Provider, status: int, said: Any, headers: Mapping[str, str] | None = None) -> None:
    provider.says = (status, said, headers or {})


# --- what is asked ----------------------------------------------------------------------------------------


def test_x_is_asked_with_a_form_and_basic_auth(provider: Provider) -> None:
    """POST /2/oauth2/token, each part of the credentials form-encoded first; the new refresh token is in the answer."""
    says(provider, 200, {"token_type": "bearer", "expires_in": 7200, "access_token": "a", "scope": "tweet.write",
                         "refresh_token": "r"})  # fmt: skip
    assert provider.renew("x") == Renewed("a", "r", 2 * HOUR)
    [asked] = provider.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/2/oauth2/token", {})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["authorization"] == "Basic WCUyRkNMSUVOVF9JRDpYJTJGQ0xJRU5UX1NFQ1JFVA=="
    assert parse_qs(asked.body) == {
        "grant_type": ["refresh_token"], "refresh_token": ["the-old-refresh-token"], "client_id": ["X/CLIENT_ID"],
    }  # fmt: skip


def test_a_client_of_xs_without_a_secret_only_names_itself(provider: Provider) -> None:
    """A public client has none to show."""
    says(provider, 200, {"access_token": "a"})
    provider.renew("x", env={"X_CLIENT_ID": "public"})
    [asked] = provider.asked
    assert "authorization" not in asked.headers
    assert parse_qs(asked.body)["client_id"] == ["public"]


def test_linkedin_is_asked_with_a_form(provider: Provider) -> None:
    """POST /oauth/v2/accessToken, the client in the form; it says how long the refresh token still lasts."""
    says(provider, 200, {"access_token": "a", "expires_in": 5184000, "refresh_token": "the-old-refresh-token",
                         "refresh_token_expires_in": 26438400})  # fmt: skip
    assert provider.renew("linkedin") == Renewed("a", "the-old-refresh-token", 60 * DAY, 306 * DAY)
    [asked] = provider.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/oauth/v2/accessToken", {})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert parse_qs(asked.body) == {
        "grant_type": ["refresh_token"], "refresh_token": ["the-old-refresh-token"],
        "client_id": ["LINKEDIN/CLIENT_ID"], "client_secret": ["LINKEDIN/CLIENT_SECRET"],
    }  # fmt: skip


def test_bluesky_is_asked_with_the_refresh_token_as_bearer(provider: Provider) -> None:
    """POST without a body; the answer names the tokens otherwise, and does not say how long they last."""
    says(provider, 200, {"accessJwt": "a", "refreshJwt": "r", "handle": "anna.example", "did": "did:plc:1"})
    assert provider.renew("bluesky") == Renewed("a", "r")
    [asked] = provider.asked
    assert (asked.method, asked.path) == ("POST", "/xrpc/com.atproto.server.refreshSession")
    assert (asked.headers["authorization"], asked.body) == ("Bearer the-old-refresh-token", "")
    assert "content-type" not in asked.headers


def test_facebook_is_asked_to_exchange_the_access_token(provider: Provider) -> None:
    """GET /vN/oauth/access_token with everything in the query; there is no refresh token."""
    says(provider, 200, {"access_token": "a", "token_type": "bearer", "expires_in": 5183944})
    assert provider.renew("facebook", refresh_token=None) == Renewed("a", None, timedelta(seconds=5183944))
    [asked] = provider.asked
    assert (asked.method, asked.path, asked.body) == ("GET", "/v23.0/oauth/access_token", "")
    assert asked.query == {
        "grant_type": ["fb_exchange_token"], "client_id": ["FACEBOOK/CLIENT_ID"],
        "client_secret": ["FACEBOOK/CLIENT_SECRET"], "fb_exchange_token": ["the-old-access-token"],
    }  # fmt: skip
    provider.renew("facebook", env={**CLIENTS, "FACEBOOK_API_VERSION": "v24.0"})
    assert provider.asked[1].path == "/v24.0/oauth/access_token"


def test_an_account_may_have_a_server_of_its_own(provider: Provider) -> None:
    """The setting base_url goes before the environment; plain http to another machine is refused."""
    says(provider, 200, {"accessJwt": "a", "refreshJwt": "r"})
    elsewhere = {"BLUESKY_BASE_URL": "http://127.0.0.1:9"}
    assert provider.renew("bluesky", env=elsewhere, settings={"base_url": provider.url}) == Renewed("a", "r")
    with pytest.raises(ConfigurationError, match="base_url must begin with https"):
        provider.renew("bluesky", settings={"base_url": "http://pds.example"})


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_a_variable_that_is_not_set_is_named_before_anything_leaves(provider: Provider, name: str) -> None:
    """X alone does without a secret; `missing_variables` names the same variables for the doctor."""
    which = name.partition("_")[0].lower()
    env = {key: value for key, value in CLIENTS.items() if key != name}
    assert missing_variables(which, CLIENTS) == []
    if name == "X_CLIENT_SECRET":
        assert missing_variables(which, env) == []
        return
    assert missing_variables(which, env) == [name]
    with pytest.raises(ConfigurationError, match=f"^{name} is not set: "):
        provider.renew(which, env=env)
    assert provider.asked == []


def test_nothing_leaves_when_the_lease_is_over(provider: Provider) -> None:
    """Somebody else may be renewing these tokens by then."""
    verdict = provider.renew("x", leave_by=clock() - 1)
    assert isinstance(verdict, NotNow)
    assert (verdict.answer_lost, provider.asked) == (False, [])


# --- what is answered -------------------------------------------------------------------------------------


def oauth(code: str) -> Any:
    return {"error": code, "error_description": "Value passed for the token was invalid."}


def atproto(code: str) -> Any:
    return {"error": code, "message": "Token has expired"}


def graph(code: str) -> Any:
    return {"error": {"message": "Error validating access token", "type": "OAuthException", "code": int(code)}}


TABLES: list[tuple[str, Callable[[str], Any], Mapping[str, Meaning]]] = [
    ("x", oauth, OAUTH), ("linkedin", oauth, OAUTH), ("bluesky", atproto, ATPROTO), ("facebook", graph, GRAPH),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said", "meaning"),
    [(name, form(code), meaning) for name, form, table in TABLES for code, meaning in table.items()],
    ids=lambda value: json.dumps(value.get("error"))[:40] if isinstance(value, dict) else value,
)
def test_each_error_of_the_tables_means_what_they_say(
    provider: Provider, name: str, said: Any, meaning: Meaning
) -> None:
    """Refused for good, our own client's fault, or later; never anything else."""
    says(provider, 400, said)
    verdict = provider.renew(name)
    match meaning:
        case "refused":
            assert isinstance(verdict, Refused)
            assert verdict.code == "token_refused"
        case "our_client":
            assert isinstance(verdict, NotNow)
            assert (verdict.code, verdict.answer_lost) == ("client_refused", False)
        case "later":
            assert isinstance(verdict, NotNow)
            assert verdict.answer_lost is False


@pytest.mark.parametrize("name", ["x", "linkedin", "bluesky", "facebook"])
@pytest.mark.parametrize(
    ("status", "said", "lost"),
    [
        (400, {"error": "something_new"}, False),
        (400, "<html>Bad Request</html>", False),
        (401, {}, False),
        (403, "blocked by a firewall", False),
        (404, [], False),
        (301, "", False),
        (408, "", True),
        (500, {"error": "invalid_grant"}, True),
        (502, "<html>Bad Gateway</html>", True),
        (503, "", True),
        (200, "", True),
        (200, "<html>Just a moment</html>", True),
        (200, {"access_token": 5, "accessJwt": None}, True),
        (200, {"access_token": "two words", "accessJwt": "two words"}, True),
        (200, [], True),
    ],
)
def test_whatever_else_is_said_costs_no_connection(
    provider: Provider, name: str, status: int, said: Any, lost: bool
) -> None:
    """It is tried again; where the provider may have given tokens that nobody has, that is known."""
    says(provider, status, said)
    verdict = provider.renew(name)
    assert isinstance(verdict, NotNow)
    assert verdict.answer_lost is lost


def test_an_invalid_request_that_speaks_of_the_request_is_ours(provider: Provider) -> None:
    """What lacks a parameter is no word about the token."""
    for words in ('A required parameter "client_id" is missing', "Missing required parameter [client_id]."):
        says(provider, 400, {"error": "invalid_request", "error_description": words})
        verdict = provider.renew("linkedin")
        assert isinstance(verdict, NotNow)
        assert verdict.code == "client_refused"


def test_a_429_waits_as_long_as_it_is_told_to(provider: Provider) -> None:
    """And is no refusal, whatever its body says."""
    says(provider, 429, {"error": "invalid_grant"}, {"Retry-After": "90"})
    verdict = provider.renew("x")
    assert isinstance(verdict, NotNow)
    assert verdict.after == timedelta(seconds=90)


@pytest.mark.parametrize("name", ["x", "linkedin", "bluesky", "facebook"])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_no_secret_is_in_a_verdict_that_says_no(provider: Provider, name: str, status: int) -> None:
    """Neither the old tokens, nor our secret, nor new ones that came in a form that cannot be read."""
    secrets = ["the-old-access-token", "the-old-refresh-token", "X/CLIENT_SECRET", "LINKEDIN/CLIENT_SECRET",
               "FACEBOOK/CLIENT_SECRET"]  # fmt: skip
    new = "the-new-token" if status == 200 else ""
    words = f"no: {' '.join(secrets)} {new}"
    said: Any = {"error": {"code": 190, "message": words}} if name == "facebook" else {
        "error": "InvalidToken" if name == "bluesky" else "invalid_grant", "error_description": words}  # fmt: skip
    says(provider, status, said)
    shown = repr(provider.renew(name))
    ours = [secret for secret in secrets if "CLIENT" not in secret or secret.startswith(name.upper())]
    assert [secret for secret in [*ours, "the-new-token"] if secret in shown] == []


def test_mastodon_gives_none(provider: Provider) -> None:
    """Its tokens do not end, so nothing is ever due; who asks all the same is told."""
    assert RULES["mastodon"].can_renew("anything") is False
    with pytest.raises(ConfigurationError, match="renews no tokens"):
        provider.renew("mastodon")
