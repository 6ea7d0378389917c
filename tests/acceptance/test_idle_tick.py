"""An idle tick is cheap: what it does not use it does not import. Cron pays for every import on every tick."""

from __future__ import annotations

import re
from datetime import datetime

from acceptance.conftest import HOUR, MINUTE, MONDAY, Queue

DEAR = {"holidays", "pendulum", "httpx"}
"""60, 35 and 70 ms."""


def imported(queue: Queue, now: datetime) -> set[str]:
    """The top-level modules that a run-once has imported."""
    done = queue("run-once", now=now, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.stdout == ""
    modules = set(re.findall(r"^import time: .*\|\s*(\w+)$", done.stderr, re.MULTILINE))
    assert {"click", "psycopg"} <= modules, "the profile has not been read"
    return modules


def test_an_empty_queue(queue: Queue) -> None:
    """With nothing in the queue neither the calendar nor HTTP is loaded."""
    assert not imported(queue, MONDAY) & DEAR


def test_a_closed_schedule(queue: Queue) -> None:
    """While a schedule is closed, its window is read from the cache, however many rows wait for it."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri", skip_holidays=True, holiday_country="US")
    queue.ready(rows=3, schedule="office")
    assert DEAR - {"httpx"} <= imported(queue, MONDAY + 10 * HOUR), "nobody has worked out the window"
    assert not imported(queue, MONDAY + 10 * HOUR + MINUTE) & DEAR


def test_a_capped_lane_within_its_schedule(queue: Queue) -> None:
    """A lane at its cap costs a tick nothing either, also where the cap ends outside of the hours."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri", skip_holidays=True, holiday_country="US")
    queue.ready(rows=3, schedule="office", daily_cap=1)
    assert queue.run_once()["sent"] == 1
    assert not imported(queue, MONDAY + MINUTE) & DEAR
    assert not imported(queue, MONDAY + 2 * MINUTE) & DEAR


def test_a_tick_that_sends_does_not_load_the_calendar_again(queue: Queue) -> None:
    """Within a window that is cached, only HTTP is needed."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri", skip_holidays=True, holiday_country="US")
    queue.ready(rows=2, schedule="office")
    assert queue.run_once()["sent"] == 1
    done = queue("run-once", now=MONDAY + MINUTE, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert len(queue.accepted()) == 2
    assert not re.search(r"\|\s*(pendulum|holidays)$", done.stderr, re.MULTILINE)
