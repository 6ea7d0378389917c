"""Facebook: what is asked of it, field by field, and what each of its answers means for a post."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from networks import DAY, DOUBTED, MINUTE, NOON, POST, TOKEN, Said, Server, kind_of, made, serving

from send_queue.model import AlreadyDone, CannotTell, Failed, Found, Hold, LookUp, NotThere, Sent, Uncertain
from send_queue.providers.networks.facebook import MEANINGS, VERSION, Facebook

A_PERSON = "Hold account, a person"
THROTTLED = "Hold lane, 60 min to 1440 min"

OUTCOMES = {
    "code_1": "Uncertain",
    "code_2": "Uncertain",
    "code_3": A_PERSON,
    "code_4": THROTTLED,
    "code_17": THROTTLED,
    "code_32": THROTTLED,
    "code_341": THROTTLED,
    "code_613": THROTTLED,
    "code_10": A_PERSON,
    **{f"code_{n}": A_PERSON for n in range(200, 300)},
    "code_100": "Failed",
    "code_100_33": A_PERSON,
    "code_803": A_PERSON,
    "code_102": A_PERSON,
    "code_190": A_PERSON,
    "code_190_458": A_PERSON,
    "code_190_459": A_PERSON,
    "code_190_460": A_PERSON,
    "code_190_463": A_PERSON,  # its secret is the environment's: nobody renews it
    "code_190_464": A_PERSON,
    "code_190_467": A_PERSON,
    "code_2500": A_PERSON,
    "code_368": "Hold account, 1440 min to 4320 min",
    "code_506": "AlreadyDone",
    "code_1500": "Failed",
    "code_1609005": "Failed",
    "http_429": THROTTLED,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def facebook(server: Server) -> Any:
    return made(Facebook, server)


def test_a_post_field_by_field(server: Server, facebook: Facebook) -> None:
    """A form on the page's feed, with the page's token in it."""
    server.says(Said(200, {"id": "4711_99"}))
    assert facebook.send(POST) == Sent("4711_99", 200)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.query) == ("POST", f"/{VERSION}/4711/feed", {})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {"message": POST.message, "access_token": TOKEN}


def test_a_link_may_be_shown(server: Server, facebook: Facebook) -> None:
    """It comes in the payload, and must be one."""
    server.says(Said(200, {"id": "4711_99"}))
    facebook.send(replace(POST, payload={"link": "https://example.com/jobs"}))
    assert server.asked[0].form["link"] == "https://example.com/jobs"
    for wrong in ("example", 7, "https://a b"):
        assert isinstance(facebook.send(replace(POST, payload={"link": wrong})), Failed)
    assert len(server.asked) == 1


def test_the_version_is_an_operators_to_say(server: Server) -> None:
    """For all accounts, or for one."""
    server.says(Said(200, {"id": "4711_99"}))
    facebook = made(Facebook, server, FACEBOOK_GRAPH_VERSION="v25.0")
    facebook.send(POST)
    facebook.send(replace(POST, settings={"graph_version": "v26.0"}))
    assert [asked.path for asked in server.asked] == ["/v25.0/4711/feed", "/v26.0/4711/feed"]


@pytest.mark.parametrize("code", [code for code in OUTCOMES if not "code_201" < code < "code_299"])
def test_every_row_of_the_table(code: str, server: Server, facebook: Facebook) -> None:
    """By the number of the error, and the second number where that says more; whatever the status."""
    error: dict[str, Any] = {"message": "The sentence", "type": "OAuthException", "code": 999}
    if code.startswith("code_"):
        error |= dict(zip(("code", "error_subcode"), map(int, code[5:].split("_")), strict=False))
    for status in (400, 403, 500) if code.startswith("code_") else (429,):
        server.says(Said(status, {"error": error}))
        outcome = facebook.send(POST)
        assert kind_of(outcome) == OUTCOMES[code], status
        assert not isinstance(outcome, Sent)
        assert "The sentence" in outcome.detail


def test_the_table_has_no_other_rows() -> None:
    """Each has been said above what it means."""
    assert MEANINGS.keys() == OUTCOMES.keys()


def test_numbers_that_are_not_in_the_table(server: Server, facebook: Facebook) -> None:
    """A second number that says no more is left out; a 4xx has failed, a 5xx is in doubt."""
    server.says(Said(400, {"error": {"code": 506, "error_subcode": 1455006, "message": "Duplicate"}}))
    assert isinstance(facebook.send(POST), AlreadyDone)
    server.says(Said(400, {"error": {"code": 9999, "message": "New"}}))
    assert facebook.send(POST) == Failed("code_9999", "New", 400)
    server.says(Said(500, {"error": {"code": 9999, "message": "New"}}))
    assert isinstance(facebook.send(POST), Uncertain)


def test_an_error_with_200_is_no_yes(server: Server, facebook: Facebook) -> None:
    """The body decides."""
    server.says(Said(200, {"error": {"code": 32, "message": "Slowly"}}))
    assert isinstance(facebook.send(POST), Hold)
    server.says(Said(200, {"success": True}))
    assert isinstance(facebook.send(POST), Uncertain)


# --- looking up -------------------------------------------------------------------------------------------


def listed(message: str | None = POST.message, at: Any = NOON, author: str = "4711") -> dict[str, Any]:
    post = {"id": "4711_99", "created_time": at.strftime("%Y-%m-%dT%H:%M:%S+0000"), "from": {"id": author}}
    return post | ({"message": message} if message is not None else {})


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ([listed()], Found("4711_99")),
        ([listed(None), listed("Other"), listed()], Found("4711_99")),
        ([listed(author="12")], NotThere()),  # a visitor's
        ([listed(None)], NotThere()),  # a picture
        ([], NotThere()),
        ([listed(at=NOON - 2 * DAY)], NotThere()),
        ([listed(at=NOON - 6 * MINUTE)], CannotTell),
        ([{"id": "1", "message": "Other"}], CannotTell),
    ],
)
def test_a_post_is_found_in_the_feed(
    posts: list[Any], expected: LookUp | type, server: Server, facebook: Facebook
) -> None:
    """By its message, among what the page itself has posted."""
    server.says(Said(200, {"data": posts}))
    found = facebook.look_up(DOUBTED)
    assert found == expected or (isinstance(expected, type) and isinstance(found, expected))
    [asked] = server.asked
    assert (asked.method, asked.path) == ("GET", f"/{VERSION}/4711/feed")
    assert asked.query == {
        "fields": "id,message,created_time,from", "limit": "100", "access_token": TOKEN,
        "since": str(int((NOON - DAY - MINUTE).timestamp())),
    }  # fmt: skip


def test_the_feed_is_read_on(server: Server, facebook: Facebook) -> None:
    """By its cursor, and not beyond five pages."""
    paging = {"cursors": {"after": "c"}, "next": "https://graph.facebook.com/next"}
    more = Said(200, {"data": [listed("Other")], "paging": paging})
    server.says(more, Said(200, {"data": [listed()], "paging": {"cursors": {"after": "d"}}}))
    assert facebook.look_up(DOUBTED) == Found("4711_99")
    assert server.asked[1].query["after"] == "c"
    server.says(more)
    assert isinstance(facebook.look_up(DOUBTED), CannotTell)
    assert len(server.asked) == 5


@pytest.mark.parametrize("said", [Said(400, {"error": {"code": 190}}), Said(200, {}), Said(200, {"data": [1]})])
def test_an_answer_that_cannot_be_read_proves_nothing(said: Said, server: Server, facebook: Facebook) -> None:
    """Neither that it is there nor that it is not."""
    server.says(said)
    assert isinstance(facebook.look_up(DOUBTED), CannotTell)
