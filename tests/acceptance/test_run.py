"""run: drains what is due, with several at a time and within a time, and stops when told to."""

from __future__ import annotations

import json
import signal

import pytest
from held_answers import answers_held

from acceptance.conftest import HOUR, MONDAY, Popen, Queue
from send_queue.sandbox import Fault


def test_run_drains_what_is_due(queue: Queue) -> None:
    """run sends all that is due, of all accounts, and leaves what is not."""
    queue.ready(rows=3)
    queue.account("ben")
    queue.campaign("other", "ben")
    queue.enqueue(2, campaign="other")
    queue.enqueue(recipient="later", scheduled_for=MONDAY + HOUR)

    report = queue.json("run")

    assert (report["processed"], report["sent"], report["remaining_in_queue"]) == (5, 5, 1)
    assert sorted(queue.accepted()) == [f"ACoAA-{n}" for n in range(5)]
    assert queue.json("run", now=MONDAY + 60 * (HOUR / 3600))["reason"] == "no_messages_due"


def test_run_stops_at_a_cap(queue: Queue) -> None:
    """A drain goes up to the cap and not beyond, whatever the concurrency."""
    queue.ready(rows=9, daily_cap=5, max_in_flight=9)
    report = queue.json("run", "--concurrency", "4")
    assert (report["sent"], report["remaining_in_queue"]) == (5, 4)
    assert len(queue.accepted()) == 5


def test_concurrency_sends_several_at_the_same_time(queue: Queue) -> None:
    """With --concurrency 4 and lanes that allow it, four are on their way at once; each goes once."""
    queue.sandbox.order(Fault(op="invite", answer_delay=0.4))
    queue.ready(rows=8, max_in_flight=4)

    report = queue.json("run", "--concurrency", "4")

    assert report["sent"] == 8
    assert sorted(queue.accepted()) == [f"ACoAA-{n}" for n in range(8)]
    [[at_once]] = queue.conn.execute(
        "select max(n) from (select (select count(*) from send_attempts o where o.started_at <= b.started_at "
        "and o.finished_at > b.started_at) as n from send_attempts b) x"
    ).fetchall()
    assert at_once == 4


def test_max_in_flight_bounds_what_concurrency_may_do(queue: Queue) -> None:
    """A lane that allows one at a time gets one at a time, however many hands the run has."""
    queue.sandbox.order(Fault(op="invite", answer_delay=0.1))
    queue.ready(rows=3)
    assert queue.json("run", "--concurrency", "4")["sent"] == 3
    [[overlaps]] = queue.conn.execute(
        "select count(*) from send_attempts b join send_attempts o "
        "on o.id <> b.id and o.started_at <= b.started_at and o.finished_at > b.started_at"
    ).fetchall()
    assert overlaps == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_send_in_flight_finish(queue: Queue, start: Popen, number: signal.Signals) -> None:
    """Kubernetes and people stop a run with a signal: the send on its way is recorded, and no other is claimed."""
    queue.ready(rows=3)

    with answers_held(queue.sandbox, Fault(op="invite", answer_delay=1)) as held:
        running = start("run", "--json", now=MONDAY)
        held.wait()
        running.send_signal(number)
    stdout, _ = running.communicate(timeout=60)

    assert running.returncode == 0
    assert json.loads(stdout)["sent"] == 1
    assert queue.statuses() == {"sent": 1, "pending": 2}
    assert queue.accepted() == ["ACoAA-0"]


def test_run_respects_the_gap(queue: Queue) -> None:
    """A drain does not wait for a lane that must rest: one goes, and the next run sees to the others."""
    queue.ready(rows=3, min_gap_seconds=1800)
    report = queue.json("run")
    assert (report["sent"], report["remaining_in_queue"]) == (1, 2)


def test_run_prints_one_line(queue: Queue) -> None:
    """Like run-once: one line for a person when something happened."""
    queue.ready(rows=2)
    assert queue("run").stdout.startswith("2 sent.")
