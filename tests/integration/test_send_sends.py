"""A list is bounded by the time that orders it, and turned round, in every state."""

from __future__ import annotations

from typing import Any

import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue


@pytest.fixture
def four(conn: Connection) -> Queue:
    """Four sends of each state, an hour apart, of two campaigns in turn; ids tell the time of enqueueing."""
    queue = Queue(conn)
    queue.ready()
    queue.campaign("fall")
    queue.enqueue(campaign="fall")
    conn.execute("set session_replication_role = replica")
    conn.execute("create temporary table seed as select distinct on (campaign_id) * from send_queue")
    conn.execute("delete from send_queue")
    conn.execute(
        """insert into send_queue (id, workspace_id, campaign_id, account_id, channel, recipient, message, status,
            scheduled_for, created_at, updated_at, sent_at, error_code, claimed_by, lease_expires_at, attempt_id)
        select overlay(send_first_id(m.at)::text placing lpad(s.n::text, 2, '0') from 35)::uuid, c.workspace_id,
            c.campaign_id, c.account_id, 'email', s.status || i || '@example.org', 'm', s.status, m.at, m.at, m.at,
            case s.status when 'sent' then m.at end, case s.status when 'skipped' then 'cancelled' end,
            case s.status when 'sending' then 'w' end, case s.status when 'sending' then m.at end,
            case s.status when 'sending' then send_uuid() end
        from generate_series(0, 3) i
        cross join (values (1, 'pending'), (2, 'sending'), (3, 'sent'), (4, 'failed'), (5, 'skipped'),
            (6, 'uncertain')) s (n, status)
        cross join lateral (select %s + i * interval '1 hour' as at) m
        join (select *, row_number() over (order by campaign_id) - 1 as nth from seed) c on c.nth = i %% 2""",
        [AT],
    )
    conn.execute("reset session_replication_role")
    return queue


STATES = ("pending", "sending", "sent", "failed", "skipped", "uncertain")


@pytest.mark.parametrize("by", [{}, {"account": "ada"}, {"channel": "email"}], ids=["all", "account", "channel"])
@pytest.mark.parametrize("status", [*STATES, None])
def test_bounds_and_order_mean_the_time_of_the_list(four: Queue, status: str | None, by: dict[str, str]) -> None:
    """--since and --until are inclusive; --newest begins at the other end, and its first rows are the latest."""

    def listed(**given: Any) -> list[str]:
        rows = four.rows("send_sends", status=status, **by, **given)
        return [row["recipient"].partition("@")[0] for row in rows if row["recipient"].startswith(status or "sent")]

    names = [f"{status or 'sent'}{n}" for n in range(4)]
    assert listed() == names
    assert listed(newest=True) == names[::-1]
    assert listed(since=AT + HOUR, until=AT + 2 * HOUR) == names[1:3]
    assert listed(since=AT + HOUR + MINUTE, newest=True) == names[:1:-1]
    assert listed(until=AT - MINUTE) == listed(since=AT + DAY) == []
    assert (listed(newest=True, max_rows=1), listed(until=AT + HOUR, newest=True, max_rows=1)) == (
        ([], []) if status is None else (names[3:], names[1:2])
    )


def test_the_sends_of_a_person_are_bounded_too(four: Queue) -> None:
    assert [row["status"] for row in four.rows("send_sends", recipient="sent1@example.org", since=AT)] == ["sent"]
    assert four.rows("send_sends", recipient="sent1@example.org", status="sent", until=AT) == []
