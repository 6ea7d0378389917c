"""Invariants 5 and 7: nothing is held while a provider is called, and what is blocked costs the others nothing."""

from __future__ import annotations

import json

import pytest
from held_answers import answers_held

from acceptance.conftest import DAY, HOUR, MONDAY, Popen, Queue
from send_queue.sandbox import Fault


def test_no_transaction_is_open_while_the_provider_is_called(queue: Queue, start: Popen) -> None:
    """Invariant 5: during a slow answer the run's connection idles, outside of any transaction, and locks nothing."""
    [send_id] = queue.ready()

    with answers_held(queue.sandbox, Fault(op="invite", answer_delay=1)) as held:
        running = start("run-once", "--json", now=MONDAY)
        held.wait()
        backends = queue.conn.execute(
            "select state, xact_start is null, backend_xid is null, backend_xmin is null, "
            "(select count(*) from pg_locks l where l.pid = a.pid) from pg_stat_activity a "
            "where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).fetchall()
        assert backends == [("idle", True, True, True, 0)]
        with queue.conn.transaction():
            for table in ("send_queue", "send_attempts", "send_lanes", "send_accounts", "send_campaigns", "send_usage"):
                assert len(queue.conn.execute(f"select from {table} for update nowait".encode()).fetchall()) == 1
        assert queue.row(send_id)["status"] == "sending"

    stdout, _ = running.communicate(timeout=60)
    assert json.loads(stdout)["sent"] == 1


@pytest.mark.parametrize("blocked", ["paused campaign", "capped account", "future dates", "closed schedule"])
def test_blocked_rows_do_not_delay_what_can_go(queue: Queue, blocked: str) -> None:
    """Invariant 7: behind 20,000 rows that wait, the first tick sends what can go, without stepping over them."""
    queue.ready(rows=1, daily_cap=1 if blocked == "capped account" else None)
    queue.conn.execute(
        "insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, priority, "
        "scheduled_for) select workspace_id, campaign_id, account_id, channel, 'r' || n, 'm', 1, "
        "%s + n * '1 s'::interval from send_queue, generate_series(1, 20000) n",
        (MONDAY + DAY if blocked == "future dates" else MONDAY - DAY,),
    )
    match blocked:
        case "paused campaign":
            queue("pause", "campaign", "fall")
        case "capped account":
            assert queue.run_once(MONDAY - HOUR)["sent"] == 1
        case "future dates":
            queue.conn.execute("delete from send_queue where recipient not like 'r%'")
        case "closed schedule":
            queue.schedule("night", "UTC", ["02:00-03:00"], "mon-sun")
            queue.put("campaign", "fall", adding=False, schedule="night")
    queue.account("ben")
    queue.campaign("other", "ben")
    queue.enqueue(campaign="other", recipient="bens")

    assert queue.run_once(MONDAY)["sent_to"] == "bens"

    # The clock of a rehearsal starts when the command has connected: this is what it took to claim.
    [[took]] = queue.conn.execute(
        "select extract(epoch from max(started_at) - %s)::float8 from send_attempts", (MONDAY,)
    ).fetchall()
    assert took < 0.5, f"the claim came {took:.2f} s after the start"
