"""The sandbox is a witness: it answers as Unipile does, and its journal says what happened."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from held_answers import answers_held

from send_queue.sandbox import BadSettings, Fault, JournalDamaged, JournalInUse, Sandbox, read
from send_queue.sandbox.server import MAX_BODY_BYTES

REPOSITORY = Path(__file__).parents[2]
PLAIN = False  # no TLS here, and loading the certificates takes longer than most tests


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(path: Path, clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(path, clock=clock) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox) as one:
        yield one


@pytest.fixture
def orders(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{sandbox.url}/sandbox", verify=PLAIN) as one:
        yield one


def client_of(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=f"{sandbox.url}/api/v1", headers={"X-API-KEY": "key"}, timeout=60, verify=PLAIN)


def invite(client: httpx.Client, recipient: str = "ACoAA1", account: str = "a", **more: str) -> httpx.Response:
    return client.post("/users/invite", json={"account_id": account, "provider_id": recipient, **more})


def form(**fields: str) -> dict[str, Any]:
    return {"files": [(name, (None, value)) for name, value in fields.items()]}


def chat(client: httpx.Client, recipient: str = "ACoAA1", text: str = "Hello", account: str = "a") -> httpx.Response:
    return client.post("/chats", **form(account_id=account, attendees_ids=recipient, text=text))


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and type, after a look at the whole body's form."""
    body = response.json()
    assert list(body) == ["status", "type", "title", "detail"]
    assert body["status"] == response.status_code
    return response.status_code, body["type"].removeprefix("errors/")


def items(client: httpx.Client, path: str, **query: str) -> list[dict[str, Any]]:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def invitation_in_profile(client: httpx.Client, recipient: str = "ACoAA1", account: str = "a") -> object:
    return client.get(f"/users/{recipient}", params={"account_id": account}).json().get("invitation")


# --- sends ------------------------------------------------------------------------------------------------


def test_invite_is_accepted_and_written_down(sandbox: Sandbox, client: httpx.Client) -> None:
    """An invitation answers 200 UserInvitationSent with a numeric id, and is one line of the journal."""
    response = client.post(
        "/users/invite",
        json={"account_id": "a", "provider_id": "ACoAA1", "message": "Grüß Gott 😀"},
        headers={"Idempotency-Key": "k1"},
    )
    assert response.status_code == 200
    body = response.json()
    assert body == {"object": "UserInvitationSent", "invitation_id": body["invitation_id"]}
    assert len(body["invitation_id"]) == 19
    assert body["invitation_id"].isdigit()
    assert sandbox.accepted() == [
        {
            "at": "2026-03-02T15:00:00.000000Z",
            "provider": "unipile",
            "account_id": "a",
            "channel": "linkedin_invite",
            "recipient": "ACoAA1",
            "text": "Grüß Gott 😀",
            "id": body["invitation_id"],
            "headers": {"idempotency-key": "k1"},
        }
    ]


def test_second_invitation_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """Who has a pending invitation from an account gets no second one; from another they do."""
    assert invite(client).status_code == 200
    response = invite(client)
    assert response.json() == {
        "status": 422,
        "type": "errors/already_invited_recently",
        "title": "Should delay new invitation to this recipient",
        "detail": "An invitation has already been sent recently to this recipient. Please try again later.",
    }
    assert invite(client, account="b").status_code == 200
    assert len(sandbox.accepted()) == 2


def test_relation_is_not_invited(sandbox: Sandbox, client: httpx.Client) -> None:
    """Who is connected already is refused with already_connected."""
    sandbox.account("a", relations=["ACoAA1"])
    assert error_of(invite(client)) == (422, "already_connected")
    assert sandbox.accepted() == []


def test_long_note_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    """A note of 300 characters goes, one of 301 does not."""
    assert invite(client, message="é" * 300).status_code == 200
    assert error_of(invite(client, "ACoAA2", message="é" * 301)) == (400, "too_many_characters")
    assert len(sandbox.accepted()) == 1


def test_limit_has_landings_and_an_end(sandbox: Sandbox, client: httpx.Client) -> None:
    """`usage` is told when 50, 75, 90 or 95 % of the limit is reached; beyond it: cannot_resend_yet."""
    sandbox.account("a", invite_limit=20)
    told = {number: invite(client, f"ACoAA{number}").json().get("usage") for number in range(1, 21)}
    assert {number: usage for number, usage in told.items() if usage} == {10: 50, 15: 75, 18: 90, 19: 95}
    refused = invite(client, "ACoAA21")
    assert refused.json() == {
        "status": 422,
        "type": "errors/cannot_resend_yet",
        "title": "Cannot resend yet",
        "detail": "You have reached a temporary provider limit. Please try again later.",
    }
    assert error_of(invite(client, "ACoAA1")) == (422, "already_invited_recently")
    assert len(sandbox.accepted()) == 20


def test_limit_counts_seven_days(sandbox: Sandbox, client: httpx.Client, clock: Clock) -> None:
    """The limit is of the last seven days: a week later there is room again."""
    sandbox.account("a", invite_limit=1)
    assert invite(client, "ACoAA1").status_code == 200
    clock.now += timedelta(days=7) - timedelta(seconds=1)
    assert error_of(invite(client, "ACoAA2")) == (422, "cannot_resend_yet")
    clock.now += timedelta(seconds=1)
    assert invite(client, "ACoAA2").status_code == 200


def test_chat_is_started_once_and_written_to_often(sandbox: Sandbox, client: httpx.Client) -> None:
    """Starting a chat with the same person reuses it; messages are never refused as duplicates."""
    first, second = chat(client), chat(client)
    assert first.status_code == second.status_code == 201
    assert first.json() == {
        "object": "ChatStarted",
        "chat_id": first.json()["chat_id"],
        "message_id": first.json()["message_id"],
    }
    assert first.json()["chat_id"] == second.json()["chat_id"]
    third = client.post(f"/chats/{first.json()['chat_id']}/messages", **form(text="And this", account_id="a"))
    assert third.status_code == 201
    assert third.json() == {"object": "MessageSent", "message_id": third.json()["message_id"]}
    written = sandbox.accepted()
    assert [line["text"] for line in written] == ["Hello", "Hello", "And this"]
    assert {line["channel"] for line in written} == {"linkedin_message"}
    assert {line["recipient"] for line in written} == {"ACoAA1"}
    assert [line["id"] for line in written] == [one.json()["message_id"] for one in (first, second, third)]


@pytest.mark.parametrize("text", ["a\r\nb\rc\nd\n", " x ", "\f\x1c\x85\u2028z", "--b\r\n\r\n--", "é😀", "From: me"])
def test_text_is_kept_to_the_byte(sandbox: Sandbox, client: httpx.Client, text: str) -> None:
    """What the journal says was sent is what was sent, line ends and odd characters too."""
    assert chat(client, text=text).status_code == 201
    assert [line["text"] for line in sandbox.accepted()] == [text]


def test_attachment_needs_no_text(sandbox: Sandbox, client: httpx.Client) -> None:
    """A message may be an attachment alone; its bytes are not mistaken for text."""
    files: list[tuple[str, Any]] = [
        ("account_id", (None, "a")),
        ("attendees_ids", (None, "ACoAA1")),
        ("attachments", ("x.png", b"\x89PNG\r\n\xff")),
    ]
    assert client.post("/chats", files=files).status_code == 201
    assert [line["text"] for line in sandbox.accepted()] == [""]


def test_chats_take_multipart_only(sandbox: Sandbox, client: httpx.Client) -> None:
    """A chat or message in another form is 415; without its fields 400; torn 400; an invitation is JSON."""
    fields = {"account_id": "a", "attendees_ids": "ACoAA1", "text": "x"}
    assert error_of(client.post("/chats", json=fields)) == (415, "unsupported_media_type")
    assert error_of(client.post("/chats", data=fields)) == (415, "unsupported_media_type")
    assert error_of(client.post("/users/invite", data=fields)) == (415, "unsupported_media_type")
    for missing in fields:
        rest = {name: value for name, value in fields.items() if name != missing}
        assert error_of(client.post("/chats", **form(**rest))) == (400, "missing_parameters")
    assert error_of(client.post("/users/invite", json={"account_id": "a"})) == (400, "missing_parameters")
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    torn = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nx'
    for body in (b"", b"nothing", torn):
        assert error_of(client.post("/chats", content=body, headers=multipart)) == (400, "malformed_request")
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert error_of(client.post("/chats", content=torn, headers=no_boundary)) == (400, "malformed_request")
    as_json = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        assert error_of(client.post("/users/invite", content=body, headers=as_json)) == (
            400,
            "malformed_request",
        )
    for value in (7, "\ud83d"):
        content = json.dumps({"account_id": "a", "provider_id": value}).encode()
        refused = client.post("/users/invite", content=content, headers=as_json)
        assert error_of(refused) == (400, "invalid_parameters")
    assert sandbox.accepted() == []


def test_message_needs_its_chat_and_account(sandbox: Sandbox, client: httpx.Client) -> None:
    """A chat that does not exist is 404; one of another account is refused where account_id guards it."""
    assert error_of(client.post("/chats/none/messages", **form(text="x"))) == (404, "resource_not_found")
    chat_id = chat(client).json()["chat_id"]
    guarded = client.post(f"/chats/{chat_id}/messages", **form(text="x", account_id="b"))
    assert error_of(guarded) == (403, "account_mismatch")
    assert len(sandbox.accepted()) == 1


def test_message_may_need_a_relation(sandbox: Sandbox, client: httpx.Client) -> None:
    """With messages_need_relation only who is connected can be written to."""
    sandbox.account("a", messages_need_relation=True, relations=["ACoAA2"])
    assert error_of(chat(client, "ACoAA1")) == (422, "no_connection_with_recipient")
    assert chat(client, "ACoAA2").status_code == 201


# --- who may ----------------------------------------------------------------------------------------------


def test_key_is_required(path: Path, client: httpx.Client) -> None:
    """Without a key: 401 missing_credentials. Any key will do, unless the sandbox was told the right one."""
    for method, route in (("GET", "/chats"), ("POST", "/users/invite"), ("GET", "/no/such/path")):
        refused = client.request(method, route, headers={"X-API-KEY": ""})
        assert error_of(refused) == (401, "missing_credentials")
    with Sandbox(path.with_name("other"), api_key="right") as strict, client_of(strict) as wrong:
        assert error_of(wrong.get("/chats")) == (401, "missing_credentials")
        assert wrong.get("/chats", headers={"X-API-KEY": "right"}).status_code == 200


def test_disconnected_account_reads_but_does_not_send(sandbox: Sandbox, client: httpx.Client) -> None:
    """An account that is not OK refuses every send with 401; its reads still answer from the cache."""
    invitation_id = invite(client).json()["invitation_id"]
    chat_id = chat(client).json()["chat_id"]
    sandbox.account("a", status="CREDENTIALS")
    for refused in (
        invite(client, "ACoAA2"),
        chat(client),
        client.post(f"/chats/{chat_id}/messages", **form(text="x")),
        client.delete(f"/users/invite/sent/{invitation_id}", params={"account_id": "a"}),
    ):
        assert error_of(refused) == (401, "disconnected_account")
    assert len(items(client, "/users/invite/sent", account_id="a")) == 1
    assert client.get("/accounts/a").json()["sources"] == [{"id": "a_MESSAGING", "status": "CREDENTIALS"}]
    sandbox.account("a", status="OK")
    assert chat(client).status_code == 201


def test_unknown_account_is_404(sandbox: Sandbox, client: httpx.Client) -> None:
    """An account declared unknown is 404 everywhere; any other springs into being."""
    sandbox.account("ghost", unknown=True)
    for refused in (
        client.get("/accounts/ghost"),
        invite(client, account="ghost"),
        chat(client, account="ghost"),
    ):
        assert error_of(refused) == (404, "resource_not_found")
    assert client.get("/accounts/anybody").status_code == 200


# --- reads ------------------------------------------------------------------------------------------------


def test_profile_tells_pending_and_connected(sandbox: Sandbox, client: httpx.Client) -> None:
    """A profile shows a pending invitation, and the relation instead once it was accepted."""
    before = client.get("/users/ACoAA1", params={"account_id": "a"}).json()
    assert (before["object"], before["provider"], before["provider_id"]) == (
        "UserProfile",
        "LINKEDIN",
        "ACoAA1",
    )
    assert (before["is_relationship"], before["network_distance"]) == (False, "SECOND_DEGREE")
    assert "invitation" not in before
    invite(client)
    assert invitation_in_profile(client) == {"type": "SENT", "status": "PENDING"}
    assert invitation_in_profile(client, account="b") is None
    sandbox.account("a", relations=["ACoAA1"])
    after = client.get("/users/ACoAA1", params={"account_id": "a"}).json()
    assert (after["is_relationship"], after["network_distance"]) == (True, "FIRST_DEGREE")
    assert "invitation" not in after
    assert items(client, "/users/invite/sent", account_id="a") == []
    assert error_of(client.get("/users/ACoAA1")) == (400, "missing_parameters")


def test_slug_and_id_are_one_person(client: httpx.Client) -> None:
    """A public slug resolves to a provider id, and both show the same profile."""
    found = client.get("/users/ada-lovelace", params={"account_id": "a"}).json()
    assert (found["first_name"], found["last_name"]) == ("Ada", "Lovelace")
    assert invite(client, found["provider_id"]).status_code == 200
    assert invitation_in_profile(client, "ada-lovelace") == {"type": "SENT", "status": "PENDING"}
    by_id = client.get(f"/users/{found['provider_id']}", params={"account_id": "a"}).json()
    assert by_id["public_identifier"] == "ada-lovelace"


def test_recipient_of_any_look_is_found_again(client: httpx.Client) -> None:
    """A look-up by the very recipient of a send finds that person again, even if it looks like a slug."""
    invite(client, "ada")
    assert invitation_in_profile(client, "ada") == {"type": "SENT", "status": "PENDING"}
    chat(client, "grace")
    attendee = items(client, "/chats", account_id="a")[0]["attendee_provider_id"]
    assert client.get("/users/grace", params={"account_id": "a"}).json()["provider_id"] == attendee == "grace"


def test_profile_may_redirect(path: Path) -> None:
    """With redirect_profiles the path without its last slash is 301, and following it arrives."""
    with Sandbox(path, redirect_profiles=True) as sandbox, client_of(sandbox) as client:
        moved = client.get("/users/ACoAA1", params={"account_id": "a"})
        assert (moved.status_code, moved.headers["location"]) == (301, "/api/v1/users/ACoAA1/?account_id=a")
        arrived = client.get("/users/ACoAA1", params={"account_id": "a"}, follow_redirects=True)
        assert arrived.json()["provider_id"] == "ACoAA1"


def test_ids_may_be_viewer_scoped(path: Path) -> None:
    """With viewer_scoped_ids the id that one account found is 404 for another."""
    with Sandbox(path, viewer_scoped_ids=True) as sandbox, client_of(sandbox) as client:
        found = client.get("/users/ada", params={"account_id": "a"}).json()["provider_id"]
        assert found != client.get("/users/ada", params={"account_id": "b"}).json()["provider_id"]
        assert error_of(invite(client, found, account="b")) == (404, "resource_not_found")
        seen = client.get(f"/users/{found}", params={"account_id": "b"})
        assert error_of(seen) == (404, "resource_not_found")
        assert invite(client, found, account="a").status_code == 200


def test_sent_invitations_are_coarse_in_time(client: httpx.Client, clock: Clock) -> None:
    """The list of invitations tells the day at best: its time is worked back from "Sent 2 weeks ago"."""
    invitation_id = invite(client, message="Hi").json()["invitation_id"]
    clock.now += timedelta(days=16, hours=5)
    assert items(client, "/users/invite/sent", account_id="a") == [
        {
            "object": "InvitationSent",
            "id": invitation_id,
            "date": "Sent 2 weeks ago",
            "parsed_datetime": "2026-03-04T20:00:00.000Z",
            "invitation_text": "Hi",
            "invited_user": "Acoaa1",
            "invited_user_id": "ACoAA1",
            "invited_user_public_id": "ACoAA1",
            "invited_user_description": "",
        }
    ]


def test_withdrawn_invitation_is_not_pending(client: httpx.Client, clock: Clock) -> None:
    """A withdrawn invitation is shown nowhere, and the person cannot be invited again for three weeks."""
    invitation_id = invite(client).json()["invitation_id"]
    route = f"/users/invite/sent/{invitation_id}"
    assert error_of(client.delete(route, params={"account_id": "b"})) == (404, "resource_not_found")
    assert client.delete(route, params={"account_id": "a"}).status_code == 200
    assert error_of(client.delete(route, params={"account_id": "a"})) == (404, "resource_not_found")
    assert invitation_in_profile(client) is None
    assert items(client, "/users/invite/sent", account_id="a") == []
    assert error_of(invite(client)) == (422, "already_invited_recently")
    clock.now += timedelta(days=21)
    assert invite(client).status_code == 200


@pytest.mark.parametrize("limit", [1, 3, 7, 250])
def test_pages_neither_repeat_nor_miss(client: httpx.Client, limit: int) -> None:
    """Following the cursor shows every item once, newest first, even when more is sent in between."""
    for number in range(7):
        invite(client, f"ACoAA{number}")
    seen: list[str] = []
    cursor = None
    while True:
        query = {"account_id": "a", "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = client.get("/users/invite/sent", params=query).json()
        assert page["object"] == "InvitationList"
        seen += [one["invited_user_id"] for one in page["items"]]
        invite(client, f"ACoAA-in-between-{len(seen)}")
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [f"ACoAA{number}" for number in reversed(range(7))]


def test_list_parameters_are_checked(client: httpx.Client) -> None:
    """A limit out of range, a moment in another form and a cursor from elsewhere are 400."""
    wrong: list[tuple[str, dict[str, str]]] = [
        ("/users/invite/sent", {"limit": "0"}),
        ("/users/invite/sent", {"limit": "251"}),
        ("/users/relations", {"limit": "1001"}),
        ("/chats", {"limit": "x"}),
        ("/messages", {"cursor": "nonsense"}),
        ("/messages", {"after": "2026-03-02"}),
        ("/chats", {"before": "2026-03-02T15:00:00+00:00"}),
    ]
    for route, query in wrong:
        assert error_of(client.get(route, params={"account_id": "a", **query})) == (400, "invalid_parameters")
    assert client.get("/users/relations", params={"account_id": "a", "limit": "1000"}).status_code == 200


def test_relations_are_listed(sandbox: Sandbox, client: httpx.Client, clock: Clock) -> None:
    """Relations carry member_id and milliseconds since 1970, the latest first; `filter` looks into names."""
    sandbox.account("a", relations=["ACoAA1"])
    clock.now += timedelta(hours=1)
    sandbox.account("a", relations=["ACoAA1", "ACoAA2"])
    found = items(client, "/users/relations", account_id="a")
    assert [one["member_id"] for one in found] == ["ACoAA2", "ACoAA1"]
    assert found[1]["created_at"] == int((clock.now - timedelta(hours=1)).timestamp() * 1000)
    assert {one["object"] for one in found} == {"UserRelation"}
    assert [one["member_id"] for one in items(client, "/users/relations", account_id="a", filter="aa1")] == ["ACoAA1"]


def test_messages_are_found_by_time_and_sender(client: httpx.Client, clock: Clock) -> None:
    """A look-up after t0 (exclusive, in milliseconds) by the account's own id finds what was sent since."""
    chat(client, text="old")
    clock.now += timedelta(seconds=10)
    chat_id = chat(client, text="new").json()["chat_id"]
    chat(client, "ACoAA2", text="to another")
    chat(client, "ACoAA3", text="from another", account="b")
    own = client.get("/accounts/a").json()["connection_params"]["im"]["id"]
    found = items(client, f"/chats/{chat_id}/messages", after="2026-03-02T15:00:00.000Z", sender_id=own)
    assert [(one["object"], one["chat_id"], one["text"], one["is_sender"], one["sender_id"]) for one in found] == [
        ("Message", chat_id, "new", 1, own)
    ]
    assert type(found[0]["is_sender"]) is int
    assert (found[0]["timestamp"], found[0]["message_type"]) == ("2026-03-02T15:00:10.000Z", "MESSAGE")
    assert (found[0]["delivered"], found[0]["seen"]) == (1, 0)

    def texts(**query: str) -> list[str]:
        return [one["text"] for one in items(client, "/messages", **query)]

    assert texts(account_id="a") == ["to another", "new", "old"]
    assert texts() == ["from another", "to another", "new", "old"]
    assert texts(account_id="a", before="2026-03-02T15:00:10.000Z") == ["old"]
    assert texts(account_id="a", after="2026-03-02T15:00:10.000Z") == []
    assert texts(sender_id="ACoAAsomebody") == []


def test_chats_are_found_by_attendee_and_time(client: httpx.Client, clock: Clock) -> None:
    """Chats are listed by their last message, with the attendee's provider id."""
    chat(client, "ACoAA1")
    clock.now += timedelta(seconds=10)
    chat(client, "ACoAA2")
    chat(client, "ACoAA3", account="b")

    def attendees(**query: str) -> list[str]:
        return [one["attendee_provider_id"] for one in items(client, "/chats", **query)]

    assert attendees(account_id="a") == ["ACoAA2", "ACoAA1"]
    assert attendees() == ["ACoAA3", "ACoAA2", "ACoAA1"]
    assert attendees(account_id="a", after="2026-03-02T15:00:00.000Z") == ["ACoAA2"]
    assert attendees(account_id="a", before="2026-03-02T15:00:10.000Z") == ["ACoAA1"]
    assert attendees(account_id="a", limit="1") == ["ACoAA2"]
    shown = items(client, "/chats", account_id="b")[0]
    assert (shown["object"], shown["account_id"], shown["timestamp"]) == (
        "Chat",
        "b",
        "2026-03-02T15:00:10.000Z",
    )
    assert {"id", "folder", "read_only", "disabledFeatures"} <= set(shown)


def test_account_has_the_documented_shape(client: httpx.Client) -> None:
    """An account tells its own member id and the status of its sources."""
    body = client.get("/accounts/a").json()
    assert (body["object"], body["id"], body["type"]) == ("Account", "a", "LINKEDIN")
    assert body["connection_params"]["im"]["id"].startswith("ACoAA")
    assert body["sources"] == [{"id": "a_MESSAGING", "status": "OK"}]
    assert body["groups"] == []


def test_unknown_path_is_404(client: httpx.Client) -> None:
    """What is not a route is 404 in Unipile's form; outside its prefix the sandbox says so itself."""
    assert error_of(client.get("/nothing/here")) == (404, "resource_not_found")
    assert error_of(client.post("/accounts/a")) == (404, "resource_not_found")
    assert httpx.get(str(client.base_url.copy_with(path="/v9/x"))).status_code == 404


# --- faults -----------------------------------------------------------------------------------------------


def test_status_refuses_before_anything_is_stored(sandbox: Sandbox, client: httpx.Client) -> None:
    """A fault with a status is answered in the provider's form, with its headers, and nothing is stored."""
    sandbox.order(Fault(op="invite", status=429, headers={"Retry-After": "7"}, times=1))
    refused = invite(client)
    assert error_of(refused) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "7"
    assert sandbox.accepted() == []
    assert invite(client).status_code == 200


def test_type_title_and_detail_can_be_told(sandbox: Sandbox, client: httpx.Client) -> None:
    """The error's type (with or without errors/), title and detail are as ordered."""
    sandbox.order(Fault(status=403, type="errors/account_restricted", title="T", detail="D"))
    expected = {"status": 403, "type": "errors/account_restricted", "title": "T", "detail": "D"}
    assert invite(client).json() == expected


def test_raw_body_can_be_told(sandbox: Sandbox, client: httpx.Client) -> None:
    """A raw body replaces the provider's: an accepted send whose ids are null, say."""
    body = '{"object":"ChatStarted","chat_id":null,"message_id":null}'
    sandbox.order(Fault(op="chat", status=201, accept=True, body=body))
    response = chat(client)
    assert (response.status_code, response.text) == (201, body)
    assert len(sandbox.accepted()) == 1


def test_drop_before_stores_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """drop="before" closes the connection, and nothing was accepted."""
    sandbox.order(Fault(op="invite", drop="before", times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        invite(client)
    assert sandbox.accepted() == []
    assert invitation_in_profile(client) is None


@pytest.mark.parametrize("op", ["invite", "chat", "message"])
def test_drop_after_has_stored_it(sandbox: Sandbox, client: httpx.Client, op: str) -> None:
    """drop="after" closes the connection without an answer, and yet the send is in the journal and shown."""
    chat_id = chat(client, "ACoAA1", "first").json()["chat_id"]
    sandbox.order(Fault(op=op, drop="after", times=1))
    send: dict[str, Callable[[], httpx.Response]] = {
        "invite": lambda: invite(client, message="lost"),
        "chat": lambda: chat(client, text="lost"),
        "message": lambda: client.post(f"/chats/{chat_id}/messages", **form(text="lost")),
    }
    with pytest.raises(httpx.RemoteProtocolError):
        send[op]()
    assert [line["text"] for line in sandbox.accepted()] == ["first", "lost"]
    if op == "invite":
        assert invitation_in_profile(client) is not None
    else:
        assert [one["text"] for one in items(client, "/messages")] == ["lost", "first"]


def test_commit_then_504(sandbox: Sandbox, client: httpx.Client) -> None:
    """With accept a 5xx comes although the send was accepted."""
    sandbox.order(Fault(op="invite", status=504, accept=True, times=1))
    assert error_of(invite(client)) == (504, "request_timeout")
    assert len(sandbox.accepted()) == 1
    assert error_of(invite(client)) == (422, "already_invited_recently")


def test_hidden_send_is_in_no_read(sandbox: Sandbox, client: httpx.Client, clock: Clock) -> None:
    """hide keeps what was accepted out of every read for so long, a restart included; the journal has it."""
    sandbox.order(Fault(hide=60))
    invite(client)
    chat_id = chat(client).json()["chat_id"]

    def shown() -> tuple[bool, int, int, int, int]:
        return (
            invitation_in_profile(client) is not None,
            len(items(client, "/users/invite/sent", account_id="a")),
            len(items(client, "/chats", account_id="a")),
            len(items(client, "/messages", account_id="a")),
            client.get(f"/chats/{chat_id}/messages").status_code,
        )

    assert len(sandbox.accepted()) == 2
    assert error_of(invite(client)) == (422, "already_invited_recently")
    clock.now += timedelta(seconds=59.9)
    assert shown() == (False, 0, 0, 0, 404)
    sandbox.stop()
    sandbox.start()
    assert shown() == (False, 0, 0, 0, 404)
    clock.now += timedelta(seconds=0.1)
    assert shown() == (True, 1, 1, 1, 200)


def test_delays_lie_before_and_after_the_accept(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that gives up during `delay` leaves nothing yet; during `answer_delay` it was accepted."""
    sandbox.order(Fault(recipient="early", delay=0.6), Fault(recipient="late", answer_delay=0.6))
    client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        invite(client, "early")
    assert sandbox.accepted() == []
    with pytest.raises(httpx.ReadTimeout):
        invite(client, "late")
    assert [line["recipient"] for line in sandbox.accepted()] == ["late"]


def test_answers_can_be_spoiled(sandbox: Sandbox, client: httpx.Client) -> None:
    """Truncated, garbage or HTML: the send was accepted, only its answer cannot be read."""
    sandbox.order(
        Fault(recipient="1", spoil="truncated"),
        Fault(recipient="2", spoil="garbage"),
        Fault(recipient="3", spoil="html"),
    )
    with pytest.raises(httpx.RemoteProtocolError):
        invite(client, "1")
    garbage = invite(client, "2")
    assert garbage.status_code == 200
    with pytest.raises(ValueError, match=r"decode|codec|Invalid"):
        garbage.json()
    page = invite(client, "3")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [line["recipient"] for line in sandbox.accepted()] == ["1", "2", "3"]


def test_first_matching_rule_applies(sandbox: Sandbox, client: httpx.Client) -> None:
    """Rules are tried in order; one that is spent or about something else lets the next one have its turn."""
    sandbox.order(
        Fault(account_id="other", status=500),
        Fault(op="chat", status=501),
        Fault(path=r"/users/inv\w+$", recipient="ACoAA1", status=503, times=2),
        Fault(provider="unipile", op="invite", status=504),
    )
    assert [invite(client).status_code for _ in range(3)] == [503, 503, 504]
    assert invite(client, "ACoAA2").status_code == 504
    assert chat(client).status_code == 501
    assert invite(client, account="other").status_code == 500
    assert [(rule["applied"], rule["spent"]) for rule in sandbox.faults()] == [
        (1, False),
        (1, False),
        (2, True),
        (2, False),
    ]


def test_probability_is_repeatable(sandbox: Sandbox, client: httpx.Client) -> None:
    """A rule with a probability falls alike for the same seed, and about as often as it says."""

    def fell() -> list[bool]:
        sandbox.clear_faults()
        sandbox.order(Fault(op="profile", status=500, probability=0.3, seed=7))
        query = {"account_id": "a"}
        return [client.get("/users/ACoAA1", params=query).status_code == 500 for _ in range(100)]

    first = fell()
    assert first == fell()
    assert 15 <= sum(first) <= 45


def test_reads_can_fail_too(sandbox: Sandbox, client: httpx.Client) -> None:
    """Every op has a name that a fault can be ordered for."""
    chat_id = chat(client).json()["chat_id"]
    invitation_id = invite(client).json()["invitation_id"]
    routes = {
        "profile": "/users/ACoAA1",
        "invitations": "/users/invite/sent",
        "relations": "/users/relations",
        "chats": "/chats",
        "chat_messages": f"/chats/{chat_id}/messages",
        "messages": "/messages",
        "account": "/accounts/a",
    }
    for op, route in routes.items():
        sandbox.order(Fault(op=op, account_id="a", status=503, times=1))
        answers = [client.get(route, params={"account_id": "a"}).status_code for _ in range(2)]
        assert (op, answers) == (op, [503, 200])
    sandbox.order(Fault(op="withdraw", status=503))
    withdrawn = client.delete(f"/users/invite/sent/{invitation_id}", params={"account_id": "a"})
    assert withdrawn.status_code == 503


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "invit"},
        {"provider": "unipil"},
        {"drop": "during"},
        {"spoil": "milk"},
        {"path": "("},
        {"delay": -1},
        {"delay": "1"},
        {"times": 0},
        {"times": True},
        {"probability": 2},
        {"status": 99},
        {"accept": True},
        {"body": "no status"},
        {"headers": {"X": "a\r\nY: b"}, "status": 500},
        {"surprise": 1},
        7,
    ],
)
def test_rule_that_could_not_work_is_refused(sandbox: Sandbox, wrong: object) -> None:
    """A misspelt rule would never apply and the test that ordered it would prove nothing: it is refused."""
    response = httpx.post(f"{sandbox.url}/sandbox/faults", json=[{"status": 500}, wrong])
    assert response.status_code == 400
    assert response.json()["error"]
    assert sandbox.faults() == []


# --- orders over HTTP -------------------------------------------------------------------------------------


def test_orders_over_http(orders: httpx.Client, client: httpx.Client) -> None:
    """Faults, accounts, the journal and a fresh start can be had over HTTP, without a key."""
    ordered = orders.post("/faults", json=[{"op": "invite", "status": 500, "times": 1}])
    assert [(rule["op"], rule["applied"]) for rule in ordered.json()] == [("invite", 0)]
    assert invite(client).status_code == 500
    assert [rule["spent"] for rule in orders.get("/faults").json()] == [True]
    assert orders.delete("/faults").json() == []
    assert orders.get("/faults").json() == []

    settings = orders.post("/accounts/a%2Fb", json={"invite_limit": 1, "relations": ["ACoAA9"]}).json()
    assert settings == {
        "id": "a/b",
        "status": "OK",
        "invite_limit": 1,
        "relations": ["ACoAA9"],
        "messages_need_relation": False,
        "unknown": False,
    }
    assert orders.get("/accounts/a%2Fb").json() == settings
    assert orders.post("/accounts/a", json={"status": "FINE"}).status_code == 400
    assert orders.post("/accounts/a", json={"limit": 1}).status_code == 400
    assert orders.post("/accounts/a", content=b"{").status_code == 400
    assert orders.post("/faults", content=b"{").status_code == 400
    assert orders.get("/nothing").status_code == 404

    assert invite(client, account="a/b").status_code == 200
    assert [line["recipient"] for line in orders.get("/journal").json()] == ["ACoAA1"]
    assert orders.post("/restart-clean").status_code == 200
    assert orders.get("/journal").json() == []
    assert orders.get("/accounts/a%2Fb").json()["invite_limit"] is None
    assert invite(client, account="a/b").status_code == 200


def test_clean_restart_keeps_what_was_given_at_the_start(path: Path) -> None:
    """After restart-clean the accounts and faults of the start are there again, unspent."""
    fault = Fault(op="invite", status=500, times=1)
    with (
        Sandbox(path, accounts={"a": {"invite_limit": 5}}, faults=[fault]) as sandbox,
        client_of(sandbox) as client,
    ):
        sandbox.account("a", invite_limit=6)
        assert [invite(client).status_code, invite(client).status_code] == [500, 200]
        sandbox.restart_clean()
        assert sandbox.account("a")["invite_limit"] == 5
        assert [invite(client).status_code, invite(client).status_code] == [500, 200]
    assert len(read(path)) == 1


def test_wrong_settings_are_refused(path: Path) -> None:
    """An account cannot be given settings that mean nothing."""
    with pytest.raises(BadSettings), Sandbox(path, accounts={"a": {"status": "FINE"}}):
        pass
    with Sandbox(path):  # and the failed start has let go of the journal
        pass


# --- the journal ------------------------------------------------------------------------------------------


def test_answer_waits_for_the_disk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer leaves before fdatasync has returned for its line; one call serves all who wait."""
    may_sync = threading.Event()
    calls = []
    real = os.fdatasync

    def slow(fd: int) -> None:
        calls.append(fd)
        assert may_sync.wait(60)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    with ThreadPoolExecutor() as pool:

        def send(number: int) -> httpx.Response:
            with client_of(sandbox) as client:
                return invite(client, f"ACoAA{number}")

        answers = [pool.submit(send, number) for number in range(5)]
        wait_until(lambda: len(sandbox.accepted()) == 5)
        time.sleep(0.1)  # that nothing is answered meanwhile can only be waited for
        assert not any(answer.done() for answer in answers)
        may_sync.set()
        assert [answer.result(60).status_code for answer in answers] == [200] * 5
    assert len(calls) <= 2


def test_without_sync_nobody_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sync=False the disk is never waited for, and the line is in the file all the same."""

    def never(_fd: int) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "fdatasync", never)
    with Sandbox(path, sync=False) as sandbox, client_of(sandbox) as client:
        assert invite(client).status_code == 200
        assert len(read(path)) == 1


def test_failed_disk_accepts_nothing_more(
    sandbox: Sandbox, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """When the disk fails, the client gets no answer, now and afterwards: the witness does not guess."""

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(httpx.RemoteProtocolError):
        invite(client)
    monkeypatch.undo()
    with pytest.raises(httpx.RemoteProtocolError):
        invite(client, "ACoAA2")
    assert "Input/output error" in capfd.readouterr().err
    assert [line["recipient"] for line in sandbox.accepted()] == ["ACoAA1"]


def test_full_disk_leaves_no_half_line(sandbox: Sandbox, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that could be written only in part is taken back, and the send was not accepted."""
    real = os.write
    invite(client)
    full = iter([True])

    def half(fd: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(fd, data[: len(data) - 10] if next(full, False) else data)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(httpx.RemoteProtocolError):
        invite(client, "ACoAA2")
    monkeypatch.undo()
    assert invite(client, "ACoAA2").status_code == 200
    assert [line["recipient"] for line in sandbox.accepted()] == ["ACoAA1", "ACoAA2"]


def test_restart_keeps_everything(sandbox: Sandbox, client: httpx.Client) -> None:
    """Stopped and started again, the sandbox knows invitations, counters, chats, settings, withdrawals."""
    sandbox.account("a", invite_limit=3, relations=["ACoAA7"])
    withdrawn = invite(client, "ACoAA1").json()["invitation_id"]
    kept = invite(client, "ACoAA2").json()["invitation_id"]
    client.delete(f"/users/invite/sent/{withdrawn}", params={"account_id": "a"})
    chat_id = chat(client, text="before").json()["chat_id"]
    url = sandbox.url
    sandbox.stop()
    with pytest.raises(httpx.TransportError):
        client.get("/chats")
    sandbox.start()
    assert sandbox.url == url
    assert [one["id"] for one in items(client, "/users/invite/sent", account_id="a")] == [kept]
    assert error_of(invite(client, "ACoAA2")) == (422, "already_invited_recently")
    assert error_of(invite(client, "ACoAA7")) == (422, "already_connected")
    last = invite(client, "ACoAA3").json()
    assert last["usage"] == 95
    assert int(last["invitation_id"]) > int(kept)
    assert error_of(invite(client, "ACoAA4")) == (422, "cannot_resend_yet")
    assert client.post(f"/chats/{chat_id}/messages", **form(text="after")).status_code == 201
    assert chat(client).json()["chat_id"] == chat_id
    assert [one["text"] for one in items(client, "/messages")] == ["Hello", "after", "before"]


def test_torn_last_line_is_left_out(path: Path) -> None:
    """A torn last line was never answered: the reader skips it, and the next start cuts it off."""
    with Sandbox(path) as sandbox, client_of(sandbox) as client:
        invite(client)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert [line["recipient"] for line in read(path)] == ["ACoAA1"]
    with Sandbox(path) as sandbox, client_of(sandbox) as client:
        assert path.read_bytes() == whole
        invite(client, "ACoAA2")
    assert [line["recipient"] for line in read(path)] == ["ACoAA1", "ACoAA2"]


def test_line_that_lost_only_its_end_counts(path: Path) -> None:
    """A last line that is whole but for its line end counts, for the reader and for the next start."""
    with Sandbox(path) as sandbox, client_of(sandbox) as client:
        invite(client)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(read(path)) == 1
    with Sandbox(path) as sandbox, client_of(sandbox) as client:
        assert error_of(invite(client)) == (422, "already_invited_recently")
        invite(client, "ACoAA2")
    assert len(read(path)) == 2


def test_damage_in_the_middle_is_an_error(path: Path) -> None:
    """A line in the middle that cannot be read is named, not skipped; a missing journal is no empty one."""
    path.write_bytes(b'{"a":1}\n{"b"\n{"c":1}\n')
    with pytest.raises(JournalDamaged, match="line 2"):
        read(path)
    with pytest.raises(JournalDamaged, match="line 2"):
        Sandbox(path).start()
    with pytest.raises(FileNotFoundError):
        read(path.with_name("missing"))


def test_one_sandbox_per_journal(path: Path, sandbox: Sandbox) -> None:
    """A second sandbox on the same journal would accept what the first has accepted: it does not start."""
    assert sandbox.path == path
    with pytest.raises(JournalInUse, match="another sandbox"):
        Sandbox(path).start()


def test_many_threads_make_whole_lines(path: Path) -> None:
    """50 threads at once: every answer has its line, every line is whole, nobody is invited twice."""
    threads, rounds, people = 50, 8, 100
    with Sandbox(path) as sandbox:

        def work(number: int) -> list[str]:
            with client_of(sandbox) as client:
                ids = []
                for turn in range(rounds):
                    answer = invite(client, f"ACoAA{(number * rounds + turn) % people}")
                    if answer.status_code == 200:
                        ids.append(answer.json()["invitation_id"])
                    ids.append(chat(client, f"ACoAA{number}", f"{number}/{turn}").json()["message_id"])
                return ids

        with ThreadPoolExecutor(threads) as pool:
            answered = [one for ids in pool.map(work, range(threads)) for one in ids]
    written = read(path)
    assert Counter(line["id"] for line in written) == Counter(answered)
    invited = Counter(line["recipient"] for line in written if line["channel"] == "linkedin_invite")
    assert len(invited) == people
    assert set(invited.values()) == {1}
    texts = Counter(line["text"] for line in written if line["channel"] == "linkedin_message")
    assert texts == Counter(f"{number}/{turn}" for number in range(threads) for turn in range(rounds))


# --- sockets ----------------------------------------------------------------------------------------------


def raw(sandbox: Sandbox) -> socket.socket:
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def everything(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_connection_is_kept_alive(sandbox: Sandbox, client: httpx.Client) -> None:
    """Many requests go over one connection, refusals and bad bodies among them."""
    client.headers["Connection"] = "keep-alive"
    ports = set()
    for _ in range(3):
        for response in (invite(client), client.post("/chats", json={}), client.get("/nothing")):
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1
    assert len(sandbox.accepted()) == 1


def test_client_that_goes_away_is_no_event(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that leaves in the middle of a request or before its answer stores no half, prints nothing."""
    sandbox.order(Fault(op="invite", delay=0.1))
    head = b"POST /api/v1/users/invite HTTP/1.1\r\nX-API-KEY: k\r\nContent-Type: application/json\r\n"
    body = b'{"account_id":"a","provider_id":"ACoAA1"}'
    for sent in (
        b"",
        head,
        head + b"Content-Length: 99\r\n\r\n" + body,
        head + b"Content-Length: 41\r\n\r\n" + body,
    ):
        connection = raw(sandbox)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.sendall(sent)
        connection.close()
    time.sleep(0.4)  # that nothing comes of it later can only be waited for
    assert len(sandbox.accepted()) <= 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"Content-Length: x", b"malformed_request"),
        (b"Content-Length: -1", b"malformed_request"),
        (b"Content-Length: " + b"9" * 5000, b"malformed_request"),
        (b"Transfer-Encoding: chunked", b"malformed_request"),
        (b"Content-Length: %d" % (MAX_BODY_BYTES + 1), b"content_too_large"),
    ],
)
def test_body_must_be_measured_and_bounded(sandbox: Sandbox, headers: bytes, code: bytes) -> None:
    """A body without a sound length, or larger than 32 MiB, is 400 and the connection is closed."""
    with raw(sandbox) as connection:
        connection.sendall(b"POST /api/v1/chats HTTP/1.1\r\nX-API-KEY: k\r\n" + headers + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"errors/" + code in received


def test_large_body_is_told_why(client: httpx.Client) -> None:
    """A client that writes its whole body before it reads still hears that it was too large."""
    response = client.post("/chats", content=b"x" * (MAX_BODY_BYTES + 1))
    assert error_of(response) == (400, "content_too_large")


def test_stop_cuts_what_is_in_flight(path: Path) -> None:
    """A request that waits when the sandbox stops is never accepted later, not by its successor either."""
    sandbox = Sandbox(path)
    sandbox.start()
    with ThreadPoolExecutor() as pool, client_of(sandbox) as client, answers_held(sandbox, Fault(delay=1)) as held:
        waiting = pool.submit(invite, client)
        held.wait()
        sandbox.stop()
        sandbox.start()
        with pytest.raises(httpx.TransportError):
            waiting.result(60)
        held.let_go()
        time.sleep(0.2)  # that nothing comes of it later can only be waited for
    sandbox.stop()
    assert read(path) == []


# --- as a program -----------------------------------------------------------------------------------------


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # seconds; what another process does can only be looked for


def start_program(path: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    program = subprocess.Popen(
        [sys.executable, "-m", "send_queue.sandbox", "--journal", str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert program.stdout is not None
    return program, program.stdout.readline().strip()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_program_serves_until_a_signal(path: Path, end: signal.Signals) -> None:
    """The program prints its URL, takes faults from a file, and ends on SIGTERM and SIGINT with status 0."""
    faults = path.with_name("faults.json")
    faults.write_text('[{"op": "invite", "status": 503, "times": 1}]')
    program, url = start_program(path, "--port", "0", "--faults", str(faults))
    try:
        with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-KEY": "k"}) as client:
            assert [invite(client).status_code, invite(client).status_code] == [503, 200]
            program.send_signal(end)
            assert program.wait(60) == 0
    finally:
        program.kill()
    assert program.communicate() == ("", "")
    assert len(read(path)) == 1


def test_killed_program_is_the_same_again(path: Path) -> None:
    """kill -9 while many threads send: each answer has its line, and after a new start nobody gets two."""
    answered: list[str] = []

    def send(url: str, number: int) -> None:
        with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-KEY": "k"}) as client:
            for turn in range(1000):
                try:
                    answered.append(invite(client, f"ACoAA{number}-{turn}").json()["invitation_id"])
                except httpx.TransportError:
                    return

    program, url = start_program(path)
    try:
        with ThreadPoolExecutor() as pool:
            sending = [pool.submit(send, url, number) for number in range(4)]
            wait_until(lambda: len(answered) >= 100)
            program.kill()
            program.wait()
            for one in sending:
                one.result(10)
        program.communicate()
        lines = read(path)
        assert set(answered) <= {line["id"] for line in lines}

        program, url = start_program(path)
        with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-KEY": "k"}) as client:
            for line in lines[-20:]:
                assert error_of(invite(client, line["recipient"])) == (422, "already_invited_recently")
        assert read(path) == lines
    finally:
        program.kill()
        program.communicate()


def test_program_says_why_it_cannot_start(path: Path, sandbox: Sandbox) -> None:
    """A journal in use, or faults that cannot work, are one sentence on stderr and status 1."""
    assert sandbox.path == path
    program, url = start_program(path)
    assert url == ""
    assert "another sandbox" in program.communicate()[1]
    assert program.returncode == 1
