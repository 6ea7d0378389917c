"""Deleting what is over: the one thing that deletes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from builders import AT, DAY, HOUR, TICK, Connection, Queue

LATER = AT + 400 * DAY
"""When everything is long over."""


def prune(queue: Queue, before: datetime, at: datetime = LATER, **named: Any) -> int:
    n: int = queue.call("send_prune", before=before, at=at, **named)
    return n


def one_of_each(queue: Queue) -> None:
    """A row in every status, all last touched at AT."""
    queue.ready(6, max_in_flight=9)
    for outcome in ("sent", "failed", "already_done", "uncertain"):
        queue.send(outcome)
    queue.taken()


def test_invariant_4_only_what_is_final_is_deleted(conn: Connection) -> None:
    """Sent, failed and skipped, with their attempts; pending, in flight and uncertain never."""
    queue = Queue(conn)
    one_of_each(queue)
    assert prune(queue, AT) == 0
    assert prune(queue, AT + 365 * DAY) == 3
    assert queue.statuses() == {"pending": 1, "sending": 1, "uncertain": 1}
    assert queue.one("select count(*) from send_attempts") == 2
    assert prune(queue, AT + 365 * DAY) == 0


def test_only_what_was_last_touched_before_the_moment(conn: Connection) -> None:
    """A row that was sent at the very moment stays."""
    queue = Queue(conn)
    queue.ready(2)
    queue.send(at=AT)
    queue.send(at=AT + HOUR)
    assert [prune(queue, m) for m in (AT, AT + TICK, AT + HOUR, AT + HOUR + TICK)] == [0, 1, 0, 1]


def test_the_newest_of_each_campaign_stay(conn: Connection) -> None:
    """keep_last counts in each campaign by itself."""
    queue = Queue(conn)
    queue.account()
    for name in ("spring", "summer"):
        queue.campaign(name)
        queue.fill(6, campaign=name)
    queue.lane(max_in_flight=9)
    for n in range(5):
        for name in ("spring", "summer"):
            [send] = queue.taken(AT + n * HOUR, campaign=name)
            queue.record(send, "sent", AT + n * HOUR)
    assert prune(queue, AT + DAY, keep_last=2) == 6
    assert {
        ("spring", AT + 3 * HOUR),
        ("spring", AT + 4 * HOUR),
        ("summer", AT + 3 * HOUR),
        ("summer", AT + 4 * HOUR),
    } == (
        set(
            queue.all(
                "select c.name, q.sent_at from send_queue q join send_campaigns c on c.id = q.campaign_id "
                "where q.status = 'sent'"
            )
        )
    )


def test_it_deletes_in_batches(conn: Connection) -> None:
    """A bounded number a call, until there is nothing left."""
    queue = Queue(conn)
    queue.ready(25)
    queue.do("update send_queue set status = 'skipped', error_code = 'cancelled'")
    assert [prune(queue, AT + DAY, batch=10) for _ in range(4)] == [10, 10, 5, 0]


def test_the_tally_outlives_what_was_deleted(conn: Connection) -> None:
    """The history behind charts stays, and the caps of a day that is not over are still known."""
    queue = Queue(conn)
    queue.ready(3, daily_cap=1)
    queue.send()
    assert prune(queue, AT + HOUR) == 1
    assert queue.all("select used from send_usage") == [1]
    assert queue.taken(AT + HOUR) == []


def test_invariant_1_what_a_rolling_limit_still_counts_is_not_deleted(conn: Connection) -> None:
    """However eager the pruning, an attempt stays for as long as a limit of its workspace looks back."""
    queue = Queue(conn)
    queue.ready(3)
    queue.limit(1, 30 * DAY)
    queue.send()
    assert prune(queue, AT + DAY, at=AT + 30 * DAY - TICK) == 0
    assert queue.taken(AT + 30 * DAY - TICK) == []
    assert prune(queue, AT + DAY, at=AT + 30 * DAY) == 1


@pytest.mark.parametrize("outcome", ["sent", "failed", "already_done"])
def test_invariant_1_what_was_tried_in_the_last_two_weeks_is_not_deleted(conn: Connection, outcome: str) -> None:
    """The week's caps are counted anew from it when the cap zone changes, or when the tally is mended."""
    queue = Queue(conn)
    queue.ready(3, weekly_cap=1)
    queue.send(outcome)
    spent = queue.one("select sum(used) from send_usage")
    assert prune(queue, AT + DAY, at=AT + 14 * DAY - TICK) == 0
    account = queue.one("select id from send_accounts")
    assert queue.call("send_rebuild_usage", account_id=account, channel="email", day=AT.date()) == spent
    assert prune(queue, AT + DAY, at=AT + 14 * DAY) == 1


@pytest.mark.parametrize("per", ["1 month", "3 months", "1 year", "2 years"])
def test_invariant_1_a_limit_of_months_is_pruned_by_the_month_that_it_counts(conn: Connection, per: str) -> None:
    """To the microsecond: what is pruned is what no longer counts, on every day of the calendar."""
    queue = Queue(conn)
    queue.ready(2)
    queue.call("send_set_limit", max_sends=1, per=per)
    at = datetime(2026, 3, 31, 9, tzinfo=UTC)
    send_id = queue.send(at=at)
    [until] = queue.all("select until from send_remaining_capacity((select id from send_accounts), 'email', %s) "
                        "where rule = 'rate_limit'", at)  # fmt: skip
    assert prune(queue, LATER + 1000 * DAY, at=until - TICK) == 0
    assert queue.row(send_id)["status"] == "sent"
    assert prune(queue, LATER + 1000 * DAY, at=until) == 1


def test_what_was_never_tried_may_go_at_once(conn: Connection) -> None:
    """Cancelled before it began: nothing counts it."""
    queue = Queue(conn)
    queue.ready(1)
    queue.call("send_cancel", campaign="spring", at=AT)
    assert prune(queue, AT + HOUR, at=AT + HOUR) == 1


def test_a_change_of_the_cap_zone_keeps_what_was_deleted_in_the_tally(conn: Connection) -> None:
    """The days are re-labelled from the attempts that are there; those that were pruned stay where they were."""
    queue = Queue(conn)
    queue.ready(9, weekly_cap=3, max_in_flight=9)
    for hour in range(3):
        queue.send(at=AT + hour * HOUR)
    assert prune(queue, AT + 2 * HOUR) == 2
    queue.lane(cap_timezone="Asia/Tokyo")
    assert queue.one("select sum(used) from send_usage") == 3
    assert queue.taken(AT + DAY) == []
