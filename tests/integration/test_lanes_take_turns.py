"""Lanes take turns: of those that may go from the same moment the one served longest ago goes first."""

from __future__ import annotations

from typing import Any

from builders import AT, DAY, Queue
from psycopg import Connection

from send_queue.insight import forecast


def test_lanes_that_wait_for_one_limit_take_turns(conn: Connection[Any]) -> None:
    """One send a day for the workspace, three lanes: each goes every third day, as the forecast says."""
    queue = Queue(conn)
    accounts = ["bea", "ada", "cid"]
    for account in accounts:
        queue.account(account)
        queue.lane(account)
    queue.campaign("spring", accounts)
    for account in accounts:
        queue.fill(3, account=account)
    queue.limit(1, DAY)

    told = forecast.forecast(conn, AT, 9, every=DAY)
    went = []
    for day in range(9):
        [send] = queue.taken(AT + day * DAY, max_rows=9)
        queue.record(send, "sent", AT + day * DAY)
        went.append(send["account"])

    assert went == accounts * 3
    assert [dict(day.by_lane) for day in told.days] == [{f"{account} email": 1} for account in went]
