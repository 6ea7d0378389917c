"""What a claim costs, in pages that it looks at, does not depend on how much waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, Queue
from conftest import fresh_database
from sizes import share

FEW, MANY = 1_000, share(15_000, 50_000)


def pages(queue: Queue, call: str, at: datetime = AT) -> int:
    """Pages that a call looks at once its plans are made: the least of several, each taken back."""
    seen: list[int] = []
    for _ in range(8):
        with queue.conn.transaction(force_rollback=True):
            [plan] = queue.all(f"explain (analyze, buffers, timing off, format json) select {call}", at)
        top = plan[0]["Plan"]
        seen.append(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
    return min(seen)


def behind_a_cap(queue: Queue, n: int) -> None:
    """A lane whose day is used up, and beside it a lane with one row that may go."""
    queue.lane("ada", daily_cap=1)
    queue.fill(n, account="ada")
    queue.send()
    queue.claim(account="ada")
    assert queue.the_lane()["next_at_reason"] == "daily_cap"
    queue.fill(1, account="bob")


def behind_a_cap_in_every_lane(queue: Queue, n: int) -> None:
    """Nothing at all may go."""
    queue.lane("ada", daily_cap=1)
    queue.fill(n, account="ada")
    queue.send()
    queue.claim(account="ada")


def behind_a_paused_campaign(queue: Queue, n: int) -> None:
    """In the same lane as an open campaign with one row that may go."""
    queue.campaign("paused", ["ada"])
    queue.fill(n, campaign="paused", priority=1)
    queue.call("send_pause", paused=True, kind="campaign", name="paused")
    queue.fill(1)


def behind_a_paused_account(queue: Queue, n: int) -> None:
    """Everything of ada's waits; bob's one row may go."""
    queue.fill(n)
    queue.call("send_pause", paused=True, kind="account", name="ada")
    queue.fill(1, account="bob")


def behind_a_closed_schedule(queue: Queue, n: int) -> None:
    """The account's schedule is closed; a campaign with a schedule of its own in the same lane is open."""
    queue.schedule("closed", AT + HOUR, AT + 2 * HOUR)
    queue.schedule("open", AT - HOUR, AT + HOUR)
    queue.put("account", "ada", schedule="closed")
    queue.campaign("open", ["ada"], schedule="open")
    queue.fill(n, priority=1)
    queue.fill(1, campaign="open")


def next_week_with_a_more_urgent_priority(queue: Queue, n: int) -> None:
    """Follow-ups that are more urgent than the one row that is due, but not due."""
    queue.fill(n, priority=1, scheduled_for=AT + 7 * DAY)
    queue.fill(1, priority=100)


def next_week_with_nothing_due(queue: Queue, n: int) -> None:
    """The same, and nothing else."""
    queue.fill(n, priority=1, scheduled_for=AT + 7 * DAY)


def next_week_in_many_priorities(queue: Queue, n: int) -> None:
    """Twenty priorities, none of them due, before the one that is."""
    queue.fill(n, scheduled_for=AT + 7 * DAY)
    queue.do("update send_queue set priority = 1 + ('x' || right(id::text, 4))::bit(16)::int %% 20")
    queue.fill(1, priority=100)


def in_the_same_lane(queue: Queue, n: int) -> None:
    """A long queue that may go."""
    queue.fill(n)


def with_much_history(queue: Queue, n: int) -> None:
    """What was sent long ago, with its attempts, and one row that may go."""
    queue.history(n)
    queue.limit(10, HOUR, account="ada")
    queue.limit(100, HOUR)
    queue.fill(1)


def behind_a_rolling_limit(queue: Queue, n: int) -> None:
    """ada's limit is used up; bob's one row may go."""
    queue.limit(1, HOUR, account="ada")
    queue.fill(n)
    queue.send()
    queue.claim(account="ada")
    queue.fill(1, account="bob")


@pytest.mark.parametrize(
    ("world", "goes"),
    [
        (behind_a_cap, True),
        (behind_a_cap_in_every_lane, False),
        (behind_a_paused_campaign, True),
        (behind_a_paused_account, True),
        (behind_a_closed_schedule, True),
        (next_week_with_a_more_urgent_priority, True),
        (next_week_with_nothing_due, False),
        (next_week_in_many_priorities, True),
        (in_the_same_lane, True),
        (with_much_history, True),
        (behind_a_rolling_limit, True),
    ],
)
@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "never analyzed"])
def test_invariant_7_blocked_work_is_free(
    server: str, template: str, world: Callable[[Queue, int], None], goes: bool, analyzed: bool
) -> None:
    """Many rows that wait cost a claim no more pages than a thousand do, with or without statistics.

    Nor do they cost the question why nothing went out, where the tables were ever analyzed.
    """
    claims, whys = {}, {}
    for n in (FEW, MANY):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                queue.account("ada")
                queue.account("bob")
                queue.campaign("spring", ["ada", "bob"])
                queue.lane("ada")
                queue.lane("bob")
                world(queue, n)
                conn.execute("vacuum analyze" if analyzed else "vacuum")
                with conn.transaction(force_rollback=True):
                    assert goes == bool(queue.taken())
                claims[n] = pages(queue, "send_claim(worker => 'w', max_rows => 1, at => %s)")
                whys[n] = pages(queue, "send_explain_idle(at => %s, counting => false)")
    print(f"{world.__name__}: a claim {claims[FEW]} to {claims[MANY]} pages, why {whys[FEW]} to {whys[MANY]}")
    assert claims[MANY] <= 1.5 * claims[FEW] + 25  # an index that is a level deeper
    assert not analyzed or whys[MANY] <= 1.5 * whys[FEW] + 30


def test_invariant_7_lanes_that_share_a_limit_are_told_together(conn: psycopg.Connection[Any]) -> None:
    """The claim that finds a workspace's limit used up puts all its lanes to sleep at once, not one by one."""
    queue = Queue(conn)
    queue.account("a0")
    queue.do(
        "insert into send_accounts (workspace_id, name, provider) "
        "select workspace_id, 'a' || n, 'log' from send_accounts, generate_series(1, 299) n"
    )
    queue.campaign("spring", [f"a{n}" for n in range(300)])
    queue.do(
        "insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
        "select c.id, a.id, ch, r, 'm', %s from send_campaigns c, send_accounts a, "
        "unnest('{email,sms}'::text[], '{p@example.org,+14155552671}'::text[]) w (ch, r)",
        AT,
    )
    queue.limit(1, HOUR, channel="email")
    queue.send()
    asleep = "select channel, count(*), min(next_at), max(next_at) from send_lanes where next_at > %s group by 1"
    queue.do("update send_lanes set paused_at = %s where channel = 'sms'", AT)
    conn.execute("vacuum analyze")
    one = pages(queue, "send_claim(worker => 'w', at => %s)")
    assert queue.taken() == []
    assert queue.all(asleep, AT) == [("email", 300, AT + HOUR, AT + HOUR)]
    assert one < 30 * 300  # once: afterwards they are not met
    assert len(queue.taken(AT + HOUR, 9)) == 1


def lanes(queue: Queue, n: int) -> None:
    """n more accounts with a lane each, and a campaign of theirs."""
    queue.do(
        "insert into send_accounts (workspace_id, name, provider) "
        "select workspace_id, 'b' || n, 'log' from send_accounts, generate_series(1, %s) n where name = 'ada'", n,
    )  # fmt: skip
    queue.do(
        "insert into send_lanes (account_id, channel, daily_cap) select id, 'email', 1 from send_accounts"
        " on conflict do nothing"
    )
    queue.campaign("all", queue.all("select name from send_accounts where name like 'b%%'"))


def idle(queue: Queue) -> None:
    """No lane has anything due."""


def closed(queue: Queue) -> None:
    """Every lane has a row that is due, behind a schedule that is closed."""
    queue.schedule("closed", AT + HOUR, AT + 2 * HOUR)
    queue.put("campaign", "all", schedule="closed")
    due_in_all_lanes(queue)


def paused(queue: Queue) -> None:
    """Every lane has a row that is due, and is paused."""
    due_in_all_lanes(queue)
    queue.do("update send_lanes set paused_at = %s", AT)


def at_their_cap(queue: Queue) -> None:
    """Every lane has a row that is due, and has used up its day."""
    due_in_all_lanes(queue)
    queue.do(
        "insert into send_usage (account_id, channel, day, used) select account_id, channel, %s, 1 from send_lanes", AT
    )


def due_in_all_lanes(queue: Queue) -> None:
    queue.do(
        "insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
        "select c.id, l.account_id, l.channel, 'p@example.org', 'm', %s from send_lanes l join send_campaign_accounts p"
        " using (account_id) join send_campaigns c on c.id = p.campaign_id where c.name = 'all'", AT,
    )  # fmt: skip


@pytest.mark.parametrize("world", [idle, closed, paused, at_their_cap])
def test_invariant_7_a_claim_with_nothing_to_do_costs_the_same_for_any_number_of_lanes(
    server: str, template: str, world: Callable[[Queue], None]
) -> None:
    """Once the lanes have been looked at in vain, two thousand of them cost at most 60 pages more than twenty do."""
    cost = {}
    for n in (20, 2_000):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                queue.account("ada")
                lanes(queue, n)
                world(queue)
                conn.execute("vacuum analyze")
                for _ in range(2 + n // 400):  # each looks at some hundreds of lanes
                    assert queue.taken() == []
                conn.execute("vacuum")
                cost[n] = pages(queue, "send_claim(worker => 'w', max_rows => 1, at => %s)")
    print(f"{world.__name__}: {cost[20]} to {cost[2_000]} pages")
    assert cost[2_000] <= cost[20] + 60


def test_the_predicate_on_lanes_is_inlined(conn: psycopg.Connection[Any]) -> None:
    """Postgres plans send_due as a part of its caller: no lane costs a call of a function."""
    plan = "\n".join(
        Queue(conn).all(
            "explain select from send_lanes l where exists ("
            "select from send_due(l.account_id, l.channel, now(), null::text, null::text))"
        )
    )
    assert "send_campaign_accounts" in plan
    assert "send_due" not in plan
