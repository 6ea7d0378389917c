"""Quiet hours cost nobody their place: who was put off goes by the place that they had before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import DAY, HOUR, MINUTE, SECOND, Queue
from conftest import Connection

from send_queue.insight import forecast

LA, NY = "+14155550", "+12125550"
EARLY = datetime(2026, 3, 3, 14, tzinfo=UTC)
"""Tuesday, 6:00 in Los Angeles, 9:00 in New York."""
MORNING = datetime(2026, 3, 3, 16, tzinfo=UTC)
"""8:00 in Los Angeles."""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account()
    queue.lane(channel="sms", daily_cap=None, max_in_flight=1000)
    queue.campaign()
    return queue


def put(queue: Queue, recipient: str, at: datetime, campaign: str = "spring", **named: Any) -> UUID:
    sent: UUID = queue.call("send_enqueue", campaign=campaign, channel="sms", recipient=recipient, message="Hi", at=at,
                            **named)[0]  # fmt: skip
    return sent


def test_those_put_off_go_before_those_that_came_after_them(queue: Queue) -> None:
    """Three of Los Angeles and then more of New York than a day has room for: Los Angeles goes on its first morning."""
    queue.lane(channel="sms", min_gap_seconds=59 * 60)
    first = [put(queue, f"{LA}{n:03}", EARLY - DAY + n * SECOND) for n in range(3)]
    for n in range(6 * 8):
        put(queue, f"{NY}{n:03}", EARLY - HOUR + n * SECOND)
    told = forecast.forecast(queue.conn, EARLY, 1, 30 * MINUTE, None, UTC)
    took = {at: queue.took(at) for at in (EARLY + n * 30 * MINUTE for n in range(20))}
    went = [(at, sent[0]) for at, sent in took.items() if sent]
    assert [sent for at, sent in went if at >= MORNING][:3] == first
    assert [day.sends for day in told.days] == [len(went)]


def test_a_place_is_kept_through_nights(queue: Queue) -> None:
    """A row that is put off night after night has the place that it had first, and none once it is due by it."""
    old = put(queue, f"{LA}000", EARLY - DAY)
    assert queue.took(EARLY) == []
    assert (queue.row(old)["place"], queue.row(old)["scheduled_for"]) == (EARLY - DAY, MORNING)
    put(queue, f"{LA}001", EARLY + HOUR)
    assert queue.took(EARLY + DAY) == []
    assert (queue.row(old)["place"], queue.row(old)["scheduled_for"]) == (EARLY - DAY, MORNING + DAY)
    assert [old] == queue.took(MORNING + DAY)
    row = queue.row(old)
    assert (row["place"], row["scheduled_for"], row["error_code"], row["error_message"]) == (
        None,
        EARLY - DAY,
        None,
        None,
    )


def test_priority_goes_before_places(queue: Queue) -> None:
    """A more urgent row that came later goes first."""
    old = put(queue, f"{LA}000", EARLY - DAY)
    assert queue.took(EARLY) == []
    urgent = put(queue, f"{LA}001", EARLY, priority=1)
    assert queue.took(MORNING, 2) == [urgent, old]


@pytest.mark.parametrize("later", [True, False])
def test_who_is_given_another_time_has_the_place_of_that_time(queue: Queue, later: bool) -> None:
    """An UPDATE of scheduled_for, later or earlier, is respected: the old place is gone."""
    send = put(queue, f"{LA}000", EARLY - DAY)
    assert queue.took(EARLY) == []
    at = MORNING + (DAY if later else -HOUR)
    queue.do("update send_queue set scheduled_for = %s where id = %s", at, send)
    assert (queue.row(send)["place"], queue.row(send)["scheduled_for"]) == (None, at)
    between = put(queue, f"{LA}001", at - 2 * HOUR)
    assert queue.took(max(at, MORNING), 2) == [between, send]


def test_a_retry_waits_out_its_pause_and_goes_by_that(queue: Queue) -> None:
    """What was tried in the morning has no old place any more: its next try is when the pause is over."""
    send = put(queue, f"{LA}000", EARLY - DAY)
    assert queue.took(EARLY) == []
    [claimed] = queue.taken(MORNING)
    result = {"attempt_id": claimed["attempt_id"], "outcome": "retry", "error_code": "dns", "retry_seconds": 600}
    queue.rows("send_record", results=psycopg.types.json.Jsonb([result]), at=MORNING)
    assert (queue.row(send)["place"], queue.row(send)["scheduled_for"]) == (None, MORNING + 10 * MINUTE)


def test_thousands_come_back_in_order_over_some_claims(queue: Queue) -> None:
    """A claim gives a thousand their places, and takes none of the lane's rows before all have theirs."""
    queue.fill(2_500, channel="sms", scheduled_for=EARLY)
    queue.do("update send_queue set place = %s - substr(recipient, 2)::int * interval '1 second', "
             "scheduled_for = %s + substr(recipient, 2)::int %% 2 * interval '1 minute'",
             EARLY - DAY, MORNING)  # fmt: skip
    queue.do("update send_queue set recipient = '+14155550' || substr(recipient, 2)")
    oldest = queue.all("select id from send_queue order by place limit 3")
    at = MORNING + HOUR
    claims = [queue.claim(at, max_rows=3) for _ in range(3)]
    assert [(len(claim["sends"]), claim["lock_skipped"]) for claim in claims] == [(0, True), (0, True), (3, False)]
    assert [UUID(send["send_id"]) for send in claims[-1]["sends"]] == oldest


def test_invariant_7_those_that_sleep_cost_a_claim_nothing(queue: Queue) -> None:
    """Twenty thousand rows that were put off, with places before all others, cost no more pages than none do."""

    def pages() -> int:
        seen: list[int] = []
        for _ in range(8):
            with queue.conn.transaction(force_rollback=True):
                [plan] = queue.all("explain (analyze, buffers, timing off, format json) "
                                   "select send_claim(worker => 'w', at => %s)", EARLY)  # fmt: skip
            top = plan[0]["Plan"]
            seen.append(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
        return min(seen)

    put(queue, f"{NY}001", EARLY)
    queue.conn.execute("vacuum analyze")
    alone = pages()
    queue.fill(20_000, channel="sms", scheduled_for=MORNING)
    queue.do("update send_queue set place = %s where scheduled_for = %s", EARLY - DAY, MORNING)
    queue.conn.execute("vacuum analyze")
    beside = pages()
    print(f"{alone} pages alone, {beside} beside those that sleep")
    assert beside <= alone + 25
