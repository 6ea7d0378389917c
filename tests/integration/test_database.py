"""A database that is away is tried again, for so long and no longer."""

from __future__ import annotations

from datetime import datetime
from threading import Event

import pytest
from builders import AT

from send_queue import store
from send_queue.model import DatabaseUnreachable
from send_queue.store import connection


class Away:
    """A call that never comes through, and counts how often it is made."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, conn: store.Connection, at: datetime | None) -> None:  # noqa: ARG002 — as it is called
        self.calls += 1
        raise DatabaseUnreachable("away")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for: none is made."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


def test_a_call_is_made_so_often_at_the_most(database: str, pauses: list[float]) -> None:
    """Once every tenth of a second of its time, and once for good, even where no clock goes on."""
    with store.connected(database) as conn:
        for seconds, most in [(-5.0, 1), (0.0, 1), (1.0, 11), (float("inf"), 6001)]:
            away = Away()
            with pytest.raises(DatabaseUnreachable):
                store.Database(conn, reconnect=lambda: conn).call(away, seconds)
            assert away.calls == most
    assert set(pauses) == {connection.RETRY_PAUSE_SECONDS}


def test_without_a_new_connection_a_call_is_made_once(database: str, pauses: list[float]) -> None:
    """What is lost for good is not tried again."""
    away = Away()
    with store.connected(database) as conn, pytest.raises(DatabaseUnreachable):
        store.Database(conn).call(away, 60)
    assert (away.calls, pauses) == (1, [])


def test_a_call_comes_through_on_the_new_connection(database: str, pauses: list[float]) -> None:
    """And knows of the isolation level that the lost one had learned."""
    with store.connected(database) as lost, store.connected(database) as other:
        lost.isolation_level = store.LEVEL
        pids = []

        def call(conn: store.Connection, at: datetime | None) -> datetime | None:
            pids.append(conn.info.backend_pid)
            if conn is lost:
                raise DatabaseUnreachable("away")
            return at

        known = store.Database(lost, lambda: AT, lambda: other)
        assert known.call(call, 1, Event()) == AT
        assert pids == [lost.info.backend_pid, other.info.backend_pid]
        assert (known.conn, other.isolation_level, len(pauses)) == (other, store.LEVEL, 1)
