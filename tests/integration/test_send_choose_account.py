"""Which account of a pool is given a send that names none."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest
from builders import Connection, Queue
from conftest import fresh_database
from test_send_claim_cost import pages


def pool(queue: Queue, n: int) -> None:
    """The campaign spring, with the accounts a0 … in its pool, each with a lane."""
    queue.campaign("spring", [])
    queue.do(
        "insert into send_accounts (workspace_id, name, provider) "
        "select id, 'a' || n, 'log' from send_workspaces, generate_series(0, %s) n",
        n - 1,
    )
    queue.do("insert into send_lanes (account_id, channel, daily_cap) select id, 'email', 20 from send_accounts")
    queue.do(
        "insert into send_campaign_accounts (workspace_id, campaign_id, account_id) "
        "select c.workspace_id, c.id, a.id from send_campaigns c, send_accounts a"
    )
    queue.do("select setseed(0.5)")


def enqueued(queue: Queue, n: int) -> Counter[str]:
    """How many of n sends each account is given."""
    for i in range(n):
        queue.enqueue(recipient=f"p{i}@example.org")
    return Counter(
        queue.all(
            "select a.name from send_queue q join send_accounts a on a.id = q.account_id where q.status = 'pending'"
        )
    )


def test_a_large_pool_is_filled_evenly(conn: Connection) -> None:
    """Of sixty accounts with caps alike, none is given twice what another is, nor is any left out."""
    queue = Queue(conn)
    pool(queue, 60)
    given = enqueued(queue, 600)
    assert len(given) == 60
    assert max(given.values()) <= 13
    assert min(given.values()) >= 7


def test_a_large_pool_is_filled_in_days_of_work(conn: Connection) -> None:
    """An account with four times the cap is given about four times as much."""
    queue = Queue(conn)
    pool(queue, 60)
    queue.do(
        "update send_lanes l set daily_cap = 80 from send_accounts a "
        "where a.id = l.account_id and substr(a.name, 2)::int < 10"
    )
    given = enqueued(queue, 900)
    large = sum(n for name, n in given.items() if int(name[1:]) < 10)
    assert 0.8 <= (large / 10) / (4 * (900 - large) / 50) <= 1.25


def test_stopped_accounts_are_given_nothing_while_another_is_active(conn: Connection) -> None:
    """Not even where so few are active that chance meets none of them; they are, where all are stopped."""
    queue = Queue(conn)
    pool(queue, 200)
    queue.do("update send_accounts set status = 'paused' where name <> 'a77'")
    assert enqueued(queue, 10) == {"a77": 10}
    queue.do("update send_accounts set status = 'paused'")
    assert sum(enqueued(queue, 1).values()) == 11


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "never analyzed"])
def test_a_choice_costs_the_same_in_a_large_pool(server: str, template: str, analyzed: bool) -> None:
    """A pool of three hundred, with sixty thousand rows that wait, costs what one of thirty does, but for its list."""
    seen = {}
    for n in (30, 300):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                pool(queue, n)
                queue.do(
                    "insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message) "
                    "select p.workspace_id, p.campaign_id, p.account_id, 'email', 'p' || i, 'm' "
                    "from send_campaign_accounts p, generate_series(1, 200) i"
                )
                for _ in range(3):  # until all that is there is known to be visible to all: one does not do
                    conn.execute("vacuum (freeze, analyze)" if analyzed else "vacuum (freeze)")
                choice = "(select send_choose_account(c.id, 'email') from send_campaigns c where c.created_at <= %s)"
                seen[n] = pages(queue, choice, queue.one("select now()"))
    assert seen[300] <= 1.5 * seen[30] + 300
