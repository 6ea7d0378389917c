"""Invariant 1: attempts that were or may have been accepted never exceed a cap, however many runs overlap."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from acceptance.conftest import DAY, MINUTE, MONDAY, Popen, Queue
from send_queue.sandbox import Fault

TOGETHER = 20
"""Runs that are started at once."""


def all_at_once(start: Popen, *args: str) -> None:
    """Start many runs at once and let them come to their end, which is to be a good one.

    Theirs is the database's clock: those of rehearsals begin one after the other, and would differ.
    """
    running: list[subprocess.Popen[str]] = [start("run-once", *args) for _ in range(TOGETHER)]
    for process in running:
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stderr) == (0, ""), stdout


def noon() -> str:
    """A time zone in which it is about noon now: no midnight passes during the test."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


@pytest.mark.parametrize("again", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
@pytest.mark.parametrize("max_in_flight", [1, 20])
def test_the_cap_is_exact_under_overlapping_runs(queue: Queue, start: Popen, max_in_flight: int, again: int) -> None:
    """Twenty runs at once on a lane with a cap of 20 and 60 rows, until nothing goes: exactly 20 go, each once."""
    assert again
    queue.ready(rows=60, daily_cap=20, max_in_flight=max_in_flight, cap_timezone=noon())
    queue.conn.execute("update send_queue set scheduled_for = now() - interval '1 hour'")

    all_at_once(start)
    assert 1 <= len(queue.accepted()) <= 20
    queue("run", now=None)  # what the others had no patience to wait for
    all_at_once(start)

    assert len(queue.accepted()) == len(set(queue.accepted())) == queue.used() == 20
    assert queue.statuses() == {"sent": 20, "pending": 40}


def test_rolling_limits_are_exact_under_overlapping_runs(queue: Queue, start: Popen) -> None:
    """A limit of a whole workspace is counted across its accounts: with 5 in an hour, five go."""
    queue.ready(rows=20, max_in_flight=20)
    queue.account("ben", max_in_flight=20)
    queue.campaign("other", "ben")
    queue.enqueue(20, campaign="other")
    queue.conn.execute("update send_queue set scheduled_for = now() - interval '1 hour'")
    queue("limit", "add", "5/1h")

    all_at_once(start, "--limit", "3")

    assert len(queue.accepted()) == 5


def test_what_may_have_gone_out_is_counted(queue: Queue) -> None:
    """An answer that was lost counts as sent: a cap of 2 lets through one of those and one more."""
    queue.sandbox.order(Fault(op="invite", drop="after", times=1), Fault(op="account", status=503))
    queue.ready(rows=4, daily_cap=2)
    report = queue.json("run")
    assert (report["sent"], report["uncertain"]) == (1, 1)
    assert len(queue.accepted()) == 2
    report = queue.json("run", now=MONDAY + MINUTE)
    assert (report["processed"], report["message"]) == (0, "Daily limit reached (2/2)")


def test_what_certainly_did_not_go_out_is_given_back(queue: Queue) -> None:
    """A refused send leaves its place under the cap to another."""
    queue.sandbox.order(Fault(op="invite", status=400, type="invalid_parameters", times=2))
    queue.ready(rows=5, daily_cap=2)
    report = queue.json("run")
    assert (report["sent"], report["failed"]) == (2, 2)
    assert (len(queue.accepted()), queue.used()) == (2, 2)


def test_a_free_account_is_not_kept_waiting_by_one_at_its_cap(queue: Queue) -> None:
    """One account at its cap costs another nothing: the first tick sends the other's."""
    queue.ready(rows=50, daily_cap=20)
    assert queue.json("run")["sent"] == 20
    queue.account("ben")
    queue.campaign("other", "ben")
    queue.enqueue(campaign="other", recipient="bens", at=MONDAY)

    assert queue.run_once(MONDAY + MINUTE)["sent_to"] == "bens"


def test_the_caps_day_begins_at_midnight_in_its_zone(queue: Queue) -> None:
    """A cap starts anew at midnight of its time zone, once a day, and not at any other midnight."""
    queue.ready(rows=3, daily_cap=1, cap_timezone="America/New_York")
    midnight = datetime.fromisoformat("2026-11-24T00:00:00-05:00")
    assert queue.run_once(MONDAY)["sent"] == 1
    queue.goes_at_and_not_before(midnight)
    queue.goes_at_and_not_before(midnight + DAY)


def test_a_cap_that_is_raised_holds_at_once_and_one_of_0_stops_the_lane(queue: Queue) -> None:
    """What an operator changes is true for the next run, in both directions."""
    queue.ready(rows=9, daily_cap=1)
    assert queue.json("run")["sent"] == 1
    queue("lane", "set", "anna", "linkedin_invite", "--daily-cap", "3")
    assert queue.json("run", now=MONDAY + MINUTE)["sent"] == 2
    queue("lane", "set", "anna", "linkedin_invite", "--daily-cap", "0")
    report = queue.json("run", now=MONDAY + DAY)
    assert (report["sent"], report["message"], report["next_at"]) == (0, "Daily limit reached (0/0)", None)
    queue("lane", "set", "anna", "linkedin_invite", "--daily-cap", "none")
    assert queue.json("run", now=MONDAY + DAY + MINUTE)["sent"] == 6


def test_a_warm_up_lets_more_go_each_day(queue: Queue) -> None:
    """--warm-up 2+1: two on the first day, three on the second, never more than the daily cap."""
    queue.ready(rows=20)
    queue("lane", "set", "anna", "linkedin_invite", "--daily-cap", "4", "--warm-up", "2+1")
    sent = [queue.json("run", now=MONDAY + n * DAY)["sent"] for n in range(4)]
    assert sent == [2, 3, 4, 4]
