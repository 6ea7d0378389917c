"""Queues at random that mix all that holds a row: several schedules in a lane, quiet hours of many zones, caps, gaps,
limits of an account, a channel or the workspace, campaigns of one lane, priorities, rows that expire; and their
runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from psycopg import Connection

from send_queue import store
from send_queue.core import run
from send_queue.providers import Providers
from send_queue.rules import schedule_text

T = TypeVar("T")

PROVIDERS = Providers({})
DAY = timedelta(days=1)
CHANNELS = ("sms", "log")
NUMBERS = ("+8131234567", "+1212555010", "+1415555010", "+3361234567", "+55119998877", "+3519123456", "+1800555010",
           "+6129374400", "+55219876543")  # fmt: skip
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Havana", "Australia/Sydney")
names = (f"mixed{n}" for n in count())


@dataclass(frozen=True)
class Mixed:
    """A queue to come, before it is stored. A schedule of -1 is none."""

    at: datetime
    schedules: list[dict[str, Any]]
    accounts: list[tuple[int, list[dict[str, Any]]]]
    """Of each its schedule, and the settings of its lanes."""
    campaigns: list[tuple[int, tuple[str, str] | None, bool]]
    """Of each its schedule, its quiet hours, and whether it is paused."""
    limits: list[tuple[int, int, int, int]]
    """Of each its size, its seconds, its account (-1: all of the workspace) and its channel (-1: all)."""
    rows: list[tuple[int, int, int, str, int, float, int | None, int]]
    """Campaign, account, channel, number, priority, due after hours, expires hours after that, how many."""


SCHEDULES = (["09:00-17:00"], ["08:00-09:00,11:00-12:00,13:30-14:00,15:00-16:00"], ["22:00-02:00"],
             ["wed 12:00-12:30", "fri 08:00-12:00"], ["mon-sun 00:00-24:00"], ["11:00-20:00"])  # fmt: skip
QUIET = (None, None, None, None, ("21:00", "08:00"), ("12:00", "14:00"), ("20:00", "16:00"), ("02:30", "02:29"))


def mixed(random: Random) -> Mixed:
    """A queue at random."""
    of = random.choice

    def some(most: int, make: Callable[[], T], least: int = 1) -> list[T]:
        return [make() for _ in range(random.randint(least, most))]

    return Mixed(
        at=datetime(2026, 10, 20, tzinfo=UTC) + timedelta(minutes=random.randrange(80 * 24 * 60)),
        schedules=some(3, lambda: {
            "timezone": of(ZONES), "hours": of(SCHEDULES), "holiday_country": of((None, None, "US", "DE", "JP")),
        }, 3),
        accounts=some(3, lambda: (of((-1, -1, 0, 1, 2)), some(2, lambda: {
            "daily_cap": of((None, None, 1, 1, 2, 5, 5, 7) + (0,) * of((0, 0, 1))),
            "weekly_cap": of((None, None, 4, 9)),
            "cap_timezone": of(ZONES), "min_gap_seconds": of((0, 0, 900, 1800, 5400, 100_000)),
        }))),
        campaigns=some(4, lambda: (of((-1, -1, 0, 1, 2)), of(QUIET), random.random() < 0.1)),
        limits=list({limit[1:]: limit for limit in some(3, lambda: (
            random.choice((1, 2, 3, 6, 9)), of((1800, 7200, 86_400, 300_000)), of((-1, -1, 0, 1)), of((-1, -1, 0, 1)),
        ), 0)}.values()),
        rows=some(12, lambda: (
            random.randint(0, 3), random.randint(0, 2), random.randint(0, 1), of(NUMBERS), of((100, 100, 100, 1, 200)),
            of((0, 0, -30, -1, 3, 5, 27, 100)), of((None, None, None, None, 1, 40)), random.randint(1, 6),
        ), 4),
    )  # fmt: skip


class Went(NamedTuple):
    """A row that a run sent."""

    at: datetime
    lane: str
    send_id: UUID


def laid(conn: Connection[Any], queue: Mixed) -> list[UUID]:
    """Store it as all that waits in this database; the ids of its rows."""
    conn.execute("truncate send_workspaces, send_schedules cascade")
    name, at = next(names), queue.at
    store.upsert(conn, "workspace", name, {}, adding=True)
    for nth, schedule in enumerate(queue.schedules):
        fields = schedule | {
            "hours": schedule_text.hours_from_text(schedule["hours"], None),
            "skip_holidays": schedule["holiday_country"] is not None,
        }
        store.upsert(conn, "schedule", f"{name}-{nth}", fields, adding=True, at=at)

    def scheduled(nth: int) -> dict[str, str]:
        return {"schedule": f"{name}-{nth}"} if nth >= 0 else {}

    for nth, (of, lanes) in enumerate(queue.accounts):
        store.upsert(
            conn, "account", f"{name}-{nth}", {"provider": "log", **scheduled(of)}, adding=True, workspace=name
        )
        for channel, lane in zip(CHANNELS, lanes, strict=False):
            store.upsert(conn, "lane", f"{name}-{nth}", lane | {"channel": channel}, at=at - 2 * DAY)
    for most, seconds, of, nth in queue.limits:
        if of < len(queue.accounts):
            limited = f"{name}-{of}" if of >= 0 else None
            channel_of = CHANNELS[nth] if nth >= 0 else None
            store.put_limit(conn, most, timedelta(seconds=seconds), limited, channel_of, name)
    accounts = [f"{name}-{nth}" for nth in range(len(queue.accounts))]
    for nth, (schedule_of, hours, paused) in enumerate(queue.campaigns):
        fields = {"accounts": accounts, **scheduled(schedule_of)}
        if hours:
            fields |= {"quiet_from": hours[0], "quiet_until": hours[1]}
        store.upsert(conn, "campaign", f"{name}-{nth}", fields, adding=True, workspace=name)
        if paused:
            store.pause(conn, True, "campaign", f"{name}-{nth}", None, "a test", name, at)
    sends = []
    people = count(10)
    for campaign, seat, nth, number, priority, due, lasts, many in queue.rows:
        at_seat = seat % len(accounts)
        when = at + timedelta(hours=due)
        for n in range(many):
            sends.append(store.enqueue(
                conn, campaign=f"{name}-{campaign % len(queue.campaigns)}", account=accounts[at_seat],
                channel=CHANNELS[nth % len(queue.accounts[at_seat][1])], recipient=f"{number}{next(people)}",
                message="Hello", priority=priority, scheduled_for=when + timedelta(seconds=n % 3), at=at - 2 * DAY,
                workspace=name, expires_at=when + timedelta(hours=lasts) if lasts else None,
            )[0])  # fmt: skip
    return sends


def ran(conn: Connection[Any], at: datetime, limit: int | None = None) -> Iterator[Went]:
    """What one run at a moment sends, one row at a time; all of it goes out."""
    for _ in range(limit or 10_000):
        this = run.Pass(store.Database(conn, partial(_same, at)), PROVIDERS, "test")
        taken = run.take(this, 1, run.Progress(), patient=False)
        if not taken:
            return
        store.record(conn, [{"attempt_id": str(c.attempt_id), "outcome": "sent"} for c in taken], at)
        for c in taken:
            yield Went(at, f"{c.account} {c.channel}", c.send_id)


def _same(moment: datetime) -> datetime:
    return moment


def by_day(went: list[Went]) -> Mapping[Any, Any]:
    days: dict[Any, dict[str, int]] = {}
    for at, lane, _ in went:
        day = days.setdefault(at.date(), {})
        day[lane] = day.get(lane, 0) + 1
    return days
