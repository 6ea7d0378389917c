"""Putting failed rows back, by the function and by hand."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, Connection, Queue


def failed(queue: Queue, n: int = 1) -> list[UUID]:
    ids = queue.ready(n, max_in_flight=99)
    for send in queue.taken(max_rows=n):
        queue.record(send, "failed")
    return ids


def test_a_failed_row_goes_again_with_all_its_tries(conn: Connection) -> None:
    """Due at once; an expiry that has passed no longer counts; the ledger goes on where it was."""
    queue = Queue(conn)
    [send_id] = failed(queue)
    queue.do("update send_queue set attempts = 3, expires_at = %s", AT + HOUR)
    assert queue.call("send_retry", ids=[send_id], at=AT + DAY) == 1
    row = queue.row(send_id)
    assert (row["status"], row["scheduled_for"], row["attempts"], row["expires_at"]) == ("pending", AT + DAY, 0, None)
    [send] = queue.taken(AT + DAY)
    assert send["attempt_number"] == 2
    assert queue.record(send, "sent", AT + DAY) == (True, "sent")


def test_who_puts_back_what_may_have_gone_out_is_warned(conn: Connection) -> None:
    """A failed send of which an earlier try is in doubt says so, and so does retry: it might go out twice."""
    queue = Queue(conn)
    [send_id, *_] = queue.ready(2)
    queue.send("uncertain")
    queue.do("update send_queue set status = 'pending' where status = 'uncertain'")
    queue.send("failed")
    assert queue.row(send_id)["error_message"] == "Nobody there. An earlier try may have gone out."
    queue.send("failed")
    said: list[str] = []
    conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    assert queue.call("send_retry", at=AT) == 2
    assert len(said) == 1
    assert said[0].startswith(f"Of 1 retried sends an earlier try may have gone out (send {send_id}): look at")
    assert queue.call("send_retry", at=AT) == 0
    assert len(said) == 1


def test_an_operator_s_own_update_sends_a_failed_row_again(conn: Connection) -> None:
    """UPDATE send_queue SET status='pending', scheduled_for=now() WHERE id=… simply works, attempts used up or not."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=1)
    [send_id] = queue.fill(1, scheduled_for=AT)
    queue.do("update send_queue set scheduled_for = '2026-01-01'")
    [send] = queue.taken(None)
    assert queue.record(send, "retry", None) == (True, "failed")
    assert queue.do("UPDATE send_queue SET status='pending', scheduled_for=now() WHERE id=%s", send_id) == 1
    [send] = queue.taken(None)
    assert queue.record(send, "sent", None) == (True, "sent")
    assert queue.one("select status, attempts, error_code from send_queue") == ("sent", 2, None)
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_all_failed_of_a_campaign(conn: Connection) -> None:
    """--failed, with or without a campaign."""
    queue = Queue(conn)
    failed(queue, 3)
    queue.campaign("summer")
    queue.fill(1, campaign="summer")
    queue.send("failed")
    assert queue.call("send_retry", campaign="spring", at=AT) == 3
    assert queue.call("send_retry", at=AT) == 1
    assert queue.statuses() == {"pending": 4}


@pytest.mark.parametrize("outcome", ["sent", "uncertain", "already_done", None])
def test_only_what_has_failed_is_retried(conn: Connection, outcome: str | None) -> None:
    """One that has not is named, and the others named with it are not touched either."""
    queue = Queue(conn)
    [send_id] = failed(queue)
    [other] = queue.fill(1)
    if outcome:
        queue.send(outcome)
    with pytest.raises(psycopg.Error, match=f"Send {other} is .* and cannot be retried: only a failed send can be"):
        queue.call("send_retry", ids=[send_id, other])
    assert queue.row(send_id)["status"] == "failed"
    with pytest.raises(psycopg.Error, match="does not exist and cannot be retried"):
        queue.call("send_retry", ids=[UUID(int=1)])


def test_only_those_of_a_code_and_an_account_are_put_back(conn: Connection) -> None:
    """So that one mistake that is mended is tried again, and a list of bad addresses is not."""
    queue = Queue(conn)
    ids = failed(queue, 3)
    queue.do("update send_queue set error_code = 'invalid_sender' where id = %s", ids[0])
    [[name]] = conn.execute("select name from send_accounts").fetchall()
    assert queue.call("send_retry", code="no_such_code", at=AT) == 0
    assert queue.call("send_retry", code="invalid_sender", account=name, at=AT) == 1
    assert queue.all("select id from send_queue where status = 'pending'") == [ids[0]]
    with pytest.raises(psycopg.Error, match="There is no account"):
        queue.call("send_retry", account="nobody", at=AT)
    assert queue.call("send_retry", account=name, at=AT) == 2
