"""Rolling limits that are added, changed or removed: exact from the moment they commit, and nobody sleeps on."""

from __future__ import annotations

from threading import Thread

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, Connection, Queue, at_once


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("change", ["raise", "remove"])
@pytest.mark.parametrize("of", ["account", "workspace"])
def test_lanes_that_wait_for_a_limit_look_again_when_it_changes(
    conn: Connection, of: str, change: str, by_hand: bool
) -> None:
    """Raised or removed, by the command or by hand."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    named = {"account": "ada"} if of == "account" else {}
    queue.limit(1, HOUR, **named)
    assert [len(queue.taken(max_rows=9)) for _ in range(2)] == [1, 0]
    assert queue.the_lane()["next_at"] == AT + HOUR
    if by_hand:
        queue.do({"raise": "update send_limits set max_sends = 3", "remove": "delete from send_limits"}[change])
    elif change == "raise":
        queue.limit(3, HOUR, **named)
    else:
        queue.call("send_remove_limit", per=HOUR, **named)
    assert {"raise": 2, "remove": 8}[change] == len(queue.taken(max_rows=9))


def test_a_new_limit_waits_for_the_claims_that_have_not_counted_it(database: str, conn: Connection) -> None:
    """A claim under way began without it; once the limit has committed, what that claim took is counted."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    with psycopg.connect(database) as other:
        assert len(Queue(other).taken(max_rows=2)) == 2
        waits = Thread(target=lambda: queue.limit(3, HOUR))
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()
        other.commit()
        waits.join(30)
    assert [len(queue.taken(max_rows=9)) for _ in range(2)] == [1, 0]


def test_invariant_1_a_limit_holds_from_the_moment_it_commits(database: str, conn: Connection) -> None:
    """With claims on several lanes going on all the time: after a limit is there, no period has more than it says."""
    queue = Queue(conn)
    for n in range(4):
        queue.account(f"a{n}")
    queue.campaign(accounts=[f"a{n}" for n in range(4)])
    for n in range(4):
        queue.lane(f"a{n}", max_in_flight=1000)
        queue.fill(300, account=f"a{n}")

    def work(queue: Queue, thread: int) -> int:
        if thread == 0:
            before = 0
            for _ in range(40):
                before += len(queue.taken(max_rows=2))
            queue.limit(1, HOUR)
            spent: int = queue.one("select count(*) from send_attempts")
            for _ in range(40):
                queue.taken(max_rows=2)
            return spent
        for _ in range(80):
            queue.taken(max_rows=2)
        return 0

    when_it_came = max(at_once(database, 5, work))
    assert when_it_came == queue.one("select count(*) from send_attempts")


def test_a_limit_is_said_once(conn: Connection) -> None:
    """The same account, channel and period: it is changed, not doubled; other periods stand beside it."""
    queue = Queue(conn)
    queue.ready(1)
    for max_sends in (5, 6):
        queue.limit(max_sends, HOUR, account="ada", channel="email")
        queue.limit(max_sends, MINUTE, account="ada", channel="email")
        queue.limit(max_sends, HOUR, account="ada")
        queue.limit(max_sends, HOUR)
    assert queue.all("select max_sends from send_limits") == [6, 6, 6, 6]


def test_a_limit_that_is_not_there_cannot_be_removed(conn: Connection) -> None:
    """Refused, with where to look."""
    queue = Queue(conn)
    queue.ready(1)
    queue.limit(1, HOUR)
    with pytest.raises(psycopg.Error, match="There is no such limit: see `send-queue limit list`"):
        queue.call("send_remove_limit", per=HOUR, account="ada")
    queue.limit(1, HOUR, account="ada", channel="email")
    with pytest.raises(
        psycopg.Error, match="There is no such limit for all channels, but one for email: add --channel em"
    ):
        queue.call("send_remove_limit", per=HOUR, account="ada")
