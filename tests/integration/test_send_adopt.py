"""What tells a copy from its original, and what becomes of its rows when a person adopts it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue, at_once, look_up

from send_queue.store import schema


def note(queue: Queue, change: str) -> bool:
    """Change the note, as if it had been written so; whether it is a copy's then."""
    with queue.conn.transaction():
        queue.do(f"update send_database set {change}")  # noqa: S608 — a test's own words
        queue.do("update send_database set written_by = xmin")
    return bool(queue.call("send_is_copy"))


@pytest.mark.parametrize("other", ["database_oid = 1", "system_identifier = 1", "system_identifier = null",
                                   "table_oid = 1", "noted_at = noted_at - interval '1 day'"])  # fmt: skip
def test_invariant_19_each_identity_alone_tells(conn: Connection, other: str) -> None:
    """The database, the cluster, the table of the note: where one is another, nothing is claimed."""
    queue = Queue(conn)
    queue.ready(1)
    assert note(queue, other) == (not other.startswith("noted_at"))


def test_invariant_19_the_row_tells_who_wrote_it(conn: Connection) -> None:
    """A note that was written anew, as a restored one is, is another's; so are two, and so is none."""
    queue = Queue(conn)
    for change in ("update send_database set noted_at = now()",
                   "insert into send_database select * from send_database", "delete from send_database"):  # fmt: skip
        with conn.transaction(force_rollback=True):
            assert not queue.call("send_is_copy")
            queue.do(change)
            assert queue.call("send_is_copy")


def test_a_note_outlasts_maintenance(conn: Connection) -> None:
    """Neither freezing nor rewriting its table makes a copy of a database; nor does a note within a savepoint."""
    queue = Queue(conn)
    with conn.transaction(), conn.transaction():
        queue.do("select send_note_database()")
    assert not queue.call("send_is_copy")
    for vacuum in ("vacuum (freeze)", "vacuum full", "vacuum (full, freeze)"):
        queue.do(f"{vacuum} send_database")
        assert not queue.call("send_is_copy")


def test_an_upgraded_cluster_goes_on(conn: Connection) -> None:
    """pg_upgrade moves the rows as they are into the cluster of a newer server, which has another identifier; the next
    migrate notes that one, so that no other passes for it."""
    queue = Queue(conn)
    queue.ready(1)
    upgraded = "system_identifier = system_identifier + 1, server_major = server_major - 1"
    assert not note(queue, upgraded)
    schema.migrate(conn)
    assert queue.one("select system_identifier from send_database") == queue.one(
        "select system_identifier from pg_control_system()"
    )
    assert note(queue, "system_identifier = system_identifier + 1")


def test_migrate_adopts_no_copy_but_an_empty_one(conn: Connection) -> None:
    """A copy with a send in it is a person's to adopt; the copy of an empty queue begins a life of its own."""
    queue = Queue(conn)
    note(queue, "database_oid = 1")
    schema.migrate(conn)
    assert not queue.call("send_is_copy")
    queue.ready(1)
    for gone in ("update send_database set database_oid = 1", "delete from send_database"):
        queue.do(gone)
        schema.migrate(conn)
        assert queue.call("send_is_copy")


def test_a_copy_asks_nobody(conn: Connection) -> None:
    """Whatever leads to a provider is refused: claims, renewals of tokens, look-ups."""
    queue = Queue(conn)
    queue.ready(1)
    queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    note(queue, "database_oid = 1")
    for refused in (lambda: queue.claim(AT + HOUR), lambda: queue.rows("send_tokens_end"),
                    lambda: queue.rows("send_token_take", lease=MINUTE)):  # fmt: skip
        with pytest.raises(psycopg.Error, match="is a copy") as error:
            refused()
        assert error.value.sqlstate == "SQ007"
    assert queue.rows("send_look_ups", max_rows=9, lease=MINUTE, at=AT + HOUR) == []
    queue.call("send_adopt")
    assert len(queue.rows("send_look_ups", max_rows=9, lease=MINUTE, at=AT + HOUR)) == 1


def adopted(queue: Queue, **named: Any) -> Any:
    note(queue, "database_oid = 1")
    return queue.call("send_adopt", **named)


def test_since_a_moment_all_that_was_due_or_in_flight_is_in_doubt(conn: Connection) -> None:
    """Also what had waited before; not what is due later, nor what had expired by then. Each is counted today and has
    used up no try; providers are asked from that moment on."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=1)
    queue.lane(max_in_flight=9, min_gap_seconds=600, daily_cap=9)
    flying = queue.enqueue(scheduled_for=AT - DAY, priority=1)
    backlog, due = queue.enqueue(scheduled_for=AT - DAY), queue.enqueue(scheduled_for=AT + MINUTE)
    later = queue.enqueue(scheduled_for=AT + DAY)
    expired = queue.enqueue(scheduled_for=AT - DAY, expires_at=AT + MINUTE)
    assert queue.took() == [flying]
    since, now = AT + 2 * MINUTE, AT + HOUR
    assert adopted(queue, since=since, at=now) == {"copy": True, "in_doubt": 3, "waiting": 2}
    doubtful = queue.all("select id from send_queue where status = 'uncertain'")
    assert sorted(doubtful) == sorted([flying, backlog, due])
    assert sorted(queue.all("select id from send_queue where status = 'pending'")) == sorted([later, expired])
    assert queue.one("select sum(used) from send_usage where day = %s", now.date()) == 3
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()
    assert queue.the_lane()["next_at"] == now + 10 * MINUTE

    asked = {doubt["send_id"]: doubt for doubt in (look_up(queue, now) for _ in doubtful)}
    begun = {send_id: datetime.fromisoformat(doubt["started_at"]) for send_id, doubt in asked.items()}
    assert begun == {str(flying): AT, str(backlog): since, str(due): since}
    of_due = asked[str(due)]
    said = {"attempt_id": of_due["attempt_id"], "until": of_due["until"], "verdict": "not_sent", "at": now}
    assert queue.call("send_looked_up", **said) == "pending"
    assert queue.one("select sum(used) from send_usage where day = %s", now.date()) == 2
    queue.assert_tally_is_the_ledger()


def test_an_absence_from_before_the_copy_proves_nothing(conn: Connection) -> None:
    """The original may have sent an uncertain one again since: a provider must say twice that it is not there."""
    queue = Queue(conn)
    queue.ready(1)
    queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    doubt = look_up(queue, AT + MINUTE)
    said = {"attempt_id": doubt["attempt_id"], "until": doubt["until"], "verdict": "absent", "at": AT + MINUTE}
    queue.call("send_looked_up", **said, again=HOUR)
    assert queue.one("select absent_since from send_queue") == AT + MINUTE
    adopted(queue, since=AT, at=AT + HOUR)
    assert queue.one("select absent_since from send_queue") is None


def test_a_database_that_was_set_back_may_be_doubted_too(conn: Connection) -> None:
    """A point-in-time recovery is no copy, and its person may say since when sends are forgotten."""
    queue = Queue(conn)
    queue.ready(3)
    assert queue.call("send_adopt", since=AT, at=AT + HOUR) == {"copy": False, "in_doubt": 3, "waiting": 0}
    assert not queue.call("send_is_copy")


def test_runs_that_overlap_an_adoption_send_nothing_of_doubt(database: str, conn: Connection) -> None:
    """Five claim without a pause while another adopts: what was due is in doubt, all of it, and none is claimed."""
    queue = Queue(conn)
    queue.ready(200, max_in_flight=200)
    note(queue, "database_oid = 1")

    def work(mine: Queue, n: int) -> int:
        if n == 0:
            return int(mine.call("send_adopt", since=AT, at=AT + HOUR)["in_doubt"])
        claimed = 0
        for _ in range(50):
            with suppress(psycopg.DatabaseError):  # it is a copy still
                claimed += len(mine.taken(AT + HOUR, 10))
        return claimed

    assert at_once(database, 6, work) == [200, 0, 0, 0, 0, 0]
    assert queue.taken(AT + HOUR, 10) == []
    queue.assert_tally_is_the_ledger()


def test_of_two_adoptions_at_once_one_finds_a_copy(database: str, conn: Connection) -> None:
    """The other waits for it, and the note is one."""
    queue = Queue(conn)
    note(queue, "database_oid = 1")
    said = at_once(database, 4, lambda mine, _: mine.call("send_adopt")["copy"])
    assert sorted(said) == [False, False, False, True]
    assert queue.one("select count(*) from send_database") == 1
    assert not queue.call("send_is_copy")
