"""The sandbox as the networks that take posts: what they accept once, what they refuse, and how they say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from send_queue.sandbox import Fault, Sandbox

TOKEN = {"Authorization": "Bearer good"}
DID = "did:plc:ada"
URN = "urn:li:person:Ada1"
KEY = "3m6ctix222222"
HOUR = timedelta(hours=1)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", clock=clock, sync=False) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, verify=False) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def mastodon(client: httpx.Client, text: str, token: str = "good", key: str = "k") -> httpx.Response:
    headers = {**bearer(token), "Idempotency-Key": key}
    return client.post("/api/v1/statuses", json={"status": text}, headers=headers)


def bluesky(client: httpx.Client, text: str, token: str = "good", rkey: str = KEY) -> httpx.Response:
    record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-03-02T15:00:00.000Z"}
    body = {"repo": DID, "collection": "app.bsky.feed.post", "rkey": rkey, "record": record}
    return client.post(
        "/xrpc/com.atproto.repo.putRecord", json=body, headers=bearer(token)
    )  # fmt: skip


def linkedin(client: httpx.Client, text: str, token: str = "good", version: str = "202606") -> httpx.Response:
    headers = {**bearer(token), "LinkedIn-Version": version}
    body = {"author": URN, "commentary": text, "distribution": {}, "lifecycleState": "PUBLISHED"}
    return client.post("/rest/posts", json=body, headers=headers)


def x(client: httpx.Client, text: str, token: str = "good") -> httpx.Response:
    return client.post("/2/tweets", json={"text": text}, headers=bearer(token))


def facebook(client: httpx.Client, text: str, token: str = "good") -> httpx.Response:
    return client.post("/v24.0/4711/feed", data={"message": text, "access_token": token})


NETWORKS: list[Callable[..., httpx.Response]] = [mastodon, bluesky, linkedin, x, facebook]
each = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)


@each
def test_a_post_is_in_the_journal_before_its_answer(
    network: Callable[..., httpx.Response], client: httpx.Client, sandbox: Sandbox
) -> None:
    """Also one whose answer is lost."""
    assert network(client, "Hello").status_code in (200, 201)
    sandbox.order(Fault(provider=network.__name__, drop="after", times=1))
    with pytest.raises(httpx.TransportError):
        network(client, "More", **({"key": "l"} if network is mastodon else {}))
    entries = sandbox.accepted()
    assert [(entry["provider"], entry["text"]) for entry in entries] == [
        (network.__name__, "Hello"), (network.__name__, "More")
    ]  # fmt: skip


@each
@pytest.mark.parametrize("token", ["expired-1", "revoked-1", ""])
def test_a_token_that_is_no_good_is_refused(
    network: Callable[..., httpx.Response], token: str, client: httpx.Client, sandbox: Sandbox
) -> None:
    """One that has ended, one that was taken back, and none."""
    assert network(client, "Hello", token=token).status_code in (400, 401)
    assert sandbox.accepted() == []


@each
def test_what_it_accepted_is_known_after_a_restart(
    network: Callable[..., httpx.Response], client: httpx.Client, sandbox: Sandbox
) -> None:
    """Its list is read back from the journal: the same post is no second one."""
    network(client, "Hello")
    sandbox.stop()
    sandbox.start()
    network(client, "Hello")
    assert len(sandbox.accepted()) == 1


def test_mastodon_knows_a_key_for_an_hour(client: httpx.Client, sandbox: Sandbox, clock: Clock) -> None:
    """The same key is the same status, then a new one; another key always is."""
    first = mastodon(client, "Hello").json()["id"]
    clock.now += HOUR - timedelta(seconds=1)
    assert mastodon(client, "Hello").json()["id"] == first
    clock.now += timedelta(seconds=2)
    assert mastodon(client, "Hello").json()["id"] != first
    mastodon(client, "Hello", key="another")
    assert len(sandbox.accepted()) == 3


def test_mastodon_stops_at_its_limit(client: httpx.Client, clock: Clock) -> None:
    """300 in 5 minutes, told in headers; then they are free again."""
    answers = [mastodon(client, "Hello", key=str(n)) for n in range(301)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert answers[-2].headers["x-ratelimit-remaining"] == "0"
    reset = datetime.fromisoformat(answers[-1].headers["x-ratelimit-reset"])
    assert timedelta() < reset - clock.now <= timedelta(minutes=5, seconds=1)
    clock.now = reset
    assert mastodon(client, "Hello", key="later").status_code == 200


def test_bluesky_changes_nothing_twice(client: httpx.Client, sandbox: Sandbox) -> None:
    """The same record again is the same; another under its key is a change, and no second post."""
    first, again, changed = bluesky(client, "Hello"), bluesky(client, "Hello"), bluesky(client, "Other")
    assert first.json() == again.json()
    assert (changed.json()["uri"], changed.json()["cid"] == first.json()["cid"]) == (first.json()["uri"], False)
    assert [entry["channel"] for entry in sandbox.accepted()] == ["post", "post_change"]
    assert bluesky(client, "Hello", rkey="no-tid").json()["error"] == "InvalidRequest"


def test_linkedin_names_what_it_has_already(client: httpx.Client, clock: Clock) -> None:
    """For a day; and it takes no text that is no little text, and no version that is none."""
    first = linkedin(client, "Hello")
    assert (first.status_code, first.content) == (201, b"")
    refused = linkedin(client, "Hello")
    assert (refused.status_code, refused.json()["message"]) == (
        422, f"Content is a duplicate of {first.headers['x-restli-id']}"
    )  # fmt: skip
    clock.now += 25 * HOUR
    assert linkedin(client, "Hello").status_code == 201
    assert linkedin(client, "C# (new)").json()["code"] == "INVALID_VALUE_FOR_FIELD"
    assert linkedin(client, r"C\# \(new\)").status_code == 201
    assert linkedin(client, "More", version="").json()["code"] == "VERSION_MISSING"
    assert linkedin(client, "More", version="2026").status_code == 426


def test_x_does_not_say_where_a_duplicate_is(client: httpx.Client, sandbox: Sandbox) -> None:
    """The timeline does, when it shows it; links in it are t.co's."""
    sandbox.order(Fault(op="tweet", hide=60, times=1))
    first = x(client, "See https://example.com/a & b").json()["data"]["id"]
    refused = x(client, "See https://example.com/a & b")
    assert (refused.status_code, first in refused.text) == (403, False)
    assert client.get("/2/users/1/tweets", headers=TOKEN).json() == {"meta": {"result_count": 0}}
    second = x(client, "See https://example.com/c & d").json()["data"]["id"]
    [post] = client.get("/2/users/1/tweets", headers=TOKEN).json()["data"]
    assert (post["id"], post["text"]) == (second, "See https://t.co/0000000000 &amp; d")
    assert post["entities"]["urls"][0]["expanded_url"] == "https://example.com/c"


def test_facebook_refuses_what_the_last_post_says(client: httpx.Client) -> None:
    """Only the last: the same text goes again after another."""
    answers: list[Any] = [facebook(client, text).json() for text in ("One", "One", "Two", "One")]
    assert ["error" in answer for answer in answers] == [False, True, False, False]
    assert answers[1]["error"]["code"] == 506
    feed = client.get("/v24.0/4711/feed", params={"access_token": "good", "limit": "2"}).json()
    assert [post["message"] for post in feed["data"]] == ["One", "Two"]
    params = {"access_token": "good", "after": feed["paging"]["cursors"]["after"]}
    assert [post["message"] for post in client.get("/v24.0/4711/feed", params=params).json()["data"]] == ["One"]
