"""What the forecast promises, the runs send: day by day, and lane by lane."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from mixed_queues import Went, by_day, laid, mixed, ran
from psycopg import Connection
from sizes import share

from send_queue import store
from send_queue.core import run
from send_queue.insight import forecast
from send_queue.providers import Providers
from send_queue.rules import schedule_text
from send_queue.sandbox import Sandbox

DAYS = 10
EXAMPLES = int(os.environ.get("SEND_QUEUE_FORECASTS", share(10, 25)))
"""Queues that are played; a hundred take some minutes."""

QUEUES = int(os.environ.get("SEND_QUEUE_FORECASTS", "5"))
"""Mixed queues that are played by claims."""

MAX_SECONDS = 5.0

DAY = timedelta(days=1)
names = (f"q{n}" for n in count())
people = count()

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Havana")
starts = st.datetimes(datetime(2025, 10, 20), datetime(2026, 1, 10)).map(  # noqa: DTZ001 — zone follows
    lambda m: m.replace(second=0, microsecond=0, tzinfo=UTC)
)
schedules = st.none() | st.fixed_dictionaries({
    "timezone": st.sampled_from(ZONES),
    "hours": st.sampled_from([["09:00-17:00"], ["09:00-12:00,13:00-18:30"], ["22:00-02:00"], ["fri 08:00-12:00"],
                              ["mon-sun 00:00-24:00"]]),
    "holiday_country": st.sampled_from([None, "US", "DE"]),
})  # fmt: skip
lanes = st.fixed_dictionaries(
    {
        "daily_cap": st.sampled_from([None, 0, 1, 3, 5]),
        "weekly_cap": st.sampled_from([None, None, 4, 9]),
        "cap_timezone": st.sampled_from(ZONES),
        "min_gap_seconds": st.sampled_from([0, 0, 900, 1800, 5400, 100_000]),
        "warm_up": st.sampled_from([None, None, (1, 1), (0, 2)]),
        "paused": st.sampled_from([False] * 6 + [True]),
    }
)
accounts = st.lists(st.tuples(st.integers(-1, 1), st.lists(lanes, min_size=1, max_size=2)), min_size=1, max_size=3)
campaigns = st.lists(st.tuples(st.integers(-1, 1), st.sampled_from([False] * 5 + [True])), min_size=1, max_size=3)
limits = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1800, 7200, 86_400, 300_000]), st.integers(-1, 2)),
                  max_size=2, unique_by=lambda limit: limit[1:])  # fmt: skip
rows = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 1),  # campaign, account, channel
        st.sampled_from([100, 100, 100, 1, 200]),  # priority
        st.sampled_from([0, 0, -1, 3, 27, 100]),  # due after so many hours
        st.sampled_from([None, None, None, 1, 40]),  # expires so many hours after that
        st.integers(1, 8),  # how many of these
    ), min_size=1, max_size=10,
)  # fmt: skip
CHANNELS = ("linkedin_invite", "linkedin_message")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    path: Path = tmp_path_factory.mktemp("sandbox") / "journal.jsonl"
    with Sandbox(path, sync=False) as sandbox:
        yield sandbox


@given(starts, schedules, schedules, accounts, campaigns, limits, rows, st.sampled_from([1800, 1800, 3600, 2520]),
       st.sampled_from([None, None, 1, 2]))  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None, derandomize="SEND_QUEUE_FORECASTS" not in os.environ,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_the_days_of_the_forecast_are_those_that_come(
    conn: Connection[Any], sandbox: Sandbox, at: datetime, one: Any, other: Any, accounts: Any, campaigns: Any,
    limits: Any, rows: Any, every: int, limit: int | None,
) -> None:  # fmt: skip
    """Ten days played by runs that send over HTTP give, day by day, what the forecast said, and lane by lane too where
    nothing is left to chance: which of several lanes goes first when a run takes few, or they share a limit."""
    conn.execute("update send_queue set status = 'skipped', error_code = 'cancelled' where status = 'pending'")
    name = a_queue(conn, at, (one, other), accounts, campaigns, limits, rows)
    tick, zone = timedelta(seconds=every), UTC

    told = forecast.forecast(conn, at, DAYS, tick, limit, zone)
    sent = played(conn, sandbox, name, at, tick, limit)

    went: dict[date, Counter[str]] = {day.date: Counter() for day in told.days}
    for moment, lane in sent:
        went[moment.astimezone(zone).date()][lane] += 1
    assert told.campaigns == () or sum(c.pending for c in told.campaigns) == (
        sum(c.goes for c in told.campaigns) + sum(n.sends for n in told.never) + told.later
    ), "every row goes, goes later, or never does"
    if limit is None and not limits:
        assert [dict(day.by_lane) for day in told.days] == [dict(went[day.date]) for day in told.days]
    event(f"left to chance: {chance(told, limit, limits)}; something goes: {bool(sent)}; later: {bool(told.later)}")
    if chance(told, limit, limits):
        return
    assert [day.sends for day in told.days] == [went[day.date].total() for day in told.days]


def chance(told: forecast.Forecast, limit: int | None, limits: Any) -> bool:
    """Whether which lane goes first may change how many go on a day."""
    lanes = {lane for day in told.days for lane in day.by_lane}
    together = len({lane.rsplit(" ", 1)[0] for lane in lanes}) < len(lanes)  # two of one account, in one limit
    shared = any(of < 0 or together for _, _, of in limits)
    return len(lanes) > 1 and (bool(limit is not None and told.at_its_limit) or shared)


def a_queue(
    conn: Connection[Any], at: datetime, hours: Any, accounts: Any, campaigns: Any, limits: Any, rows: Any
) -> str:
    name = next(names)
    store.upsert(conn, "workspace", name, {}, adding=True)
    for nth, schedule in enumerate(hours):
        if schedule is None:
            continue
        fields = {
            "timezone": schedule["timezone"], "hours": schedule_text.hours_from_text(schedule["hours"], None),
            "skip_holidays": schedule["holiday_country"] is not None, "holiday_country": schedule["holiday_country"],
        }  # fmt: skip
        store.upsert(conn, "schedule", f"{name}-{nth}", fields, adding=True, at=at)

    def scheduled(nth: int) -> dict[str, str]:
        return {"schedule": f"{name}-{nth}"} if nth >= 0 and hours[nth] else {}

    for nth, (schedule, lanes) in enumerate(accounts):
        fields = {"provider": "unipile", "provider_account_id": f"{name}-{nth}", **scheduled(schedule)}
        store.upsert(conn, "account", f"{name}-{nth}", fields, adding=True, workspace=name)
        for channel, lane in zip(CHANNELS, lanes, strict=False):
            lane = dict(lane)
            paused, ramp = lane.pop("paused"), lane.pop("warm_up")
            if ramp and lane["daily_cap"]:
                lane |= {"warm_up_start": ramp[0], "warm_up_step": ramp[1]}
            store.upsert(conn, "lane", f"{name}-{nth}", lane | {"channel": channel}, at=at - 2 * DAY)
            if paused:
                store.pause(conn, True, "lane", f"{name}-{nth}", channel, "a test", name, at)
    for most, seconds, of in limits:
        if of < len(accounts):
            account = f"{name}-{of}" if of >= 0 else None
            store.put_limit(conn, most, timedelta(seconds=seconds), account, None, name)
    all_of_them = [f"{name}-{nth}" for nth in range(len(accounts))]
    for nth, (schedule, paused) in enumerate(campaigns):
        fields = {"accounts": all_of_them, **scheduled(schedule)}
        store.upsert(conn, "campaign", f"{name}-{nth}", fields, adding=True, workspace=name)
        if paused:
            store.pause(conn, True, "campaign", f"{name}-{nth}", None, "a test", name, at)
    for campaign, account, channel, priority, due, lasts, many in rows:
        if account >= len(accounts) or channel >= len(accounts[account][1]):
            continue
        when = at + timedelta(hours=due)
        for n in range(many):
            store.enqueue(
                conn, campaign=f"{name}-{campaign % len(campaigns)}", account=f"{name}-{account}",
                channel=CHANNELS[channel], recipient=f"ACo-{next(people)}", message="Hello", priority=priority,
                scheduled_for=when + timedelta(seconds=n % 3), at=at - DAY, workspace=name,
                expires_at=when + timedelta(hours=lasts) if lasts else None,
            )  # fmt: skip
    return name


def played(
    conn: Connection[Any], sandbox: Sandbox, name: str, at: datetime, every: timedelta, limit: int | None
) -> list[tuple[datetime, str]]:
    """What the runs of ten days send, with the moment and the lane of each."""
    providers = Providers({"UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "any"})
    before = len(sandbox.accepted())
    now, end = at, datetime(at.year, at.month, at.day, tzinfo=UTC) + DAYS * DAY
    while now < end and store.remaining(conn, store.Filters()):
        run.run(run.Pass(store.Database(conn, partial(_same, now)), providers, "test"), limit, explain=False)
        now += every
    providers.close()
    sent = conn.execute(
        """
        select b.started_at, a.name || ' ' || b.channel
        from send_attempts b
        join send_accounts a on a.id = b.account_id
        join send_workspaces w on w.id = a.workspace_id
        where w.name = %s and b.outcome = 'sent'
        """,
        (name,),
    ).fetchall()
    assert len(sandbox.accepted()) - before == len(sent)
    [[missed]] = conn.execute("select count(*) from send_attempts where outcome is distinct from 'sent'").fetchall()
    assert missed == 0
    return sent


def _same(moment: datetime) -> datetime:
    return moment


def test_the_days_of_mixed_queues_are_those_that_come(conn: Connection[Any]) -> None:
    """Ten days of claims in queues that mix schedules in a lane, quiet hours, caps, shared limits, campaigns that take
    turns and small limits of a run give, day by day and lane by lane, what the forecast said. No call takes over five
    seconds.

    A hundred queues: SEND_QUEUE_FORECASTS=100 pytest tests/integration/test_forecast_is_exact.py -k mixed
    """
    sent = 0
    for seed in range(QUEUES):
        random = Random(seed)
        queue = mixed(random)
        every, limit = timedelta(seconds=random.choice((2520, 3600, 7200, 10_800, 14_400))), random.choice((None, 1, 2))
        laid(conn, queue)

        began = time.monotonic()
        told = forecast.forecast(conn, queue.at, DAYS, every, limit)
        assert time.monotonic() - began < MAX_SECONDS

        went: list[Went] = []
        now, end = queue.at, queue.at.replace(hour=0, minute=0) + DAYS * DAY
        while now < end and store.remaining(conn, store.Filters()):
            went += ran(conn, now, limit)
            now += every
        came = by_day(went)
        assert {day.date: dict(day.by_lane) for day in told.days} == {
            day.date: came.get(day.date, {}) for day in told.days
        }, f"queue {seed}, every {every}, limit {limit}: {queue}"
        sent += len(went)
    assert sent >= QUEUES
