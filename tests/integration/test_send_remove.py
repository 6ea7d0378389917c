"""Renaming and removing campaigns, accounts, schedules and lanes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, Meanwhile, Queue
from conftest import Connection


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


def remove(queue: Queue, kind: str, name: str, channel: str | None = None, **more: Any) -> int:
    report = queue.call("send_remove", kind=kind, name=name, channel=channel, **{"at": AT + HOUR, **more})
    assert (report["kind"], report["name"]) == (kind, name)
    return int(report["sends"])


def refused(queue: Queue, says: str, *args: Any, **more: Any) -> None:
    with pytest.raises(psycopg.Error, match=says) as error:
        remove(queue, *args, **more)
    assert error.value.sqlstate == "SQ006"


def test_a_new_name_is_used_from_then_on(queue: Queue) -> None:
    """By all that refers to it; a blank name, one that is there, and one that commands look up are refused."""
    queue.put("schedule", "office", adding=True, timezone="UTC", hours={"mon": [["09:00", "17:00"]]})
    [send] = queue.ready(1)
    queue.put("campaign", "spring", schedule="office")
    for kind, old, new in (("campaign", "spring", "fall"), ("account", "ada", "eve"), ("schedule", "office", "desk")):
        queue.call("send_rename", kind=kind, name=old, new_name=new)
        for name, state in (("", "SQ002"), (" ", "SQ002"), (new, "SQ005")):
            with pytest.raises(psycopg.Error) as error:
                queue.call("send_rename", kind=kind, name=old if name == new else new, new_name=name)
            assert error.value.sqlstate == state
    assert queue.put("campaign", "fall")["schedule"] == "desk"
    assert queue.the_lane("eve")["account_id"] == queue.row(send)["account_id"]
    queue.campaign("winter", ["eve"])
    for new in ("fall", "posts"):
        with pytest.raises(psycopg.Error, match="choose another") as error:
            queue.call("send_rename", kind="campaign", name="winter", new_name=new)
        assert error.value.sqlstate == "SQ006"


def test_what_is_used_stays_and_says_by_what(queue: Queue) -> None:
    """The first that refers to it is counted, with the command that ends that."""
    queue.put("schedule", "office", adding=True, timezone="UTC", hours={"mon": [["09:00", "17:00"]]})
    queue.ready(3)
    queue.put("account", "ada", schedule="office")
    refused(queue, r"has sends \(3\), none of them tried: add --with-its-sends", "campaign", "spring")
    refused(queue, "none of them tried", "account", "ada")
    refused(queue, "none of them tried", "lane", "ada", "email")
    refused(queue, r"in use \(accounts: 1\): give them another", "schedule", "office")
    refused(queue, r"in use \(pools of campaigns: 1\): take it out", "account", "ada", with_sends=True)
    queue.put("account", "ada", schedule=None)
    queue.send()
    refused(queue, r"sends \(3\), and some went out or were tried \(1\): keep it, and run `send-queue campaign set "
            "spring --done`", "campaign", "spring", with_sends=True)  # fmt: skip
    refused(queue, "pause lane ada email", "lane", "ada", "email", with_sends=True)
    with pytest.raises(psycopg.Error, match="no lane 'ada' sms: see"):
        remove(queue, "lane", "ada", "sms")
    assert queue.how_many() == 3
    remove(queue, "schedule", "office")


def test_what_was_never_tried_goes_with_its_sends(queue: Queue) -> None:
    """A dry run removes nothing; afterwards nothing is left, not in the counts either, but what others use."""
    queue.ready(3)
    queue.account("eve")
    queue.campaign("winter", ["ada", "eve"])
    kept = queue.enqueue(campaign="winter", account="eve", recipient="kept@example.org")
    assert remove(queue, "campaign", "spring", with_sends=True, dry_run=True) == 3
    assert queue.how_many() == 4
    assert remove(queue, "campaign", "spring", with_sends=True) == 3
    assert (queue.how_many(), queue.row(kept)["status"]) == (1, "pending")
    counted = "select campaign_id from send_counts group by campaign_id having sum(n) <> 0"
    assert queue.one(counted) == queue.row(kept)["campaign_id"]
    queue.put("campaign", "winter", remove_accounts=["ada"])
    queue.do("insert into send_prospects (workspace_id, name, account_id, accounts) select workspace_id, 'x', id, "
             "jsonb_build_object('email', id) from send_accounts where name = 'ada'")  # fmt: skip
    refused(queue, r"in use \(people who stay with it: 1\): keep it", "account", "ada")
    remove(queue, "account", "ada", with_sends=True)
    assert queue.one("select account_id, accounts from send_prospects where name = 'x'") == (None, {})
    assert queue.one("select array_agg(name) from send_accounts") == ["eve"]
    queue.put("campaign", "winter", remove_accounts=["eve"])
    assert remove(queue, "lane", "eve", "email", with_sends=True) == 1
    assert queue.all("select channel from send_lanes where channel = 'email'") == []


def test_a_lane_stays_while_its_caps_count_its_sends(queue: Queue) -> None:
    """Made anew it would have its caps, and its gap, a second time."""
    queue.ready(1, daily_cap=1)
    queue.send()
    queue.do("delete from send_queue")
    queue.put("campaign", "spring", remove_accounts=["ada"])
    for args in (("lane", "ada", "email"), ("account", "ada")):
        refused(queue, "has sent until 2026-.*, which its caps count for a week", *args)
        refused(queue, "caps count", *args, at=AT + 7 * DAY)
    queue.do("update send_lanes set next_at = %s, next_at_reason = 'provider_hold'", AT + 30 * DAY)
    refused(queue, r"may not send yet \(provider_hold\)", "lane", "ada", "email", at=AT + 10 * DAY)
    queue.do("update send_lanes set next_at = 'epoch', next_at_reason = null")
    remove(queue, "lane", "ada", "email", at=AT + 10 * DAY)
    assert queue.all("select day from send_usage") == []


def test_a_removal_waits_for_the_claim_under_way(queue: Queue, database: str) -> None:
    """It sees the send that the claim took, and keeps all; a claim beside a removal passes its lanes by."""
    queue.ready(2)
    with psycopg.connect(database) as other:
        [send] = Queue(other).taken()
        meanwhile = Meanwhile(database, lambda mine: remove(mine, "campaign", "spring", with_sends=True))
        other.commit()
        with pytest.raises(psycopg.Error, match="some went out or were tried"):
            meanwhile.end()
    assert queue.record(send, "retry")[0]
    queue.campaign("winter", ["ada"])
    queue.enqueue(campaign="winter", recipient="w@example.org")
    with psycopg.connect(database) as other:
        remove(Queue(other), "campaign", "winter", with_sends=True)
        claim = queue.claim()
        assert claim["sends"] == []
        other.commit()
    assert len(queue.taken()) == 1


@pytest.mark.parametrize(("kind", "channel"), [("campaign", None), ("lane", "email"), ("schedule", None)])
def test_a_removal_does_not_wait_for_a_transaction_that_adds(
    queue: Queue, database: str, kind: str, channel: str | None
) -> None:
    """That may wait for the removal's locks at its commit: one of the two would be a deadlock's victim."""
    queue.ready(0)
    queue.put("schedule", "office", adding=True, timezone="UTC", hours={"mon": [["09:00", "17:00"]]})
    name = {"campaign": "spring", "lane": "ada", "schedule": "office"}[kind]
    with psycopg.connect(database) as other:
        if kind == "schedule":
            other.execute("select from send_schedules for key share")  # as a row that comes to refer to it
        else:
            Queue(other).enqueue(recipient="new@example.org")
        refused(queue, "Another transaction is using", kind, name, channel)
        other.rollback()
    remove(queue, kind, name, channel)
