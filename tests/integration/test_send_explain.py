"""Why a send has not gone, and when it can: cases made by hand, each against what the claim then does."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, TICK, Connection, Json, Queue


def explain(queue: Queue, send_id: UUID, at: datetime = AT) -> Json:
    answer: Json = queue.call("send_explain", id=send_id, at=at)
    return answer


def holds(answer: Json) -> list[tuple[str, datetime | None]]:
    return [(h["rule"], datetime.fromisoformat(h["until"]) if h["until"] else None) for h in answer["holds"]]


def next_at(answer: Json) -> datetime | None:
    return datetime.fromisoformat(answer["next_at"]) if answer["next_at"] else None


def held_by(queue: Queue, rule: str) -> tuple[UUID, datetime | None]:
    """A row that is held by one rule alone, and until when."""
    midnight = AT.replace(hour=0) + DAY
    queue.ready(0)
    match rule:
        case "scheduled_for":
            [send_id] = queue.fill(1, scheduled_for=AT + HOUR)
            return send_id, AT + HOUR
        case "schedule":
            queue.schedule("office", AT + HOUR, AT + 2 * HOUR, AT - HOUR)
            queue.put("account", "ada", schedule="office")
            return queue.fill(1)[0], AT + HOUR
        case "daily_cap" | "weekly_cap" | "rate_limit" | "min_gap":
            lane: dict[str, Any] = {"min_gap_seconds": 3600} if rule == "min_gap" else {rule: 1}
            if rule == "rate_limit":
                lane = {}
                queue.limit(1, HOUR)
            queue.lane(**lane)
            queue.fill(1)
            queue.send()
            until = {"daily_cap": midnight, "weekly_cap": midnight + 6 * DAY}.get(rule, AT + HOUR)
            return queue.fill(1)[0], until
        case "provider_hold":
            queue.fill(1)
            return queue.send("held", hold_seconds=3600), AT + HOUR
        case "in_flight":
            [_, second] = queue.fill(2)
            queue.taken(lease=HOUR)
            return second, AT + HOUR
        case "disconnected":
            queue.fill(1)
            return queue.send("held", hold_seconds=None, scope="account"), None
        case _:
            [send_id] = queue.fill(1)
            kind = rule.removeprefix("paused ")
            name = {"workspace": "default", "campaign": "spring"}.get(kind, "ada")
            queue.call("send_pause", paused=True, kind=kind, name=name, channel="email", reason="rain")
            return send_id, None


@pytest.mark.parametrize(
    "rule",
    [
        "scheduled_for", "schedule", "daily_cap", "weekly_cap", "rate_limit", "min_gap", "provider_hold", "in_flight",
        "disconnected", "paused workspace", "paused account", "paused lane", "paused campaign",
    ],
)  # fmt: skip
@pytest.mark.parametrize("looked", [False, True], ids=["fresh", "after a claim"])
def test_each_rule_is_named_with_its_exact_end(conn: Connection, rule: str, looked: bool) -> None:
    """Before a claim has met the limit and after it, the same rule and moment; and there the row goes, not before."""
    queue = Queue(conn)
    send_id, until = held_by(queue, rule)
    if looked:
        assert queue.taken() == []
    answer = explain(queue, send_id)
    assert ([(rule.partition(" ")[0], until)], until) == (holds(answer), next_at(answer))
    if until is not None and rule != "in_flight":
        if rule == "schedule":
            queue.window("office", until, until + HOUR, AT - HOUR)
        assert queue.taken(until - TICK) == []
        assert [send_id] == queue.took(until)


def test_what_waits_to_be_tried_again_says_so(conn: Connection) -> None:
    """Which attempt comes, and what the last one met; what was only written for later says just that."""
    queue = Queue(conn)
    [send_id, later] = queue.ready(1) + queue.fill(1, scheduled_for=AT + DAY)
    queue.send("retry", error_code="connect_failed", retry_seconds=300)
    [hold] = explain(queue, send_id)["holds"]
    assert (hold["rule"], datetime.fromisoformat(hold["until"]), hold["detail"]) == (
        "scheduled_for", AT + 5 * MINUTE, "It is retried then, attempt 2 of 3; the last one met connect_failed.",
    )  # fmt: skip
    assert [h["detail"] for h in explain(queue, later)["holds"]] == ["It is scheduled for later."]


def test_what_may_go_now_is_held_by_nothing(conn: Connection) -> None:
    """next_at is now, and nobody goes first."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    answer = explain(queue, send_id, AT + HOUR)
    assert (holds(answer), next_at(answer), answer["ahead"]) == ([], AT + HOUR, 0)


def test_one_hold_after_another(conn: Connection) -> None:
    """When the gap is over the cap is used up, and when that is over it is closed: each is named, to the end."""
    queue = Queue(conn)
    queue.schedule("office", AT - HOUR, AT + 2 * HOUR, AT - HOUR)
    opens = AT + 2 * DAY
    queue.do("update send_schedules set later_windows = array[tstzrange(%s, %s)]", opens, opens + HOUR)
    queue.ready(2, daily_cap=1, min_gap_seconds=600)
    queue.put("account", "ada", schedule="office")
    queue.send()
    [send_id] = queue.all("select id from send_queue where status = 'pending'")
    answer = explain(queue, send_id)
    midnight = AT.replace(hour=0) + DAY
    assert [("min_gap", AT + 10 * MINUTE), ("daily_cap", midnight), ("schedule", opens)] == holds(answer)
    assert opens == next_at(answer)


def test_several_pauses_are_all_named(conn: Connection) -> None:
    """A person who lifts one of them would wonder otherwise."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    for kind, name in (("workspace", "default"), ("account", "ada"), ("lane", "ada"), ("campaign", "spring")):
        queue.call("send_pause", paused=True, kind=kind, name=name, channel="email", reason="rain")
    answer = explain(queue, send_id)
    assert (holds(answer), next_at(answer)) == ([("paused", None)] * 4, None)
    assert {
        "The workspace default is paused: rain.",
        "The account ada is paused: rain.",
        "The lane ada email is paused: rain.",
        "The campaign spring is paused: rain.",
    } == {h["detail"] for h in answer["holds"]}


def test_who_goes_first_is_counted(conn: Connection) -> None:
    """Those of the lane that are due then and stand before it, in any active campaign."""
    queue = Queue(conn)
    queue.ready(3)
    queue.campaign("summer")
    queue.campaign("paused")
    queue.call("send_pause", paused=True, kind="campaign", name="paused")
    queue.fill(2, campaign="summer", priority=1)
    queue.fill(5, campaign="paused", priority=1)
    queue.fill(5, priority=1, scheduled_for=AT + DAY)
    queue.fill(5, priority=200)
    [send_id] = queue.fill(1)
    assert explain(queue, send_id)["ahead"] == 5


def test_a_lease_that_has_run_out_holds_nothing(conn: Connection) -> None:
    """What a dead run left is seen to before anything is claimed: it is not in the way."""
    queue = Queue(conn)
    [_, second] = queue.ready(2)
    queue.taken(lease=MINUTE)
    answer = explain(queue, second, AT + MINUTE)
    assert (holds(answer), next_at(answer)) == ([], AT + MINUTE)


def test_a_send_that_is_not_there(conn: Connection) -> None:
    """Refused, with where to look."""
    with pytest.raises(psycopg.Error, match=r"There is no send .*: find one with `send-queue list`"):
        explain(Queue(conn), UUID(int=1))


# --- why did nothing go? ----------------------------------------------------------------------------------


def why(queue: Queue, at: datetime = AT, **named: Any) -> Json:
    answer: Json = queue.call("send_explain_idle", at=at, **named)
    return answer


def test_why_an_empty_queue_sends_nothing(conn: Connection) -> None:
    """Nothing is due, and nothing can be said of when."""
    assert why(Queue(conn)) == {"due": None, "first": None, "remaining": 0}


def test_why_names_the_earliest_due_row_and_the_first_that_can_go(conn: Connection) -> None:
    """They are different rows where the earliest waits for a person."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    [earliest] = queue.fill(1, account="ada", scheduled_for=AT - DAY)
    queue.fill(3, account="bob", scheduled_for=AT + DAY)
    [first] = queue.fill(1, account="bob", scheduled_for=AT + HOUR)
    queue.call("send_pause", paused=True, kind="account", name="ada")
    answer = why(queue)
    assert (str(earliest), str(first), 5) == (
        answer["due"]["send_id"], answer["first"]["send_id"], answer["remaining"],
    )  # fmt: skip
    assert next_at(answer["first"]) == AT + HOUR
    assert [h["rule"] for h in answer["due"]["holds"]] == ["paused"]


def test_why_finds_the_first_among_lanes_whose_limits_end_at_different_moments(conn: Connection) -> None:
    """The lane that has waited longest is not always the one that is free first."""
    queue = Queue(conn)
    for n, cap_timezone in enumerate(["UTC", "America/Los_Angeles", "Asia/Tokyo"]):
        queue.account(f"a{n}")
        queue.lane(f"a{n}", daily_cap=1, cap_timezone=cap_timezone)
    queue.campaign(accounts=["a0", "a1", "a2"])
    for n in range(3):
        queue.fill(2, account=f"a{n}")
        queue.send()
    answer = why(queue)
    assert (datetime.fromisoformat("2026-03-02T15:00Z"), "a2") == (
        next_at(answer["first"]), answer["first"]["account"],
    )  # fmt: skip
