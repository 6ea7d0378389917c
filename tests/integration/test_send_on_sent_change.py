"""What hands may not do to a row: the rules that are kept whoever writes."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, Connection, Queue


def refused(queue: Queue, statement: str, *args: object) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as error:
        queue.do(statement, *args)
    return error.value


@pytest.mark.parametrize("status", ["pending", "failed", "skipped", "uncertain"])
def test_invariant_3_a_sent_row_is_final_by_hand_too(conn: Connection, status: str) -> None:
    """Nobody sends it again: enqueue a new message instead."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    queue.send()
    error = refused(queue, "update send_queue set status = %s, sent_at = null, error_code = 'x'", status)
    assert error.sqlstate == "SQ006"
    assert f"Send {send_id} was sent at" in str(error)
    assert "enqueue a new message instead" in str(error)
    assert queue.row(send_id)["status"] == "sent"


def test_a_row_in_flight_cannot_be_put_back_by_hand(conn: Connection) -> None:
    """By the constraint, and, where the lease is taken off as well, by the attempt that is still open."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [send] = queue.taken()
    refused(queue, "update send_queue set status = 'pending'")
    error = refused(
        queue,
        "update send_queue set status = 'pending', claimed_by = null, lease_expires_at = null where id = %s",
        send_id,
    )
    assert error.sqlstate == "SQ006"
    assert "is in flight" in str(error)
    assert queue.record(send, "sent") == (True, "sent")


def test_whatever_hands_do_to_a_row_the_next_claim_works(conn: Connection) -> None:
    """A lease that was ended by hand: recovered, and the lane goes on. No hand makes a row sending."""
    queue = Queue(conn)
    first, second, third = queue.ready(3, max_in_flight=9)
    assert [first] == queue.took()
    queue.do("update send_queue set lease_expires_at = %s where id = %s", AT, first)
    with pytest.raises(psycopg.errors.CheckViolation, match="sending_has_one_attempt"):
        queue.do(
            "update send_queue set status = 'sending', claimed_by = 'me', lease_expires_at = %s where id = %s",
            AT, second,
        )  # fmt: skip
    assert [first] == queue.rows("send_recover", at=AT)
    assert [second, third] == queue.took(max_rows=2)
    assert queue.call("send_settle", id=first, sent=False, at=AT) == "pending"
    assert [first] == queue.took(max_rows=9)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("update send_queue set status = 'gone'", "status_is_known"),
        ("update send_queue set status = 'sending'", "sending_has_a_lease"),
        ("update send_queue set status = 'sent'", "sent_has_a_moment"),
        ("update send_queue set status = 'skipped'", "skipped_has_a_reason"),
        ("update send_queue set recipient = ''", "recipient_is_not_empty"),
        ("update send_queue set payload = '[]'", "payload_is_an_object"),
        ("update send_lanes set max_in_flight = 0", "max_in_flight_is_positive"),
        ("update send_lanes set daily_cap = -1", "caps_are_not_negative"),
        ("update send_lanes set warm_up_start = 1", "warm_up_is_whole"),
        ("update send_accounts set status = 'off'", "account_status_is_known"),
        ("update send_accounts set tier = 'gold'", "tier_is_known"),
        ("update send_campaigns set status = 'off'", "campaign_status_is_known"),
        ("update send_campaigns set backoff_seconds = '{}'", "backoff_is_not_empty"),
        ("update send_workspaces set timezone = 'Mars/Olympus'", "timezone_is_known"),
    ],
)
def test_a_rule_is_kept_under_its_name(conn: Connection, statement: str, rule: str) -> None:
    """A constraint's name says the rule that it keeps."""
    queue = Queue(conn)
    queue.ready(1)
    error = refused(queue, statement)
    assert rule == error.diag.constraint_name


def test_the_queries_of_the_contract_run_as_they_stand(conn: Connection) -> None:
    """What dashboards and operators have written down."""
    queue = Queue(conn)
    ids = queue.ready(7)
    queue.send("failed")
    assert {("pending", 6), ("failed", 1)} == set(
        conn.execute("SELECT status, COUNT(*) FROM send_queue GROUP BY status;").fetchall()
    )
    rows = conn.execute(
        "SELECT id, scheduled_for, status FROM send_queue WHERE status='pending' ORDER BY scheduled_for ASC LIMIT 5;"
    ).fetchall()
    assert [row[1:] for row in rows] == [(AT, "pending")] * 5
    assert {row[0] for row in rows} <= set(ids)
    assert len(conn.execute("SELECT * FROM send_queue WHERE status='failed';").fetchall()) == 1


def test_rows_may_be_moved_by_hand_while_they_wait(conn: Connection) -> None:
    """Priority, moment, account and message of a pending row are the operator's to change."""
    queue = Queue(conn)
    first, second = queue.ready(2)
    queue.do("update send_queue set scheduled_for = %s where id = %s", AT + HOUR, first)
    assert [second] == queue.took()
    queue.do("update send_queue set scheduled_for = %s, message = 'Hey' where id = %s", AT, first)
    queue.do("update send_lanes set max_in_flight = 2")
    [send] = queue.taken(AT + MINUTE)
    assert ("Hey", first) == (send["message"], UUID(send["send_id"]))
