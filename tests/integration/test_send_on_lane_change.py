"""A lane that somebody changes looks again at once, and its tally keeps to its zone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, TICK, Connection, Queue


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize(
    ("limits", "change"),
    [
        ({"daily_cap": 1}, {"daily_cap": 2}),
        ({"weekly_cap": 1}, {"weekly_cap": 2}),
        ({"daily_cap": 1}, {"daily_cap": None}),
        ({"warm_up_start": 1, "warm_up_step": 0, "daily_cap": 9}, {"warm_up_start": 2}),
        ({"warm_up_start": 1, "warm_up_step": 0}, {"warm_up_start": None, "warm_up_step": None, "warm_up_began": None}),
    ],
)
def test_a_lane_whose_limit_is_raised_looks_again_at_once(
    conn: Connection, limits: dict[str, Any], change: dict[str, Any], by_hand: bool
) -> None:
    """By the command or by a hand-written UPDATE: nobody has to wake the lane."""
    queue = Queue(conn)
    queue.ready(5, max_in_flight=9, **limits)
    assert len(queue.taken(max_rows=9)) == 1
    assert queue.taken(max_rows=9) == []
    if by_hand:
        for column, value in change.items():
            if "warm_up_start" not in change or len(change) == 1:
                queue.do(f"update send_lanes set {column} = %s", value)  # noqa: S608 — a column of ours
        if len(change) > 1:
            queue.do("update send_lanes set warm_up_start = null, warm_up_step = null, warm_up_began = null")
    else:
        queue.lane(**change)
    assert queue.taken(max_rows=1)


def test_a_cap_that_is_lowered_holds_at_once(conn: Connection) -> None:
    """Below what is used already, there is no room until the day is over."""
    queue = Queue(conn)
    queue.ready(9, daily_cap=5, max_in_flight=9)
    assert len(queue.taken(max_rows=3)) == 3
    queue.do("update send_lanes set daily_cap = 2")
    assert queue.taken(AT + HOUR) == []
    assert len(queue.taken(AT + DAY, 9)) == 2


def test_a_gap_that_is_changed_counts_from_the_last_send(conn: Connection) -> None:
    """Longer or shorter, from now on; also the first gap that a lane is given."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    queue.send()
    queue.do("update send_lanes set min_gap_seconds = 1800")
    assert queue.taken(AT + 30 * MINUTE - TICK) == []
    queue.do("update send_lanes set min_gap_seconds = 600")
    assert queue.the_lane()["next_at"] == AT + 10 * MINUTE
    assert len(queue.taken(AT + 10 * MINUTE)) == 1


def test_a_change_of_a_lane_does_not_end_a_hold(conn: Connection) -> None:
    """What a provider said stands, whatever becomes of the caps."""
    queue = Queue(conn)
    queue.ready(9)
    queue.send("held", hold_seconds=3600)
    queue.lane(daily_cap=50, min_gap_seconds=60)
    assert queue.the_lane()["next_at"] == AT + HOUR


ZONES = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kathmandu"]


@pytest.mark.parametrize("seed", range(4))
def test_invariant_1_a_change_of_the_cap_zone_re_labels_the_tally(conn: Connection, seed: int) -> None:
    """Weeks of attempts with every outcome, and changes between zones that are a day apart: no count is lost."""
    queue = Queue(conn)
    queue.ready(200, max_in_flight=200, weekly_cap=1000)
    queue.do("update send_queue set scheduled_for = '2026-01-01'")
    chance, moment = random.Random(seed), datetime(2026, 2, 1, tzinfo=UTC)
    flying: list[Any] = []
    for _ in range(40):
        moment += timedelta(hours=chance.choice([0.5, 3, 11, 26]))
        flying += queue.taken(moment, 3)
        chance.shuffle(flying)
        while len(flying) > 4:
            outcome = chance.choice(["sent", "sent", "uncertain", "failed", "released"])
            assert queue.record(flying.pop(), outcome, moment)[0]
        if chance.random() < 0.3:
            queue.do("update send_lanes set cap_timezone = %s", chance.choice(ZONES))
        in_ledger = queue.one(
            "select count(*) from send_attempts where outcome is null or outcome in ('sent', 'uncertain')"
        )
        assert in_ledger == queue.one("select sum(used) from send_usage")
    for send in flying:
        queue.record(send, "failed", moment)
    assert (
        queue.all(
            "select b.day from send_attempts b left join send_usage u using (account_id, channel, day) "
            "where b.outcome in ('sent', 'uncertain') group by b.day, u.used having count(*) is distinct from u.used"
        )
        == []
    )
    week = queue.all(
        "select b.day <> (b.started_at at time zone l.cap_timezone)::date from send_attempts b "
        "join send_lanes l using (account_id, channel) where b.outcome in ('sent', 'uncertain') "
        "and b.started_at > %s",
        moment - 8 * DAY,
    )
    assert not any(week)


def test_invariant_1_a_cap_zone_that_is_changed_gives_no_second_day(conn: Connection) -> None:
    """What was sent today is still today's where the new zone says so, and is yesterday's where it does not."""
    queue = Queue(conn)
    queue.ready(9, daily_cap=1, max_in_flight=9)
    evening = AT.replace(hour=16)  # 01:00 of the next day in Tokyo
    queue.send(at=evening)
    queue.lane(cap_timezone="Asia/Tokyo")
    assert queue.taken(evening + 14 * HOUR) == []
    assert datetime(2026, 3, 3, 15, tzinfo=UTC) == queue.the_lane()["next_at"]
    assert len(queue.taken(datetime(2026, 3, 3, 15, tzinfo=UTC))) == 1


def test_a_zone_that_does_not_exist_is_refused(conn: Connection) -> None:
    """By a sentence, under the rule's name."""
    queue = Queue(conn)
    queue.ready(1)
    with pytest.raises(psycopg.Error, match="knows no time zone 'Europe/Atlantis': write a name") as error:
        queue.do("update send_lanes set cap_timezone = 'Europe/Atlantis'")
    assert (error.value.sqlstate, error.value.diag.constraint_name) == ("SQ002", "cap_timezone_is_known")
