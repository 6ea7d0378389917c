"""What a forecast looks at: the queue of one moment, and no further than its horizon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, Connection, Queue

from send_queue import store
from send_queue.insight import forecast
from send_queue.rules import calendar, schedule_text


def test_what_changes_during_the_look_is_not_seen(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign that is resumed while the forecast reads the queue was paused when it began, and is all through."""
    queue = Queue(conn)
    queue.put(
        "schedule", "night", adding=True, timezone="UTC", hours=schedule_text.hours_from_text(["22:00-23:00"], None)
    )
    queue.account("ada")
    queue.campaign("spring", schedule="night")
    queue.campaign("autumn", status="paused")
    queue.fill(3, campaign="autumn")
    backlog = store.forecast_backlog

    def resumed(*args: Any) -> Any:
        with psycopg.connect(database, autocommit=True) as other:
            Queue(other).put("campaign", "autumn", status="active")
        return backlog(*args)

    monkeypatch.setattr(store, "forecast_backlog", resumed)
    told = forecast.forecast(conn, AT)
    assert [(never.reason, never.sends) for never in told.never] == [("paused", 3)]
    assert [(campaign.pending, campaign.goes) for campaign in told.campaigns] == [(3, 0)]
    assert conn.isolation_level is None, "claims that follow need another"


def test_what_is_far_beyond_the_horizon_costs_nothing(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the year 9000 goes later, and nobody works out when the office is open until then."""
    queue = Queue(conn)
    queue.put(
        "schedule", "office", adding=True, timezone="UTC", hours=schedule_text.hours_from_text(["07:00-18:00"], None)
    )
    queue.account("ada", schedule="office")
    queue.campaign()
    queue.fill(1, scheduled_for=datetime(9000, 1, 1, tzinfo=UTC))
    queue.fill(2)
    asked: list[datetime] = []
    openings = calendar.openings

    def counted(schedule: Any, at: datetime, count: int) -> Any:
        asked.append(at)
        return openings(schedule, at, count)

    monkeypatch.setattr(calendar, "openings", counted)
    told = forecast.forecast(conn, AT)
    assert (told.later, told.campaigns[0].goes, told.finishes_at) == (1, 2, None)
    assert max(asked) < AT + forecast.HORIZON + 732 * DAY
    assert len(asked) <= 2
