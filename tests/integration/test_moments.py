"""Moments that no other language has, infinity among them, are refused where they come in."""

from __future__ import annotations

import psycopg
import pytest
from builders import Connection, Queue


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


BEYOND = ["-infinity", "infinity", "4713-01-01 BC", "0001-12-31 23:59:59+00", "12026-01-01"]


@pytest.mark.parametrize("moment", BEYOND)
@pytest.mark.parametrize("name", ["scheduled_for", "expires_at", "at"])
def test_a_message_is_of_a_year_that_all_know(queue: Queue, name: str, moment: str) -> None:
    """send_enqueue says which years there are, whichever moment is beyond them."""
    queue.ready(0)
    with pytest.raises(psycopg.Error, match="use a year from 2 to 9998") as raised:
        queue.conn.execute(
            "select send_enqueue('fall', 'log', 'you', 'hi', " + name + " => %s)", (moment,))  # fmt: skip
    assert raised.value.sqlstate == "SQ002"


@pytest.mark.parametrize("moment", BEYOND)
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("update send_prospects set follow_up_due_at = %s", "follow_up_is_in_the_calendar"),
        ("update send_lanes set next_at = %s", "next_at_is_in_the_calendar"),
        ("insert into send_suppressions (workspace_id, recipient, reason, since) "
         "select id, 'x', 'asked', %s from send_workspaces", "since_is_in_the_calendar"),
        ("insert into send_tokens (account_id, access_token, refreshed_at, expires_at) "
         "select id, 'x', now(), %s from send_accounts", "token_ends_in_the_calendar"),
    ],
    ids=["prospect", "lane", "suppression", "token"],
)  # fmt: skip
def test_a_table_keeps_the_calendar(queue: Queue, change: str, rule: str, moment: str) -> None:
    """Whoever writes by hand meets the same rule, under a name that says it."""
    queue.ready()
    queue.do("insert into send_prospects (workspace_id, name) select id, 'Ada' from send_workspaces")
    with pytest.raises(psycopg.errors.CheckViolation) as raised:
        queue.conn.execute(change, (moment,))
    assert raised.value.diag.constraint_name == rule
