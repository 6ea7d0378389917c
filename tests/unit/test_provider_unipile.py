"""Unipile: what is asked of it, field by field, and what each of its answers means for a send."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from combinations import each_once, pairwise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from send_queue.model import (
    AlreadyDone,
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
from send_queue.providers.credentials import Refusals
from send_queue.providers.http_answer import Limits
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.unipile.api import MAX_PAGES
from send_queue.providers.unipile.errors import MEANINGS
from send_queue.providers.unipile.provider import Unipile

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUICK = Limits(connect=5, read=5, total=15)
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
KEY = "the-secret-api-key"

INVITE = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="linkedin_invite",
    recipient="ACoAAana",
    subject=None,
    message="Hello Ana, shall we connect?",
    payload={},
    account_id=UUID(int=3),
    account="sales-1",
    provider="unipile",
    provider_account_id="acc1",
    secret_env=None,
    campaign="spring",
    started_at=NOON,
)
MESSAGE = replace(INVITE, channel="linkedin_message")

INVITED = {"object": "UserInvitationSent", "invitation_id": "7224673722165518336", "usage": 75}
STRANGER = {"object": "UserProfile", "provider_id": "ACoAAana", "is_relationship": False, "invitation": None}
PENDING = {**STRANGER, "invitation": {"type": "SENT", "status": "PENDING"}}
FRIEND = {**STRANGER, "network_distance": "FIRST_DEGREE"}
CONNECTED = {"object": "Account", "id": "acc1", "sources": [{"id": "acc1_MESSAGING", "status": "OK"}]}
EMPTY: dict[str, Any] = {"object": "List", "items": [], "cursor": None}


def error(status: int, kind: str, **more: object) -> tuple[int, Any]:
    return status, {"status": status, "type": f"errors/{kind}", "title": "Title", "detail": "Detail.", **more}


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields of a multipart body, which must have neither a file name nor a type."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        assert isinstance(parts, list)
        found = []
        for part in parts:
            assert isinstance(part, Message)
            assert part.get_filename() is None
            assert "content-type" not in part
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found.append((str(part.get_param("name", header="content-disposition")), content.decode()))
        return found


Reply = tuple[int, Any] | tuple[int, Any, Mapping[str, str]] | Callable[[Asked], Any] | None


@dataclass
class Api:
    """Answers each method and path with what was ordered for it, in order, the last one again and again.

    A reply of null drops the connection; bytes are sent as they are. Each is dated by `now`, if that is not null.
    """

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    dsn: str = ""
    now: datetime | None = None

    def order(self, what: str, *replies: Reply) -> None:
        self.replies[what] = list(replies)

    def paths(self) -> list[str]:
        return [f"{a.method} {a.path}" for a in self.asked]


@pytest.fixture(scope="module")
def running() -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the second write of each answer waits 40 ms for the first

        def answer(self) -> None:
            url = urlsplit(self.path)
            asked = Asked(
                self.command,
                url.path,
                {name: values[-1] for name, values in parse_qs(url.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
            api.asked.append(asked)
            waiting = api.replies.get(f"{asked.method} {asked.path}", [error(404, "resource_not_found")])
            reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if callable(reply):
                reply = reply(asked)
            if reply is None:
                self.close_connection = True
                return
            body = reply[1] if isinstance(reply[1], bytes) else json.dumps(reply[1]).encode()
            self.send_response_only(reply[0])
            if api.now is not None:
                self.send_header("Date", format_datetime(api.now, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            for name, value in reply[2].items() if len(reply) > 2 else ():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    api.dsn = f"http://127.0.0.1:{server.server_address[1]}"
    yield api
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(running: Api) -> Api:
    running.replies.clear()
    running.asked.clear()
    running.now = NOON + MINUTE
    running.order("GET /api/v1/accounts/acc1", (200, CONNECTED))
    return running


@pytest.fixture(scope="module")
def connected(running: Api) -> Iterator[Unipile]:
    env = {"UNIPILE_DSN": running.dsn, "UNIPILE_API_KEY": KEY + "\n", "ANAS_KEY": "anas-own-key"}
    made = Unipile(env, post=QUICK, get=QUICK)
    yield made
    made.close()


@pytest.fixture
def unipile(connected: Unipile) -> Unipile:
    """One whom nobody has refused a key; its connections are those of all these tests."""
    connected._refusals = Refusals()
    return connected


# --- configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dsn",
    ["api8.unipile.com:13851", "https://api8.unipile.com:13851/", " https://API8.unipile.com:13851/api/v1 "],
)
def test_the_dsn_is_what_the_dashboard_shows(dsn: str) -> None:
    """A host and port, or a URL, with or without the API's path: https in any case."""
    assert Unipile({"UNIPILE_DSN": dsn})._base == "https://api8.unipile.com:13851/api/v1"


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("", "UNIPILE_DSN is not set"),
        ("  ", "UNIPILE_DSN is not set"),
        ("http://api8.unipile.com:13851", "must begin with https://"),
        ("http://10.0.0.7:8080", "must begin with https://"),
        ("http://localhost.evil.example", "must begin with https://"),
        ("ftp://api8.unipile.com", "is not an address"),
        ("api8.unipile.com:port", "is not an address"),
        ("api8.unipile.com:99999", "is not an address"),
        ("https://key@api8.unipile.com", "is not an address"),
        ("https://api8.unipile.com/api/v2", "is not an address"),
        ("https://api8.unipile.com?x", "is not an address"),
        ("https://", "is not an address"),
        ("https://[", "is not an address"),
        ("api 8", "is not an address"),
    ],
)
def test_a_wrong_dsn_says_what_to_do(dsn: str, words: str) -> None:
    """What cannot be Unipile's address ends the command with one sentence, before anything is claimed."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        Unipile({"UNIPILE_DSN": dsn, "UNIPILE_API_KEY": KEY})
    assert caught.value.exit_status == 78


@pytest.mark.parametrize("dsn", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080"])
def test_a_sandbox_may_do_without_tls(dsn: str) -> None:
    """Plain http is for this machine."""
    assert Unipile({"UNIPILE_DSN": dsn})._base == dsn + "/api/v1"


def test_the_longest_call_bounds_all_its_requests() -> None:
    """A send is at most two questions and one POST, each with a deadline."""
    unipile: Provider = Unipile({"UNIPILE_DSN": "a.example"})

    assert unipile.longest_call == timedelta(seconds=20 + 60 + 20 + 5)
    assert unipile.channels == {"linkedin_invite", "linkedin_message"}


def test_an_account_has_its_own_key(api: Api, unipile: Unipile) -> None:
    """`secret_env` names the variable that holds the account's key; a newline at its end is no part of it."""
    api.order("POST /api/v1/users/invite", (200, INVITED))
    unipile.send(INVITE)
    unipile.send(replace(INVITE, secret_env="ANAS_KEY"))

    assert [a.headers["x-api-key"] for a in api.asked] == [KEY, "anas-own-key"]


@pytest.mark.parametrize(
    ("env", "secret_env", "variable"),
    [
        ({}, None, "UNIPILE_API_KEY"),
        ({"UNIPILE_API_KEY": " \n"}, None, "UNIPILE_API_KEY"),
        ({"UNIPILE_API_KEY": KEY}, "ANAS_KEY", "ANAS_KEY"),
        ({"ANAS_KEY": "kéy"}, "ANAS_KEY", "ANAS_KEY"),
        ({"ANAS_KEY": "a\nb"}, "ANAS_KEY", "ANAS_KEY"),
    ],
)
def test_a_missing_secret_is_said_before_anything_leaves(
    env: dict[str, str], secret_env: str | None, variable: str
) -> None:
    """A secret that this machine lacks is its configuration's fault, and the sentence names it."""
    with pytest.raises(ConfigurationError, match=variable):
        Unipile({"UNIPILE_DSN": "a.example", **env}).send(replace(INVITE, secret_env=secret_env))
    assert isinstance(Unipile({"UNIPILE_DSN": "a.example", **env}).look_up(INVITE), CannotTell)


def test_an_account_without_its_id_holds(unipile: Unipile) -> None:
    """Without the id of the account at Unipile nothing can be sent; a person can mend it."""
    outcome = unipile.send(replace(INVITE, provider_account_id=None))

    assert isinstance(outcome, Hold)
    assert (outcome.scope, outcome.code) == ("account", "provider_account_id_missing")


def test_another_channel_is_not_served(api: Api, unipile: Unipile) -> None:
    """An email for Unipile is refused without asking anybody."""
    outcome = unipile.send(replace(INVITE, channel="email"))

    assert isinstance(outcome, Failed)
    assert outcome.code == "channel_not_served"
    assert api.asked == []


# --- what is asked ----------------------------------------------------------------------------------------


def test_an_invitation(api: Api, unipile: Unipile) -> None:
    """POST /users/invite as JSON: provider_id, account_id, message; its id is the invitation's."""
    api.order("POST /api/v1/users/invite", (200, INVITED))
    outcome = unipile.send(INVITE)

    assert outcome == Sent("7224673722165518336", 200)
    (asked,) = api.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["x-api-key"] == KEY
    assert json.loads(asked.body) == {
        "provider_id": "ACoAAana",
        "account_id": "acc1",
        "message": "Hello Ana, shall we connect?",
    }


def test_an_invitation_without_a_note(api: Api, unipile: Unipile) -> None:
    """An empty message is left out; an email address goes along where LinkedIn asks for it."""
    api.order("POST /api/v1/users/invite", (200, INVITED))
    unipile.send(replace(INVITE, message=" ", payload={"user_email": "ana@example.com"}))

    assert json.loads(api.asked[0].body) == {
        "provider_id": "ACoAAana",
        "account_id": "acc1",
        "user_email": "ana@example.com",
    }


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://www.linkedin.com/in/ana-b/", "/api/v1/users/ana-b"),
        ("linkedin.com/in/ana-b?trk=x#y", "/api/v1/users/ana-b"),
        ("https://de.LinkedIn.com/in/ana-mar%C3%ADa", "/api/v1/users/ana-mar%C3%ADa"),
        ("https://www.linkedin.com/in/ana-maría/detail/", "/api/v1/users/ana-mar%C3%ADa"),
        ("https://www.linkedin.com/in/a%2Fb", "/api/v1/users/a%2Fb"),
    ],
)
def test_a_profile_url_is_resolved_first(api: Api, unipile: Unipile, url: str, path: str) -> None:
    """An id holds for one account only, so the account that will send asks for it."""
    api.order(f"GET {path}", (200, {**STRANGER, "provider_id": "ACoAAresolved"}))
    api.order("POST /api/v1/users/invite", (200, INVITED))
    outcome = unipile.send(replace(INVITE, recipient=url))

    assert isinstance(outcome, Sent)
    assert api.paths() == [f"GET {path}", "POST /api/v1/users/invite"]
    assert api.asked[0].query == {"account_id": "acc1"}
    assert api.asked[0].headers["x-api-key"] == KEY
    assert json.loads(api.asked[1].body)["provider_id"] == "ACoAAresolved"


def test_a_profile_may_redirect(api: Api, unipile: Unipile) -> None:
    """The path without its slash redirects at times: a question follows, on the same host."""
    api.order("GET /api/v1/users/ana", (301, b"", {"Location": "/api/v1/users/ana/?account_id=acc1"}))
    api.order("GET /api/v1/users/ana/", (200, STRANGER))
    api.order("POST /api/v1/users/invite", (200, INVITED))

    assert isinstance(unipile.send(replace(INVITE, recipient="linkedin.com/in/ana")), Sent)


@pytest.mark.parametrize("recipient", ["", "  ", "..", "https://www.linkedin.com/in/", "linkedin.com/in/%2e%2e/"])
def test_a_recipient_that_is_none(api: Api, unipile: Unipile, recipient: str) -> None:
    """Nothing is asked for a recipient that names nobody."""
    for send in (INVITE, MESSAGE):
        outcome = unipile.send(replace(send, recipient=recipient))

        assert isinstance(outcome, Failed)
        assert outcome.code == "invalid_recipient"
    assert api.asked == []


def test_a_new_chat(api: Api, unipile: Unipile) -> None:
    """POST /chats as multipart fields: account_id, attendees_ids, text; its id is the message's."""
    api.order("POST /api/v1/chats", (201, {"object": "ChatStarted", "chat_id": "c1", "message_id": "m1"}))
    outcome = unipile.send(replace(MESSAGE, message="Hello\n“Ana”"))

    assert outcome == Sent("m1", 201)
    (asked,) = api.asked
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["x-api-key"] == KEY
    assert asked.fields == [
        ("account_id", "acc1"),
        ("attendees_ids", "ACoAAana"),
        ("text", "Hello\n“Ana”"),
    ]


def test_an_inmail(api: Api, unipile: Unipile) -> None:
    """A subject is a field; payload.linkedin becomes fields in brackets."""
    api.order("POST /api/v1/chats", (201, {"object": "ChatStarted", "chat_id": None, "message_id": None}))
    payload = {"linkedin": {"api": "sales_navigator", "inmail": True}}
    outcome = unipile.send(replace(MESSAGE, subject="A word", payload=payload))

    assert outcome == Sent(None, 201)
    assert api.asked[0].fields[3:] == [
        ("subject", "A word"),
        ("linkedin[api]", "sales_navigator"),
        ("linkedin[inmail]", "true"),
    ]


def test_a_message_in_a_chat(api: Api, unipile: Unipile) -> None:
    """POST /chats/{chat_id}/messages as multipart fields; account_id guards against another's chat."""
    api.order("POST /api/v1/chats/c%2F1/messages", (201, {"object": "MessageSent", "message_id": "m2"}))
    outcome = unipile.send(replace(MESSAGE, payload={"chat_id": "c/1"}))

    assert outcome == Sent("m2", 201)
    assert api.asked[0].headers["content-type"].startswith("multipart/form-data; boundary=")
    assert sorted(api.asked[0].fields) == [("account_id", "acc1"), ("text", MESSAGE.message)]


@pytest.mark.parametrize(
    "payload",
    [{"chat_id": 7}, {"chat_id": ""}, {"chat_id": ".."}, {"linkedin": "x"}, {"linkedin": {"a": ["b"]}}],
)
def test_a_payload_that_is_wrong(api: Api, unipile: Unipile, payload: dict[str, Any]) -> None:
    """A payload of the wrong shape is refused before anything is sent."""
    outcome = unipile.send(replace(MESSAGE, payload=payload))

    assert isinstance(outcome, Failed)
    assert outcome.code == "invalid_payload"
    assert api.asked == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"chat_id": "c1", "message_id": None}, "c1"),
        ({"chat_id": None, "message_id": None}, None),
        ({}, None),
        ({"message_id": 12}, "12"),
        ({"message_id": True, "chat_id": ["c"]}, None),
        ({"message_id": "a\x00b\ud800"}, "ab"),
    ],
)
def test_ids_may_be_missing(api: Api, unipile: Unipile, body: Any, expected: str | None) -> None:
    """A yes is a yes, whatever its ids: the message's, else the chat's, else none; always storable."""
    api.order("POST /api/v1/chats", (200, body))

    assert unipile.send(MESSAGE) == Sent(expected, 200)


# --- what the answers mean --------------------------------------------------------------------------------

# The error types of Unipile's reference by status, and those that only live users have reported.
DOCUMENTED = {
    400: "invalid_parameters malformed_request content_too_large invalid_url too_many_characters"
    " unescaped_characters missing_parameters",
    401: "missing_credentials multiple_sessions invalid_checkpoint_solution checkpoint_error"
    " invalid_credentials expired_credentials insufficient_privileges disconnected_account"
    " disconnected_feature invalid_credentials_but_valid_account_imap expired_link wrong_account"
    " captcha_not_supported invalid_proxy_credentials invalid_imap_configuration invalid_smtp_configuration",
    403: "account_restricted account_mismatch insufficient_permissions session_mismatch"
    " feature_not_subscribed subscription_required unknown_authentication_context action_required"
    " resource_access_restricted",
    404: "resource_not_found invalid_resource_identifier",
    415: "unsupported_media_type",
    422: "invalid_account invalid_recipient no_connection_with_recipient blocked_recipient user_unreachable"
    " unprocessable_entity action_already_performed invalid_message invalid_post not_allowed_inmail"
    " insufficient_credits cannot_resend_yet cannot_resend_within_24hrs limit_exceeded"
    " already_invited_recently cannot_invite_attendee parent_mail_not_found invalid_reply_subject"
    " invalid_headers send_as_denied invalid_folder invalid_thread limit_too_high unauthorized"
    " sender_rejected recipient_rejected ip_rejected_by_server provider_unreachable"
    " account_configuration_error cant_send_message realtime_client_not_initialized"
    " already_connected connection_limit_reached payment_error",
    429: "too_many_requests",
    500: "unexpected_error provider_error authentication_intent_error",
    501: "feature_not_implemented",
    503: "no_client_session no_channel no_handler network_down service_unavailable",
    504: "request_timeout",
}
TYPES = [(status, kind) for status, kinds in DOCUMENTED.items() for kind in kinds.split()]

SIX_HOURS_DOUBLING = ("lane", 6 * HOUR, 72 * HOUR)
EXPECTED_HOLDS = {
    "missing_credentials": ("account", HOUR / 4, None),
    "insufficient_permissions": ("account", HOUR / 4, None),
    "insufficient_credits": ("lane", 24 * HOUR, None),
    "payment_error": ("lane", 24 * HOUR, None),
    "cannot_resend_yet": SIX_HOURS_DOUBLING,
    "cannot_resend_within_24hrs": ("lane", 24 * HOUR, 72 * HOUR),
    "limit_exceeded": SIX_HOURS_DOUBLING,
    "connection_limit_reached": SIX_HOURS_DOUBLING,
    "too_many_requests": SIX_HOURS_DOUBLING,
    "provider_unreachable": ("lane", HOUR, 6 * HOUR),
    "realtime_client_not_initialized": ("lane", HOUR, 6 * HOUR),
    "send_as_denied": ("lane", 24 * HOUR, None),
    "sender_rejected": ("lane", 24 * HOUR, None),
    "ip_rejected_by_server": ("lane", 24 * HOUR, None),
}
NEED_A_PERSON = {
    *(kind for status, kind in TYPES if status == 401 and kind != "missing_credentials"),
    "account_restricted",
    "action_required",
    "session_mismatch",
    "unknown_authentication_context",
    "feature_not_subscribed",
    "subscription_required",
    "invalid_account",
    "account_configuration_error",
    "unauthorized",
}


def shape(outcome: Outcome) -> object:
    """The kind of an outcome, and all of a hold that decides how long it lasts."""
    if isinstance(outcome, Hold):
        return Hold, outcome.scope, outcome.after, outcome.ceiling
    return type(outcome)


def expected_shape(status: int, kind: str) -> object:
    if kind in NEED_A_PERSON:
        return Hold, "account", None, None
    if kind in EXPECTED_HOLDS:
        return Hold, *EXPECTED_HOLDS[kind]
    if kind in ("already_connected", "action_already_performed"):
        return AlreadyDone
    return Uncertain if status >= 500 and status != 501 else Failed


def test_every_documented_error_type_has_a_meaning() -> None:
    """The table has each type of Unipile's reference, and no other."""
    assert {kind for _, kind in TYPES} == set(MEANINGS)


@pytest.mark.parametrize("status", DOCUMENTED)
def test_what_an_error_type_means(api: Api, unipile: Unipile, status: int) -> None:
    """Each error type becomes its outcome; the code is the type, the detail says what Unipile said."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    sends = ((INVITE, "users/invite"), (MESSAGE, "chats"))
    for kind, (send, path) in product(DOCUMENTED[status].split(), sends):
        api.asked.clear()
        api.order(f"POST /api/v1/{path}", error(status, kind))
        unipile._refusals = Refusals()
        outcome = unipile.send(send)

        assert not isinstance(outcome, Sent)
        assert (outcome.code, outcome.http_status) == (kind, status)
        assert (kind, shape(outcome)) == (kind, expected_shape(status, kind))
        assert outcome.detail.startswith("Title: Detail.")
        assert len([a for a in api.asked if a.method == "POST"]) == 1


def test_a_wrong_key_is_named(api: Api, unipile: Unipile) -> None:
    """A 401 for our own key tells the operator which variable to check, and is no fault of the account's."""
    api.order("POST /api/v1/users/invite", error(401, "missing_credentials"))
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Hold)
    assert (outcome.after, outcome.secret) == (HOUR / 4, "UNIPILE_API_KEY")
    assert "UNIPILE_API_KEY" in outcome.detail


def test_a_key_that_was_refused_is_not_shown_again(api: Api, unipile: Unipile) -> None:
    """For the next account of the run it is held without a call; an account with a key of its own is not."""
    api.order("POST /api/v1/users/invite", error(401, "missing_credentials"))
    first = unipile.send(INVITE)
    asked = len(api.asked)
    assert unipile.send(replace(INVITE, provider_account_id="another")) == first
    assert len(api.asked) == asked
    own = unipile.send(replace(INVITE, secret_env="ANAS_KEY"))
    assert isinstance(own, Hold)
    assert own.secret == "ANAS_KEY"


@pytest.mark.parametrize(
    ("body", "header", "after", "ceiling"),
    [
        (error(429, "too_many_requests")[1], {}, 6 * HOUR, 72 * HOUR),
        (b"<html>slow down", {"Retry-After": "60"}, 6 * HOUR, 72 * HOUR),
        (b"<html>slow down", {"Retry-After": "36000"}, 10 * HOUR, 72 * HOUR),
        (error(429, "new")[1], {"Retry-After": str(96 * 3600)}, 96 * HOUR, 96 * HOUR),
        (error(429, "too_many_requests")[1], {"Retry-After": "later"}, 6 * HOUR, 72 * HOUR),
    ],
)
def test_a_throttle_may_ask_for_longer(
    api: Api, unipile: Unipile, body: Any, header: dict[str, str], after: timedelta, ceiling: timedelta
) -> None:
    """A 429, of whatever shape, holds for six hours doubling, or for as long as it asks if that is longer."""
    api.order("POST /api/v1/users/invite", (429, body, header))

    assert shape(unipile.send(INVITE)) == (Hold, "lane", after, ceiling)


@pytest.mark.parametrize("body", [b"", b"<html>OK</html>", b"[]", b"null", b'"sent"', b"{", error(422, "x")[1]])
def test_a_yes_that_cannot_be_read(api: Api, unipile: Unipile, body: Any) -> None:
    """A 2xx that is no answer of Unipile's proves nothing: not Sent, and not to be sent again."""
    api.order("POST /api/v1/users/invite", (200, body))
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Uncertain)
    assert (outcome.code, outcome.http_status) == ("unreadable_answer", 200)


@pytest.mark.parametrize(
    ("status", "body"),
    each_once([500, 501, 502, 503, 504, 520, 599], [b"<html>Bad gateway</html>", {"type": "errors/brand_new"}, b""]),
)
def test_a_5xx_is_uncertain(api: Api, unipile: Unipile, status: int, body: Any) -> None:
    """LinkedIn's limit can come as a 500, and a gateway gives up before Unipile does."""
    api.order("POST /api/v1/users/invite", (status, body))
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Uncertain)
    assert outcome.code == ("brand_new" if isinstance(body, dict) else f"http_{status}")


def test_a_throttle_with_a_5xx_status_is_uncertain(api: Api, unipile: Unipile) -> None:
    """The status decides before the type where it is 5xx."""
    api.order("POST /api/v1/users/invite", error(500, "cannot_resend_yet"))

    assert isinstance(unipile.send(INVITE), Uncertain)


@pytest.mark.parametrize(
    ("body", "status"),
    each_once(
        [b"<html>Request Time-out</html>", {}, error(408, "limit_exceeded")[1], error(408, "brand_new")[1]], [408, 499]
    ),
)
def test_a_gateways_time_out_is_uncertain(api: Api, unipile: Unipile, status: int, body: Any) -> None:
    """A 408 is not Unipile's answer to the message: what stands behind the gateway may have taken it."""
    api.order("POST /api/v1/users/invite", (status, body))

    assert isinstance(unipile.send(INVITE), Uncertain)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_post_holds_the_lane(api: Api, unipile: Unipile, status: int) -> None:
    """A POST that is sent elsewhere has the wrong address: nothing is followed, a person is told."""
    api.order("POST /api/v1/users/invite", (status, b"", {"Location": "/elsewhere"}))
    outcome = unipile.send(INVITE)

    assert shape(outcome) == (Hold, "lane", HOUR, None)
    assert isinstance(outcome, Hold)
    assert outcome.code == "unexpected_redirect"
    assert "UNIPILE_DSN" in outcome.detail
    assert len(api.asked) == 1


NOT_UNIPILES = [b"<html>Not here</html>", {}, {"type": None}, {"type": "about:blank"}, []]


@pytest.mark.parametrize(("status", "body"), each_once([401, 403, 404, 405, 407, 410], NOT_UNIPILES))
def test_a_4xx_that_is_not_unipiles(api: Api, unipile: Unipile, status: int, body: Any) -> None:
    """Some other server's refusal fails no message: the lane waits, the address is to be checked."""
    api.order("POST /api/v1/users/invite", (status, body))
    outcome = unipile.send(INVITE)

    assert shape(outcome) == (Hold, "lane", HOUR, None)
    assert isinstance(outcome, Hold)
    assert outcome.code == "unexpected_answer"
    assert "UNIPILE_DSN" in outcome.detail
    assert ("Not here" in outcome.detail) == isinstance(body, bytes)


@pytest.mark.parametrize(("status", "body"), each_once([400, 413, 414, 415, 422, 431], NOT_UNIPILES))
def test_a_4xx_that_is_not_unipiles_and_about_this_request(api: Api, unipile: Unipile, status: int, body: Any) -> None:
    """What a proxy finds too large or malformed did not go out: tried again, as often as tries are left, while the
    others go on."""
    api.order("POST /api/v1/users/invite", (status, body))
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Retry)
    assert (outcome.code, outcome.after, outcome.http_status) == ("unexpected_answer", None, status)
    assert "UNIPILE_DSN" in outcome.detail


@pytest.mark.parametrize(("status", "tried"), each_once([302, 401, 403, 404], [0, 1]))
def test_one_message_does_not_stop_its_lane_for_ever(api: Api, unipile: Unipile, status: int, tried: int) -> None:
    """A firewall may dislike one text. It holds the lane a few times; then its tries count, and others go on."""
    api.order("POST /api/v1/users/invite", (status, b"<html>Blocked</html>"))
    sends = [replace(INVITE, attempt_number=tried + n, attempts=tried) for n in range(1, MAX_LANE_HOLDS + 2)]

    assert [type(unipile.send(send)) for send in sends] == [Hold] * MAX_LANE_HOLDS + [Retry]


def test_an_unknown_error_is_parked(api: Api, unipile: Unipile) -> None:
    """A type that nobody knows is not tried again: that is how an account gets restricted."""
    api.order("POST /api/v1/users/invite", error(422, "Brand-New; DROP TABLE"))

    assert unipile.send(INVITE) == Failed("brand_new_drop_table", "Title: Detail.", 422)


def test_an_unknown_401_needs_a_person(api: Api, unipile: Unipile) -> None:
    """A 401 is about the account whatever its type: the queue is not failed one by one."""
    api.order("POST /api/v1/users/invite", error(401, "brand_new"))

    assert shape(unipile.send(INVITE)) == (Hold, "account", None, None)


def test_a_detail_says_nothing_secret(api: Api, unipile: Unipile) -> None:
    """Title and detail on one line of 300 characters; no key, no message, no control characters."""
    said = f"Bad\r\n\x1b[31m {KEY} in: {INVITE.message}\x00 " + "x" * 500
    api.order("POST /api/v1/users/invite", error(400, "invalid_parameters", detail=said))
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Failed)
    assert outcome.detail.startswith("Title: Bad [31m … in: … xxx")
    assert len(outcome.detail) == 300


@pytest.mark.parametrize(
    "echo",
    [
        "X-API-KEY: {key}",
        'the header {{"x-api-key": "{key}"}}',
        "  \r\n" * 400 + "{key}",  # white space goes, so that what stands behind it moves to the front
        "The\x00 key {key}",
    ],
)
def test_a_key_is_hidden_before_a_text_is_cut(api: Api, unipile: Unipile, echo: str) -> None:
    """An error page that repeats the request's headers, the key across the end of what is kept: no part of it is."""
    for before, status in each_once([0, 200, 270, 285, 1990], [403, 413, 502]):
        page = "<html>" + "x" * before + " " + echo.format(key=KEY) + "</html>"
        api.order("POST /api/v1/users/invite", (status, page.encode()))
        outcome = unipile.send(INVITE)

        assert not isinstance(outcome, Sent)
        assert KEY[:5] not in outcome.detail
        assert len(outcome.detail) <= 300


@pytest.mark.parametrize(
    "form",
    [
        '{"text": "Hi \\"Ana\\" & co \\u2013\\nshall we?"}',
        '{"text": "Hi \\"Ana\\" & co –\\nshall we?"}',
        "text=Hi%20%22Ana%22%20%26%20co%20%E2%80%93%0Ashall%20we%3F",
        "text=Hi+%22Ana%22+%26+co+%e2%80%93%0ashall+we%3f",
        "<p>Hi &quot;Ana&quot; &amp; co –\nshall we?</p>",
    ],
)
def test_a_message_is_hidden_in_every_form(api: Api, unipile: Unipile, form: str) -> None:
    """JSON, a URL, a form and HTML each write a text in their own way; none of them gets into a detail."""
    api.order("POST /api/v1/users/invite", (502, form.encode()), error(400, "invalid_parameters", detail=form))
    for _ in range(2):
        outcome = unipile.send(replace(INVITE, message='Hi "Ana" & co –\nshall we?'))

        assert not isinstance(outcome, Sent)
        assert "Ana" not in outcome.detail
        assert "…" in outcome.detail


def test_a_lost_answer_is_uncertain(api: Api, unipile: Unipile) -> None:
    """A connection that is dropped after the request was read leaves the send in doubt, once."""
    api.order("POST /api/v1/users/invite", None)
    outcome = unipile.send(INVITE)

    assert isinstance(outcome, Uncertain)
    assert outcome.code == "connection_lost"
    assert len(api.asked) == 1


def test_nobody_there_is_retried() -> None:
    """A connection that is refused carried nothing."""
    nobody = Unipile({"UNIPILE_DSN": "http://127.0.0.1:1", "UNIPILE_API_KEY": KEY}, post=QUICK, get=QUICK)

    assert isinstance(nobody.send(INVITE), Retry)
    assert isinstance(nobody.look_up(INVITE), CannotTell)


# --- answers that need another question -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ((200, PENDING), (AlreadyDone, "invitation_pending")),
        ((200, FRIEND), (AlreadyDone, "already_connected")),
        ((200, {**STRANGER, "is_relationship": True}), (AlreadyDone, "already_connected")),
        ((200, STRANGER), (Failed, "already_invited_recently")),
        (
            (200, {**STRANGER, "invitation": {"type": "RECEIVED", "status": "PENDING"}}),
            (Failed, "already_invited_recently"),
        ),
        (
            (200, {**STRANGER, "invitation": {"type": "SENT", "status": "WITHDRAWN"}}),
            (Failed, "already_invited_recently"),
        ),
        ((200, {}), (Retry, "already_invited_recently")),
        ((200, b"<html>"), (Retry, "already_invited_recently")),
        (error(500, "provider_error"), (Retry, "already_invited_recently")),
        (error(429, "too_many_requests"), (Retry, "already_invited_recently")),
        (None, (Retry, "already_invited_recently")),
    ],
)
def test_already_invited_is_checked(api: Api, unipile: Unipile, profile: Reply, expected: tuple[type, str]) -> None:
    """LinkedIn refuses also after a withdrawal: only the profile tells whether an invitation is pending."""
    api.order("POST /api/v1/users/invite", error(422, "already_invited_recently"))
    api.order("GET /api/v1/users/ACoAAana", profile)
    outcome = unipile.send(INVITE)

    assert not isinstance(outcome, Sent)
    assert (type(outcome), outcome.code) == expected
    assert api.paths() == ["POST /api/v1/users/invite", "GET /api/v1/users/ACoAAana"]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ((200, CONNECTED), Failed),
        (error(404, "resource_not_found"), (Hold, "account", None, None)),
        (error(503, "no_handler"), Retry),
        (None, Retry),
    ],
)
def test_what_was_not_found(api: Api, unipile: Unipile, account: Reply, expected: object) -> None:
    """A 404 fails the send only if the account is there; a wrong account id must not fail a whole queue."""
    api.order("GET /api/v1/accounts/acc1", account)

    for send in (INVITE, MESSAGE, replace(INVITE, recipient="linkedin.com/in/ana")):
        assert shape(unipile.send(send)) == expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (error(500, "unexpected_error"), Retry),
        (error(504, "request_timeout"), Retry),
        ((502, b"<html>"), Retry),
        ((200, b"<html>"), Retry),
        ((200, []), Retry),
        ((200, {"provider_id": None}), Retry),
        ((200, {"provider_id": {"a": 1}}), Retry),
        (None, Retry),
        (error(422, "already_connected"), Retry),
        (error(422, "invalid_recipient"), Failed),
        (error(429, "too_many_requests"), (Hold, *SIX_HOURS_DOUBLING)),
        (error(401, "disconnected_account"), (Hold, "account", None, None)),
        ((404, b"<html>"), (Hold, "lane", HOUR, None)),
        ((301, b"", {"Location": "https://elsewhere.example/"}), (Hold, "lane", HOUR, None)),
    ],
)
def test_a_recipient_that_cannot_be_resolved(api: Api, unipile: Unipile, profile: Reply, expected: object) -> None:
    """Nothing has been sent while the recipient is looked for: never Uncertain, never Sent."""
    api.order("GET /api/v1/users/ana", profile)

    for send in (INVITE, MESSAGE):
        assert shape(unipile.send(replace(send, recipient="linkedin.com/in/ana"))) == expected
    assert all(a.method == "GET" for a in api.asked)


# --- looking up an invitation -----------------------------------------------------------------------------


def invitation(recipient: object, number: object = "i1") -> dict[str, object]:
    return {"object": "InvitationSent", "id": number, "invited_user_id": recipient}


@pytest.mark.parametrize(
    "sources",
    [
        [],
        None,
        "OK",
        [{"status": "CREDENTIALS"}],
        [{"status": "OK"}, {"status": "STOPPED"}],
        ["OK"],
        [{"status": None}],
    ],
)
def test_a_broken_account_proves_nothing(api: Api, unipile: Unipile, sources: object) -> None:
    """Unipile answers for a disconnected account from what it knew before."""
    api.order("GET /api/v1/accounts/acc1", (200, {**CONNECTED, "sources": sources}))

    for send in (INVITE, MESSAGE):
        assert isinstance(unipile.look_up(send), CannotTell)
    assert api.paths() == ["GET /api/v1/accounts/acc1"] * 2


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (PENDING, Found(None)),
        ({**PENDING, "invitation": {"type": "SENT", "status": "PENDING", "id": "i7"}}, Found("i7")),
        (FRIEND, Found(None)),
        ({**STRANGER, "is_relationship": True}, Found(None)),
    ],
)
def test_the_profile_shows_the_invitation(api: Api, unipile: Unipile, profile: object, expected: Found) -> None:
    """A pending invitation or a connection: it went out."""
    api.order("GET /api/v1/users/ACoAAana", (200, profile))

    assert unipile.look_up(INVITE) == expected
    assert api.paths() == ["GET /api/v1/accounts/acc1", "GET /api/v1/users/ACoAAana"]
    assert api.asked[1].query == {"account_id": "acc1"}


def test_the_list_shows_the_invitation(api: Api, unipile: Unipile) -> None:
    """The pending invitations are read page by page until the person is found, whatever the dates say."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    api.order(
        "GET /api/v1/users/invite/sent",
        (200, {"items": [invitation("ACoAAbob")], "cursor": "next"}),
        (200, {"items": [invitation("ACoAAana", 7449262477600571392)], "cursor": "more"}),
    )

    assert unipile.look_up(INVITE) == Found("7449262477600571392")
    assert [a.query for a in api.asked[2:]] == [
        {"account_id": "acc1", "limit": "250"},
        {"account_id": "acc1", "limit": "250", "cursor": "next"},
    ]


def test_no_invitation(api: Api, unipile: Unipile) -> None:
    """Neither the profile nor the whole list has it: it is not there."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    api.order(
        "GET /api/v1/users/invite/sent",
        (200, {"items": [invitation("ACoAAbob")], "cursor": "next"}),
        (200, EMPTY),
    )

    assert unipile.look_up(INVITE) == NotThere()


def test_an_invitation_to_a_url(api: Api, unipile: Unipile) -> None:
    """A recipient that is a URL is looked for by the id that the profile names."""
    api.order("GET /api/v1/users/ana", (200, {**STRANGER, "provider_id": "ACoAAresolved"}))
    api.order("GET /api/v1/users/invite/sent", (200, {"items": [invitation("ACoAAresolved")], "cursor": None}))

    assert unipile.look_up(replace(INVITE, recipient="linkedin.com/in/ana")) == Found("i1")


def test_a_list_without_an_end(api: Api, unipile: Unipile) -> None:
    """A list that was not read to its end proves nothing."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    api.order("GET /api/v1/users/invite/sent", (200, {"items": [invitation("ACoAAbob")], "cursor": "again"}))

    assert isinstance(unipile.look_up(INVITE), CannotTell)
    assert len(api.asked) == 2 + MAX_PAGES


@pytest.mark.parametrize(
    "page",
    [
        error(500, "unexpected_error"),
        error(401, "disconnected_account"),
        (200, b"<html>"),
        (200, {}),
        (200, {"items": None, "cursor": None}),
        (200, {"items": {}, "cursor": None}),
        (200, {"items": ["x"], "cursor": None}),
        (200, {"items": [{}], "cursor": None}),
        (200, {"items": [invitation(None)], "cursor": None}),
        (200, {"items": [], "cursor": 7}),
        None,
    ],
)
def test_an_odd_list_proves_nothing(api: Api, unipile: Unipile, page: Reply) -> None:
    """What cannot be read or compared is no proof that nothing is there."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    api.order("GET /api/v1/users/invite/sent", page)

    assert isinstance(unipile.look_up(INVITE), CannotTell)


@pytest.mark.parametrize(
    "profile", [error(404, "resource_not_found"), error(500, "provider_error"), (200, {}), (200, []), None]
)
def test_an_odd_profile_proves_nothing(api: Api, unipile: Unipile, profile: Reply) -> None:
    """Without the profile the list alone is not believed."""
    api.order("GET /api/v1/users/ACoAAana", profile)

    assert isinstance(unipile.look_up(INVITE), CannotTell)


def test_what_can_be_compared_is_found_beside_what_cannot(api: Api, unipile: Unipile) -> None:
    """An odd item before the right one hides nothing."""
    api.order("GET /api/v1/users/ACoAAana", (200, STRANGER))
    items = [None, invitation(None), invitation("ACoAAana")]
    api.order("GET /api/v1/users/invite/sent", (200, {"items": items, "cursor": None}))

    assert unipile.look_up(INVITE) == Found("i1")


# --- looking up a message ---------------------------------------------------------------------------------


def written(
    text: object = MESSAGE.message, *, is_sender: object = 1, number: str | None = "m1", at: datetime | object = NOON
) -> dict[str, object]:
    if isinstance(at, datetime):
        at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"object": "Message", "id": number, "text": text, "is_sender": is_sender, "timestamp": at}


def chat(attendee: object = "ACoAAana", number: object = "c1") -> dict[str, object]:
    return {"object": "Chat", "id": number, "attendee_provider_id": attendee}


def listed(*items: object) -> tuple[int, object]:
    return 200, {"items": list(items), "cursor": None}


def test_a_message_is_found(api: Api, unipile: Unipile) -> None:
    """The recipient's chat has our text, from us, since the attempt. It is read from a day before that."""
    api.order("GET /api/v1/chats", listed(chat("ACoAAbob", "c0"), chat()))
    api.order("GET /api/v1/chats/c1/messages", listed(written("Hi", is_sender=0), written()))

    assert unipile.look_up(MESSAGE) == Found("m1")
    assert api.paths() == [
        "GET /api/v1/accounts/acc1",
        "GET /api/v1/chats",
        "GET /api/v1/chats/c1/messages",
    ]
    after = "2026-03-01T12:00:00.123Z"
    assert api.asked[1].query == {"account_id": "acc1", "after": after, "limit": "250"}
    assert api.asked[2].query == {"after": after, "limit": "250"}


def test_a_message_in_a_known_chat_is_found(api: Api, unipile: Unipile) -> None:
    """With payload.chat_id no chat is searched for."""
    api.order("GET /api/v1/chats/c9/messages", listed(written(is_sender=True)))

    assert unipile.look_up(replace(MESSAGE, payload={"chat_id": "c9"})) == Found("m1")
    assert api.paths() == ["GET /api/v1/accounts/acc1", "GET /api/v1/chats/c9/messages"]


def test_a_message_to_a_url_is_found(api: Api, unipile: Unipile) -> None:
    """A recipient that is a URL is resolved first."""
    api.order("GET /api/v1/users/ana", (200, STRANGER))
    api.order("GET /api/v1/chats", listed(chat()))
    api.order("GET /api/v1/chats/c1/messages", listed(written()))

    assert unipile.look_up(replace(MESSAGE, recipient="linkedin.com/in/ana")) == Found("m1")


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ana,  shall\u00a0we\r\nconnect? ",
        "Hello\u200b Ana, shall we connect?",
        "Hello Ana, shall we connect\uff1f",
    ],
)
def test_a_text_is_compared_without_what_may_change(api: Api, unipile: Unipile, text: str) -> None:
    """White space, invisible characters and composition change on the way; the text does not."""
    api.order("GET /api/v1/chats/c9/messages", listed(written(text)))

    assert unipile.look_up(replace(MESSAGE, payload={"chat_id": "c9"})) == Found("m1")


@pytest.mark.parametrize(
    ("chats", "messages"),
    [
        (listed(), None),
        (listed(chat("ACoAAbob")), None),
        (listed(chat()), listed()),
        (listed(chat()), listed(written(is_sender=0), written("Hi", is_sender=False))),
    ],
)
def test_no_message(api: Api, unipile: Unipile, chats: Reply, messages: Reply) -> None:
    """No chat with the recipient, or nothing of ours in it: it is not there. Their own words are not ours."""
    api.order("GET /api/v1/chats", chats)
    api.order("GET /api/v1/chats/c1/messages", messages)

    assert unipile.look_up(MESSAGE) == NotThere()


@pytest.mark.parametrize(
    ("chats", "messages"),
    [
        (listed(chat()), listed(written("Hello Ana"))),  # ours, with another text: changed on its way?
        (listed(chat()), listed(written(None))),
        (listed(chat()), listed(written(is_sender=None))),
        (listed(chat()), listed(written(is_sender="1"))),
        (listed(chat()), listed(written(number=None))),
        (listed(chat()), listed(written(at=None))),
        (listed(chat()), listed(written(at="2026-03-02T12:00:00"))),  # in whose time zone?
        (listed(chat()), listed(written(at="today"))),
        (listed({**chat(None), "type": 0}), listed()),
        (listed({**chat(None), "type": True}), listed()),
        (listed(chat()), error(500, "provider_error")),
        (listed(chat()), None),
        (listed(chat(None)), listed()),
        (listed(chat(number=None)), listed()),
        (listed(chat(number="..")), listed()),
        (error(503, "no_handler"), listed()),
        (None, listed()),
    ],
)
def test_a_doubtful_chat_proves_nothing(api: Api, unipile: Unipile, chats: Reply, messages: Reply) -> None:
    """Errors, odd shapes and a message of ours with another text are for a person."""
    api.order("GET /api/v1/chats", chats)
    api.order("GET /api/v1/chats/c1/messages", messages)

    assert isinstance(unipile.look_up(MESSAGE), CannotTell)


def test_a_missing_inmail_proves_nothing(api: Api, unipile: Unipile) -> None:
    """Sales Navigator names people by other ids: an InMail that is not found may be there."""
    api.order("GET /api/v1/chats", listed(chat("ACwAAana")))
    payload = {"linkedin": {"api": "sales_navigator", "inmail": True}}

    assert isinstance(unipile.look_up(replace(MESSAGE, payload=payload)), CannotTell)


@pytest.mark.parametrize(
    ("ahead", "asked_after", "put_right", "in_chat"),
    pairwise(
        [timedelta(), 4 * MINUTE, 6 * MINUTE, HOUR, 14 * HOUR, 3 * DAY],
        [2 * SECOND, 4 * MINUTE, 20 * HOUR],
        [False, True],
        [False, True],
    ),
)
def test_invariant_3_a_clock_that_is_ahead_hides_no_message(
    api: Api, unipile: Unipile, ahead: timedelta, asked_after: timedelta, put_right: bool, in_chat: bool
) -> None:
    """The database's clock was ahead at the attempt, and has perhaps been put right since: the message that is there is
    found, or a person is asked, but it is never said not to be there."""
    sent_at = NOON - ahead  # by Unipile's clock, which is right
    message, here = written(at=sent_at + SECOND), {**chat(), "timestamp": written(at=sent_at + SECOND)["timestamp"]}

    def since(item: dict[str, object]) -> Callable[[Asked], Reply]:
        return lambda asked: listed(*([item] if asked.query["after"] < str(item["timestamp"]) else []))

    api.now = sent_at + asked_after
    api.order("GET /api/v1/chats", since(here))
    api.order("GET /api/v1/chats/c1/messages", since(message))
    given_up = NOON - ahead + SECOND if put_right else NOON + SECOND
    send = replace(MESSAGE, payload={"chat_id": "c1"} if in_chat else {}, finished_at=given_up)
    found = unipile.look_up(send)

    assert found == Found("m1") or isinstance(found, CannotTell)
    if ahead < 5 * MINUTE or asked_after == 2 * SECOND:
        assert found == Found("m1")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOON + HOUR, Found),
        (NOON - 4 * MINUTE, Found),
        (NOON - 6 * MINUTE, CannotTell),
        (NOON - 23 * HOUR, CannotTell),
        (NOON - 25 * HOUR, NotThere),
        (NOON - 400 * DAY, NotThere),
    ],
)
def test_an_older_message_is_not_taken_for_ours(api: Api, unipile: Unipile, at: datetime, expected: type) -> None:
    """The same text from well before the attempt is another message, unless a clock was wrong: a person can tell. From
    over a day before it is certainly another's, also where the list gives more than it was asked for."""
    api.order("GET /api/v1/chats/c9/messages", listed(written(at=at)))

    for api.now in (None, NOON + 2 * MINUTE, NOON + 5 * DAY):
        assert isinstance(unipile.look_up(replace(MESSAGE, payload={"chat_id": "c9"})), expected)


@pytest.mark.parametrize("other", [NOON - 20 * HOUR, NOON - MINUTE, NOON, NOON + HOUR])
def test_the_same_text_twice_is_for_a_person(api: Api, unipile: Unipile, other: datetime) -> None:
    """One of them is another send's, perhaps both: neither settles this one. On two pages, it is the same message."""
    send = replace(MESSAGE, payload={"chat_id": "c9"})
    again = 200, {"items": [written()], "cursor": "more"}
    api.order("GET /api/v1/chats/c9/messages", again, listed(written(number="m2", at=other)))
    assert isinstance(unipile.look_up(send), CannotTell)

    api.order("GET /api/v1/chats/c9/messages", again, listed(written()))
    assert unipile.look_up(send) == Found("m1")


def test_a_text_that_is_ours_is_found_beside_another(api: Api, unipile: Unipile) -> None:
    """What else we wrote in that chat does not hide it."""
    api.order("GET /api/v1/chats/c9/messages", listed(written("Hi", number="m0"), None, written()))

    assert unipile.look_up(replace(MESSAGE, payload={"chat_id": "c9"})) == Found("m1")


@pytest.mark.parametrize("kind", [1, 2])
def test_a_group_is_not_the_recipients_chat(api: Api, unipile: Unipile, kind: int) -> None:
    """A group names no single person, and what is sent to one goes to none."""
    group = {**chat(None, "c0"), "type": kind}
    api.order("GET /api/v1/chats", listed(group), listed(group, {**chat(), "type": 0}))
    api.order("GET /api/v1/chats/c1/messages", listed(written()))

    assert unipile.look_up(MESSAGE) == NotThere()
    assert unipile.look_up(MESSAGE) == Found("m1")


@pytest.mark.parametrize("attendee", ["ACoAAana", "ACwAAana"])
def test_a_recipient_with_two_ids_is_found_by_either(api: Api, unipile: Unipile, attendee: str) -> None:
    """A recipient with Sales Navigator's id has LinkedIn's usual one in a chat: the profile names it."""
    api.order("GET /api/v1/users/ACwAAana", (200, STRANGER))
    api.order("GET /api/v1/chats", listed(chat(attendee)))
    api.order("GET /api/v1/chats/c1/messages", listed(written()))

    assert unipile.look_up(replace(MESSAGE, recipient="ACwAAana")) == Found("m1")


def test_a_recipient_whose_other_id_is_not_known_proves_nothing(api: Api, unipile: Unipile) -> None:
    """Without the profile, that no chat names the recipient is no proof."""
    api.order("GET /api/v1/users/ACwAAana", error(500, "provider_error"))
    api.order("GET /api/v1/chats", listed())

    assert isinstance(unipile.look_up(replace(MESSAGE, recipient="ACwAAana")), CannotTell)


# --- anything at all --------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["OK", "SENT", "ACoAAana"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "title", "detail", "status", "items", "cursor", "id", "sources", "provider_id"),
                    *(
                        "invitation",
                        "is_sender",
                        "text",
                        "timestamp",
                        "attendee_provider_id",
                        "invited_user_id",
                        "message_id",
                    ),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the fixture only empties what every example fills anew
@given(st.data())
def test_no_answer_makes_it_raise(api: Api, unipile: Unipile, data: st.DataObject) -> None:
    """Whatever Unipile answers, a send has an outcome and a look-up an answer."""

    statuses = st.sampled_from([200, 200, 201, 302, 400, 401, 404, 422, 429, 500])
    for path in ("users/ACoAAana", "users/ana", "users/invite/sent", "chats", "accounts/acc1"):
        api.order(f"GET /api/v1/{path}", (200, data.draw(ANYTHING)))
    for path in ("users/invite", "chats", "chats/c1/messages"):
        api.order(f"POST /api/v1/{path}", (data.draw(statuses), data.draw(ANYTHING)))
        api.order(f"GET /api/v1/{path}", (200, data.draw(ANYTHING)))
    if data.draw(st.booleans()):
        api.order("GET /api/v1/accounts/acc1", (200, CONNECTED))
    recipient = data.draw(st.sampled_from(["ACoAAana", "linkedin.com/in/ana"]))
    channel = data.draw(st.sampled_from(["linkedin_invite", "linkedin_message"]))
    payload = data.draw(st.sampled_from([{}, {"chat_id": "c1"}]))
    send = replace(INVITE, recipient=recipient, channel=channel, payload=payload)

    assert isinstance(unipile.send(send), Sent | AlreadyDone | Retry | Hold | Failed | Uncertain)
    assert isinstance(unipile.look_up(send), Found | NotThere | CannotTell)
