"""A schedule that somebody changes has no window until it is worked out anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from builders import AT, HOUR, Connection, Queue
from psycopg.types.json import Jsonb


def open_now(queue: Queue) -> None:
    queue.schedule("office", AT - HOUR, AT + HOUR, AT - HOUR)
    queue.ready(9, max_in_flight=9)
    queue.put("account", "ada", schedule="office")
    assert len(queue.taken()) == 1


@pytest.mark.parametrize(
    "change",
    [
        "timezone = 'Asia/Tokyo'",
        """hours = '{"0": [[540, 600]]}'""",
        "closed_on = '{2026-03-02}'",
        "open_on = '{2026-03-07}'",
        "skip_holidays = true, holiday_country = 'US'",
        "holiday_calendars = '{NYSE}'",
    ],
)
def test_invariant_2_a_hand_written_change_makes_the_window_stale(conn: Connection, change: str) -> None:
    """Whatever decides when it is open: from that commit on nothing goes until the calendar has been asked."""
    queue = Queue(conn)
    open_now(queue)
    queue.do(f"update send_schedules set {change}")  # noqa: S608 — our own
    claim = queue.claim()
    assert (claim["sends"], [s["name"] for s in claim["stale"]]) == ([], ["office"])
    assert queue.one("select opens_at, closes_at, window_since from send_schedules") == (None, None, None)


def test_a_change_that_changes_nothing_leaves_the_window(conn: Connection) -> None:
    """The name may be another, and the same hours may be written again."""
    queue = Queue(conn)
    open_now(queue)
    queue.do("update send_schedules set name = 'desk', hours = hours")
    assert len(queue.taken()) == 1


@pytest.mark.parametrize("changed", [False, True])
def test_invariant_2_a_window_worked_out_from_what_was_is_not_kept(conn: Connection, changed: bool) -> None:
    """send_set_windows writes only over the version that the calendar was asked about."""
    queue = Queue(conn)
    open_now(queue)
    queue.do("update send_schedules set timezone = 'Asia/Tokyo'")
    [stale] = queue.claim()["stale"]
    if changed:
        queue.do("update send_schedules set closed_on = '{2026-03-02}'")
    window: dict[str, Any] = {
        "id": stale["id"], "version": stale["version"], "window_since": AT.isoformat(),
        "opens_at": AT.isoformat(), "closes_at": (AT + HOUR).isoformat(),
        "later": [[(AT + 24 * HOUR).isoformat(), (AT + 25 * HOUR).isoformat()]],
    }  # fmt: skip
    conn.execute("select send_set_windows(%s)", (Jsonb([window]),))
    assert changed != bool(queue.taken())


@pytest.mark.parametrize(("days", "goes"), [(6, 1), (8, 0)])
def test_invariant_2_later_windows_are_believed_for_a_week(conn: Connection, days: int, goes: int) -> None:
    """A run that comes back after long may know new holidays: the calendar is asked before anything goes."""
    queue = Queue(conn)
    open_now(queue)
    moment = AT - HOUR + timedelta(days=days)
    queue.do(
        "update send_schedules set later_windows = array[tstzrange(%s, %s)]", moment - HOUR, moment + HOUR
    )  # fmt: skip
    claim = queue.claim(moment)
    assert (len(claim["sends"]), [s["name"] for s in claim["stale"]]) == (goes, ["office"])
