"""LinkedIn's Posts API: what is asked of it, field by field, and what each of its answers means for a post."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from networks import DOUBTED, HOUR, MINUTE, POST, TOKEN, Said, Server, kind_of, made, serving

from send_queue.model import AlreadyDone, CannotTell, ConfigurationError, Hold, Sent, Uncertain
from send_queue.providers.networks.linkedin_posts import MEANINGS, VERSION, LinkedIn

ADA = replace(POST, provider_account_id="urn:li:person:AbC-1")
URN = "urn:li:share:7224673722165518336"
REPEAT = replace(ADA, attempt_number=2, attempts=1, repeat_by=ADA.started_at + HOUR)
A_PERSON = "Hold account, a person"
MIDNIGHT = "Hold lane, 710 min"  # the server's clock says 12:10

OUTCOMES = {
    "VERSION_MISSING": (400, "Hold account, 60 min"),
    "INVALID_VERSION": (400, "Hold account, 60 min"),
    "NONEXISTENT_VERSION": (426, "Hold account, 60 min"),
    "FIELD_LENGTH_TOO_LONG": (400, "Failed"),
    "INVALID_VALUE_FOR_FIELD": (400, "Failed"),
    "INVALID_URN_TYPE": (400, "Failed"),
    "INVALID_URN_ID": (400, "Failed"),
    "MISSING_FIELD": (400, "Failed"),
    "ILLEGAL_ARGUMENT": (400, "Failed"),
    "BAD_REQUEST": (400, "Failed"),
    "UNPROCESSABLE_ENTITY": (422, "Failed"),
    "EMPTY_ACCESS_TOKEN": (401, A_PERSON),
    "INVALID_ACCESS_TOKEN": (401, A_PERSON),
    "REVOKED_ACCESS_TOKEN": (401, A_PERSON),
    "EXPIRED_ACCESS_TOKEN": (401, A_PERSON),  # its secret is the environment's: nobody renews it
    "UNAUTHORIZED": (401, A_PERSON),
    "ACCESS_DENIED": (403, A_PERSON),
    "RESOURCE_NOT_FOUND": (404, "Hold lane, 60 min"),
    "CONFLICT": (409, "Retry"),
    "TOO_MANY_REQUESTS": (429, MIDNIGHT),
    "DUPLICATE_POST": (422, "AlreadyDone"),
    "http_401": (401, A_PERSON),
    "http_403": (403, A_PERSON),
    "http_426": (426, "Hold account, 60 min"),
    "http_429": (429, MIDNIGHT),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def linkedin(server: Server) -> Any:
    return made(LinkedIn, server)


def test_a_post_field_by_field(server: Server, linkedin: LinkedIn) -> None:
    """Published at once, in the main feed, for all; what has a meaning in little text is escaped."""
    server.says(Said(201, b"", {"X-RestLi-Id": URN}))
    assert linkedin.send(replace(ADA, message=r"C# (new) *now* \o/ {a} [b] <c> @d_e ~f | g")) == Sent(URN, 201)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/rest/posts")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["linkedin-version"] == VERSION
    assert asked.headers["x-restli-protocol-version"] == "2.0.0"
    assert asked.json == {
        "author": "urn:li:person:AbC-1",
        "commentary": r"C\# \(new\) \*now\* \\o/ \{a\} \[b\] \<c\> \@d\_e \~f \| g",
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }


def test_what_an_operator_may_set(server: Server, linkedin: LinkedIn) -> None:
    """The version for all or for one account, and who sees a post."""
    server.says(Said(201, b""))
    linkedin.send(replace(ADA, settings={"visibility": "CONNECTIONS", "linkedin_version": "202701"}))
    assert server.asked[0].json["visibility"] == "CONNECTIONS"
    assert server.asked[0].headers["linkedin-version"] == "202701"
    made(LinkedIn, server, LINKEDIN_VERSION="202612").send(ADA)
    assert server.asked[1].headers["linkedin-version"] == "202612"


def test_a_post_may_have_no_name(server: Server, linkedin: LinkedIn) -> None:
    """201 without the header is published all the same."""
    server.says(Said(201, b""))
    assert linkedin.send(ADA) == Sent(None, 201)


@pytest.mark.parametrize("code", OUTCOMES)
def test_every_row_of_the_table(code: str, server: Server, linkedin: LinkedIn) -> None:
    """By the code of the error; by the status where it has none that is known."""
    status, expected = OUTCOMES[code]
    name = "SOMETHING_NEW" if code.startswith("http_") else code
    server.says(Said(status, {"status": status, "code": name, "message": "The sentence"}))
    outcome = linkedin.send(ADA)
    assert kind_of(outcome) == expected
    assert not isinstance(outcome, Sent)
    assert "The sentence" in outcome.detail


def test_the_table_has_no_other_rows() -> None:
    """Each has been said above what it means."""
    assert MEANINGS.keys() == OUTCOMES.keys()


@pytest.mark.parametrize("kind", ["share", "ugcPost", "activity"])
def test_the_refusal_of_a_repeat_names_the_first_try(kind: str, server: Server, linkedin: LinkedIn) -> None:
    """Nobody had heard the answer to that one: this is it. Of a first try it says that somebody else has posted it."""
    urn = f"urn:li:{kind}:7224673722165518336"
    body = {"status": 422, "code": "UNPROCESSABLE_ENTITY", "message": f"Content is a duplicate of {urn}"}
    server.says(Said(422, body))
    assert linkedin.send(REPEAT) == Sent(urn, 422)
    outcome = linkedin.send(ADA)
    assert isinstance(outcome, AlreadyDone)
    assert (outcome.code, urn in outcome.detail) == ("duplicate_post", True)


def test_only_a_post_is_taken_for_ours(server: Server, linkedin: LinkedIn) -> None:
    """A name that is no post's is not kept; that it is a duplicate counts all the same."""
    body = {"status": 422, "code": "UNPROCESSABLE_ENTITY", "message": "Content is a duplicate of urn:li:comment:1"}
    server.says(Said(422, body))
    assert isinstance(linkedin.send(REPEAT), AlreadyDone)


def test_every_try_sends_the_same_bytes(server: Server, linkedin: LinkedIn) -> None:
    """LinkedIn knows it again by its content."""
    server.says(Said(500), Said(201, b"", {"x-restli-id": URN}))
    assert isinstance(linkedin.send(ADA), Uncertain)
    linkedin.send(REPEAT)
    assert server.asked[0].body == server.asked[1].body


def test_quotas_begin_anew_at_midnight(server: Server, linkedin: LinkedIn) -> None:
    """In UTC, by LinkedIn's clock; a Retry-After is believed before that."""
    server.says(Said(429, {"status": 429, "code": "TOO_MANY_REQUESTS", "message": ""}, {"Retry-After": "90"}))
    outcome = linkedin.send(ADA)
    assert isinstance(outcome, Hold)
    assert outcome.after == 1.5 * MINUTE


def test_how_long_a_repeat_is_known_is_an_operators_to_say(server: Server) -> None:
    """LinkedIn does not document it: an hour is believed; 0 leaves every doubt to a person."""
    assert made(LinkedIn, server).repeatable == HOUR  # type: ignore[attr-defined]
    assert made(LinkedIn, server, LINKEDIN_DUPLICATE_MINUTES="10").repeatable == 10 * MINUTE  # type: ignore[attr-defined]
    assert made(LinkedIn, server, LINKEDIN_DUPLICATE_MINUTES="0").repeatable is None  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="LINKEDIN_DUPLICATE_MINUTES"):
        made(LinkedIn, server, LINKEDIN_DUPLICATE_MINUTES="an hour")


def test_nothing_is_asked(server: Server, linkedin: LinkedIn) -> None:
    """A member's posts are listed for nobody."""
    server.says(Said(500))
    assert linkedin.lag is None
    assert isinstance(linkedin.look_up(replace(DOUBTED, provider_account_id=ADA.provider_account_id)), CannotTell)
    assert server.asked == []
