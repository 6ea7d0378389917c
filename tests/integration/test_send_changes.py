"""send_changes: a poller misses no change, however transactions overlap, and sees each one page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from builders import Queue
from conftest import Connection

Rows = list[tuple[Any, ...]]

POLLS = 20_000
"""Some seconds of polls."""

FINISH = "update send_queue set status = 'skipped', error_code = 'mine', updated_at = clock_timestamp() where id = %s"


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account()
    queue.campaign()
    return queue


class Poller:
    """Keeps what it was told, and the cursor."""

    def __init__(self, conn: Connection, max_rows: int = 1000) -> None:
        self.conn, self.max_rows = conn, max_rows
        self.cursor: str | None = None
        self.told: list[Any] = []

    def poll(self) -> list[Any]:
        rows = self.conn.execute(
            "select send_id, changed_at, cursor from send_changes(since => %s, max_rows => %s)",
            (self.cursor, self.max_rows),
        ).fetchall()
        self.cursor = rows[-1][2] if rows else self.cursor
        self.told += [row[0] for row in rows]
        return [row[0] for row in rows]

    def wait(self) -> list[Any]:
        """Poll until something is told: transactions of other tests, in other databases, delay it."""
        return next(filter(None, (self.poll() for _ in range(POLLS))), [])


def test_a_change_that_commits_late_is_told_once(queue: Queue, database: str) -> None:
    """It began before others that were told, also in a savepoint; it is told in the end, and nothing twice."""
    first, second, third, fourth = (queue.enqueue() for _ in range(4))
    poller = Poller(queue.conn)
    assert poller.poll() == []
    with psycopg.connect(database) as late:
        with late.transaction():  # psycopg makes a savepoint of the next one
            late.execute("select 1")
            with late.transaction():
                late.execute(FINISH, (first,))
            queue.conn.execute(FINISH, (second,))
            assert poller.poll() == []  # it waits for the older one
        assert poller.wait() == [first, second]
    for _ in range(3):
        assert poller.poll() == []
    queue.conn.execute(FINISH, (third,))
    assert poller.wait() == [third]
    queue.conn.execute(FINISH, (fourth,))
    assert poller.wait() == [fourth]
    assert poller.poll() == []


def test_pages_of_equal_moments_lose_nothing(queue: Queue) -> None:
    """A batch has one moment; a change during the pages comes in the next window."""
    ids = [queue.enqueue() for _ in range(7)]
    poller = Poller(queue.conn, max_rows=2)
    queue.conn.execute("update send_queue set status = 'skipped', error_code = 'x', updated_at = now()")
    assert len(poller.wait()) == 2
    late = queue.enqueue()
    queue.conn.execute(FINISH, (late,))
    while len(poller.told) < 8:
        assert poller.wait()
    assert poller.told[-1] == late
    assert sorted(poller.told[:-1]) == sorted(ids)


def test_a_copy_with_younger_transactions_tells_what_it_has(queue: Queue) -> None:
    """A cursor from a server that had counted further: what changed since is told, perhaps again."""
    send_id = queue.enqueue()
    queue.conn.execute(FINISH, (send_id,))
    poller = Poller(queue.conn)
    poller.wait()
    assert poller.cursor
    _, _, moment, last, low, _, marked = poller.cursor.split(":")
    poller.cursor = f"9000000000:9000000001:{moment}:{last}:{low}:9000000001:{marked}"
    assert poller.wait() == [send_id]
    assert poller.poll() == []


def test_what_is_told_and_what_is_not(queue: Queue) -> None:
    """Final and uncertain sends; no waiting ones, and none that a rehearsal of another year changed."""
    queue.enqueue()
    rehearsed, real = queue.enqueue(dedupe_key="k"), queue.enqueue(recipient="ada@example.com", dedupe_key="l")
    year = timedelta(days=365)
    queue.conn.execute(FINISH.replace("clock_timestamp()", "now() + %s"), (year, rehearsed))
    queue.conn.execute(FINISH, (real,))
    assert Poller(queue.conn).wait() == [real]
    [row] = queue.conn.execute("select * from send_changes() limit 1").fetchall()
    assert (row[0], row[1], row[3], row[6], row[7], row[9]) == (
        real,
        "skipped",
        "spring",
        "ada@example.com",
        "l",
        "mine",
    )
    [[n]] = queue.conn.execute("select count(*) from send_changes(at => now() + %s)", (year,)).fetchall()
    assert n == 2
    with pytest.raises(psycopg.Error, match="is none of send_changes: give the one of the last row") as refused:
        queue.conn.execute("select * from send_changes('yesterday')")
    assert refused.value.sqlstate == "SQ002"
