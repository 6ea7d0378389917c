"""send_close_lanes: until when nothing can go from a lane, noted when it changes, so that a claim need not ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, Queue
from conftest import fresh_database
from test_send_claim_cost import pages

Connection = psycopg.Connection[Any]

OPEN = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)


def closed_until(queue: Queue, account: str = "ada") -> datetime:
    """The note on the account's one lane."""
    found: datetime = queue.the_lane(account)["closed_until"]
    return found


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.ready()
    return queue


def test_a_lane_without_a_calendar_is_open(queue: Queue) -> None:
    assert closed_until(queue) == OPEN


@pytest.mark.parametrize(("kind", "name"), [("all", None), ("workspace", "default"), ("account", "ada"),
                                            ("campaign", "spring")])  # fmt: skip
def test_what_a_person_stops_is_closed_until_they_let_it_go(queue: Queue, kind: str, name: str | None) -> None:
    queue.call("send_pause", paused=True, kind=kind, name=name)
    assert closed_until(queue) == FOR_EVER
    assert queue.taken() == []
    queue.call("send_pause", paused=False, kind=kind, name=name)
    assert closed_until(queue) == OPEN
    assert len(queue.taken()) == 1


def test_one_open_campaign_opens_the_lane(queue: Queue) -> None:
    """The first to open counts; a paused one does not."""
    queue.schedule("late", AT + 2 * HOUR, AT + 3 * HOUR)
    queue.schedule("early", AT + HOUR, AT + 3 * HOUR)
    queue.put("campaign", "spring", schedule="late")
    assert closed_until(queue) == AT + 2 * HOUR
    queue.campaign("summer", ["ada"], schedule="early")
    assert closed_until(queue) == AT + HOUR
    queue.call("send_pause", paused=True, kind="campaign", name="summer")
    assert closed_until(queue) == AT + 2 * HOUR
    queue.put("campaign", "spring", schedule=None)
    assert closed_until(queue) == OPEN


def test_the_schedule_of_the_account_counts_where_the_campaign_has_none(queue: Queue) -> None:
    queue.schedule("office", AT + HOUR, AT + 3 * HOUR)
    queue.put("account", "ada", schedule="office")
    assert closed_until(queue) == AT + HOUR
    queue.put("account", "ada", schedule=None)
    assert closed_until(queue) == OPEN


def test_a_window_that_is_not_worked_out_closes_nothing(queue: Queue) -> None:
    """A changed schedule has no window: the claim itself says that it must be worked out."""
    queue.schedule("office", AT + HOUR, AT + 3 * HOUR)
    queue.put("account", "ada", schedule="office")
    queue.do("update send_schedules set closed_on = '{2026-12-24}'")
    assert closed_until(queue) == OPEN
    assert queue.claim()["stale"] != []
    queue.window("office", AT + DAY, AT + DAY + HOUR)
    assert closed_until(queue) == AT + DAY


def test_an_account_that_joins_a_campaign_is_open_from_its_commit(database: str, conn: Connection) -> None:
    """Until then the lane is not locked by it: somebody's own long transaction keeps no other campaign waiting."""
    queue = Queue(conn)
    queue.ready(2)
    queue.call("send_pause", paused=True, kind="campaign", name="spring")
    queue.campaign("summer", [])
    with psycopg.connect(database) as theirs:
        Queue(theirs).enqueue(campaign="summer", account="ada")
        queue.do("select from send_lanes for no key update nowait")
        theirs.commit()
    assert closed_until(queue) == OPEN


def test_two_changes_at_once_do_not_miss_each_other(database: str, conn: Connection) -> None:
    """A campaign is resumed while an account joins it: whichever commits last, the lane is open."""
    queue = Queue(conn)
    queue.ready()
    queue.campaign("summer", [])
    for campaign in ("spring", "summer"):
        queue.call("send_pause", paused=True, kind="campaign", name=campaign)
    with psycopg.connect(database) as joining, psycopg.connect(database) as resuming:
        join = "insert into send_campaign_accounts (campaign_id, account_id) select c.id, a.id"
        joining.execute(f"{join} from send_campaigns c, send_accounts a where c.name = 'summer'")
        Queue(resuming).call("send_pause", paused=False, kind="campaign", name="summer")
        commits = Thread(target=joining.commit)
        commits.start()  # waits for the other
        commits.join(0.2)
        resuming.commit()
        commits.join(30)
    assert closed_until(queue) == OPEN


def a_paused_account(queue: Queue) -> None:
    queue.do("update send_accounts set status = 'paused' where name like 'a%%'")


def a_closed_calendar(queue: Queue) -> None:
    queue.do("update send_accounts set schedule_id = (select id from send_schedules) where name like 'a%%'")


def a_paused_campaign(queue: Queue) -> None:
    queue.do("update send_campaigns set status = 'paused' where name = 'fall'")


def a_paused_lane(queue: Queue) -> None:
    queue.do("update send_lanes l set paused_at = %s from send_accounts a"
             " where a.id = l.account_id and a.name like 'a%%'", AT)  # fmt: skip


@pytest.mark.parametrize("stop", [a_paused_account, a_closed_calendar, a_paused_campaign, a_paused_lane])
@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "never analyzed"])
def test_invariant_7_lanes_that_are_stopped_are_free(
    server: str, template: str, stop: Callable[[Queue], None], analyzed: bool
) -> None:
    """Two thousand lanes that may not go cost a claim no more than twenty do; met, each would cost it several pages.

    What grows a little are the indexes, and the accounts, which are read where there are so few.
    """
    costs = {}
    for n in (20, 2000):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                queue.account("bob")
                queue.campaign("spring", ["bob"])
                queue.schedule("closed", AT + HOUR, AT + 2 * HOUR)
                queue.do("insert into send_accounts (workspace_id, name, provider) "
                         "select workspace_id, 'a' || n, 'log' from send_accounts, generate_series(1, %s) n",
                         n)  # fmt: skip
                queue.campaign("fall", [])
                queue.do("insert into send_queue (campaign_id, account_id, channel, recipient, message, scheduled_for) "
                         "select c.id, a.id, 'email', 'p@x.y', 'm', %s from send_campaigns c, send_accounts a "
                         "where (a.name = 'bob') = (c.name = 'spring')", AT)  # fmt: skip
                stop(queue)
                conn.execute("vacuum analyze" if analyzed else "vacuum")
                costs[n] = pages(queue, "send_claim(worker => 'w', at => %s)")
                assert len(queue.taken(max_rows=9)) == 1
    print(f"{stop.__name__}: {costs}")
    assert costs[2000] < costs[20] + 200
