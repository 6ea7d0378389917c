"""Lanes that have nothing due are not met by claims until they have: how they fall asleep, and all that wakes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue
from conftest import fresh_database
from test_send_claim_cost import pages

HALF = HOUR / 2

LANES = 30
"""More than a claim looks at in vain before it lets any sleep."""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Thirty lanes, and nothing to do."""
    queue = Queue(conn)
    queue.account("bob")
    queue.campaign("spring", ["bob"])
    many(queue, LANES)
    return queue


def many(queue: Queue, n: int) -> None:
    """The accounts a1, a2 …, each with a lane, which have their turn before bob."""
    queue.do("insert into send_accounts (workspace_id, name, provider) "
             "select workspace_id, 'a' || n, 'log' from send_accounts, generate_series(1, %s) n", n)  # fmt: skip
    queue.do("select send_ensure_place(c.workspace_id, c.id, a.id, 'email') from send_campaigns c, send_accounts a"
             " order by a.name")  # fmt: skip
    queue.do("update send_lanes set next_at = %s from send_accounts a where a.id = account_id and a.name = 'bob'", AT)


def asleep(queue: Queue) -> dict[str, datetime]:
    return dict(queue.all("select a.name, l.idle_until from send_lanes l join send_accounts a on a.id = l.account_id "
                          "where l.idle_until > %s order by a.name", AT))  # fmt: skip


def test_what_has_nothing_due_sleeps_until_something_is(queue: Queue) -> None:
    queue.fill(1, account="a1", scheduled_for=AT + HOUR)
    queue.fill(1, account="a1", scheduled_for=AT + HALF, priority=200)
    queue.fill(1, account="bob")
    assert len(queue.taken()) == 1
    asleep_until = asleep(queue)
    assert asleep_until.pop("a1") == AT + HALF
    assert len(asleep_until) == LANES - 1
    assert all(AT + HOUR <= until <= AT + 2 * HOUR for until in asleep_until.values())
    [send_id] = queue.took(AT + HALF, account="a1")
    assert queue.row(send_id)["priority"] == 200


def test_a_few_lanes_are_not_worth_it(queue: Queue) -> None:
    """Nine that are looked at in vain cost less than to put them to sleep, and to wake them."""
    queue.do("delete from send_lanes l using send_accounts a where a.id = l.account_id and length(a.name) = 3"
             " and a.name not in ('bob')")  # fmt: skip
    assert queue.one("select count(*) from send_lanes") == 10
    queue.fill(1, account="bob")
    assert len(queue.taken()) == 1
    assert asleep(queue) == {}


def test_a_campaign_that_is_resumed_wakes_its_lanes(queue: Queue) -> None:
    """What is due in a paused campaign keeps no lane awake."""
    queue.campaign("summer", ["bob"])
    queue.do("insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
             "select c.id, a.id, 'email', 'p@x.y', 'm', %s from send_campaigns c, send_accounts a "
             "where c.name = 'summer' and a.name <> 'bob'", AT)  # fmt: skip
    queue.do("update send_campaigns set status = 'paused' where name = 'summer'")
    assert queue.taken() == []
    assert len(asleep(queue)) == LANES
    queue.do("update send_campaigns set status = 'active'")
    assert len(queue.taken(max_rows=100)) == LANES


def by_enqueueing(queue: Queue) -> None:
    queue.enqueue(account="a1")


def by_hand(queue: Queue) -> None:
    queue.do("insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
             "select c.id, a.id, 'email', 'p@x.y', 'm', %s from send_campaigns c, send_accounts a where a.name = 'a1'",
             AT)  # fmt: skip


def by_an_earlier_moment(queue: Queue) -> None:
    queue.do("update send_queue set scheduled_for = %s where scheduled_for = %s", AT, AT + HALF)


def by_another_account(queue: Queue) -> None:
    queue.do("update send_queue set account_id = (select id from send_accounts where name = 'a1'), scheduled_for = %s"
             " where recipient = 'other'", AT)  # fmt: skip


def by_a_retry(queue: Queue) -> None:
    queue.call("send_retry", ids=queue.all("select id from send_queue where status = 'failed'"), at=AT)


def by_an_answer(queue: Queue) -> None:
    """The doubtful one turns out not to have gone."""
    [send_id] = queue.all("select id from send_queue where status = 'uncertain'")
    queue.call("send_settle", id=send_id, sent=False, at=AT)


WAYS: list[Callable[[Queue], None]] = [
    by_enqueueing, by_hand, by_an_earlier_moment, by_another_account, by_a_retry, by_an_answer,
]  # fmt: skip


def prepared(queue: Queue) -> Queue:
    """Of a1 something failed, something is in doubt, and something waits for half an hour; it sleeps."""
    queue.fill(2, account="a1")
    [failed, doubted] = queue.taken(max_rows=2, account="a1") + queue.taken(max_rows=2, account="a1")
    for send, outcome in ((failed, "failed"), (doubted, "uncertain")):
        assert queue.record(send, outcome)[0]
    queue.fill(1, account="a1", scheduled_for=AT + HALF)
    queue.fill(1, account="bob", scheduled_for=AT + 3 * HOUR)
    queue.do("update send_queue set recipient = 'other' where scheduled_for = %s", AT + 3 * HOUR)
    queue.do("update send_lanes set idle_until = 'epoch'")
    assert queue.taken(AT + MINUTE) == []
    assert asleep(queue)["a1"] == AT + HALF
    return queue


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_whatever_comes_to_wait_wakes_its_lane(queue: Queue, way: Callable[[Queue], None], isolation: str) -> None:
    queue.conn.execute("set lock_timeout = '10s'")
    queue.lane("a1", max_in_flight=2)
    prepared(queue)
    with queue.conn.transaction():
        queue.conn.execute(psycopg.sql.SQL("set transaction isolation level {}").format(psycopg.sql.SQL(isolation)))
        way(queue)
    assert len(queue.taken(AT + MINUTE, account="a1")) == 1
    assert queue.one("select count(*) from send_wakes") == 0
    queue.assert_nothing_oversleeps()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_lane_does_not_fall_asleep_over_what_is_not_committed(
    database: str, queue: Queue, way: Callable[[Queue], None], isolation: str
) -> None:
    """Whether the transaction began, wrote and committed before or after the lane was looked at."""
    queue.lane("a1", max_in_flight=2)
    prepared(queue)
    queue.do("update send_lanes set idle_until = 'epoch'")
    with psycopg.connect(database) as theirs:
        theirs.execute(psycopg.sql.SQL("set transaction isolation level {}").format(psycopg.sql.SQL(isolation)))
        theirs.execute("select count(*) from send_queue").fetchall()  # what it sees is of this moment
        way(Queue(theirs))
        assert queue.taken(AT + MINUTE) == []
        assert len(asleep(queue)) > LANES / 2
        theirs.commit()
    queue.assert_nothing_oversleeps()
    assert len(queue.taken(AT + MINUTE, account="a1")) == 1


def test_a_snapshot_from_before_the_sleep_wakes_too(database: str, queue: Queue) -> None:
    """It cannot see that the lane sleeps."""
    with psycopg.connect(database) as theirs:
        theirs.execute("set transaction isolation level repeatable read")
        theirs.execute("select count(*) from send_queue").fetchall()
        assert queue.taken() == []
        assert "a1" in asleep(queue)
        by_hand(Queue(theirs))
        theirs.commit()
    assert len(queue.taken()) == 1


def test_who_wakes_keeps_nobody_waiting(database: str, queue: Queue) -> None:
    """A long transaction that put something into a sleeping lane: others put theirs in, and it goes."""
    assert queue.taken() == []
    queue.conn.execute("set lock_timeout = '2s'")
    with psycopg.connect(database) as theirs:
        Queue(theirs).enqueue(account="a1", recipient="theirs@x.org")
        ours = queue.enqueue(account="a1", recipient="ours@x.org")
        assert queue.took() == [ours]
        theirs.commit()
    queue.lane("a1", max_in_flight=2)
    assert len(queue.taken(AT + MINUTE)) == 1


def test_a_lane_that_is_held_is_woken_by_the_next_claim(database: str, queue: Queue) -> None:
    assert queue.taken() == []
    queue.enqueue(account="a1")
    with psycopg.connect(database) as theirs:
        Queue(theirs).do("select from send_lanes for no key update")
        answer = queue.claim()
        assert (answer["sends"], answer["lock_skipped"]) == ([], True)
    assert len(queue.taken()) == 1


def test_a_publication_of_all_tables_is_no_harm(queue: Queue) -> None:
    """Each table has a name for its rows: else Postgres would refuse to change what is published."""
    assert (
        queue.all(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' "
            "and n.nspname = current_schema() and c.relreplident <> 'f' and not exists ("
            "select from pg_index i where i.indrelid = c.oid and i.indisprimary)"
        )
        == []
    )


def test_what_is_written_past_the_triggers_waits_for_an_hour_or_two(queue: Queue) -> None:
    """As a logical subscriber writes; doctor says so, and what wakes the lane."""
    assert queue.taken() == []
    queue.do("set session_replication_role = replica")
    queue.do("insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, "
             "scheduled_for) select c.workspace_id, c.id, a.id, 'email', 'p@x.y', 'm', %s from send_campaigns c, "
             "send_accounts a where a.name = 'a1'", AT)  # fmt: skip
    queue.do("set session_replication_role = origin")
    assert queue.taken(AT + MINUTE) == []
    [found] = [f for f in queue.call("send_doctor", at=AT + MINUTE)["findings"] if f["check"] == "asleep"]
    assert found["severity"] == "wrong"
    queue.do(found["mend"])
    assert [f for f in queue.call("send_doctor", at=AT + MINUTE)["findings"] if f["check"] == "asleep"] == []
    queue.do("update send_lanes set idle_until = %s", AT + 2 * HOUR)
    assert len(queue.taken(AT + 2 * HOUR)) == 1


def test_a_claim_that_is_taken_back_lets_none_sleep(queue: Queue) -> None:
    """Whoever writes into them would wait for the end of the rehearsal."""
    assert queue.claim(keeping=False)["sends"] == []
    assert asleep(queue) == {}


def test_a_rehearsal_leaves_sleep_and_wakes_alone(queue: Queue) -> None:
    """What a claim did is taken back, as everything else."""
    assert queue.taken() == []
    queue.enqueue(account="a1")
    with queue.conn.transaction(force_rollback=True):
        assert len(queue.taken()) == 1
    assert queue.one("select count(*) from send_wakes") == 1
    assert len(queue.taken()) == 1


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "never analyzed"])
def test_invariant_7_lanes_with_nothing_due_are_free(server: str, template: str, analyzed: bool) -> None:
    """Two thousand idle lanes cost a claim no more than twenty do: each is looked at once."""
    costs = {}
    for n in (20, 2000):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                queue.account("bob")
                queue.campaign("spring", ["bob"])
                many(queue, n)
                queue.do("insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
                         "select c.id, a.id, 'email', 'p@x.y', 'm', %s from send_campaigns c, send_accounts a "
                         "where a.name <> 'bob'", AT + DAY)  # fmt: skip
                queue.fill(9, account="bob")
                for _ in range(5):
                    queue.send()
                conn.execute("vacuum analyze" if analyzed else "vacuum")
                costs[n] = pages(queue, "send_claim(worker => 'w', at => %s)")
                assert len(queue.taken(max_rows=9)) == 1
                assert len(queue.taken(AT + DAY, max_rows=n)) == n
    print(costs)
    assert costs[2000] < costs[20] + 60


def test_a_claim_lets_only_so_many_sleep_and_goes_on_with_the_rest(queue: Queue) -> None:
    many_more = 1200
    queue.do("delete from send_lanes l using send_accounts a where a.id = l.account_id and a.name <> 'bob'")
    queue.do("delete from send_campaign_accounts p using send_accounts a where a.id = p.account_id and a.name <> 'bob'")
    queue.do("delete from send_accounts where name <> 'bob'")
    many(queue, many_more)
    lanes: list[UUID] = []
    for n in (500, 1000, many_more):
        assert queue.taken() == []
        lanes = queue.all("select account_id from send_lanes where idle_until > %s", AT)
        assert abs(len(lanes) - n) <= 1
    assert len(lanes) >= many_more
