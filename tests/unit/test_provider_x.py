"""X: what is asked of it, field by field, and what each of its answers means for a post."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from networks import DAY, DOUBTED, MINUTE, NOON, POST, TOKEN, Said, Server, kind_of, made, serving

from send_queue.model import AlreadyDone, CannotTell, Found, Hold, LookUp, NotThere, Sent, Uncertain
from send_queue.providers.networks.x import MEANINGS, X

A_PERSON = "Hold account, a person"
DAYLONG = "Hold account, 1440 min"
TWEETED = {"data": {"id": "1899", "text": POST.message}}

OUTCOMES = {
    "duplicate-content": (403, "AlreadyDone"),
    "invalid-request": (400, "Failed"),
    "resource-not-found": (404, "Failed"),
    "not-authorized-for-resource": (403, "Failed"),
    "not-authorized-for-field": (403, "Failed"),
    "disallowed-resource": (403, "Failed"),
    "unsupported-authentication": (403, A_PERSON),
    "oauth1-permissions": (403, A_PERSON),
    "client-forbidden": (403, A_PERSON),
    "client-disconnected": (400, "Uncertain"),
    "usage-capped": (429, DAYLONG),
    "credits": (402, DAYLONG),
    "rate-limits": (429, "Hold lane, 15 min"),
    "operational-disconnect": (503, "Uncertain"),
    "code_32": (401, A_PERSON),
    "code_64": (403, A_PERSON),
    "code_88": (429, "Hold lane, 15 min"),
    "code_89": (401, A_PERSON),
    "code_130": (503, "Uncertain"),
    "code_131": (500, "Uncertain"),
    "code_185": (403, "Hold lane, 180 min to 1440 min"),
    "code_186": (403, "Failed"),
    "code_187": (403, "AlreadyDone"),
    "code_226": (403, "Hold account, 360 min to 4320 min"),
    "code_261": (403, A_PERSON),
    "code_326": (403, A_PERSON),
    "http_400": (400, "Failed"),
    "http_401": (401, A_PERSON),  # its secret is the environment's: nobody renews it
    "http_402": (402, DAYLONG),
    "http_403": (403, "Hold lane, 60 min"),
    "http_404": (404, "Hold lane, 60 min"),
    "http_429": (429, "Hold lane, 15 min"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def x(server: Server) -> Any:
    return made(X, server)


def problem(code: str, status: int) -> dict[str, Any]:
    if code == "duplicate-content":
        detail = "You are not allowed to create a Tweet with duplicate content."
        return {"title": "Forbidden", "type": "about:blank", "status": status, "detail": detail}
    if code.startswith("code_"):
        return {"errors": [{"code": int(code[5:]), "message": "The sentence"}]}
    kind = "about:blank" if code.startswith("http_") else f"https://api.twitter.com/2/problems/{code}"
    return {"title": "Title", "type": kind, "status": status, "detail": "The sentence"}


def test_a_post_field_by_field(server: Server, x: X) -> None:
    """Its text, and nothing else."""
    server.says(Said(201, TWEETED))
    assert x.send(POST) == Sent("1899", 201)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/2/tweets", {"text": POST.message})
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("code", OUTCOMES)
def test_every_row_of_the_table(code: str, server: Server, x: X) -> None:
    """By the problem's type, by a code of the older API, or by the status."""
    status, expected = OUTCOMES[code]
    server.says(Said(status, problem(code, status)))
    outcome = x.send(POST)
    assert kind_of(outcome) == expected
    if isinstance(outcome, AlreadyDone):
        assert outcome.code == "duplicate_post"


def test_the_table_has_no_other_rows() -> None:
    """Each has been said above what it means."""
    assert MEANINGS.keys() == OUTCOMES.keys()


def test_a_limit_ends_at_its_reset(server: Server, x: X) -> None:
    """x-rate-limit-reset is in seconds since 1970, by X's clock; it is believed whichever limit it was."""
    reset = str(int((server.now + 7 * MINUTE).timestamp()))
    server.says(Said(429, problem("http_429", 429), {"x-rate-limit-reset": reset}))
    outcome = x.send(POST)
    assert isinstance(outcome, Hold)
    assert (outcome.scope, outcome.after, outcome.ceiling) == ("lane", 7 * MINUTE, None)


def test_a_yes_without_an_id_is_in_doubt(server: Server, x: X) -> None:
    """X may answer 200 with errors only."""
    server.says(Said(200, {"errors": [{"title": "Odd"}]}))
    assert isinstance(x.send(POST), Uncertain)


# --- looking up -------------------------------------------------------------------------------------------


def listed(text: str, at: Any = NOON, **more: Any) -> dict[str, Any]:
    return {"id": "1899", "text": text, "created_at": at.isoformat().replace("+00:00", ".000Z"), **more}


LINKED = {
    "entities": {"urls": [{"url": "https://t.co/abc", "expanded_url": "https://example.com/jobs?a=1&b=2"}]}
}  # fmt: skip
SHORT = "We are hiring: https://t.co/abc."


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ([listed(SHORT, **LINKED)], Found("1899")),
        ([listed("Cut …", note_tweet={"text": SHORT, **LINKED})], Found("1899")),
        ([listed(SHORT)], CannotTell("A post of that time has this text except its links.")),
        ([listed("Other")], NotThere()),
        ([], NotThere()),
        ([listed(SHORT, NOON - 2 * DAY, **LINKED)], NotThere()),
        ([{"id": "1"}], CannotTell("The network's list has an unknown shape.")),
    ],
)
def test_a_post_is_found_in_the_timeline(posts: list[Any], expected: LookUp, server: Server, x: X) -> None:
    """Its links are t.co's there: they are told by what they lead to."""
    said: dict[str, Any] = {"meta": {"result_count": len(posts)}}
    server.says(Said(200, said | ({"data": posts} if posts else {})))
    assert x.look_up(DOUBTED) == expected
    [asked] = server.asked
    assert (asked.method, asked.path) == ("GET", "/2/users/4711/tweets")
    assert asked.query["max_results"] == "100"
    assert asked.query["start_time"] == "2026-03-01T11:59:00Z"
    assert set(asked.query["tweet.fields"].split(",")) == {"created_at", "entities", "note_tweet"}


def test_what_html_reads_is_escaped_in_the_timeline(server: Server, x: X) -> None:
    """&amp; is an ampersand."""
    server.says(Said(200, {"data": [listed("Fish &amp; chips &lt;3")], "meta": {}}))
    assert x.look_up(replace(DOUBTED, message="Fish & chips <3")) == Found("1899")


def test_the_timeline_is_read_on(server: Server, x: X) -> None:
    """By the token of its next page, and not beyond five."""
    more = Said(200, {"data": [listed("Other")], "meta": {"next_token": "n"}})
    server.says(more, Said(200, {"data": [listed(SHORT, **LINKED)], "meta": {}}))
    assert x.look_up(DOUBTED) == Found("1899")
    assert server.asked[1].query["pagination_token"] == "n"
    server.says(more)
    assert isinstance(x.look_up(DOUBTED), CannotTell)
    assert len(server.asked) == 5


def test_whose_timeline_it_is_may_be_asked(server: Server, x: X) -> None:
    """An account needs no id at X."""
    server.says(Said(200, {"data": {"id": "4711"}}), Said(200, {"meta": {}}))
    assert x.look_up(replace(DOUBTED, provider_account_id=None)) == NotThere()
    assert [asked.path for asked in server.asked] == ["/2/users/me", "/2/users/4711/tweets"]


@pytest.mark.parametrize("said", [Said(401, {}), Said(200, {}), Said(200, {"meta": {}, "data": "?"}), Said(503)])
def test_an_answer_that_cannot_be_read_proves_nothing(said: Said, server: Server, x: X) -> None:
    """Neither that it is there nor that it is not."""
    server.says(said)
    assert isinstance(x.look_up(DOUBTED), CannotTell)
    assert isinstance(x.look_up(replace(DOUBTED, provider_account_id="")), CannotTell)
