"""Bluesky: what is asked of it, field by field, and what each of its answers means for a post."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import DOUBTED, HOUR, MINUTE, POST, TOKEN, Said, Server, kind_of, made, serving

from send_queue.model import CannotTell, Found, Hold, NotThere, Sent, Uncertain
from send_queue.providers.networks.bluesky import MEANINGS, Bluesky, record_key

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
ADA = replace(POST, provider_account_id=DID)
KEY = record_key(ADA.send_id)
URI = f"at://{DID}/app.bsky.feed.post/{KEY}"
PUT = {"uri": URI, "cid": "bafyreia", "validationStatus": "valid"}
A_PERSON = "Hold account, a person"

OUTCOMES = {
    "InvalidRequest": (400, "Failed"),
    "InvalidSwap": (400, "Retry"),
    "InvalidRecord": (400, "Failed"),
    "PayloadTooLarge": (413, "Failed"),
    "ExpiredToken": (400, A_PERSON),  # its secret is the environment's: nobody renews it
    "InvalidToken": (400, A_PERSON),
    "AuthMissing": (401, A_PERSON),
    "AuthRequired": (401, A_PERSON),
    "AuthenticationRequired": (401, A_PERSON),
    "Forbidden": (403, A_PERSON),
    "AccountTakedown": (401, A_PERSON),
    "AccountDeactivated": (400, A_PERSON),
    "AccountSuspended": (400, A_PERSON),
    "RepoNotFound": (400, A_PERSON),
    "RateLimitExceeded": (429, "Hold lane, 60 min"),
    "InternalServerError": (500, "Uncertain"),
    "UpstreamFailure": (502, "Uncertain"),
    "UpstreamTimeout": (504, "Uncertain"),
    "NotEnoughResources": (503, "Uncertain"),
    "MethodNotImplemented": (501, "Hold lane, 60 min"),
    "XRPCNotSupported": (404, "Hold lane, 60 min"),
    "http_401": (401, A_PERSON),
    "http_429": (429, "Hold lane, 60 min"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def bluesky(server: Server) -> Any:
    return made(Bluesky, server)


def test_a_record_field_by_field(server: Server, bluesky: Bluesky) -> None:
    """putRecord under a key of ours; createdAt is when it was due; a link is told by its bytes."""
    server.says(Said(200, PUT))
    ada = replace(ADA, message="Grüße: https://example.com/jobs.", settings={"language": "de"})
    assert bluesky.send(ada) == Sent(URI, 200)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/xrpc/com.atproto.repo.putRecord")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.json == {
        "repo": DID,
        "collection": "app.bsky.feed.post",
        "rkey": KEY,
        "record": {
            "$type": "app.bsky.feed.post",
            "text": "Grüße: https://example.com/jobs.",
            "createdAt": "2026-03-02T11:59:00.000Z",
            "langs": ["de"],
            "facets": [
                {
                    "index": {"byteStart": 9, "byteEnd": 33},
                    "features": [
                        {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com/jobs"}
                    ],
                }
            ],
        },
    }  # fmt: skip


def test_every_try_puts_the_same_bytes(server: Server, bluesky: Bluesky) -> None:
    """So that the second one changes nothing."""
    server.says(Said(500), Said(200, PUT))
    assert isinstance(bluesky.send(ADA), Uncertain)
    later = replace(ADA, attempt_id=UUID(int=9), attempt_number=2, attempts=1, started_at=ADA.started_at + HOUR)
    assert isinstance(bluesky.send(later), Sent)
    assert server.asked[0].body == server.asked[1].body


def test_the_key_is_a_tid_of_the_sends_own_time() -> None:
    """Its first 53 bits are microseconds (atproto.com/specs/tid)."""
    value = 0
    for digit in KEY:
        value = value * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(digit)
    made_at = datetime.fromtimestamp((ADA.send_id.int >> 80) / 1000, UTC)
    told = datetime.fromtimestamp((value >> 10) / 1e6, UTC)
    assert 0 <= (told - made_at).total_seconds() < 0.001


@given(st.lists(st.uuids(), min_size=2, max_size=20, unique=True))
def test_any_id_has_a_key_of_its_own(ids: list[UUID]) -> None:
    """Ids that are no version 7 have no time: their key is of their digest, and as valid."""
    keys = [record_key(one) for one in ids]
    assert len(set(keys)) == len(ids)
    assert all(re.fullmatch(r"[234567a-j][234567a-z]{12}", key) for key in keys)


@given(st.integers(1, 2**53 // 1000 - 1), st.integers(0, 2**12 - 2), st.integers(0, 2**62 - 1))
def test_ids_of_one_millisecond_have_keys_in_their_order(ms: int, step: int, rest: int) -> None:
    """A later id of the same server has a later key, and never the same."""

    def id_of(n: int) -> UUID:
        return UUID(int=ms << 80 | 7 << 76 | n << 64 | 2 << 62 | rest)

    first, second = record_key(id_of(step)), record_key(id_of(step + 1))
    assert first < second


@pytest.mark.parametrize("code", OUTCOMES)
def test_every_row_of_the_table(code: str, server: Server, bluesky: Bluesky) -> None:
    """By the name of the error, whatever its status."""
    status, expected = OUTCOMES[code]
    name = "SomethingNew" if code.startswith("http_") else code
    server.says(Said(status, {"error": name, "message": "The sentence"}))
    outcome = bluesky.send(ADA)
    assert kind_of(outcome) == expected
    assert not isinstance(outcome, Sent)
    assert "The sentence" in outcome.detail


def test_the_table_has_no_other_rows() -> None:
    """Each has been said above what it means; an error that is not in it is refused for good, or in doubt."""
    assert MEANINGS.keys() == OUTCOMES.keys()


def test_errors_that_are_not_in_the_table(server: Server, bluesky: Bluesky) -> None:
    """A 4xx of the data server's has failed; a 5xx is in doubt."""
    server.says(Said(400, {"error": "SomethingNew", "message": ""}))
    assert kind_of(bluesky.send(ADA)) == "Failed"
    server.says(Said(503, {"error": "SomethingNew", "message": ""}))
    assert kind_of(bluesky.send(ADA)) == "Uncertain"


def test_a_repository_that_is_not_there_is_no_fault_of_the_text(server: Server, bluesky: Bluesky) -> None:
    """The data server calls it an invalid request, as it does a bad record."""
    server.says(Said(400, {"error": "InvalidRequest", "message": f"Could not find repo: {DID}"}))
    assert kind_of(bluesky.send(ADA)) == A_PERSON


def test_a_limit_ends_at_its_reset(server: Server, bluesky: Bluesky) -> None:
    """RateLimit-Reset is in seconds since 1970, by the server's clock."""
    reset = str(int((server.now + 7 * MINUTE).timestamp()))
    server.says(Said(429, {"error": "RateLimitExceeded"}, {"RateLimit-Reset": reset}))
    outcome = bluesky.send(ADA)
    assert isinstance(outcome, Hold)
    assert outcome.after == 7 * MINUTE


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(200, {"uri": URI, "value": {"text": POST.message}}), Found),
        (Said(200, {"uri": URI, "value": {"text": "another"}}), CannotTell),
        (Said(400, {"error": "RecordNotFound", "message": "Could not locate record"}), NotThere),
        (Said(400, {"error": "InvalidRequest", "message": "Could not find repo"}), CannotTell),
        (Said(400, {"error": "ExpiredToken", "message": ""}), CannotTell),
        (Said(404, b"<html>"), CannotTell),
        (Said(200, {"uri": URI}), CannotTell),
        (Said(502), CannotTell),
    ],
)
def test_a_record_is_looked_up_by_its_key(said: Said, expected: type, server: Server, bluesky: Bluesky) -> None:
    """Only RecordNotFound says that it is not there."""
    server.says(said)
    assert isinstance(bluesky.look_up(replace(DOUBTED, provider_account_id=DID)), expected)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("GET", "/xrpc/com.atproto.repo.getRecord")
    assert asked.query == {"repo": DID, "collection": "app.bsky.feed.post", "rkey": KEY}
