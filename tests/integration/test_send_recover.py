"""Rows that a dead run left: in doubt, and still counted."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from builders import AT, DAY, HOUR, MINUTE, TICK, Connection, Queue, at_once, look_up


def test_invariant_3_a_row_that_a_dead_run_left_is_in_doubt(conn: Connection) -> None:
    """At the end of its lease, not before: uncertain, with the attempt finished and the cap still spent."""
    queue = Queue(conn)
    [send_id, _] = queue.ready(2, daily_cap=1)
    queue.taken(lease=MINUTE)
    assert queue.rows("send_recover", at=AT + MINUTE - TICK) == []
    assert [send_id] == queue.rows("send_recover", at=AT + MINUTE)
    assert queue.one("select status, attempts, error_code from send_queue where id = %s", send_id) == (
        "uncertain",
        1,
        "lease_expired",
    )
    assert queue.all("select outcome, finished_at from send_attempts") == [("uncertain", AT + MINUTE)]
    assert queue.taken(AT + HOUR) == []
    queue.assert_tally_is_the_ledger()
    assert queue.rows("send_recover", at=AT + DAY) == []


def test_a_campaign_may_say_that_it_would_rather_send_twice(conn: Connection) -> None:
    """With on_uncertain resend, a row of which nobody can tell is pending again, until its attempts are used up; each
    attempt stays counted."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(on_uncertain="resend", max_attempts=3)
    queue.fill(1)
    seen = []
    for n in range(3):
        assert len(queue.taken(AT + n * HOUR, lease=MINUTE)) == 1
        assert len(queue.rows("send_recover", at=AT + n * HOUR + MINUTE)) == 1
        moment = AT + n * HOUR + MINUTE
        doubt = look_up(queue, moment)
        asked = {"attempt_id": doubt["attempt_id"], "until": doubt["until"]}
        seen.append(queue.call("send_looked_up", **asked, verdict="unknown", at=moment))
    assert seen == ["pending", "pending", "uncertain"]
    assert queue.one("select sum(used) from send_usage") == 3
    queue.assert_tally_is_the_ledger()


def test_runs_that_recover_at_once_take_each_row_once(database: str, conn: Connection) -> None:
    """Each row that was left is found by one run only."""
    queue = Queue(conn)
    ids = queue.ready(100, max_in_flight=100)
    queue.taken(max_rows=100, lease=MINUTE)
    found = at_once(database, 6, lambda q, _: q.rows("send_recover", at=AT + MINUTE))
    assert sorted(ids) == sorted(one for rows in found for one in rows)


@pytest.mark.parametrize("time", [1, 2, 3])
def test_recovery_and_a_change_of_the_cap_zone_never_wait_for_each_other(
    database: str, conn: Connection, time: int
) -> None:
    """Both write many attempts of a lane: they do it in one order."""
    queue = Queue(conn)
    queue.ready(300, max_in_flight=1000, daily_cap=1000)
    zones = ["Asia/Tokyo", "America/New_York", "UTC"]

    def work(queue: Queue, thread: int) -> None:
        for n in range(8):
            moment = AT + (n + 10 * time) * HOUR
            if thread == 0:
                queue.taken(moment, 40, lease=MINUTE)
            elif thread == 1:
                queue.rows("send_recover", at=moment + MINUTE)
            else:
                queue.do("update send_lanes set cap_timezone = %s", zones[n % 3])

    at_once(database, 3, work)
    queue.rows("send_recover", at=AT + 9 * DAY)
    queue.assert_tally_is_the_ledger()


def test_the_quick_way_to_record_takes_no_row_that_is_another_attempt_s(conn: Connection) -> None:
    """A late success of an attempt that was given up says nothing of the one that is under way."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [first] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    assert queue.call("send_settle", id=send_id, sent=False, at=AT + MINUTE) == "pending"
    assert len(queue.taken(AT + HOUR)) == 1
    given = {"send_ids": [send_id], "attempt_ids": [UUID(first["attempt_id"])], "at": AT + HOUR}
    assert queue.rows("send_record_sent", **given) == given["attempt_ids"]
    assert queue.row(send_id)["status"] == "sending"


def test_nobody_asks_about_an_account_that_is_not_connected(conn: Connection) -> None:
    """What a provider lists of it may be stale: its sends in doubt wait until it is connected again."""
    queue = Queue(conn)
    queue.ready(1)
    queue.send("uncertain")
    queue.do("update send_accounts set status = 'disconnected'")
    assert queue.rows("send_look_ups", max_rows=1, lease=MINUTE, at=AT + HOUR) == []
    queue.do("update send_accounts set status = 'active'")
    assert len(queue.rows("send_look_ups", max_rows=1, lease=MINUTE, at=AT + HOUR)) == 1


# --- rehearsals -------------------------------------------------------------------------------------------


def test_a_rehearsal_recovers_nothing_that_is_under_way_in_earnest(conn: Connection) -> None:
    """At a moment to come each lease has run out: that declares nobody dead."""
    queue = Queue(conn)
    queue.ready(1)
    assert len(queue.taken(at=None)) == 1
    assert queue.rows("send_recover", at=datetime.now(UTC) + DAY) == []
    assert queue.statuses() == {"sending": 1}


def test_a_rehearsed_answer_settles_no_doubt_in_earnest(conn: Connection) -> None:
    """A sandbox that has the send already says nothing of the attempt that the provider may have accepted."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(on_uncertain="resend", max_attempts=3)
    queue.fill(1)
    queue.send("uncertain")
    doubt = look_up(queue, AT)
    asked = {"attempt_id": doubt["attempt_id"], "until": doubt["until"]}
    assert queue.call("send_looked_up", **asked, verdict="unknown", at=AT) == "pending"
    later = datetime.now(UTC) + DAY
    [send] = queue.taken(later)
    assert queue.record(send, "already_done", later) == (True, "skipped")
    assert queue.one("select outcome from send_attempts where number = 1") == "uncertain"
