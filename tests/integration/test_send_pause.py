"""Pauses: they hold from the moment they commit, whoever writes them, for all but what is in flight already."""

from __future__ import annotations

from functools import partial
from threading import Thread

import psycopg
import pytest
from builders import AT, HOUR, Connection, Meanwhile, Queue, at_once, result
from psycopg.types.json import Jsonb

LEVELS = {
    "workspace": (
        {"name": "default"},
        "update send_workspaces set paused_at = now() where name = 'default'",
        "update send_workspaces set paused_at = null where name = 'default'",
    ),
    "account": (
        {"name": "ada"},
        "update send_accounts set status = 'paused' where name = 'ada'",
        "update send_accounts set status = 'active' where name = 'ada'",
    ),
    "lane": (
        {"name": "ada", "channel": "email"},
        "update send_lanes set paused_at = now() where account_id = (select id from send_accounts where name = 'ada')",
        "update send_lanes set paused_at = null",
    ),
    "campaign": (
        {"name": "spring"},
        "update send_campaigns set status = 'paused' where name = 'spring'",
        "update send_campaigns set status = 'active' where name = 'spring'",
    ),
}


def pause(queue: Queue, level: str, by_hand: bool, paused: bool = True) -> None:
    named, off, on = LEVELS[level]
    if by_hand:
        queue.do(off if paused else on)
    else:
        queue.call("send_pause", paused=paused, kind=level, **named)


def two_tenants(queue: Queue) -> None:
    """Rows of ada in the workspace `default`, and of eve in another one."""
    queue.ready(20, max_in_flight=99)
    queue.workspace("other")
    queue.account("eve", workspace="other")
    queue.campaign("theirs", ["eve"], workspace="other")
    queue.lane("eve", max_in_flight=99)
    queue.fill(20, account="eve", campaign="theirs", workspace="other")


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_invariant_9_what_is_paused_does_not_go_and_the_rest_does(conn: Connection, level: str, by_hand: bool) -> None:
    """A pause at each level, by the function or by hand; resuming needs nothing else."""
    queue = Queue(conn)
    two_tenants(queue)
    pause(queue, level, by_hand)
    assert {"eve"} == {s["account"] for s in queue.taken(max_rows=9)} | {s["account"] for s in queue.taken(max_rows=9)}
    assert queue.taken(account="ada") == []
    pause(queue, level, by_hand, paused=False)
    assert len(queue.taken(account="ada")) == 1


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_invariant_9_a_pause_waits_for_a_claim_that_is_under_way(
    database: str, conn: Connection, level: str, by_hand: bool
) -> None:
    """It does not commit while a claim on one of its lanes has not; once it has, that claim's rows are in flight."""
    queue = Queue(conn)
    two_tenants(queue)
    conn.execute("set lock_timeout = '100ms'")
    with psycopg.connect(database) as other:
        assert len(Queue(other).taken(account="ada")) == 1
        with pytest.raises(psycopg.errors.LockNotAvailable):
            pause(queue, level, by_hand)
        other.commit()
        pause(queue, level, by_hand)
    assert queue.one("select count(*) from send_queue where status = 'sending'") == 1
    assert queue.taken(account="ada") == []


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_invariant_9_a_claim_passes_by_what_is_being_paused(
    database: str, conn: Connection, level: str, by_hand: bool
) -> None:
    """While a pause has not committed, its lanes are not claimed; other lanes go on, and nobody waits."""
    queue = Queue(conn)
    two_tenants(queue)
    conn.execute("set lock_timeout = '1ms'")
    with psycopg.connect(database) as other:
        pause(Queue(other), level, by_hand)
        assert [s["account"] for s in queue.taken()] == ["eve"]
        claim = queue.claim(account="ada")
        assert (claim["sends"], claim["lock_skipped"]) == ([], True)
        other.rollback()
        assert len(queue.taken(account="ada")) == 1


@pytest.mark.parametrize("level", LEVELS)
def test_invariant_9_no_attempt_begins_after_a_pause_has_committed(database: str, conn: Connection, level: str) -> None:
    """With claims going on all the time: from when a pause returns until it is lifted, the ledger does not grow."""
    queue = Queue(conn)
    queue.ready(3_000, max_in_flight=10_000)

    def work(queue: Queue, thread: int) -> list[tuple[int, int]]:
        if thread > 0:
            for _ in range(120):
                queue.claim(None, 2)
            return []
        seen = []
        for n in range(15):
            pause(queue, level, by_hand=n % 2 == 0)
            before = queue.one("select count(*) from send_attempts")
            for _ in range(10):
                queue.one("select count(*) from send_queue")
            seen.append((before, queue.one("select count(*) from send_attempts")))
            pause(queue, level, by_hand=n % 2 == 1, paused=False)
        return seen

    seen = [pair for pairs in at_once(database, 4, work) for pair in pairs]
    assert [(before, after) for before, after in seen if before != after] == []


def test_invariant_9_changing_a_campaign_does_not_lift_a_pause(database: str, conn: Connection) -> None:
    """A `campaign set` that began before a pause and ends after it leaves the pause in place."""
    queue = Queue(conn)
    queue.ready(1)
    with psycopg.connect(database) as other:
        pause(Queue(other), "campaign", by_hand=False)
        waits = Thread(target=lambda: queue.put("campaign", "spring", max_attempts=9))
        waits.start()
        waits.join(0.2)
        other.commit()
        waits.join(30)
    assert queue.one("select status, max_attempts from send_campaigns") == ("paused", 9)
    assert queue.taken() == []


def test_what_is_in_flight_when_a_pause_comes_is_recorded(conn: Connection) -> None:
    """A pause stops what has not begun; the result of what has is written down as always."""
    queue = Queue(conn)
    queue.ready(2)
    [send] = queue.taken()
    for level in LEVELS:
        pause(queue, level, by_hand=False)
    assert queue.record(send, "sent") == (True, "sent")


def test_pausing_everything(conn: Connection) -> None:
    """kind all: every workspace; the answer is how many were changed."""
    queue = Queue(conn)
    two_tenants(queue)
    assert queue.call("send_pause", paused=True, kind="all", reason="fire") == 2
    assert queue.taken(max_rows=9) == []
    assert queue.all("select pause_reason from send_workspaces") == ["fire", "fire"]
    assert queue.call("send_pause", paused=False, kind="all") == 2
    assert queue.call("send_pause", paused=False, kind="all") == 0
    assert len(queue.taken(max_rows=9)) == 9


@pytest.mark.parametrize("by_hand", [False, True])
def test_pausing_everything_and_results_of_several_workspaces_never_wait_for_each_other(
    database: str, conn: Connection, by_hand: bool
) -> None:
    """A batch that gives something back to accounts of two workspaces, with somebody in its way: the order of accounts
    is not that of workspaces, and the panic button works all the same."""
    queue = Queue(conn)
    queue.workspace("other")
    queue.account("first", workspace="other")
    queue.account("second")
    queue.campaign("theirs", ["first"], workspace="other")
    queue.campaign("ours", ["second"])
    queue.fill(1, account="first", campaign="theirs", workspace="other")
    queue.fill(1, account="second", campaign="ours")
    sends = queue.taken(max_rows=2)

    def record(queue: Queue, results: Jsonb) -> None:
        queue.rows("send_record", results=results, at=AT)

    def stop(queue: Queue) -> None:
        if by_hand:
            queue.do("update send_workspaces set paused_at = now()")
        else:
            queue.call("send_pause", paused=True, kind="all")

    for account in ("first", "second"):
        with psycopg.connect(database) as other:
            mine = [s["send_id"] for s in sends if s["account"] == account]
            Queue(other).all("select 1 from send_queue where id = any (%s::uuid[]) for update", mine)
            results = Jsonb([result(s["attempt_id"], "released") for s in sends])
            records = Meanwhile(database, partial(record, results=results))
            stops = Meanwhile(database, stop)
            other.commit()
        records.end()
        stops.end()
        queue.call("send_pause", paused=False, kind="all")
        sends = queue.taken(max_rows=2)


def test_resuming_a_lane_ends_the_hold_of_its_provider(conn: Connection) -> None:
    """A person knows better than the ladder; a lane that waits for a cap or a gap goes on waiting."""
    queue = Queue(conn)
    queue.ready(5)
    queue.send("held", hold_seconds=3600)
    queue.call("send_pause", paused=False, kind="lane", name="ada", channel="email")
    assert len(queue.taken()) == 1
    queue.do("update send_lanes set next_at = %s, next_at_reason = 'min_gap', max_in_flight = 9", AT + HOUR)
    queue.call("send_pause", paused=True, kind="lane", name="ada", channel="email")
    queue.call("send_pause", paused=False, kind="lane", name="ada", channel="email")
    assert queue.taken() == []


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"kind": "account", "name": "nobody"}, "There is no account 'nobody'"),
        ({"kind": "campaign", "name": "spring", "workspace": "nowhere"}, "There is no workspace 'nowhere'"),
        ({"kind": "lane", "name": "ada", "channel": "sms"}, "The account 'ada' has no lane 'sms'"),
        ({"kind": "lane", "name": "ada"}, "The account 'ada' has no lane NULL"),
    ],
)
def test_a_pause_of_what_is_not_there_is_refused(conn: Connection, named: dict[str, str], says: str) -> None:
    """With what to do next, and nothing is paused."""
    queue = Queue(conn)
    queue.ready(1)
    with pytest.raises(psycopg.Error, match=says) as refused:
        queue.call("send_pause", paused=True, **named)
    assert refused.value.sqlstate == "SQ005"
    assert len(queue.taken()) == 1
