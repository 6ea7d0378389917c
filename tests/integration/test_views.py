"""The views that people read: they run, and what they say is so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Json, Queue
from psycopg.rows import dict_row


def view(queue: Queue, name: str) -> list[Json]:
    with queue.conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"select * from {name}").fetchall()  # noqa: S608 — our own views


def some_of_each(queue: Queue) -> None:
    queue.ready(9, max_in_flight=9, daily_cap=5)
    for outcome in ("sent", "sent", "failed", "already_done", "uncertain"):
        queue.send(outcome)
    queue.taken()


def test_queue_status_counts_by_campaign_and_status(conn: Connection) -> None:
    """A line for each that there is."""
    queue = Queue(conn)
    some_of_each(queue)
    expected = {"sent": 2, "failed": 1, "skipped": 1, "uncertain": 1, "sending": 1, "pending": 3}
    assert expected == {r["status"]: r["sends"] for r in view(queue, "send_queue_status")}
    assert {("default", "spring")} == {(r["workspace"], r["campaign"]) for r in view(queue, "send_queue_status")}


def test_campaign_progress(conn: Connection) -> None:
    """Final rows of all rows; a campaign without rows is there too."""
    queue = Queue(conn)
    some_of_each(queue)
    queue.campaign("empty")
    spring, empty = view(queue, "send_campaign_progress")
    expected: dict[str, Any] = {
        "total": 9, "sent": 2, "pending": 3, "in_flight": 1, "failed": 1, "skipped": 1, "uncertain": 1,
        "last_sent_at": AT,
    }  # fmt: skip
    assert expected == {k: spring[k] for k in expected}
    assert float(spring["percent_done"]) == 44.4
    assert (empty["campaign"], empty["total"], empty["percent_done"]) == ("empty", 0, None)


def test_lane_report_says_what_is_left_and_why_nothing_goes(conn: Connection) -> None:
    """At any moment: cap, used, left, in flight, and the next moment with its reason."""
    queue = Queue(conn)
    some_of_each(queue)
    columns = "cap, used_today, remaining, used_week, in_flight, next_at, why"
    report = f"select {columns} from send_lane_report(%s)"  # noqa: S608 — as above
    assert queue.all(report, AT) == [(5, 4, 1, 4, 1, None, None)]
    queue.send()
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    full = (5, 5, 0, 5, 1, midnight, "daily_cap: Daily limit reached (5/5)")
    assert [full] == queue.all(report, AT)
    queue.claim()
    assert [full] == queue.all(report, AT)
    assert queue.all(report, midnight) == [(5, 0, 5, 5, 1, None, None)]
    queue.call("send_pause", paused=True, kind="account", name="ada", reason="rain")
    assert queue.all("select next_at, why from send_lane_report(%s)", AT) == [(None, "paused: rain")]
    assert len(view(queue, "send_lane_status")) == 1


def why(queue: Queue, at: datetime = AT) -> list[Any]:
    """The next moment and the reason of each lane."""
    return queue.all("select next_at, why from send_lane_report(%s)", at)


def test_a_lane_whose_campaigns_are_all_stopped_says_which(conn: Connection) -> None:
    """One is named with its reason, several are counted, the paused before those that are done; without any campaign,
    and while one is active, nothing is said."""
    queue = Queue(conn)
    queue.account()
    queue.lane()
    assert why(queue) == [(None, None)]
    queue.campaign("fall")
    queue.put("campaign", "fall", status="done")
    assert why(queue) == [(None, "done: campaign fall")]
    queue.campaign("winter")
    assert why(queue) == [(None, None)]
    queue.call("send_pause", paused=True, kind="campaign", name="winter", reason="boss said so")
    assert why(queue) == [(None, "paused: campaign winter: boss said so")]
    queue.campaign("spring")
    queue.call("send_pause", paused=True, kind="campaign", name="spring")
    assert why(queue) == [(None, "paused: 2 campaigns")]
    queue.call("send_pause", paused=True, kind="lane", name="ada", channel="email", reason="rain")
    assert why(queue) == [(None, "paused: lane: rain")]


def test_a_lane_of_a_campaign_that_is_paused_has_no_next_moment(conn: Connection) -> None:
    """Not even that at which its gap is over."""
    queue = Queue(conn)
    queue.ready(2, min_gap_seconds=600)
    queue.send()
    assert why(queue) == [(AT + 10 * MINUTE, "min_gap")]
    queue.call("send_pause", paused=True, kind="campaign", name="spring")
    assert why(queue) == [(None, "paused: campaign spring")]


@pytest.mark.parametrize("looked", [False, True], ids=["fresh", "after a claim"])
@pytest.mark.parametrize("rule", ["daily_cap", "weekly_cap"])
def test_a_cap_of_nothing_has_no_next_moment(conn: Connection, rule: str, looked: bool) -> None:
    """No clock ends it, and its reason stays; a ramp that begins with nothing ends where it has risen."""
    queue = Queue(conn)
    cap: Json = {rule: 0}
    queue.ready(1, **cap)
    if looked:
        assert queue.taken() == []
    if looked or rule == "daily_cap":
        [(next_at, said)] = why(queue)
        assert (next_at, said.split(" (")[0]) == (None, f"{rule}: {rule[:-4].capitalize()} limit reached")
    queue.lane(daily_cap=9, weekly_cap=None, warm_up_start=0, warm_up_step=1, at=AT + DAY)
    assert why(queue) == [(AT.replace(hour=0) + 2 * DAY, "daily_cap: Daily limit reached (0/0)")]


def test_failures_and_doubts_are_listed_with_what_to_know(conn: Connection) -> None:
    """The dead letters newest first, the doubts oldest first."""
    queue = Queue(conn)
    queue.ready(4)
    for n, outcome in enumerate(["failed", "uncertain", "failed", "uncertain"]):
        queue.send(outcome, AT + n * HOUR)
    assert [(r["failed_at"], r["error_code"], r["error_message"]) for r in view(queue, "send_failures")] == [
        (AT + 2 * HOUR, "invalid_recipient", "Nobody there."),
        (AT, "invalid_recipient", "Nobody there."),
    ]
    assert [r["uncertain_since"] for r in view(queue, "send_uncertain")] == [AT + HOUR, AT + 3 * HOUR]


def test_next_lists_what_waits_by_time(conn: Connection) -> None:
    """The next sends, each with the earliest moment that its lane and calendar allow, or who must act."""
    queue = Queue(conn)
    queue.ready(2)
    future = datetime(2090, 1, 1, tzinfo=UTC)
    queue.do("update send_lanes set next_at = %s, next_at_reason = 'provider_hold'", future)
    queue.fill(1, scheduled_for=future + HOUR)
    assert [(future, "provider_hold"), (future, "provider_hold"), (future + HOUR, "provider_hold")] == [
        (r["not_before"], r["why"]) for r in view(queue, "send_next")
    ]
    queue.call("send_pause", paused=True, kind="campaign", name="spring")
    assert {(None, "paused")} == {(r["not_before"], r["why"]) for r in view(queue, "send_next")}


def test_status_is_all_of_it_in_one_object(conn: Connection) -> None:
    """As `send-queue status --json` prints it."""
    queue = Queue(conn)
    some_of_each(queue)
    status = queue.call("send_status", at=AT)
    assert status["queue"] == {"sent": 2, "failed": 1, "skipped": 1, "uncertain": 1, "sending": 1, "pending": 3}
    assert (
        status["uncertain"], status["failed"], len(status["lanes"]), len(status["campaigns"]),
    ) == (1, 1, 1, 1)  # fmt: skip
    assert status["failed_most"] == {"account": "ada", "n": 1}
    assert (status["lanes"][0]["pending"], status["failed_by_code"]) == (3, {"invalid_recipient": 1})
    assert datetime.fromisoformat(status["at"]) == AT


def test_results_are_counted_by_day_campaign_account_and_error_code(conn: Connection) -> None:
    """Seconds are those from due to sent; a send that was tried twice counts for each try, and
    the last of those that it had as failed."""
    queue = Queue(conn)
    queue.ready(5, max_in_flight=9)
    queue.send("sent", AT + 10 * MINUTE)
    queue.send("sent", AT + 20 * MINUTE)
    for outcome, at in (("failed", AT + HOUR), ("retry", AT + HOUR), ("uncertain", AT + DAY)):
        queue.send(outcome, at)
    counts = {"sent": 2, "failed": 1, "retried": 1, "uncertain": 1, "median_seconds": 900.0, "p95_seconds": 1170.0}
    asked = "select to_jsonb(r) - 'workspace' from send_results(%s, %s, %s) r"
    assert queue.all(asked, "account", AT, 99) == [{"of": "ada"} | counts]
    assert queue.all(asked, "campaign", AT, 99) == [{"of": "spring"} | counts]
    first, second = queue.all(asked, "day", AT, 99)
    assert (first["of"], first["sent"], second["of"], second["uncertain"]) == ("2026-03-02", 2, "2026-03-03", 1)
    codes = queue.all(asked, "error_code", AT, 99)
    assert sum(row["failed"] + row["retried"] + row["uncertain"] for row in codes) == 3
    assert [row["median_seconds"] for row in codes] == [None] * len(codes)
    assert queue.all(asked, "account", AT, 1)[0]["sent"] == 0
    for name in ("day", "campaign", "account", "error_code"):
        view(queue, f"send_results_by_{name}")
    report = queue.call("send_report", at=AT + DAY, days=2)
    assert report["results"]["campaign"] == [{"workspace": "default", "of": "spring"} | counts]

    queue.do("update send_campaigns set max_attempts = 1")
    queue.send("retry", AT + 2 * DAY)  # the last try that it has
    [used_up] = queue.all(asked, "account", AT, 99)
    assert (used_up["failed"], used_up["retried"]) == (2, 1)
