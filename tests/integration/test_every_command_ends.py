"""Invariant 22: whatever a queue holds, explain, run-once and forecast answer within five seconds."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from send_queue import store
from send_queue.core import run
from send_queue.insight import forecast
from send_queue.providers import Providers
from send_queue.rules import schedule_text

MAX_SECONDS = 5.0
EVERY = timedelta(minutes=1)
"""How often runs are played: explain asks when a row can go, whichever minute it is."""

PROVIDERS = Providers({})
names = (f"mixed{n}" for n in count())

starts = st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 31)).map(lambda m: m.replace(tzinfo=UTC))  # noqa: DTZ001 — zone follows
schedules = st.fixed_dictionaries({
    "timezone": st.sampled_from(["UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin", "Australia/Sydney"]),
    "hours": st.sampled_from([["09:00-17:00"], ["09:00-10:00,11:00-12:00,13:00-14:00,15:00-16:00"], ["22:00-02:00"],
                              ["wed 12:00-12:30"], ["mon-sun 00:00-24:00"]]),
    "holiday_country": st.sampled_from([None, "US", "JP"]),
})  # fmt: skip
lanes = st.fixed_dictionaries({
    "daily_cap": st.sampled_from([None, 0, 1, 2]),
    "weekly_cap": st.sampled_from([None, 0, 3]),
    "cap_timezone": st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
    "min_gap_seconds": st.sampled_from([0, 900, 100_000]),
})  # fmt: skip
campaigns = st.lists(st.tuples(
    st.integers(-1, 2),  # its schedule
    st.sampled_from([None, None, ("21:00", "08:00"), ("08:00", "07:00"), ("00:00", "00:00"), ("02:30", "02:29")]),
    st.sampled_from([False] * 5 + [True]),  # paused
), min_size=1, max_size=4)  # fmt: skip
limits = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([600, 86_400, 2_500_000]), st.booleans()),
                  max_size=2, unique_by=lambda limit: limit[1:])  # fmt: skip
NUMBERS = ("+8131234567", "+1212555010", "+1415555010", "+3361234567", "+5511999", "+3519123456", "+1800555010",
           "+6129374400", "+5511000")  # fmt: skip
rows = st.lists(st.tuples(
    st.integers(0, 3), st.sampled_from(NUMBERS), st.sampled_from([100, 100, 1]),
    st.sampled_from([0, 0, -30, 5, 400, 9_000]),  # due after so many hours
    st.sampled_from([None, None, 40]),  # expires so many hours after that
    st.integers(1, 6),  # how many of these
), min_size=1, max_size=8)  # fmt: skip


@given(starts, st.lists(schedules, min_size=3, max_size=3), st.integers(-1, 2), lanes, campaigns, limits, rows)
@settings(max_examples=int(os.environ.get("SEND_QUEUE_MIXED", "8")), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_no_call_takes_over_five_seconds(
    conn: Connection[Any], at: datetime, schedules: Any, of_account: int, lane: Any, campaigns: Any, limits: Any,
    rows: Any,
) -> None:  # fmt: skip
    """Several schedules in a lane, quiet hours of many zones, caps of nothing, shared limits, holidays, pauses: every
    question is answered in time, before and after a run; and what explain gives up is what forecast says never goes."""
    conn.execute("update send_queue set status = 'skipped', error_code = 'cancelled' where status = 'pending'")
    sends = a_queue(conn, at, schedules, of_account, lane, campaigns, limits, rows)

    never = 0
    for moment in (at, at + timedelta(hours=13)):
        told = in_time(lambda m=moment: forecast.forecast(conn, m, 3, EVERY))
        never = 0
        for send_id in sends:
            found = in_time(lambda s=send_id, m=moment: forecast.explained(conn, s, m))
            assert found.next_at is None or found.next_at >= moment
            never += found.status == "pending" and found.next_at is None
        assert never == sum(n.sends for n in told.never)
        in_time(lambda m=moment: a_run(conn, m))
    event(f"never: {bool(never)}")


def in_time(call: Any) -> Any:
    began = time.monotonic()
    answer = call()
    assert time.monotonic() - began < MAX_SECONDS
    return answer


def a_run(conn: Connection[Any], at: datetime) -> None:
    """One run-once, which says why where it takes nothing."""
    this = run.Pass(store.Database(conn, lambda: at), PROVIDERS, "test")
    taken = run.take(this, 1, run.Progress(), patient=False)
    store.record(conn, [{"attempt_id": str(c.attempt_id), "outcome": "sent"} for c in taken], at)
    run.explain_idle(this, run.RunReport(), with_remaining=False)


def a_queue(
    conn: Connection[Any], at: datetime, schedules: Any, of_account: int, lane: Any, campaigns: Any, limits: Any,
    rows: Any,
) -> list[UUID]:  # fmt: skip
    name = next(names)
    store.upsert(conn, "workspace", name, {}, adding=True)
    for nth, schedule in enumerate(schedules):
        fields = schedule | {
            "hours": schedule_text.hours_from_text(schedule["hours"], None),
            "skip_holidays": schedule["holiday_country"] is not None,
        }
        store.upsert(conn, "schedule", f"{name}-{nth}", fields, adding=True, at=at)

    def scheduled(nth: int) -> dict[str, str]:
        return {"schedule": f"{name}-{nth}"} if nth >= 0 else {}

    for account in (name, f"{name}-b"):
        store.upsert(
            conn, "account", account, {"provider": "log", **scheduled(of_account)}, adding=True, workspace=name
        )
        store.upsert(conn, "lane", account, lane | {"channel": "sms"}, at=at - timedelta(days=2))
    for most, seconds, own in limits:
        store.put_limit(conn, most, timedelta(seconds=seconds), name if own else None, None, name)
    for nth, (schedule, quiet, paused) in enumerate(campaigns):
        fields = {"accounts": [name, f"{name}-b"], **scheduled(schedule)}
        if quiet:
            fields |= {"quiet_from": quiet[0], "quiet_until": quiet[1]}
        store.upsert(conn, "campaign", f"{name}-{nth}", fields, adding=True, workspace=name)
        if paused:
            store.pause(conn, True, "campaign", f"{name}-{nth}", None, "a test", name, at)
    sends = []
    people = count(10)
    for campaign, number, priority, due, lasts, many in rows:
        when = at + timedelta(hours=due)
        for _ in range(many):
            sends.append(store.enqueue(
                conn, campaign=f"{name}-{campaign % len(campaigns)}", account=name, channel="sms",
                recipient=f"{number}{next(people)}", message="Hello", priority=priority, scheduled_for=when,
                at=at - timedelta(days=2), workspace=name,
                expires_at=when + timedelta(hours=lasts) if lasts else None,
            )[0])  # fmt: skip
    return sends
