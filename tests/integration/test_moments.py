"""Moments that no other language has, infinity among them, are refused where they come in."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from builders import Connection, Queue

from send_queue.store import schema


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


def test_what_is_there_already_is_brought_into_the_calendar(empty_database: str, tmp_path: Path) -> None:
    """A queue of an earlier version that holds such moments is migrated, and its rows can be sent and shown."""
    folder = tmp_path / "sql"
    shutil.copytree(schema.sql_dir(), folder)
    for path in (folder / "migrations").iterdir():
        if path.stem >= "0011":
            path.unlink()
    with psycopg.connect(empty_database, autocommit=True) as conn:
        for name in ("functions", "views"):  # of that version: those that need what came later are left out
            shutil.rmtree(folder / name)
            (folder / name).mkdir()
        schema.migrate(conn, folder)
        account, campaign = uuid4(), uuid4()
        conn.execute("""
            with w as (select id from send_workspaces), a as (
                insert into send_accounts (id, workspace_id, name, provider) select %(a)s, id, 'anna', 'log' from w),
            c as (insert into send_campaigns (id, workspace_id, name) select %(c)s, id, 'fall' from w),
            l as (insert into send_lanes (account_id, channel, next_at) values (%(a)s, 'log', '-infinity')),
            p as (insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
                  select id, %(c)s, %(a)s from w)
            insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, scheduled_for,
                created_at) select id, %(c)s, %(a)s, 'log', 'you', 'hi', '-infinity', 'infinity' from w
            """, {"a": account, "c": campaign})  # fmt: skip
        schema.migrate(conn)
        [(row,)] = conn.execute("select to_jsonb(q) from send_queue q").fetchall()
        assert (row["scheduled_for"], row["created_at"]) == ("0002-01-01T00:00:00+00:00", "9998-12-31T00:00:00+00:00")
        assert (row["expires_at"], row["sent_at"]) == (None, None)
        assert Queue(conn).claim()["claimed"] != []
