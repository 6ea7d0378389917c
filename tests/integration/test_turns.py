"""Campaigns of one lane take turns at the same priority, one row each: a small one does not wait for a large one."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Queue
from conftest import Connection

from send_queue.insight import forecast


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account()
    queue.lane(daily_cap=None, max_in_flight=1000)
    for name in ("a", "b", "c"):
        queue.campaign(name, ["ada"])
    return queue


def went(queue: Queue, ids: list[UUID]) -> str:
    """The campaigns of rows, in their order."""
    names = dict(queue.all("select q.id, c.name from send_queue q join send_campaigns c on c.id = q.campaign_id"))
    return "".join(names[row] for row in ids)


def test_a_small_campaign_does_not_wait_for_a_large_one(queue: Queue) -> None:
    """Five thousand rows, and five that were enqueued later, ten a day: of the first ten five are of the small one."""
    queue.lane(daily_cap=10)
    queue.fill(5_000, campaign="a", scheduled_for=AT - DAY)
    queue.fill(5, campaign="b")
    told = forecast.forecast(queue.conn, AT, 2, HOUR, None, UTC)
    took = [row for n in range(12) for row in queue.took(AT + n * MINUTE)]
    assert went(queue, took) == "ab" * 5
    assert went(queue, queue.took(AT + DAY, 99)) == "a" * 10
    done = {c.campaign: c.finishes_at for c in told.campaigns}
    assert (done["b"], [day.sends for day in told.days]) == (AT, [10, 10])


@pytest.mark.parametrize("batch", [1, 2, 4, 6, 9])
def test_batches_alternate_as_single_claims_do(queue: Queue, batch: int) -> None:
    """Of three campaigns each goes at every third turn, however many a claim takes; strictly in order in itself."""
    ids = {name: queue.fill(12, campaign=name, scheduled_for=AT - n * MINUTE) for n, name in enumerate("cba")}
    took = [row for _ in range(36 // batch) for row in queue.took(AT, batch)]
    assert went(queue, took) == "abc" * 12
    for name, rows in ids.items():
        assert [row for row in took if row in set(rows)] == sorted(rows), name


def test_who_has_waited_longest_goes_first(queue: Queue) -> None:
    """A campaign that comes later, or comes back, goes at once, and then takes its turn like the others."""
    queue.fill(9, campaign="a", scheduled_for=AT - DAY)
    queue.fill(9, campaign="b", scheduled_for=AT - DAY)
    assert went(queue, queue.took(AT, 3)) == "aba"
    queue.fill(9, campaign="c")
    assert went(queue, queue.took(AT, 4)) == "cbac"
    queue.call("send_pause", paused=True, kind="campaign", name="b")
    assert went(queue, queue.took(AT, 3)) == "aca"
    queue.call("send_pause", paused=False, kind="campaign", name="b")
    assert went(queue, queue.took(AT, 4)) == "bcab"


def test_priority_goes_first_of_all(queue: Queue) -> None:
    """An urgent row goes before all turns; it is a turn of its campaign, also within one claim."""
    for name in "ab":
        queue.fill(3, campaign=name)
    queue.fill(2, campaign="b", priority=1)
    assert went(queue, queue.took(AT, 1)) == "b"
    assert went(queue, queue.took(AT, 5)) == "babab"
    assert went(queue, queue.took(AT, 5)) == "ab"


def test_a_campaign_filter_counts_as_turns_too(queue: Queue) -> None:
    """What a run for one campaign took is not taken a second time when it is its turn among all."""
    for name in "ab":
        queue.fill(4, campaign=name)
    assert went(queue, queue.took(AT, 2, campaign="a")) == "aa"
    assert went(queue, queue.took(AT, 4)) == "baba"


def test_lanes_have_turns_of_their_own(queue: Queue) -> None:
    """A turn in one lane of an account is none in another."""
    queue.lane(channel="sms", daily_cap=None, max_in_flight=1000)
    for name in "ab":
        for channel in ("email", "sms"):
            queue.fill(2, campaign=name, channel=channel)
    assert went(queue, queue.took(AT, 1, channel="email")) == "a"
    assert went(queue, queue.took(AT, 2, channel="sms")) == "ab"
    assert went(queue, queue.took(AT, 2, channel="email")) == "ba"


def test_who_sleeps_or_is_suppressed_takes_no_turn(queue: Queue) -> None:
    """Rows that are put off or skipped while they are looked at are no turns: the next row of their campaign goes."""
    queue.put("campaign", "a", quiet_from="05:00", quiet_until="23:00")
    queue.fill(250, campaign="a", scheduled_for=AT - DAY)
    awake = queue.fill(3, campaign="a", scheduled_for=AT - HOUR)
    queue.do("insert into send_prospects (workspace_id, email, timezone) select id, 'awake@example.org', 'Etc/GMT+9'"
             " from send_workspaces")  # fmt: skip
    queue.do("update send_queue set prospect_id = (select id from send_prospects) where id = any (%s)", awake)
    [gone, *_] = queue.fill(5, campaign="b")
    queue.do("update send_queue set recipient = 'gone@example.org' where id = %s", gone)
    queue.do("insert into send_suppressions (workspace_id, recipient, reason) select id, 'gone@example.org', 'asked'"
             " from send_workspaces")  # fmt: skip
    queue.do("update send_queue set status = 'pending', error_code = null where id = %s", gone)
    assert went(queue, queue.took(AT, 5)) == "ababa"
    assert queue.one("select count(*) from send_queue where place is not null") == 250
    assert queue.row(gone)["status"] == "skipped"


def test_a_lane_of_one_campaign_keeps_no_turns(queue: Queue) -> None:
    """There is nobody to take turns with."""
    queue.account("bob")
    queue.lane("bob", daily_cap=None, max_in_flight=1000)
    queue.campaign("d", ["bob"])
    queue.fill(2, campaign="d", account="bob")
    queue.took(AT, 2)
    assert queue.one("select count(*) from send_turns") == 0


def test_invariant_1_overlapping_claims_keep_caps_and_turns(queue: Queue, database: str) -> None:
    """Eight claims at once on a lane of forty a day take forty, half of them of each campaign."""
    queue.lane(daily_cap=40)
    for name in "ab":
        queue.fill(100, campaign=name)

    def take(_: int) -> list[Any]:
        with psycopg.connect(database, autocommit=True) as conn:
            return [row for _ in range(400) for row in Queue(conn).took(AT, 3)]

    with ThreadPoolExecutor(8) as pool:
        took = [row for rows in pool.map(take, range(8)) for row in rows]
    assert Counter(went(queue, took)) == {"a": 20, "b": 20}
