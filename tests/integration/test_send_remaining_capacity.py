"""Limits, as the claim counts them: exact in number, under any number of runs at once, and exact in time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, GIVES_BACK, HOUR, MINUTE, NEVER, SECOND, TICK, Connection, Queue, at_once


def sweep(at: datetime, give: Callable[[int], str] = lambda _: "sent", **named: Any) -> Callable[[Queue, int], int]:
    """Work for a thread: claim and record until nothing is left that may go; how many were, or may have been, sent."""

    def work(queue: Queue, thread: int) -> int:
        spent = 0
        for n in range(5_000):
            claim = queue.claim(at, 1 + (thread + n) % 3, worker=f"w{thread}", **named)
            for send in claim["sends"]:
                outcome = give(thread + n)
                recorded, _ = queue.record(send, outcome, at)
                assert recorded
                spent += outcome in ("sent", "uncertain")
            if not claim["sends"] and not claim["lock_skipped"] and claim["in_flight"] is None:
                return spent
        raise AssertionError("the queue never comes to rest")

    return work


NO_TIME: dict[str, Any] = {"hold_seconds": 0}


def limited_to_one(queue: Queue, limited: str) -> None:
    """Five rows of which one may go."""
    lane: dict[str, Any] = {limited: 1} if limited != "rate_limit" else {}
    queue.ready(5, max_in_flight=10, **lane)
    if limited == "rate_limit":
        queue.limit(1, HOUR, account="ada")


# --- invariant 1: exact in number -------------------------------------------------------------------------


def two_that_share_a_limit(conn: Connection) -> Queue:
    """ada and bob with two rows each, and one send a day for both."""
    queue = Queue(conn)
    queue.account("ada")
    queue.account("bob")
    queue.campaign(accounts=["ada", "bob"])
    queue.fill(2, account="ada")
    queue.fill(2, account="bob")
    queue.limit(1, DAY)
    return queue


@pytest.mark.parametrize("time", [1, 2, 3])
def test_invariant_1_the_daily_cap_is_exact_under_overlapping_runs(database: str, conn: Connection, time: int) -> None:
    """20 runs at once on a lane with a cap of 20 and 200 rows that are due send 20, not one more and not one less."""
    queue = Queue(conn)
    queue.ready(200, daily_cap=20, max_in_flight=1000)
    assert sum(at_once(database, 20, sweep(AT + time * SECOND))) == 20
    assert queue.statuses() == {"sent": 20, "pending": 180}
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("time", [1, 2, 3])
def test_invariant_1_the_weekly_cap_is_exact_under_overlapping_runs(database: str, conn: Connection, time: int) -> None:
    """Over the last seven days, today included, a lane with a weekly cap of 20 sends 20."""
    queue = Queue(conn)
    queue.ready(200, weekly_cap=20, max_in_flight=1000)
    assert sum(sum(at_once(database, 7, sweep(AT + day * DAY + time * SECOND))) for day in range(0, 7, 2)) == 20
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("time", [1, 2, 3])
def test_invariant_1_a_rolling_limit_of_an_account_is_exact_over_its_lanes(
    database: str, conn: Connection, time: int
) -> None:
    """10 in 10 minutes for an account are 10 over all its channels together."""
    queue = Queue(conn)
    queue.ready(100, max_in_flight=1000)
    queue.lane(channel="sms", max_in_flight=1000)
    queue.fill(100, channel="sms")
    queue.limit(10, 10 * MINUTE, account="ada")
    assert sum(at_once(database, 20, sweep(AT + time * SECOND))) == 10
    assert sum(at_once(database, 20, sweep(AT + time * SECOND + 10 * MINUTE))) == 10
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("time", [1, 2, 3])
def test_invariant_1_a_limit_of_a_workspace_is_exact_over_lanes_that_are_claimed_at_once(
    database: str, conn: Connection, time: int
) -> None:
    """Ten accounts of a workspace that send at the same time share its 25 a minute; another workspace has its own."""
    queue = Queue(conn)
    queue.workspace("other")
    for i in range(10):
        queue.account(f"a{i}")
        queue.lane(f"a{i}", max_in_flight=1000)
    queue.account("elsewhere", workspace="other")
    queue.lane("elsewhere", max_in_flight=1000)
    queue.campaign(accounts=[f"a{i}" for i in range(10)])
    queue.campaign("theirs", accounts=["elsewhere"], workspace="other")
    for i in range(10):
        queue.fill(20, account=f"a{i}")
    queue.fill(5, account="elsewhere", campaign="theirs", workspace="other")
    queue.limit(25, MINUTE)
    each = [sweep(AT + time * SECOND, account=f"a{i}") for i in range(10)] + [sweep(AT, account="elsewhere")]
    spent = at_once(database, 22, lambda q, i: each[i % 11](q, i))
    assert (sum(s for i, s in enumerate(spent) if i % 11 < 10), spent[10] + spent[21]) == (25, 5)
    queue.assert_tally_is_the_ledger()


def test_invariant_1_the_tally_is_the_ledger_after_any_outcomes(database: str, conn: Connection) -> None:
    """Whatever becomes of the sends, a cap of 40 lets 40 be, or be possibly, accepted, and both counts agree."""
    queue = Queue(conn)
    queue.ready(400, daily_cap=40, max_in_flight=1000)
    outcomes = random.Random(7).choices(["sent", "uncertain", "failed", "already_done", "released", "retry"], k=6_000)
    assert sum(at_once(database, 12, sweep(AT, lambda n: outcomes[n]))) == 40
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()
    statuses = queue.statuses()
    assert statuses["sent"] + statuses["uncertain"] == 40


@pytest.mark.parametrize("outcome", GIVES_BACK)
@pytest.mark.parametrize("limited", ["daily_cap", "weekly_cap", "rate_limit"])
def test_invariant_1_what_did_not_go_out_is_given_back(conn: Connection, outcome: str, limited: str) -> None:
    """After failed, retry, held, already_done and released there is room again, at once and for one."""
    queue = Queue(conn)
    limited_to_one(queue, limited)
    [send] = queue.taken()
    assert queue.taken(max_rows=5) == []  # and the lane is told to wait for the limit
    assert limited == queue.the_lane()["next_at_reason"]
    queue.record(send, outcome, AT, **NO_TIME if outcome == "held" else {})
    assert len(queue.taken(max_rows=5)) == 1
    assert queue.taken(max_rows=5) == []
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("outcome", ["sent", "uncertain"])
@pytest.mark.parametrize("limited", ["daily_cap", "weekly_cap", "rate_limit"])
def test_invariant_1_what_may_have_gone_out_is_spent(conn: Connection, outcome: str, limited: str) -> None:
    """A send and a doubt both take from the cap, and so does what is in flight."""
    queue = Queue(conn)
    limited_to_one(queue, limited)
    [send] = queue.taken()
    assert queue.taken() == []
    queue.record(send, outcome)
    assert queue.taken() == []


def test_invariant_1_a_limit_that_lanes_share_is_given_back_to_all_of_them(conn: Connection) -> None:
    """The lane of another account that waits for the workspace's limit looks again when one is given back."""
    queue = two_that_share_a_limit(conn)
    [send] = queue.taken(account="ada")
    assert queue.taken(account="bob") == []
    assert queue.the_lane("bob")["next_at"] == AT + DAY
    queue.record(send, "failed")
    assert len(queue.taken(account="bob")) == 1


def test_a_lane_is_not_put_to_sleep_while_somebody_gives_back(database: str, conn: Connection) -> None:
    """A claim that cannot see yet what is given back is busy, and does not sleep until the limit's own end."""
    queue = two_that_share_a_limit(conn)
    [send] = queue.taken(account="ada")
    with psycopg.connect(database) as other:
        Queue(other).record(send, "failed")
        claim = queue.claim(account="bob")
        assert (claim["sends"], claim["lock_skipped"]) == ([], True)
    assert len(queue.taken(account="bob")) == 1


def test_who_gives_back_waits_for_the_claims_that_count(database: str, conn: Connection) -> None:
    """A lane that a claim under way puts to sleep is woken by a result that comes at that moment."""
    queue = two_that_share_a_limit(conn)
    [send] = queue.taken(account="ada")
    with psycopg.connect(database) as other:
        assert Queue(other).taken(account="bob") == []
        waits = Thread(target=lambda: queue.record(send, "failed"))
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()
        other.commit()
        waits.join(30)
    assert len(queue.taken(account="bob")) == 1


# --- invariant 1: exact in time ---------------------------------------------------------------------------


def test_invariant_1_the_warm_up_ramps_up_to_the_cap(conn: Connection) -> None:
    """Start with 2, then 3 more each day, until the cap of 10; the day it began is a day of the cap zone."""
    queue = Queue(conn)
    queue.ready(100, daily_cap=10, warm_up_start=2, warm_up_step=3, max_in_flight=1000)
    assert AT.date() == queue.the_lane()["warm_up_began"]
    sent = [len(queue.taken(AT + day * DAY, 100)) for day in range(5)]
    assert sent == [2, 5, 8, 10, 10]


def test_invariant_1_a_warm_up_may_begin_with_nothing(conn: Connection) -> None:
    """A ramp from 0 in steps of 1 opens on the morning of the second day; one that never rises, never."""
    queue = Queue(conn)
    queue.ready(3, warm_up_start=0, warm_up_step=1, daily_cap=10)
    assert queue.taken() == []
    assert AT.replace(hour=0) + DAY == queue.the_lane()["next_at"]
    queue.lane(warm_up_start=0, warm_up_step=0)
    assert queue.taken(AT + DAY) == []
    assert queue.the_lane()["next_at"] == NEVER


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", "2026-03-03T00:00Z"),
        ("Asia/Tokyo", "2026-03-02T15:00Z"),
        ("America/Los_Angeles", "2026-03-03T08:00Z"),
        ("Pacific/Kiritimati", "2026-03-02T10:00Z"),
    ],
)
def test_invariant_1_the_day_turns_at_midnight_of_the_cap_zone(conn: Connection, zone: str, midnight: str) -> None:
    """A cap that is used up has room again at its zone's midnight, and not a moment before."""
    queue = Queue(conn)
    queue.ready(5, daily_cap=1, cap_timezone=zone)
    turn = datetime.fromisoformat(midnight)
    queue.send()
    assert queue.taken(turn - TICK) == []
    assert turn == queue.the_lane()["next_at"]
    assert len(queue.taken(turn)) == 1


@pytest.mark.parametrize(
    ("zone", "day", "first", "next_day"),
    [
        ("America/Havana", "2026-10-31", "2026-10-31T04:00Z", "2026-11-01T04:00Z"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),  # the day of 25 hours
        ("America/Havana", "2026-03-07", "2026-03-07T05:00Z", "2026-03-08T05:00Z"),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00Z", "2026-03-09T04:00Z"),  # the day of 23 hours
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
    ],
)
def test_invariant_1_the_day_turns_in_the_nights_when_clocks_change(
    conn: Connection, zone: str, day: str, first: str, next_day: str
) -> None:
    """All of a day of 23, 24½ or 25 hours is one day of the tally, and the next begins at its first instant."""
    queue = Queue(conn)
    queue.ready(9, daily_cap=1, cap_timezone=zone)
    queue.do("update send_queue set scheduled_for = '2026-01-01'")
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(next_day)
    queue.send(at=begin)
    assert [day] == [str(d) for d in queue.all("select day from send_usage")]
    moment = begin
    while moment < end:
        assert queue.taken(moment) == []
        assert end == queue.the_lane()["next_at"]
        queue.do("update send_lanes set next_at = 'epoch'")  # so that it is counted, not waited for
        moment += 30 * MINUTE
    assert queue.taken(end - TICK) == []
    assert len(queue.taken(end)) == 1


def test_invariant_1_the_weekly_cap_opens_when_the_oldest_day_leaves(conn: Connection) -> None:
    """Over any seven days of the cap zone the cap holds; its room returns with the midnight that ends the week."""
    queue = Queue(conn)
    queue.ready(50, weekly_cap=5, cap_timezone="Asia/Tokyo", max_in_flight=50)
    monday = datetime.fromisoformat("2026-03-02T10:00+09:00")
    queue.do("update send_queue set scheduled_for = '2026-01-01'")
    assert [len(queue.taken(monday, 3)), len(queue.taken(monday + 2 * DAY, 9))] == [3, 2]
    opens = datetime.fromisoformat("2026-03-09T00:00+09:00")
    assert queue.taken(opens - TICK, 9) == []
    assert (opens, "weekly_cap") == (queue.the_lane()["next_at"], queue.the_lane()["next_at_reason"])
    assert len(queue.taken(opens, 9)) == 3
    assert queue.taken(opens + DAY, 9) == []
    opens = datetime.fromisoformat("2026-03-11T00:00+09:00")
    assert opens == queue.the_lane()["next_at"]
    assert len(queue.taken(opens, 9)) == 2


def test_invariant_1_a_rolling_limit_opens_when_the_oldest_leaves(conn: Connection) -> None:
    """A limit of 3 in 10 minutes: at the moment the oldest is 10 minutes old there is room for one, not before."""
    queue = Queue(conn)
    queue.ready(10, max_in_flight=50)
    queue.limit(3, 10 * MINUTE, account="ada")
    for minute in (0, 3, 7):
        queue.send(at=AT + minute * MINUTE)
    assert queue.taken(AT + 8 * MINUTE) == []
    for minute in (0, 3, 7):
        opens = AT + (10 + minute) * MINUTE
        assert (opens, "rate_limit") == (queue.the_lane()["next_at"], queue.the_lane()["next_at_reason"])
        assert queue.taken(opens - TICK) == []
        assert len(queue.taken(opens, 5)) == 1
        assert queue.taken(opens, 5) == []


def test_invariant_1_no_window_of_a_rolling_limit_ever_holds_more(conn: Connection) -> None:
    """Sends at random moments under limits of two lengths: no half-open period of either length has too many."""
    queue = Queue(conn)
    queue.ready(300, max_in_flight=300)
    limits = ((4, 10 * MINUTE), (9, HOUR))
    for n, per in limits:
        queue.limit(n, per)
    chance, moment = random.Random(3), AT
    for _ in range(150):
        moment += timedelta(seconds=chance.choice([0, 1, 20, 59, 60, 300, 599, 600]))
        for send in queue.taken(moment, chance.randrange(1, 6)):
            queue.record(send, chance.choice(["sent", "sent", "uncertain", "failed"]), moment)
    started = queue.all("select started_at from send_attempts where outcome in ('sent', 'uncertain') order by 1")
    for n, per in limits:
        most = max(sum(s <= t < s + per for t in started) for s in started)
        assert n == most


def test_invariant_1_a_clock_that_jumps_back_lets_nothing_more_through(conn: Connection) -> None:
    """What was sent at moments that are still to come, as it seems now, counts in every rolling limit."""
    queue = Queue(conn)
    queue.ready(10, max_in_flight=50)
    queue.limit(2, 10 * MINUTE, account="ada")
    assert len(queue.taken(AT + 5 * MINUTE, 9)) == 2
    queue.do("update send_lanes set next_at = 'epoch'")
    assert queue.taken(AT, 9) == []
    assert queue.the_lane()["next_at"] == AT + 15 * MINUTE


@pytest.mark.parametrize("limited", ["daily_cap", "weekly_cap"])
def test_invariant_1_a_cap_of_zero_sends_nothing_and_no_claim_comes_back_to_it(conn: Connection, limited: str) -> None:
    """A lane with a cap of zero waits for a person; a person who raises the cap needs to do nothing else."""
    queue = Queue(conn)
    lane: dict[str, Any] = {limited: 0}
    queue.ready(2, **lane)
    assert queue.taken() == []
    assert queue.the_lane()["next_at"] == NEVER
    lane[limited] = 1
    queue.lane(**lane)
    assert len(queue.taken()) == 1


@pytest.mark.parametrize("room", [True, False])
def test_a_lane_has_a_row_for_each_of_its_limits(conn: Connection, room: bool) -> None:
    """Each limit says what it has left, and where that is nothing, when room returns."""
    queue = Queue(conn)
    account = queue.account()
    queue.campaign()
    queue.lane(daily_cap=5 if room else 2, weekly_cap=9 if room else 2, max_in_flight=2 if room else 1)
    queue.fill(9)
    queue.limit(7 if room else 2, HOUR, account="ada", channel="email")
    queue.limit(8 if room else 2, 2 * HOUR)
    queue.limit(1, HOUR, account="ada", channel="sms")  # of another lane
    queue.send()
    queue.taken(AT + MINUTE)
    found = {
        (rule, room, until)
        for rule, room, until, _, _ in queue.rows(
            "send_remaining_capacity", account_id=account, channel="email", at=AT + MINUTE
        )
    }
    tomorrow, in_a_week = (datetime.fromisoformat(f"2026-03-{day}T00:00Z") for day in ("03", "09"))
    assert found == (
        {
            ("in_flight", 1, None),
            ("daily_cap", 3, None),
            ("weekly_cap", 7, None),
            ("rate_limit", 5, None),
            ("rate_limit", 6, None),
        }
        if room
        else {
            ("in_flight", 0, AT + 6 * MINUTE),
            ("daily_cap", 0, tomorrow),
            ("weekly_cap", 0, in_a_week),
            ("rate_limit", 0, AT + HOUR),
            ("rate_limit", 0, AT + 2 * HOUR),
        }
    )
