"""Taking rows out before they go: skipped, with a reason, never deleted."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from builders import AT, Connection, Meanwhile, Queue


def test_invariant_4_what_is_cancelled_is_skipped_and_says_so(conn: Connection) -> None:
    """By ids: what waits, and what has failed."""
    queue = Queue(conn)
    failed, waits, stays = queue.ready(3)
    queue.send("failed")
    assert queue.call("send_cancel", ids=[failed, waits], at=AT) == 2
    assert [(queue.row(send_id)["status"], queue.row(send_id)["error_code"]) for send_id in (failed, waits)] == [
        ("skipped", "cancelled")
    ] * 2
    assert [stays] == queue.took()


def test_a_campaign_is_cancelled_but_for_what_has_begun(conn: Connection) -> None:
    """All that waits in it; what is in flight, sent, in doubt or failed stays."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    for outcome in ("sent", "failed", "uncertain"):
        queue.send(outcome)
    queue.taken()
    assert queue.call("send_cancel", campaign="spring", at=AT) == 5
    assert queue.statuses() == {"sent": 1, "failed": 1, "uncertain": 1, "sending": 1, "skipped": 5}
    assert queue.call("send_cancel", campaign="spring", at=AT) == 0


@pytest.mark.parametrize("outcome", ["sent", "uncertain", "already_done", None])
def test_what_has_gone_cannot_be_cancelled(conn: Connection, outcome: str | None) -> None:
    """Refused with what it is, and nothing that was named with it is cancelled."""
    queue = Queue(conn)
    gone, waits = queue.ready(2)
    [send] = queue.taken()
    if outcome:
        queue.record(send, outcome)
    with pytest.raises(psycopg.Error, match=f"Send {gone} is .*: only pending and failed sends can be cancelled"):
        queue.call("send_cancel", ids=[waits, gone])
    assert queue.row(waits)["status"] == "pending"


def test_what_is_being_claimed_just_now_is_refused_too(database: str, conn: Connection) -> None:
    """It is waited for, and not passed over in silence: who cancels is told what went after all."""
    queue = Queue(conn)
    [send_id, waits] = queue.ready(2)
    with psycopg.connect(database) as other:
        assert [send_id] == Queue(other).took()
        cancels = Meanwhile(database, lambda own: own.call("send_cancel", ids=[waits, send_id]))
        other.commit()
    with pytest.raises(psycopg.Error, match=f"Send {send_id} is sending: only pending and failed sends can be"):
        cancels.end()
    assert queue.row(waits)["status"] == "pending"


def test_a_cancel_must_say_what(conn: Connection) -> None:
    """Neither ids nor a campaign: refused; an id that is not there: refused."""
    queue = Queue(conn)
    with pytest.raises(psycopg.Error, match="Nothing is named to cancel: give ids or --campaign NAME"):
        queue.call("send_cancel")
    with pytest.raises(psycopg.Error, match="does not exist: only pending and failed sends"):
        queue.call("send_cancel", ids=[UUID(int=1)])
