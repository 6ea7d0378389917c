"""Invariants 8 and 9: holding costs no attempt and moves no row, and a pause holds from the moment it commits."""

from __future__ import annotations

import pytest
from held_answers import answers_held

from acceptance.conftest import HOUR, MINUTE, MONDAY, Popen, Queue
from send_queue.sandbox import Fault

LEVELS = {
    "workspace": (["workspace", "default"], "The workspace default is paused: too many declines."),
    "account": (["account", "anna"], "The account anna is paused: too many declines."),
    "lane": (["lane", "anna", "linkedin_invite"], "The lane anna linkedin_invite is paused: too many declines."),
    "campaign": (["campaign", "fall"], "The campaign fall is paused: too many declines."),
    "all": (["--all"], "The workspace default is paused: too many declines."),
}


@pytest.mark.parametrize("level", LEVELS)
def test_pause_and_resume(queue: Queue, level: str) -> None:
    """Invariant 9: at each level a pause stops what is due, explain says who paused why, and resume lets it go."""
    target, detail = LEVELS[level]
    [send_id] = queue.ready()
    before = queue.row(send_id)

    assert queue.json("pause", *target, "--reason", "too many declines") == {"changed": 1}

    report = queue.run_once(MONDAY + MINUTE)
    assert (report["processed"], report["reason"], report["message"], report["next_at"]) == (0, "paused", detail, None)
    explained = queue.explain(send_id, MONDAY + MINUTE)
    assert (explained["status"], explained["verdict"], explained["next_at"]) == ("pending", "needs_person", None)
    assert explained["holds"] == [{"rule": "paused", "until": None, "detail": detail}]
    assert queue.row(send_id) == before, "the row has been moved"

    assert queue.json("resume", *target) == {"changed": 1}
    assert queue.explain(send_id, MONDAY + MINUTE)["verdict"] == "due_now"
    assert queue.run_once(MONDAY + 2 * MINUTE)["sent"] == 1


def test_a_pause_stops_its_level_and_no_other(queue: Queue) -> None:
    """A paused lane leaves the account's other channels going, a paused campaign the others of the account."""
    queue.account()
    queue.campaign()
    queue.campaign("other")
    queue.enqueue(recipient="invited")
    queue.enqueue(recipient="written-to", channel="linkedin_message")
    queue.enqueue(recipient="of-the-other", campaign="other")
    queue("pause", "lane", "anna", "linkedin_message")
    queue("pause", "campaign", "fall")
    assert queue.json("run")["sent"] == 1
    assert queue.accepted() == ["of-the-other"]
    queue("resume", "campaign", "fall")
    assert queue.json("run", now=MONDAY + MINUTE)["sent"] == 1
    assert queue.accepted() == ["of-the-other", "invited"]


def test_two_pauses_need_two_resumes(queue: Queue) -> None:
    """explain names each level that is paused, and resuming one of them is not enough."""
    [send_id] = queue.ready()
    queue("pause", "account", "anna", "--reason", "holiday")
    queue("pause", "campaign", "fall", "--reason", "typo")
    assert {hold["detail"] for hold in queue.explain(send_id)["holds"]} == {
        "The account anna is paused: holiday.", "The campaign fall is paused: typo.",
    }  # fmt: skip
    queue("resume", "campaign", "fall")
    assert queue.run_once()["reason"] == "paused"
    queue("resume", "account", "anna")
    assert queue.run_once()["sent"] == 1


def test_what_is_in_flight_when_the_pause_commits_finishes_and_no_more(queue: Queue, start: Popen) -> None:
    """Invariant 9: the send on its way is recorded; the run that was in the middle of it claims no other."""
    queue.ready(rows=5)

    with answers_held(queue.sandbox, Fault(op="invite", answer_delay=1)) as held:
        running = start("run", "--json", now=MONDAY)
        held.wait()
        queue("pause", "--all")
    running.communicate(timeout=60)

    assert queue.statuses() == {"sent": 1, "pending": 4}


def test_holding_is_one_write_on_the_lane(queue: Queue) -> None:
    """Invariant 8: a provider's limit costs the rows no attempt and moves none of them, however often it is met."""
    ids = queue.ready(rows=3)
    queue.sandbox.order(Fault(op="invite", status=429, times=2))
    before = [queue.row(send_id) for send_id in ids]

    for n in range(2):
        assert queue.run_once(MONDAY + n * 7 * HOUR)["held"] == 1

    for send_id, then in zip(ids, before, strict=True):
        now = queue.row(send_id)
        changed = {name for name in then if now[name] != then[name]}
        assert changed <= {"updated_at", "error_code", "error_message"}
        assert (now["status"], now["attempts"]) == ("pending", 0)
    assert queue.attempts(ids[0]) == [("held", "too_many_requests")] * 2
    assert queue.used() == 0
