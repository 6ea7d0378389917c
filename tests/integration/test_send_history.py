"""The whole life of a send, from the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, SECOND, Connection, Queue


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


def life(queue: Queue, send_id: UUID, *names: str) -> list[Any]:
    """The steps of a send: moment (from AT) and event, and further fields by name."""
    steps = queue.rows("send_history", id=send_id)
    return [
        (datetime.fromisoformat(s["at"]) - AT if s["at"] else None, s["event"], *(s[name] for name in names))
        for s in steps
    ]


def test_from_the_queue_to_the_provider(queue: Queue) -> None:
    """Each try with who made it, how long it took and what came of it."""
    [send_id] = queue.ready(1)
    [first] = queue.taken(AT)
    queue.record(first, "retry", AT + 2 * SECOND, http_status=503)
    assert life(queue, send_id)[-1] == (None, "waits")
    [second] = queue.taken(AT + HOUR)
    assert life(queue, send_id)[-1] == (None, "in_flight")
    queue.record(second, "sent", AT + HOUR + SECOND, http_status=200)
    fields = ("attempt", "worker", "seconds", "http_status", "code")
    assert life(queue, send_id, *fields) == [
        (0 * SECOND, "enqueued", None, None, None, None, None),
        (0 * SECOND, "claimed", 1, "w", None, None, None),
        (2 * SECOND, "retry", 1, "w", 2, 503, "http_503"),
        (HOUR, "claimed", 2, "w", None, None, None),
        (HOUR + SECOND, "sent", 2, "w", 1, 200, None),
    ]


@pytest.mark.parametrize(
    ("sent", "end"), [(True, [("settled", "sent")]), (False, [("settled", "released"), ("waits", None)])]
)
def test_a_doubt_that_was_settled(queue: Queue, sent: bool, end: list[Any]) -> None:
    """That it was in doubt is told, and what was found out."""
    [send_id] = queue.ready(1)
    queue.send("uncertain")
    assert life(queue, send_id)[-1] == (None, "in_doubt")
    for asked, said in ((0, "is asked at "), (1, "was asked once without"), (2, "was asked 2 times without")):
        queue.conn.execute("update send_queue set look_ups = %s, look_up_at = %s", (asked, AT))
        assert said in life(queue, send_id, "detail")[-1][-1]
    queue.call("send_settle", id=send_id, sent=sent, at=AT + MINUTE)
    told = [(event, code) for _, event, code in life(queue, send_id, "code")]
    assert told == [("enqueued", None), ("claimed", None), ("uncertain", "read_timeout"), *end]


def test_a_send_that_was_given_up(queue: Queue) -> None:
    """A refusal is told once; the end of all tries, and a cancelling, are steps of their own."""
    refused, tired, cancelled = queue.ready(3, max_in_flight=3)
    queue.put("campaign", "spring", max_attempts=1)
    for taken in queue.taken(AT, 2):
        queue.record(taken, "failed" if UUID(taken["send_id"]) == refused else "retry")
    queue.call("send_cancel", ids=[cancelled], at=AT + MINUTE)
    assert [event for _, event in life(queue, refused)] == ["enqueued", "claimed", "failed"]
    assert [event for _, event in life(queue, tired)] == ["enqueued", "claimed", "retry", "failed"]
    assert life(queue, cancelled, "code") == [(0 * MINUTE, "enqueued", None), (MINUTE, "skipped", "cancelled")]


def test_a_send_that_is_not_there(queue: Queue) -> None:
    """One sentence."""
    with pytest.raises(psycopg.Error, match="There is no send"):
        queue.rows("send_history", id=UUID(int=1))
