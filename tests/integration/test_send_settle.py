"""A word on a send that is in doubt: it went out, or it did not."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue, look_up


def in_doubt(queue: Queue, n: int = 1, **lane: Any) -> list[UUID]:
    queue.ready(n, max_in_flight=99, **lane)
    sends = queue.taken(max_rows=n)
    for send in sends:
        queue.record(send, "uncertain", provider_message_id=None)
    return [UUID(send["send_id"]) for send in sends]


def test_invariant_1_what_did_not_go_out_after_all_is_given_back(conn: Connection) -> None:
    """Not sent: pending again, unmoved, and the room of its day returns to the lane that waits for it."""
    queue = Queue(conn)
    [send_id] = in_doubt(queue, daily_cap=1)
    assert queue.taken() == []
    assert queue.call("send_settle", id=send_id, sent=False, at=AT + HOUR) == "pending"
    assert [send_id] == queue.took(AT + HOUR)
    assert queue.all("select outcome from send_attempts order by number") == ["released", None]
    queue.assert_tally_is_the_ledger()


def test_what_went_out_after_all_is_sent(conn: Connection) -> None:
    """Sent: final, with the provider's name for it, still spent; and its attempt says so."""
    queue = Queue(conn)
    [send_id] = in_doubt(queue, daily_cap=1)
    assert queue.call("send_settle", id=send_id, sent=True, provider_message_id="m-1", at=AT + HOUR) == "sent"
    assert queue.one("select status, sent_at, provider_message_id, error_code from send_queue") == (
        "sent",
        AT + HOUR,
        "m-1",
        None,
    )
    assert queue.one("select outcome, provider_message_id from send_attempts") == ("sent", "m-1")
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_several_doubts_of_one_send_are_settled_together(conn: Connection) -> None:
    """Not sent means none of them went out: all are given back."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(on_uncertain="resend", max_attempts=3)
    [send_id] = queue.fill(1)
    for day in range(3):
        at = AT + day * DAY
        queue.taken(at, lease=MINUTE)
        queue.rows("send_recover", at=at + HOUR)
        doubt = look_up(queue, at + HOUR)
        queue.call("send_looked_up", attempt_id=UUID(doubt["attempt_id"]), until=datetime.fromisoformat(doubt["until"]),
                   verdict="unknown", at=at + HOUR)  # fmt: skip
    assert queue.all("select outcome from send_attempts") == ["uncertain"] * 3
    assert queue.call("send_settle", id=send_id, sent=False, at=AT + 3 * DAY) == "pending"
    assert queue.one("select sum(used) from send_usage") == 0
    assert queue.all("select outcome from send_attempts") == ["released"] * 3
    queue.assert_tally_is_the_ledger()


def test_the_name_that_an_uncertain_answer_carried_is_kept(conn: Connection) -> None:
    """Settled as sent by a person who names nothing, the row keeps the provider's name that came with the doubt."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [send] = queue.taken()
    queue.record(send, "uncertain", provider_message_id="m-1")
    queue.call("send_settle", id=send_id, sent=True, at=AT)
    assert queue.row(send_id)["provider_message_id"] == "m-1"


def test_a_settled_invitation_moves_its_prospect_on(conn: Connection) -> None:
    """As if the answer had come in time."""
    queue = Queue(conn)
    queue.account()
    queue.campaign()
    send_id = queue.enqueue(channel="linkedin_invite", recipient="x")
    queue.send("uncertain")
    queue.call("send_settle", id=send_id, sent=True, at=AT)
    assert queue.one("select status, follow_up_due_at from send_prospects") == ("connection_request_sent", AT + 3 * DAY)


@pytest.mark.parametrize("status", ["pending", "sending", "sent", "failed", "skipped"])
def test_what_is_not_in_doubt_cannot_be_settled(conn: Connection, status: str) -> None:
    """Refused, saying what it is; the row stays as it is."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    if status == "sending":
        queue.taken()
    elif status != "pending":
        queue.send({"sent": "sent", "failed": "failed", "skipped": "already_done"}[status])
    before = queue.row(send_id)
    with pytest.raises(psycopg.Error, match=f"Send {send_id} is {status}, not uncertain, and needs no settling"):
        queue.call("send_settle", id=send_id, sent=True, at=AT)
    assert before == queue.row(send_id)


def test_a_send_that_is_not_there_cannot_be_settled(conn: Connection) -> None:
    """Refused, with where to look."""
    with pytest.raises(psycopg.Error, match=r"There is no send .*: find one with `send-queue list`"):
        Queue(conn).call("send_settle", id=UUID(int=1), sent=True)


def test_all_doubts_of_a_campaign_at_once(conn: Connection) -> None:
    """Only uncertain rows, only of that campaign."""
    queue = Queue(conn)
    ids = in_doubt(queue, 5, daily_cap=50)
    queue.campaign("summer")
    queue.fill(2, campaign="summer")
    for send in queue.taken(max_rows=2, campaign="summer"):
        queue.record(send, "uncertain")
    assert queue.call("send_settle_campaign", campaign="spring", at=AT + HOUR) == 5
    assert queue.statuses() == {"pending": 5, "uncertain": 2}
    assert sorted(ids) == sorted(queue.took(AT + HOUR, 9))
    queue.assert_tally_is_the_ledger()


def test_a_word_before_the_last_look_up_is_warned_of(conn: Connection) -> None:
    """The provider may still show the send: the warning names the command that stops the second one."""
    queue = Queue(conn)
    told: list[str] = []
    conn.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    one, two, three = in_doubt(queue, 3)
    queue.do("update send_queue set look_up_at = %s where id <> %s", AT + HOUR, three)
    queue.do("update send_queue set look_up_at = null where id = %s", three)
    assert queue.call("send_settle", id=one, sent=False) == "pending"
    assert f"`send-queue cancel {one}` before the next run" in told[0]
    queue.call("send_settle", id=three, sent=False)
    assert len(told) == 1
    assert queue.call("send_settle_campaign", campaign="spring") == 1
    assert told[1].startswith("Of 1 settled sends the provider was still to be asked about 1")
    assert queue.row(two)["status"] == "pending"
