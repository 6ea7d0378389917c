"""Recovery and the views look at what is open, not at what is over, with statistics, with old ones or with none."""

from __future__ import annotations

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, Queue
from conftest import fresh_database
from sizes import share
from test_send_claim_cost import pages

FEW, MANY = 1_000, share(20_000, 50_000)

LOOKS = {
    "recovery": "(select count(*) from send_recover(at => %s))",
    "look-ups": "(select count(*) from send_look_ups(10, '5 minutes', at => %s))",
    "send_uncertain": "(select count(*) from send_uncertain where uncertain_since < %s)",
    "send_failures": "(select count(*) from (select * from send_failures where failed_at < %s limit 20) f)",
    "send_next": "(select count(*) from (select * from send_next where scheduled_for < %s limit 20) n)",
    "lanes": "(select count(*) from send_lane_report(at => %s))",
    "report": "(select count(*) from send_report(at => %s, tries => 100))",
}


def some_open(queue: Queue) -> None:
    """In doubt, failed, left by a dead run, and pending."""
    queue.fill(12)
    for outcome in ("uncertain", "uncertain", "failed"):
        queue.send(outcome)
    queue.taken(max_rows=2, lease=MINUTE)


@pytest.mark.parametrize("statistics", ["fresh", "stale", "none"])
def test_history_is_not_looked_at(server: str, template: str, statistics: str) -> None:
    """Many rows of history, a thousand pages or two, cost little more than a thousand rows do.

    stale: the statistics are from before there was any.
    """
    seen: dict[str, list[int]] = {look: [] for look in LOOKS}
    for n in (FEW, MANY):
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                queue = Queue(conn)
                queue.account()
                queue.campaign()
                queue.lane(max_in_flight=9)
                if statistics == "stale":
                    conn.execute("vacuum analyze")
                queue.history(n)
                some_open(queue)
                conn.execute("vacuum analyze" if statistics == "fresh" else "vacuum")
                for name, look in LOOKS.items():
                    seen[name].append(pages(queue, look, AT + HOUR))
    print(statistics, seen)
    assert {name: costs for name, costs in seen.items() if costs[1] > costs[0] + 150} == {}
