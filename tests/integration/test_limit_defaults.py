"""The limits that come with new lanes: those of the account, and once those of its workspace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, Connection, Queue

from send_queue.store import schema


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Two accounts of one workspace, and two emails a minute for each and for all."""
    conn.execute(
        "insert into send_limit_defaults (channel, scope, per, max_sends) values"
        " ('email', 'account', '1 minute', 2), ('email', 'workspace', '1 hour', 3)"
    )
    conn.execute("insert into send_lane_defaults (channel, tier, daily_cap) values ('email', 'free', 100)")
    queue = Queue(conn)
    queue.account("ada")
    queue.account("bob")
    queue.campaign("spring", ["ada", "bob"])
    return queue


def limits(queue: Queue) -> list[tuple[str | None, str, timedelta, int]]:
    found: list[tuple[str | None, str, timedelta, int]] = queue.all(
        "select a.name, m.channel, m.per, m.max_sends from send_limits m left join send_accounts a"
        " on a.id = m.account_id order by a.name nulls first, m.per"
    )
    return found


def test_they_are_as_the_project_says(empty_database: str) -> None:
    """20, 1,000 and 10,000 emails, and 10, 500 and 5,000 SMS, a minute, an hour and a day: of a sender, and of all."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        schema.migrate(conn)
        queue = Queue(conn)
        queue.account()
        for channel, a_minute, an_hour, a_day in (("email", 20, 1000, 10000), ("sms", 10, 500, 5000)):
            queue.do("delete from send_limits")
            queue.lane(channel=channel)
            assert limits(queue) == [
                (None, channel, MINUTE, a_minute), (None, channel, HOUR, an_hour),
                (None, channel, timedelta(days=1), a_day),
                ("ada", channel, MINUTE, a_minute), ("ada", channel, HOUR, an_hour),
            ]  # fmt: skip
            assert queue.the_lane(channel=channel)["daily_cap"] == a_day
        queue.lane(channel="linkedin_invite")
        assert {channel for _, channel, *_ in limits(queue)} == {"sms"}


def test_linkedin_has_pauses_from_the_first_minute(empty_database: str) -> None:
    """Minutes between two sends, by chance longer, one in flight; and yet the cap of a day goes within eight hours."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        schema.migrate(conn)
        queue = Queue(conn)
        for tier in ("free", "premium", "sales_navigator"):
            queue.account(tier, tier=tier)
            for channel in ("linkedin_invite", "linkedin_message"):
                queue.lane(tier, channel)
                lane = queue.the_lane(tier, channel)
                gap, jitter, cap = lane["min_gap_seconds"], lane["jitter_seconds"], lane["daily_cap"]
                assert (gap >= 180, jitter >= 120, lane["max_in_flight"]) == (True, True, 1)
                assert cap * (gap + jitter / 2) <= 8 * 3600
        queue.do("update send_lane_defaults set min_gap_seconds = 60, jitter_seconds = 7, max_in_flight = 2")
        queue.account("later")
        queue.lane("later", "linkedin_invite")
        lane = queue.the_lane("later", "linkedin_invite")
        assert (lane["min_gap_seconds"], lane["jitter_seconds"], lane["max_in_flight"]) == (60, 7, 2)
        queue.lane("later", "webhook")
        assert queue.the_lane("later", "webhook")["min_gap_seconds"] == 0


def test_the_first_lane_brings_those_of_the_workspace_and_each_its_own(queue: Queue) -> None:
    queue.enqueue(account="ada")
    first = [(None, "email", HOUR, 3), ("ada", "email", MINUTE, 2)]
    assert limits(queue) == first
    queue.enqueue(account="bob")
    assert limits(queue) == [*first, ("bob", "email", MINUTE, 2)]
    assert queue.the_lane("bob")["daily_cap"] == 100


def test_what_an_operator_has_said_stays(queue: Queue) -> None:
    """A limit that is there is not changed, and one that was removed not made again."""
    queue.limit(9, MINUTE, account="ada", channel="email")
    queue.enqueue(account="ada")
    assert ("ada", "email", MINUTE, 9) in limits(queue)
    queue.do("delete from send_limits")
    queue.enqueue(account="ada")
    queue.enqueue(account="bob")
    assert limits(queue) == [("bob", "email", MINUTE, 2)]


def test_invariant_1_they_hold(queue: Queue) -> None:
    for account in ("ada", "bob"):
        queue.lane(account, max_in_flight=99)
        queue.fill(5, account=account)
    assert len(queue.taken(AT, 99)) == 3  # of the workspace, two of one account
    assert max(queue.all("select count(*) from send_attempts group by account_id")) == 2
    assert queue.taken(AT + HOUR - MINUTE, 99) == []


def test_a_new_lane_waits_for_no_lane_that_is_in_use(queue: Queue, database: str) -> None:
    """Its limits hold no other lane, so none is locked: neither does an enqueue wait for a claim, nor it for that."""
    queue.account("eve")
    queue.lane("ada", "sms")
    queue.enqueue(account="bob")
    with psycopg.connect(database) as other:
        other.execute("select from send_lanes for no key update")
        queue.do("set lock_timeout = '2s'")
        queue.enqueue(account="eve")
    assert ("eve", "email", MINUTE, 2) in limits(queue)


def test_first_lanes_that_are_made_at_once_make_the_limits_once(queue: Queue, database: str) -> None:
    for n in range(8):
        queue.account(f"new-{n}")

    def make(n: int) -> None:
        with psycopg.connect(database, autocommit=True) as conn:
            Queue(conn).enqueue(account=f"new-{n}", recipient=f"p{n}@example.org")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make, range(8)))
    assert [name for name, *_ in limits(queue)] == [None, *(f"new-{n}" for n in range(8))]
