"""One text to many profiles: put in by one command, posted by runs, and posted once whatever becomes of answers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault, Sandbox

TEXT = "We are hiring: https://example.com/jobs (all sites) & more"

PROFILES = {
    "mastodon": ("status", None),
    "bluesky": ("put_record", "did:plc:ada"),
    "linkedin": ("linkedin_post", "urn:li:person:Ada1"),
    "x": ("tweet", None),
    "facebook": ("feed_post", "4711"),
}
"""Each network, what the sandbox calls a post there, and the account's id."""

EVERYBODY = [word for name in PROFILES for word in ("--account", name)]


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return {"TOKEN": "a-good-token"} | {f"{name.upper()}_BASE_URL": sandbox.url for name in PROFILES}


@pytest.fixture
def five(queue: Queue) -> Queue:
    """An account on each network."""
    for name, (_, id_there) in PROFILES.items():
        more = ("--provider-account-id", id_there) if id_there else ()
        queue("account", "add", name, "--provider", name, "--secret-env", "TOKEN", *more)
    return queue


def posted(queue: Queue) -> Counter[str]:
    """How many posts each network has accepted."""
    return Counter(entry["provider"] for entry in queue.sandbox.accepted())


ONCE_EACH = Counter(list(PROFILES))


def put(queue: Queue, *words: str) -> Any:
    """Post the text a minute before MONDAY, when it is due at once."""
    return queue.json("post", TEXT, *words, now=MONDAY - MINUTE)


def test_one_text_to_five_profiles(five: Queue) -> None:
    """A row for each account, all of one dispatch; they go at their moment, and SQL counts them together."""
    done = five.json("post", TEXT, *EVERYBODY, "--at", (MONDAY + HOUR).isoformat(), "--priority", "7")
    assert [send["account"] for send in done["sends"]] == list(PROFILES)
    assert all(send["created"] for send in done["sends"])
    rows = [five.row(send["id"]) for send in done["sends"]]
    assert {(row["channel"], row["message"], row["priority"]) for row in rows} == {("post", TEXT, 7)}
    assert [row["recipient"] for row in rows] == list(PROFILES)

    assert five.json("run")["processed"] == 0
    assert five.json("run", now=MONDAY + HOUR)["sent"] == 5
    assert posted(five) == ONCE_EACH
    assert {entry["text"] for entry in five.sandbox.accepted()} == {TEXT}
    [dated] = [entry["record"]["createdAt"] for entry in five.sandbox.accepted() if entry["provider"] == "bluesky"]
    assert dated == "2026-11-23T16:00:00.000Z", "the moment when it was due, which stays the same from try to try"
    counted = five.conn.execute(
        "select status, count(*) from send_queue where payload ->> 'dispatch' = %s group by status", (done["dispatch"],)
    ).fetchall()
    assert counted == [("sent", 5)]
    ids = {five.row(send["id"])["provider_message_id"] for send in done["sends"]}
    assert ids == {entry["id"] for entry in five.sandbox.accepted()}
    assert five.json("status")["campaigns"][0]["campaign"] == "posts"


@pytest.mark.parametrize("lost", ["after", "before", "502"])
def test_invariant_3_a_lost_answer_posts_nothing_twice(lost: Any, five: Queue) -> None:
    """Mastodon's key, Bluesky's record key, LinkedIn's refusal, X's timeline and Facebook's feed: each tells."""
    for op, _ in PROFILES.values():
        five.sandbox.order(
            Fault(op=op, status=502, accept=True, times=1) if lost == "502" else Fault(op=op, drop=lost, times=1)
        )
    sends = put(five, *EVERYBODY)["sends"]
    for minutes in (0, 3, 6, 9):
        five("run", now=MONDAY + minutes * MINUTE)
    assert {send["account"]: five.row(send["id"])["status"] for send in sends} == dict.fromkeys(PROFILES, "sent")
    assert posted(five) == ONCE_EACH
    ids = {five.row(send["id"])["provider_message_id"] for send in sends}
    assert ids == {entry["id"] for entry in five.sandbox.accepted()}
    assert all(five.attempts(send["id"])[0][1] is not None for send in sends), "the first try was in doubt"


def test_invariant_3_a_repeat_that_comes_too_late_for_mastodons_key_is_looked_up(five: Queue) -> None:
    """A lane that was paused for hours: the key is forgotten by then, and the profile is read instead."""
    five.sandbox.order(Fault(op="status", drop="after", times=1))
    [send] = put(five, "--account", "mastodon")["sends"]
    five("run")
    assert five.row(send["id"])["status"] == "pending", "it is to be repeated"
    five("run", now=MONDAY + 3 * HOUR)
    assert (five.row(send["id"])["status"], posted(five)) == ("sent", Counter({"mastodon": 1}))
    assert five.attempts(send["id"])[-1][1] == "too_late_to_repeat"


def test_what_linkedin_may_have_forgotten_is_for_a_person(five: Queue) -> None:
    """A member's posts cannot be listed, and a repeat after its window might be posted."""
    five.sandbox.order(Fault(op="linkedin_post", drop="after", times=1))
    [send] = put(five, "--account", "linkedin")["sends"]
    five("run")
    for days in (1, 2, 3):
        five("run", now=MONDAY + days * DAY)
    assert (five.row(send["id"])["status"], posted(five)) == ("uncertain", Counter({"linkedin": 1}))


def test_what_is_there_already_is_not_posted_again(five: Queue) -> None:
    """Two sends of one text: these networks refuse the second, which is then skipped, not failed."""
    strict = ("linkedin", "x", "facebook")
    accounts = [word for name in strict for word in ("--account", name)]
    sends = [send for _ in range(2) for send in put(five, *accounts)["sends"]]
    five("run")
    five("run", now=MONDAY + MINUTE)
    assert posted(five) == Counter(strict)
    rows = Counter((row["status"], row["error_code"]) for row in (five.row(send["id"]) for send in sends))
    assert rows == {("sent", None): 3, ("skipped", "duplicate_post"): 3}


def test_a_token_that_is_no_good_costs_no_post(five: Queue) -> None:
    """The account needs a person, its row waits, and goes when the account is resumed."""
    sends = put(five, *EVERYBODY)["sends"]
    five("run", env={"TOKEN": "revoked-token"})
    rows = [five.row(send["id"]) for send in sends]
    assert {(row["status"], row["attempts"]) for row in rows} == {("pending", 0)}
    statuses = {account["name"]: account["status"] for account in five.json("account", "list")}
    assert statuses == dict.fromkeys(PROFILES, "disconnected")
    for name in PROFILES:
        five("resume", "account", name)
    five("run", now=MONDAY + MINUTE)
    assert (five.statuses(), posted(five)) == ({"sent": 5}, ONCE_EACH)


# --- the command ------------------------------------------------------------------------------------------


def test_a_text_that_one_network_does_not_take_is_stored_for_none(five: Queue) -> None:
    """One sentence for each account that cannot take it, and what to do."""
    done = five("post", "a" * 400, *EVERYBODY, check=False)
    assert (done.returncode, done.stdout, five.statuses()) == (2, "", {})
    assert "bluesky: The text has 400 characters as Bluesky counts, over its 300: shorten it." in done.stderr
    assert "x: The text has 400 characters as X counts, over its 280: shorten it." in done.stderr
    assert "mastodon:" not in done.stderr
    assert "Nothing was stored" in done.stderr
    [[campaigns]] = five.conn.execute("select count(*) from send_campaigns").fetchall()
    assert campaigns == 0


def test_an_account_that_posts_nothing_is_named(five: Queue) -> None:
    """What its provider serves is known before it is tried."""
    five.account("anna", channel="linkedin_invite")
    done = five("post", TEXT, "--account", "x", "--account", "anna", check=False)
    assert (done.returncode, five.statuses()) == (2, {})
    assert "The account anna's provider unipile does not send post" in done.stderr


def test_accounts_that_are_not_there_or_elsewhere(five: Queue) -> None:
    """A sentence, and nothing is stored."""
    five("workspace", "add", "acme")
    five("account", "add", "theirs", "--provider", "x", "--workspace", "acme")
    for name, sentence in (("nobody", "There is no account 'nobody'"), ("theirs", "several workspaces")):
        done = five("post", TEXT, "--account", "x", "--account", name, check=False)
        assert (done.returncode, five.statuses()) == (2, {})
        assert sentence in done.stderr
    assert five.json("post", TEXT, "--account", "theirs")["sends"][0]["created"]


def test_a_dispatch_with_a_key_is_stored_once(five: Queue) -> None:
    """The same key is the same dispatch, with the rows that it has; an account that is new to it gets its own."""
    first = five.json("post", TEXT, "--account", "x", "--dedupe-key", "jobs-1")
    again = five.json("post", TEXT, "--account", "x", "--account", "bluesky", "--dedupe-key", "jobs-1")
    assert again["dispatch"] == first["dispatch"]
    assert [(send["account"], send["created"]) for send in again["sends"]] == [("x", False), ("bluesky", True)]
    assert again["sends"][0]["id"] == first["sends"][0]["id"]
    assert five.statuses() == {"pending": 2}


def test_the_campaign_is_made_where_none_is_named(five: Queue) -> None:
    """Once, with a notice; one that is named must be there."""
    assert "The campaign posts was made" in five("post", "One", "--account", "x").stderr
    assert "was made" not in five("post", "Two", "--account", "x").stderr
    done = five("post", "Three", "--account", "x", "--campaign", "launch", check=False)
    assert (done.returncode, five.statuses()) == (2, {"pending": 2})
    assert "There is no campaign 'launch'" in done.stderr
    five("campaign", "add", "launch")
    assert " x enqueued." in five("post", "Three", "--account", "x", "--campaign", "launch").stdout


def test_a_dry_run_stores_nothing(five: Queue) -> None:
    """It says what would be enqueued, having checked all of it."""
    done: Any = five.json("post", TEXT, *EVERYBODY, "--dry-run")
    assert done["dispatch"] is None
    assert {send["id"] for send in done["sends"]} == {None}
    assert "x: would be enqueued." in five("post", TEXT, "--account", "x", "--dry-run").stdout
    [[rows, campaigns]] = five.conn.execute(
        "select (select count(*) from send_queue), (select count(*) from send_campaigns)"
    ).fetchall()
    assert (rows, campaigns) == (0, 0)
