"""A recipient whose quiet hours cover every opening of the schedule: each command ends, and says never."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from builders import DAY, HOUR, MINUTE, Queue
from conftest import Connection

from send_queue import store
from send_queue.core import run
from send_queue.insight import forecast
from send_queue.providers import Providers
from send_queue.rules import schedule_text

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""Monday, 10:00 in New York, midnight in Tokyo."""

PROVIDERS = Providers({})
TOKYO, NEW_YORK = "+81312345678", "+12125550100"


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    hours = schedule_text.hours_from_text(["09:00-17:00"], "mon-fri")
    queue.put("schedule", "office", adding=True, timezone="America/New_York", hours=hours)
    queue.account(schedule="office")
    queue.lane(channel="sms", daily_cap=None, min_gap_seconds=0)
    queue.campaign()
    return queue


def put(queue: Queue, recipient: str, campaign: str = "spring") -> UUID:
    named = {"campaign": campaign, "channel": "sms", "recipient": recipient, "message": "Hi", "at": AT - DAY}
    sent: UUID = queue.call("send_enqueue", **named)[0]
    return sent


def took(queue: Queue, at: datetime) -> list[UUID]:
    """What a run takes in hand, once it has worked the windows out."""
    this = run.Pass(store.Database(queue.conn, lambda: at), PROVIDERS, "test")
    return [send.send_id for send in run.take(this, 9, run.Progress(), patient=False)]


def a_run(queue: Queue, at: datetime) -> run.RunReport:
    """What a run says that finds nothing to send."""
    this = run.Pass(store.Database(queue.conn, lambda: at), PROVIDERS, "test")
    progress = run.Progress()
    assert run.take(this, 1, progress, patient=False) == ()
    run.explain_idle(this, progress.report, with_remaining=True)
    return progress.report


def test_explain_says_never_and_why(queue: Queue) -> None:
    """Before a claim has met the row and after: rule quiet_hours, no moment, a person is needed."""
    send = put(queue, TOKYO)
    for _ in range(3):
        found = forecast.explained(queue.conn, send, AT)
        assert (found.verdict, found.next_at) == ("needs_person", None)
        [hold] = [hold for hold in found.holds if hold.until is None]
        assert hold.rule == "quiet_hours"
        assert "Asia/Tokyo" in hold.detail
        assert "every opening of the schedule office" in hold.detail
        a_run(queue, AT)


def test_a_run_ends_and_says_why(queue: Queue) -> None:
    """It has a reason, and no moment to come back at."""
    put(queue, TOKYO)
    for hours in (0, 1, 24):
        report = a_run(queue, AT + hours * HOUR)
        assert report.next_at is None
        assert report.reason in ("outside_schedule", "no_messages_due")


def test_those_behind_it_have_their_moment(queue: Queue) -> None:
    """Rows that never go keep nobody from saying when others do, however they are put off."""
    put(queue, TOKYO)
    queue.lane(channel="sms", daily_cap=1, cap_timezone="America/New_York")
    first, second = put(queue, NEW_YORK), put(queue, "+12125550101")
    assert took(queue, AT) == [first]
    tomorrow = datetime(2026, 3, 3, 14, tzinfo=UTC)
    assert forecast.explained(queue.conn, second, AT).next_at == tomorrow
    [attempt] = queue.all("select id from send_attempts")
    store.record(queue.conn, [{"attempt_id": str(attempt), "outcome": "sent"}], AT)
    assert a_run(queue, AT + 3 * HOUR).next_at == tomorrow
    assert took(queue, tomorrow) == [second]


def test_a_morning_that_comes_with_the_clocks_is_waited_for(queue: Queue) -> None:
    """An hour that only summer or winter has in common is found, months ahead."""
    hours = schedule_text.hours_from_text(["09:00-09:30"], "mon-fri")
    queue.put("schedule", "early", adding=True, timezone="America/New_York", hours=hours)
    queue.campaign("dawn", schedule="early", quiet_from="14:00", quiet_until="13:30")
    send = put(queue, "+33612345678", "dawn")  # Paris: six hours ahead, for some weeks a year five
    send_2 = put(queue, "+12125550100", "dawn")  # New York: never at half past one in the afternoon
    found = forecast.explained(queue.conn, send, datetime(2026, 4, 6, 12, tzinfo=UTC))
    assert found.next_at is None  # 15:00 in summer and winter, 14:00 between the changes
    assert forecast.explained(queue.conn, send_2, AT).next_at is None
    queue.put("campaign", "dawn", quiet_from="14:30", quiet_until="13:30")
    found = forecast.explained(queue.conn, send, datetime(2026, 4, 6, 12, tzinfo=UTC))
    assert found.next_at == datetime(2026, 10, 26, 13, tzinfo=UTC)


def test_zones_that_are_never_awake_together(queue: Queue) -> None:
    """A number that may live in zones whose days never meet can never be written to, also without a schedule."""
    queue.account("open")
    queue.lane("open", "sms", daily_cap=None)
    queue.campaign("any", ["open"], quiet_from="10:00", quiet_until="09:00")
    send = put(queue, "+351912345678", "any")  # Lisbon or the Azores
    found = forecast.explained(queue.conn, send, AT)
    assert (found.verdict, found.next_at, found.holds[-1].rule) == ("needs_person", None, "quiet_hours")
    assert a_run(queue, AT).next_at is None


@pytest.mark.parametrize("year", [2031, 2150, 9998])
def test_a_moment_that_is_far_away_is_found_or_refused_at_once(queue: Queue, year: int) -> None:
    """However many openings there are before it."""
    send = put(queue, NEW_YORK)
    queue.do("update send_queue set scheduled_for = %s", datetime(year, 12, 30, tzinfo=UTC))
    found = forecast.explained(queue.conn, send, AT)
    assert found.next_at
    assert found.next_at.year in (year, year + 1)


def a_forecast(queue: Queue) -> Any:
    return forecast.forecast(queue.conn, AT, 3)


def test_the_forecast_lists_it_under_never(queue: Queue) -> None:
    """With the rule, and the others go."""
    put(queue, TOKYO)
    put(queue, TOKYO[:-1] + "0")
    put(queue, NEW_YORK)
    told = a_forecast(queue)
    assert [day.sends for day in told.days] == [1, 0, 0]
    [never] = told.never
    assert (never.reason, never.sends) == ("quiet_hours", 2)
    assert "Asia/Tokyo" in never.detail
    assert "office" in never.detail
    assert told.later == 0


def test_the_doctor_names_it(queue: Queue) -> None:
    """With how many, and what mends it."""
    from send_queue.insight import doctor

    put(queue, TOKYO)
    put(queue, NEW_YORK)
    found = [f for f in doctor.examine(queue.conn, {}, AT, lambda: AT) if f.check == "quiet_hours"]
    assert [(f.severity, "1 can never go." in f.what, "Asia/Tokyo" in f.what) for f in found] == [("wrong", True, True)]
    assert store.remaining(queue.conn, store.Filters()) == 2


def test_a_minute_that_no_run_meets_is_not_never(queue: Queue) -> None:
    """A run each five minutes may miss the one minute of the day that quiet hours leave: the row waits, and explain
    says until when."""
    hours = schedule_text.hours_from_text(["22:00-02:00"], "mon-sun")
    queue.put("schedule", "night", adding=True, timezone="Asia/Tokyo", hours=hours)
    queue.campaign("fall", schedule="night", quiet_from="02:30", quiet_until="02:29")
    send = put(queue, "+61293744000", "fall")
    assert forecast.explained(queue.conn, send, AT).next_at == AT + 29 * MINUTE
    told = forecast.forecast(queue.conn, AT + 2 * MINUTE)
    assert (told.never, told.later, told.finishes_at) == ((), 1, None)
