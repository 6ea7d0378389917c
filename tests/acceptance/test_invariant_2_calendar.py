"""Invariant 2: no attempt starts outside the window of the send's schedule, nor on its holidays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from acceptance.conftest import DAY, HOUR, MONDAY, SECOND, Queue, moment

NEW_YORK = ZoneInfo("America/New_York")


def new_york(text: str) -> datetime:
    """A wall time in New York; with `fold` the second of two."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def goes(queue: Queue, now: datetime, recipient: str) -> bool:
    """Would this row, which has long been due, go at this moment?"""
    queue.enqueue(recipient=recipient, at=now - 400 * DAY)
    queue("run-once", now=now)
    return recipient in queue.accepted()


def test_the_campaigns_schedule_wins_over_the_accounts(queue: Queue) -> None:
    """A campaign that has a schedule of its own goes by that alone, whether the account's is open or closed."""
    queue.schedule("days", "UTC", ["08:00-20:00"], "mon-sun")
    queue.schedule("nights", "UTC", ["20:00-08:00"], "mon-sun")
    queue.account(schedule="days")
    queue.campaign("by day")
    queue.campaign("by night", schedule="nights")
    noon, midnight = MONDAY, MONDAY + 9 * HOUR
    queue.enqueue(recipient="d1", campaign="by day", at=noon - DAY)
    queue.enqueue(recipient="n1", campaign="by night", at=noon - DAY)

    assert queue.json("run", now=noon)["sent"] == 1
    assert queue.accepted() == ["d1"]

    queue.enqueue(recipient="d2", campaign="by day", at=noon - DAY)
    report = queue.json("run", now=midnight)
    assert queue.accepted() == ["d1", "n1"]
    assert report["remaining_in_queue"] == 1
    assert queue.run_once(midnight + HOUR)["reason"] == "outside_schedule"


def test_thanksgiving_is_closed_and_the_day_after_is_open(queue: Queue) -> None:
    """Nothing goes on a public holiday; explain names it, and next_at is the morning after."""
    queue.put("schedule", "us", timezone="America/New_York", hours={}, skip_holidays=True, holiday_country="US")
    queue("schedule", "set", "us", "--hours", "09:00-17:00", "--days", "mon-fri")
    [send_id] = queue.ready(schedule="us")
    thanksgiving, friday = new_york("2026-11-26 11:00"), new_york("2026-11-27 09:00")

    report = queue.run_once(thanksgiving)
    assert (report["reason"], moment(report["next_at"])) == ("outside_schedule", friday)
    explained = queue.explain(send_id, thanksgiving)
    assert moment(explained["next_at"]) == friday
    assert [hold["rule"] for hold in explained["holds"]] == ["holiday"]
    assert "Thanksgiving" in explained["holds"][0]["detail"]
    queue.goes_at_and_not_before(friday)


def test_a_weekend_is_closed(queue: Queue) -> None:
    """From Friday's close to Monday's opening nothing goes."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri")
    queue.ready(rows=2, schedule="office")
    close, opens = new_york("2026-12-04 17:00"), new_york("2026-12-07 09:00")
    assert queue.run_once(close - 2 * SECOND)["sent"] == 1
    for now in (close, close + DAY, close + 2 * DAY):
        report = queue.run_once(now)
        assert (report["sent"], report["reason"], moment(report["next_at"])) == (0, "outside_schedule", opens)
    queue.goes_at_and_not_before(opens)


CLOCKS: Mapping[str, tuple[str, str, list[tuple[str, bool]]]] = {
    # On 2026-11-01 the clocks go from 02:00 EDT (-04:00) back to 01:00 EST (-05:00): 01:30 comes twice.
    "back: each of the two 01:30 is inside": ("01:15-01:45", "2026-10-31T23:00:00-04:00", [
        ("2026-11-01T01:14:58-04:00", False), ("2026-11-01T01:15:00-04:00", True),
        ("2026-11-01T01:44:55-04:00", True), ("2026-11-01T01:45:00-04:00", False),
        ("2026-11-01T01:14:58-05:00", False), ("2026-11-01T01:15:00-05:00", True),
        ("2026-11-01T01:45:00-05:00", False),
    ]),
    "back: a window over the change is an hour longer": ("00:30-02:30", "2026-10-31T23:00:00-04:00", [
        ("2026-11-01T00:29:58-04:00", False), ("2026-11-01T00:30:00-04:00", True),
        ("2026-11-01T01:30:00-04:00", True), ("2026-11-01T01:30:00-05:00", True),
        ("2026-11-01T02:29:55-05:00", True), ("2026-11-01T02:30:00-05:00", False),
    ]),
    # On 2027-03-14 they go from 02:00 EST (-05:00) on to 03:00 EDT (-04:00): there is no 02:30.
    "forward: a window in the hour that is missing does not open": ("02:15-02:45", "2027-03-13T23:00:00-05:00", [
        ("2027-03-14T01:59:58-05:00", False), ("2027-03-14T03:00:00-04:00", False),
        ("2027-03-14T03:30:00-04:00", False), ("2027-03-15T02:15:00-04:00", True),
    ]),
    "forward: a window over the change is an hour shorter": ("01:30-03:30", "2027-03-13T23:00:00-05:00", [
        ("2027-03-14T01:29:58-05:00", False), ("2027-03-14T01:30:00-05:00", True),
        ("2027-03-14T03:00:00-04:00", True), ("2027-03-14T03:30:00-04:00", False),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOCKS)
def test_the_night_the_clocks_change(queue: Queue, case: str) -> None:
    """A moment is open if the clock on the wall in New York shows a time within the hours."""
    hours, begin, probes = CLOCKS[case]
    queue.schedule("night", "America/New_York", [hours], "mon-sun")
    queue.account(schedule="night")
    queue.campaign()
    assert not goes(queue, datetime.fromisoformat(begin), "begin")

    open_then = [datetime.fromisoformat(text) for text, _ in probes]
    assert open_then == sorted(open_then)
    found = []
    for number, now in enumerate(open_then):
        before = len(queue.accepted())
        goes(queue, now, f"probe-{number}")
        found.append((probes[number][0], len(queue.accepted()) == before + 1))
    assert found == probes


def test_next_at_over_the_night_the_clocks_change_is_exact(queue: Queue) -> None:
    """Nine o'clock is 14:00 UTC the day after the clocks went back, and 13:00 UTC the day before."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-sun")
    [send_id] = queue.ready(schedule="office")
    for day, hour in (("2026-10-31", "13:00:00+00:00"), ("2026-11-01", "14:00:00+00:00")):
        before = datetime.fromisoformat(f"{day}T04:30:00+00:00")
        queue.conn.execute("update send_queue set scheduled_for = %s", (before - DAY,))
        explained = queue.explain(send_id, before)
        assert explained["next_at"] == f"{day}T{hour}"
    queue.goes_at_and_not_before(datetime.fromisoformat("2026-11-01T14:00:00+00:00"))


def test_a_schedule_that_is_changed_holds_at_once(queue: Queue) -> None:
    """Days that an operator closes or opens count from the next run on, cached windows or not."""
    queue.schedule("office", "UTC", ["09:00-17:00"], "mon-fri")
    queue.ready(rows=3, schedule="office")
    assert queue.run_once(MONDAY)["sent"] == 1
    queue("schedule", "set", "office", "--closed", f"{MONDAY:%Y-%m-%d}")
    report = queue.run_once(MONDAY + HOUR)
    assert (report["reason"], moment(report["next_at"])) == (
        "outside_schedule", datetime.fromisoformat("2026-11-24T09:00:00+00:00"),
    )  # fmt: skip
    queue("schedule", "set", "office", "--closed", "none", "--hours", "15:00-15:30", "--days", "mon-fri")
    assert queue.run_once(MONDAY + HOUR)["reason"] == "outside_schedule"
    queue("schedule", "set", "office", "--hours", "09:00-17:00", "--days", "mon-fri")
    assert queue.run_once(MONDAY + HOUR)["sent"] == 1


def test_a_day_opened_by_hand_is_open_in_spite_of_the_weekend(queue: Queue) -> None:
    """--open lets a Saturday be worked."""
    queue.schedule("office", "UTC", ["09:00-17:00"], "mon-fri")
    queue("schedule", "set", "office", "--open", "2026-11-28")
    queue.ready(rows=2, schedule="office")
    saturday = datetime.fromisoformat("2026-11-28T09:00:00+00:00")
    queue.goes_at_and_not_before(saturday)
    report = queue.run_once(saturday + DAY)
    assert moment(report["next_at"]) == saturday + 2 * DAY


def test_an_account_without_a_schedule_may_always_send(queue: Queue) -> None:
    """Where nobody set hours, there are none to wait for."""
    queue.ready(rows=2)
    sunday_night = MONDAY - timedelta(hours=36)
    queue.conn.execute("update send_queue set scheduled_for = %s", (sunday_night,))
    assert queue.run_once(sunday_night)["sent"] == 1
