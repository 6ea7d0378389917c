"""What explain promises, the run keeps: at the moment that it names the send goes, a second before it does not."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mixed_queues import DAY, laid, mixed, ran
from psycopg import Connection
from sizes import share

from send_queue import store
from send_queue.core import run
from send_queue.insight import forecast
from send_queue.model import Claimed
from send_queue.providers import Providers
from send_queue.rules import calendar, schedule_text
from send_queue.store import Filters

PROVIDERS = Providers({})
SECOND = timedelta(seconds=1)
names = (f"case{n}" for n in count())

ZONES = ("UTC", "America/New_York", "America/Havana", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Pacific/Apia", "Asia/Riyadh", "America/St_Johns", "Africa/Cairo")  # fmt: skip
moments = st.datetimes(datetime(2025, 10, 20), datetime(2026, 4, 10)).map(lambda m: m.replace(tzinfo=UTC))  # noqa: DTZ001 — zone follows
hours = st.sampled_from([
    ["07:00-18:00"], ["09:00-12:00,13:00-17:00"], ["22:00-02:00"], ["00:00-24:00"], ["01:30-03:30"],
    ["mon-thu 08:00-18:00", "fri 08:00-12:00"], ["sun-thu 10:00-16:30"], ["wed 00:00-00:10"],
])  # fmt: skip
schedules = st.none() | st.builds(
    lambda zone, hours, country, closed: {
        "timezone": zone, "hours": schedule_text.hours_from_text(hours, None), "skip_holidays": country is not None,
        "holiday_country": country, "closed_on": [day.isoformat() for day in closed],
    },
    st.sampled_from(ZONES), hours, st.sampled_from([None, "US", "DE", "GB", "JP"]),
    st.lists(st.dates(date(2026, 10, 20), date(2027, 4, 20)), max_size=3),
)  # fmt: skip
lanes = st.fixed_dictionaries({
    "daily_cap": st.sampled_from([None, 1, 2, 5]),
    "weekly_cap": st.sampled_from([None, 2, 6]),
    "cap_timezone": st.sampled_from(ZONES),
    "min_gap_seconds": st.sampled_from([0, 0, 90, 3600, 200_000]),
})  # fmt: skip
limits = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([60, 600, 3600, 86_400, 250_000]), st.booleans()),
                  max_size=2, unique_by=lambda limit: limit[1:])  # fmt: skip


def claim(conn: Connection[Any], at: datetime, account: str) -> tuple[Claimed, ...]:
    """What a run at that moment has in hand; it sends all of it at once, and all of it goes out."""
    this = run.Pass(store.Database(conn, lambda: at), PROVIDERS, "test", Filters(account=account))
    taken = run.take(this, 1, run.Progress(), patient=False)
    store.record(conn, [{"attempt_id": str(c.attempt_id), "outcome": "sent"} for c in taken], at)
    return taken


def a_lane(conn: Connection[Any], schedule: dict[str, Any] | None, lane: dict[str, Any], limits: list[Any]) -> str:
    name = next(names)
    if schedule is not None:
        store.upsert(conn, "schedule", name, schedule, adding=True)
    store.upsert(conn, "workspace", name, {}, adding=True)
    fields = {"provider": "log", **({"schedule": name} if schedule is not None else {})}
    store.upsert(conn, "account", name, fields, adding=True, workspace=name)
    store.upsert(conn, "lane", name, lane | {"channel": "log"})
    for most, seconds, own in limits:
        store.put_limit(conn, most, timedelta(seconds=seconds), name if own else None, None, name)
    store.upsert(conn, "campaign", name, {"accounts": [name]}, adding=True, workspace=name)
    return name


@given(schedules, lanes, limits, moments, st.lists(st.integers(0, 400_000), max_size=8), st.integers(0, 400_000))
@settings(max_examples=share(100, 300), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_a_send_goes_at_the_moment_that_explain_names_and_not_a_second_before(
    conn: Connection[Any],
    schedule: dict[str, Any] | None,
    lane: dict[str, Any],
    limits: list[Any],
    at: datetime,
    before: list[int],
    later: int,
) -> None:
    """explain's moment is exact, whatever schedule, holiday, cap, gap, limit and zone, and whatever went before."""
    if schedule is not None:
        try:
            schedule_text.check(schedule_text.schedule_from({"name": "s", **schedule}), at)
        except calendar.ScheduleError:
            assume(False)
    name = a_lane(conn, schedule, lane, limits)
    for ago in sorted(before, reverse=True):  # what went out, or would not, on the days before
        then = at - timedelta(seconds=ago)
        store.enqueue(conn, campaign=name, channel="log", recipient="r", message="m", scheduled_for=then, at=then)
        claim(conn, then, name)
    store.cancel(conn, None, name, None, at)  # what did not go by now never will
    send_id, _ = store.enqueue(
        conn, campaign=name, channel="log", recipient="r", message="m", at=at,
        scheduled_for=at + timedelta(seconds=later) if later % 2 else at,
    )  # fmt: skip

    found = forecast.explained(conn, send_id, at)

    assert found.next_at is not None
    assert (found.verdict == "due_now") == (found.next_at == at)
    assert bool(found.holds) == (found.next_at > at)
    if found.next_at - SECOND >= at:
        assert claim(conn, found.next_at - SECOND, name) == ()
    assert [c.send_id for c in claim(conn, found.next_at, name)] == [send_id]


@given(schedules, lanes, limits, moments, st.integers(2, 5))
@settings(max_examples=share(25, 60), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_a_send_that_is_behind_others_goes_when_explain_says(
    conn: Connection[Any],
    schedule: dict[str, Any] | None,
    lane: dict[str, Any],
    limits: list[Any],
    at: datetime,
    rows: int,
) -> None:
    """The moments of all rows of a lane, explained at once, are those at which they go if one comes after the other."""
    if schedule is not None:
        try:
            schedule_text.check(schedule_text.schedule_from({"name": "s", **schedule}), at)
        except calendar.ScheduleError:
            assume(False)
    name = a_lane(conn, schedule, lane, limits)
    ids = [
        store.enqueue(conn, campaign=name, channel="log", recipient=f"r{n}", message="m", scheduled_for=at, at=at)[0]
        for n in range(rows)
    ]

    told = [forecast.explained(conn, send_id, at).next_at for send_id in ids]

    for send_id, moment in zip(ids, told, strict=True):
        assert moment is not None
        if moment - SECOND > at and moment not in told[: ids.index(send_id)]:
            assert claim(conn, moment - SECOND, name) == ()
        assert [c.send_id for c in claim(conn, moment, name)] == [send_id]


QUEUES = int(os.environ.get("SEND_QUEUE_EXPLAINED", "3"))
"""Mixed queues whose rows are explained."""

MAX_SECONDS = 5.0


def test_the_moments_of_mixed_queues_are_those_at_which_their_rows_go(conn: Connection[Any]) -> None:
    """Every row of queues that mix schedules in a lane, quiet hours, caps, gaps, shared limits, priorities and
    campaigns that take turns goes at the moment that explain named, whenever else somebody runs the command; and what
    it says never goes does not. No call takes over five seconds.

    A thousand rows: SEND_QUEUE_EXPLAINED=60 pytest tests/integration/test_explain_is_exact.py -k mixed
    """
    rows = 0
    for seed in range(QUEUES):
        queue = mixed(Random(seed))
        sends = laid(conn, queue)
        at = queue.at + timedelta(minutes=seed % 3 * 250)
        for hour in range(seed % 3 * 3):
            list(ran(conn, queue.at + timedelta(hours=hour), 2))
        told = {}
        for send_id in sends:
            began = time.monotonic()
            found = forecast.explained(conn, send_id, at)
            assert time.monotonic() - began < MAX_SECONDS
            if found.status == "pending":
                assert found.sure == "exact"
                assert (found.verdict == "due_now") == (not found.holds)
                told[send_id] = found.next_at
        rows += len(told)
        end = at + 10 * DAY
        moments = {moment for moment in told.values() if moment and moment <= end}
        runs = moments | {m - SECOND for m in moments} | {at + timedelta(hours=6) * n for n in range(40)}
        went = {row.send_id: row.at for moment in sorted(runs) if moment >= at for row in ran(conn, moment)}
        expected = {send_id: moment for send_id, moment in told.items() if moment and moment <= end}
        assert went == expected, f"queue {seed} at {at}: {queue}"
    assert rows > 15 * QUEUES
