"""What a forecast looks at: the queue of one moment."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from builders import AT, Connection, Queue

from send_queue import calendar, forecast, store


def test_what_changes_during_the_look_is_not_seen(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign that is resumed while the forecast reads the queue was paused when it began, and is all through."""
    queue = Queue(conn)
    queue.put("schedule", "night", adding=True, timezone="UTC", hours=calendar.hours_from_text(["22:00-23:00"], None))
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
