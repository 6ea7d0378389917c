"""Which lane may send, what its limits leave, and which other work a claim reports: one rule a test, by its edge."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue


def test_a_paused_campaign_sends_nothing_beside_an_active_one(conn: Connection) -> None:
    """Its rows are more urgent, in the same lane."""
    queue = Queue(conn)
    queue.account()
    for name, priority in (("paused", 1), ("active", 100)):
        queue.campaign(name, ["ada"])
        queue.lane(max_in_flight=9)
        queue.fill(2, campaign=name, priority=priority)
    queue.call("send_pause", paused=True, kind="campaign", name="paused")

    assert [send["campaign"] for send in queue.taken(max_rows=9)] == ["active", "active"]


@pytest.mark.parametrize(("after", "goes"), [(6 * DAY, True), (8 * DAY, False)])
def test_cached_windows_are_believed_for_a_week(conn: Connection, after: timedelta, goes: bool) -> None:
    """A later release may know holidays on those after it."""
    queue = Queue(conn)
    queue.schedule("office", AT, AT + HOUR)
    queue.account(schedule="office")
    queue.campaign()
    queue.lane()
    queue.fill(1)
    queue.do("update send_schedules set later_windows = array[tstzrange(%s, %s)]", AT + after - HOUR, AT + after + HOUR)
    queue.do("update send_lanes set next_at = 'epoch', closed_until = 'epoch', idle_until = 'epoch'")

    assert bool(queue.taken(AT + after)) == goes


def room(queue: Queue, rule: str, at: datetime = AT) -> int:
    account = queue.one("select id from send_accounts")
    found: int = queue.one(
        "select r.room from send_remaining_capacity(%s, 'email', %s, array[%s], null) r", account, at, rule
    )
    return found


def test_a_lease_that_has_run_out_takes_no_room(conn: Connection) -> None:
    """It is recovered before anything is claimed."""
    queue = Queue(conn)
    queue.ready(3, max_in_flight=2)
    queue.taken(max_rows=2, lease=MINUTE)

    assert (room(queue, "in_flight"), room(queue, "in_flight", AT + 2 * MINUTE)) == (0, 2)


def test_what_was_rehearsed_takes_no_room(conn: Connection) -> None:
    """Of three of a day, two were rehearsed."""
    queue = Queue(conn)
    queue.ready(1, daily_cap=10, weekly_cap=20)
    queue.do(
        "insert into send_usage (account_id, channel, day, used, rehearsed) select id, 'email', %s, 3, 2 "
        "from send_accounts", AT.date(),
    )  # fmt: skip

    assert (room(queue, "daily_cap"), room(queue, "weekly_cap")) == (9, 19)


def test_a_warm_up_never_shrinks(conn: Connection) -> None:
    """A lane east of where its ramp began may have a day before it."""
    caps = [
        Queue(conn).one("select send_cap_on(20, 5, 2, %s, %s)", date(2026, 3, 10), date(2026, 3, day))
        for day in (1, 9, 10, 11, 31)
    ]

    assert caps == [5, 5, 5, 7, 20]


def test_a_doubt_of_a_disconnected_account_is_no_work(conn: Connection) -> None:
    """Nobody can be asked: a claim reports no look-up until the account is active again."""
    queue = Queue(conn)
    queue.ready(1)
    queue.send("uncertain")
    for status, due in (("disconnected", False), ("active", True)):
        queue.do("update send_accounts set status = %s", status)
        assert queue.claim(AT + HOUR)["look_ups_due"] == due
