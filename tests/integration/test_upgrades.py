"""What a database knows after an upgrade of a queue that has worked for long under an older version."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from builders import Connection, Queue

from send_queue.providers import installed
from send_queue.store import schema


@pytest.fixture
def old(empty_database: str) -> Iterator[Connection]:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        yield conn


def migrated(conn: Connection, folder: Path, newest: int) -> Queue:
    """The tables as the migration `newest` left them, with two accounts of a campaign and no functions."""
    for name in ("migrations", "functions", "views"):
        (folder / name).mkdir(parents=True)
    shutil.copy(schema.sql_dir() / "bootstrap.sql", folder)
    for path in (schema.sql_dir() / "migrations").iterdir():
        if int(path.name[:4]) <= newest:
            shutil.copy(path, folder / "migrations")
    schema.migrate(conn, folder)
    queue = Queue(conn)
    queue.do("insert into send_workspaces (name) values ('default') on conflict do nothing")
    queue.do("insert into send_accounts (workspace_id, name, provider) select id, n, 'log' from send_workspaces, "
             "unnest('{ada,bob}'::text[]) n")  # fmt: skip
    queue.do("insert into send_campaigns (workspace_id, name) select id, 'spring' from send_workspaces")
    queue.do("insert into send_campaign_accounts (workspace_id, campaign_id, account_id, in_pool) "
             "select c.workspace_id, c.id, a.id, a.name = 'bob' from send_campaigns c, send_accounts a")  # fmt: skip
    queue.do("insert into send_lanes (account_id, channel) select a.id, k from send_accounts a, "
             "unnest('{email,linkedin_invite}'::text[]) k")  # fmt: skip
    return queue


def upgrade(conn: Connection) -> None:
    schema.migrate(conn, served=installed.served())


def put(queue: Queue, recipient: str, *, account: str = "ada", channel: str = "email", key: str | None = None,
        prospect: object = None, status: str = "pending", minute: int = 0) -> None:  # fmt: skip
    queue.do(
        "insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, dedupe_key, "
        "prospect_id, status, created_at, updated_at, sent_at) select c.workspace_id, c.id, a.id, %s, %s, 'm', %s, %s, "
        "%s, t.at, t.at, case when %s = 'sent' then t.at end from send_campaigns c, send_accounts a, "
        "(select '2026-03-01 00:00+00'::timestamptz + make_interval(mins => %s) as at) t where a.name = %s",
        channel, recipient, key, prospect, status, status, minute, account,
    )  # fmt: skip


KEYS = "0024_people_are_found_by_their_key"


def test_lines_of_old_files_have_the_key_of_today(old: Connection, tmp_path: Path) -> None:
    """Of two spellings of one, the first has it; a key of somebody's own stays."""
    queue = migrated(old, tmp_path / "sql", 23)
    for line in ("Ada@Example.org", "Ben@example.org", "ben@example.org", "cy@example.org"):
        put(queue, line, key=f"spring:email:{line}")
    put(queue, "Dan@example.org", key="spring:email:invoice 7")
    upgrade(old)
    assert sorted(queue.all("select dedupe_key from send_queue")) == [
        "spring:email:Ben@example.org", "spring:email:ada@example.org", "spring:email:ben@example.org",
        "spring:email:cy@example.org", "spring:email:invoice 7",
    ]  # fmt: skip


def test_the_queue_is_read_while_the_keys_are_worked_out(old: Connection, tmp_path: Path) -> None:
    """The lock that keeps readers out is taken by the last two statements, which take no time."""
    queue = migrated(old, tmp_path / "sql", 23)
    put(queue, "Ada@Example.org", key="spring:email:Ada@Example.org")
    text = (schema.sql_dir() / "migrations" / f"{KEYS}.sql").read_text()
    slow, drop, rest = text.partition("drop index send_queue_recipient;")
    assert (drop != "", rest.strip().count(";"), rest.strip()[:11]) == (True, 1, "alter index")
    with old.transaction(force_rollback=True):
        old.execute(slow.encode())
        assert "AccessExclusiveLock" not in queue.all(
            "select mode from pg_locks where relation = 'send_queue'::regclass and pid = pg_backend_pid()"
        )


def known(queue: Queue, channel: str, recipient: str) -> object:
    return queue.one(
        "insert into send_prospects (workspace_id, email, linkedin_user_id) select id, case when %s = 'email' "
        "then %s end, case when %s <> 'email' then %s end from send_workspaces returning id",
        channel, recipient, channel, recipient,
    )  # fmt: skip


def test_people_keep_the_accounts_that_wrote_to_them(old: Connection, tmp_path: Path) -> None:
    """By each channel the first that sent something; and one that wrote to them from outside the pool has left it."""
    queue = migrated(old, tmp_path / "sql", 19)
    person = known(queue, "email", "p@example.org")
    put(queue, "p@example.org", account="bob", prospect=person, status="failed")
    put(queue, "p@example.org", account="ada", prospect=person, status="sent", minute=1)
    put(queue, "p@example.org", account="bob", prospect=person, status="sent", minute=2)
    put(queue, "ada-p", channel="linkedin_invite", account="bob", prospect=person, minute=3)
    upgrade(old)
    accounts = dict(queue.all("select name, id::text from send_accounts"))
    assert queue.one("select accounts from send_prospects") == {
        "email": accounts["ada"], "linkedin_invite": accounts["bob"]
    }  # fmt: skip
    left = "select account_id::text from send_campaign_accounts where left_at is not null"
    assert queue.all(left) == [accounts["ada"]]
    with pytest.raises(psycopg.Error, match="has left the pool") as refused:
        queue.enqueue(recipient="p@example.org")
    assert refused.value.sqlstate == "SQ006"


def test_who_was_written_to_without_a_prospect_was_written_to(old: Connection, tmp_path: Path) -> None:
    """A rule on contacts knows rows from before there were prospects."""
    queue = migrated(old, tmp_path / "sql", 23)
    put(queue, "P@example.org", status="sent")
    upgrade(old)
    queue.campaign("summer", ["bob"], skip_contacted="90 days")
    send = queue.enqueue(campaign="summer", recipient="p@example.org")
    assert (queue.row(send)["status"], queue.row(send)["error_code"]) == ("skipped", "contacted")
