"""Roles with the right to one task: run, enqueue, or read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from builders import sends_of
from conftest import Cli, Connection
from databases import at, create_database, drop_database
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from send_queue.rules.vault import new_key
from send_queue.sandbox import Sandbox
from send_queue.store import schema

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""A Monday."""

Role = Callable[[str], str]
"""Make a role with a task, and return the URL of the test's database for it."""

TABLES = """
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname
"""


@pytest.fixture
def role(conn: Connection, database: str) -> Iterator[Role]:
    """Roles belong to the whole server: their names are this test's own, and they are gone after it."""
    made: list[str] = []
    conn.execute("revoke create on schema public from public")  # as from Postgres 15 on

    def role(may: str) -> str:
        name = f"sq test {may} {uuid4().hex[:8]}"  # a name that needs quotes
        conn.execute(sql.SQL("create role {} login password 'secret'").format(sql.Identifier(name)))
        conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(name)))  # who is to drop it
        made.append(name)
        if may:
            conn.execute("select send_grant(%s, %s)", (name, may))
        return make_conninfo(database, user=name, password="secret")

    yield role
    for name in made:
        for statement in ("drop owned by {}", "drop role {}"):
            conn.execute(sql.SQL(cast(Any, statement)).format(sql.Identifier(name)))


def put(conn: Connection, kind: str, name: str, adding: bool = True, **fields: Any) -> None:
    conn.execute("select send_set(%s, %s, %s, adding => %s)", (kind, name, Jsonb(fields), adding))


@pytest.fixture
def queue(conn: Connection) -> Connection:
    """An account that logs, with a schedule and limits, and a campaign."""
    hours = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    put(conn, "schedule", "office", timezone="UTC", hours=hours)
    put(conn, "account", "anna", provider="log", schedule="office")
    put(conn, "lane", "anna", adding=False, channel="linkedin_invite", daily_cap=3)
    put(conn, "campaign", "fall", accounts=["anna"])
    conn.execute("select send_set_limit(100, '1 hour', account => 'anna')")
    return conn


def enqueue(conn: Connection, recipient: str, **more: Any) -> UUID:
    named = {"recipient": recipient, "campaign": "fall", "channel": "linkedin_invite", "message": "Hi", "at": AT} | more
    call = ", ".join(f"{name} => %({name})s" for name in named)
    row = conn.execute(cast(Any, f"select id, created from send_enqueue({call})"), named).fetchone()  # noqa: S608 — ours
    assert row is not None
    assert row[1] is True
    return cast(UUID, row[0])


def statuses(conn: Connection) -> dict[str, int]:
    return dict(conn.execute("select status, count(*) from send_queue group by status").fetchall())


def tables(conn: Connection) -> list[str]:
    return [name for (name,) in conn.execute(TABLES)]


def refused(conn: Connection, statement: Any) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        conn.execute(statement)


# --- a run ------------------------------------------------------------------------------------------------


def test_a_worker_runs(queue: Connection, role: Role, cli: Cli) -> None:
    """A worker's role claims, sends, records, skips what has expired, meets its cap and works out windows."""
    env = {"DATABASE_URL": role("work")}
    for n in range(4):
        enqueue(queue, f"person-{n}")
    enqueue(queue, "late", expires_at=AT + timedelta(minutes=1))
    report = json.loads(cli("run", "--json", now=AT + timedelta(minutes=2), env=env).stdout)
    assert (report["sent"], report["skipped"]) == (3, 1)
    assert statuses(queue) == {"sent": 3, "pending": 1, "skipped": 1}
    again = json.loads(cli("run-once", "--json", now=AT + timedelta(minutes=3), env=env).stdout)
    assert (again["reason"], again["remaining_in_queue"]) == ("daily_limit_reached", 1)
    assert "Would send" in cli("run-once", "--dry-run", now=AT + timedelta(days=1), env=env).stdout


def test_a_worker_recovers(queue: Connection, role: Role, cli: Cli) -> None:
    """A worker's role puts in doubt what a dead run left, and sends it again where the campaign says so."""
    put(queue, "campaign", "fall", adding=False, on_uncertain="resend")
    put(queue, "account", "anna", adding=False, schedule=None)
    enqueue(queue, "ada")
    queue.execute("select send_claim('a dead run', at => %s)", (AT,))
    assert statuses(queue) == {"sending": 1}
    env = {"DATABASE_URL": role("work")}
    for minutes in (6, 7):
        cli("run-once", now=AT + timedelta(minutes=minutes), env=env)
    assert statuses(queue) == {"sent": 1}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"outcome": "sent", "provider_message_id": "m"}, "sent"),
        ({"outcome": "already_done", "error_code": "already_connected"}, "skipped"),
        ({"outcome": "retry", "retry_seconds": 60}, "pending"),
        ({"outcome": "held", "scope": "lane", "hold_seconds": 60}, "pending"),
        ({"outcome": "held", "scope": "account", "error_code": "broken"}, "pending"),
        ({"outcome": "failed"}, "failed"),
        ({"outcome": "uncertain"}, "uncertain"),
        ({"outcome": "released"}, "pending"),
    ],
)
def test_a_worker_records_every_outcome(queue: Connection, role: Role, result: Any, status: str) -> None:
    """Whatever a provider answers, a worker's role can write it down, with all that follows from it."""
    put(queue, "account", "anna", adding=False, schedule=None)
    send = enqueue(queue, "ada")
    with psycopg.connect(role("work"), autocommit=True) as worker:
        row = worker.execute("select send_claim('me', at => %s)", (AT,)).fetchone()
        assert row is not None
        attempt = {"attempt_id": sends_of(row[0])[0]["attempt_id"]}
        [written] = worker.execute("select * from send_record(%s, %s)", (Jsonb([attempt | result]), AT)).fetchall()
        assert (send, True, status) == written
        if status == "uncertain":
            [[doubt]] = worker.execute("select * from send_look_ups(1, '1 minute', %s)", (AT,)).fetchall()
            [[_, send_id, attempt_id, *_]] = doubt["sends"]
            assert str(send) == send_id
            worker.execute("select send_looked_up(%s, %s, 'sent', 'm', at => %s)", (attempt_id, doubt["until"], AT))
            assert statuses(queue) == {"sent": 1}


def test_a_worker_ends_its_run_and_writes_metrics(queue: Connection, role: Role, cli: Cli) -> None:
    """A worker's role notes its run and has those told who want to know, and cannot put in anything else."""
    queue.execute(
        "select send_set_notification('{disconnected}', 'webhook', 'https://example.com', at => %s)",
        (AT - timedelta(hours=1),),
    )
    queue.execute("update send_accounts set status = 'disconnected' where name = 'anna'")
    url = role("work")
    with psycopg.connect(url, autocommit=True) as worker:
        worker.execute("select send_end_run('run', 'me', 1, at => %s)", (AT,))
        refused(worker, "select send_set_notification('{failed}', 'webhook', 'https://example.com/mine')")
    assert queue.execute(
        "select c.name from send_queue q join send_campaigns c on c.id = q.campaign_id"
    ).fetchall() == [("notifications",)]
    assert 'send_queue_runs_total{command="run",filters=""} 1' in cli("metrics", env={"DATABASE_URL": url}).stdout


def test_a_worker_can_do_nothing_else(queue: Connection, role: Role) -> None:
    """A worker's role deletes nothing, makes nothing, and steers nothing."""
    with psycopg.connect(role("work"), autocommit=True) as worker:
        for table in tables(queue):
            refused(worker, sql.SQL("insert into {} default values").format(sql.Identifier(table)))
            refused(worker, sql.SQL("delete from {}").format(sql.Identifier(table)))
            refused(worker, sql.SQL("truncate {}").format(sql.Identifier(table)))
            refused(worker, sql.SQL("drop table {}").format(sql.Identifier(table)))
        for statement in (
            "create table mine ()",
            "insert into send_queue default values",
            "update send_queue set recipient = 'me'",
            "update send_queue set message = 'other words'",
            "update send_lanes set daily_cap = null",
            "update send_lanes set next_at = now()",
            "update send_usage set used = 0",
            "update send_accounts set status = 'active'",
            "update send_limits set id = id",
            "update send_attempts set outcome = 'failed'",
            "update send_schedules set opens_at = now()",
            "select send_pause(false, 'account', 'anna')",
            "select send_retry()",
            "update send_limits set max_sends = 1000",
            "update send_accounts set secret_env = 'HOME'",
            "update send_campaigns set status = 'active'",
            "insert into send_tokens (account_id, access_token, refreshed_at) "
            "select id, 'mine', now() from send_accounts",
            "select send_token_remove('anna')",
            "update send_attempts set day = '2000-01-01'",
            "select from send_enqueue('fall', 'log', 'me', 'hi')",
            "select send_set('account', 'eve', '{\"provider\": \"log\"}', adding => true)",
        ):
            refused(worker, statement)


def test_a_worker_sends_with_tokens_and_renews_them(queue: Connection, role: Role, cli: Cli, tmp_path: Path) -> None:
    """`run` and `tokens refresh` stand in one crontab, so one role does for both: it reads the sealed tokens, stores
    what they are renewed to, and disconnects an account whose are renewed no more."""
    put(queue, "account", "anna", adding=False, provider="x", schedule=None)
    with Sandbox(tmp_path / "journal.jsonl", sync=False) as sandbox:
        env = {"DATABASE_URL": role("work"), "SEND_QUEUE_TOKEN_KEYS": new_key(), "X_BASE_URL": sandbox.url,
               "X_CLIENT_ID": "ours"}  # fmt: skip
        granted = sandbox.tokens("x").connect("anna")
        cli("tokens", "set", "anna", input=f"{granted['access_token']}\n{granted['refresh_token']}\n",
            env={key: value for key, value in env.items() if key != "DATABASE_URL"})  # fmt: skip
        enqueue(queue, "you", channel="log", at=AT)
        assert json.loads(cli("run-once", "--json", env=env).stdout)["sent"] == 1
        refresh = ("tokens", "refresh", "--within", "3h", "--json")
        assert json.loads(cli(*refresh, env=env).stdout)["renewed"] == 1
        assert json.loads(cli("tokens", "list", "--json", env=env).stdout)[0]["state"] == "good"
        sandbox.tokens("x").revoke("anna")
        assert json.loads(cli(*refresh, env=env).stdout)["disconnected"] == 1
    assert queue.execute("select status from send_accounts where name = 'anna'").fetchall() == [("disconnected",)]


def test_a_worker_may_ask_the_doctor(queue: Connection, role: Role, cli: Cli) -> None:
    """`doctor` is run with the environment of the run, so with its role."""
    enqueue(queue, "ada")
    done = cli("doctor", "--json", now=AT, env={"DATABASE_URL": role("work")}, check=False)
    found = {f["check"] for f in json.loads(done.stdout)["findings"] if f["severity"] == "wrong"}
    assert set() == found - {"autovacuum"}  # which the server of the tests has turned off


# --- putting messages in ----------------------------------------------------------------------------------


def test_an_enqueuer_puts_messages_in(queue: Connection, role: Role) -> None:
    """Every form of the call works without any right to a table: accounts chosen, prospects found and made, keys."""
    put(queue, "account", "ben", provider="log")
    [[known]] = queue.execute(
        "insert into send_prospects (workspace_id, email) "
        "select id, 'known@example.com' from send_workspaces returning id"
    ).fetchall()
    with psycopg.connect(role("enqueue"), autocommit=True) as app:
        enqueue(app, "ada")
        enqueue(app, "ada", channel="log")
        named = enqueue(app, "grace", account="ben", workspace="default", subject="S", payload=Jsonb({"a": 1}))
        theirs = enqueue(app, "known@example.com", channel="email", prospect=known, priority=5)
        keyed = enqueue(app, "joan", dedupe_key="k", scheduled_for=AT, expires_at=AT + timedelta(days=1))
        row = app.execute("select * from send_enqueue('fall', 'linkedin_invite', 'joan', 'Hi', dedupe_key => 'k')")
        assert (keyed, False) == row.fetchone()
        with pytest.raises(psycopg.Error, match="There is no campaign 'spring'"):
            app.execute("select send_enqueue('spring', 'log', 'x', 'y')")
    rows: dict[Any, Any] = dict(
        queue.execute("select q.id, a.name from send_queue q join send_accounts a on a.id = account_id").fetchall()
    )
    assert (len(rows), rows[named]) == (5, "ben")
    assert [(known,)] == queue.execute("select prospect_id from send_queue where id = %s", (theirs,)).fetchall()
    assert queue.execute(
        "select linkedin_user_id from send_prospects where linkedin_user_id is not null order by 1"
    ).fetchall() == [("ada",), ("grace",), ("joan",)]


def test_an_enqueuers_own_transaction_decides(queue: Connection, role: Role, cli: Cli) -> None:
    """What is enqueued commits or rolls back with the caller's own data; so it does through the command."""
    url = role("enqueue")
    with psycopg.connect(url) as app:
        enqueue(app, "ada")
        app.rollback()
        assert statuses(queue) == {}
        enqueue(app, "ada")
        app.commit()
    assert statuses(queue) == {"pending": 1}
    cli("enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "you", "--message", "hi",
        env={"DATABASE_URL": url})  # fmt: skip
    assert statuses(queue) == {"pending": 2}


def test_an_enqueuer_sees_nothing(queue: Connection, role: Role) -> None:
    """An enqueuer's role reads no table and no view, and calls nothing else that has its owner's rights."""
    with psycopg.connect(role("enqueue"), autocommit=True) as app:
        views = [name for (name,) in queue.execute("select viewname from pg_views where schemaname = 'public'")]
        for name in [*tables(queue), *views]:
            refused(app, sql.SQL("select from {}").format(sql.Identifier(name)))
        refused(app, "select send_lane_report()")
        refused(app, "select send_claim('me')")
        refused(app, "create table mine ()")


def test_an_enqueuer_cannot_mislead_the_owner(queue: Connection, role: Role) -> None:
    """send_enqueue looks names up in its own schema only: a temporary table of the caller's is not met."""
    with psycopg.connect(role("enqueue"), autocommit=True) as app:
        app.execute("create temporary table send_queue (id uuid)")
        app.execute("create temporary table send_campaigns (id uuid, name text)")
        app.execute("set search_path = pg_temp, public")
        enqueue(app, "ada")
    assert statuses(queue) == {"pending": 1}


def test_nobody_else_calls_what_has_its_owners_rights(queue: Connection, role: Role) -> None:
    """Functions with their owner's rights are closed to everybody from the start."""
    with psycopg.connect(role(""), autocommit=True) as stranger:
        refused(stranger, "select from send_enqueue('fall', 'log', 'me', 'hi')")
        refused(stranger, "select from send_lane_report()")
        refused(stranger, "select from send_lane_status")
    assert queue.execute(
        "select proname from pg_proc where prosecdef and proname like %s and "
        "has_function_privilege('public', oid, 'execute')", ("send\\_%",)
    ).fetchall() == []  # fmt: skip


# --- looking ----------------------------------------------------------------------------------------------


def test_a_reader_reads_the_views_and_no_table(queue: Connection, role: Role) -> None:
    """A reader's role sees what the owner sees in every view, and of the tables no more than the views are made of."""
    enqueue(queue, "ada")
    views = [name for (name,) in queue.execute("select viewname from pg_views where schemaname = 'public'")]
    with psycopg.connect(role("read"), autocommit=True) as reader:
        for view in views:
            everything = sql.SQL("select * from {}").format(sql.Identifier(view))
            assert queue.execute(everything).fetchall() == reader.execute(everything).fetchall()
        assert reader.execute("select account from send_lane_status").fetchall() == [("anna",)]
        for table in set(tables(queue)) - {"send_counts"}:  # which a view shows in whole
            refused(reader, sql.SQL("select * from {}").format(sql.Identifier(table)))
        for column in ("message", "subject", "payload", "dedupe_key"):
            refused(reader, sql.SQL("select {} from send_queue").format(sql.Identifier(column)))
        for table in ("send_attempts", "send_tokens", "send_prospects", "send_suppressions", "send_notifications"):
            refused(reader, sql.SQL("select from {}").format(sql.Identifier(table)))
        refused(reader, "select from send_enqueue('fall', 'log', 'me', 'hi')")
        refused(reader, "select send_claim('me')")
    assert len(views) >= 6


# --- granting ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("queue")
def test_migrate_grants(role: Role, cli: Cli) -> None:
    """`migrate --grant-…` gives each role its task, again without harm, and says so."""
    urls = [role(""), role("")]
    names = [psycopg.conninfo.conninfo_to_dict(url)["user"] for url in urls]
    for _ in range(2):
        said = cli("migrate", "--grant-read", str(names[0]), "--grant-read", str(names[1]), "--grant-enqueue",
                   str(names[1])).stdout  # fmt: skip
    assert {
        f"The role {names[1]} may enqueue.", f"The role {names[0]} may read.", f"The role {names[1]} may read."
    } == set(said.splitlines())  # fmt: skip
    with psycopg.connect(urls[0], autocommit=True) as one, psycopg.connect(urls[1], autocommit=True) as two:
        assert one.execute("select * from send_failures").fetchall() == []
        refused(one, "select from send_enqueue('fall', 'log', 'me', 'hi')")
        enqueue(two, "ada")


def test_a_role_that_is_not_there(cli: Cli) -> None:
    """An unknown role is one sentence that says how to make it, and nothing is granted or changed."""
    done = cli("migrate", "--grant-worker", "no such role", check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "send-queue: There is no role 'no such role': "
        'make it with `create role "no such role" login`, then grant again.\n'
    )


def test_nobody_may_enqueue_in_an_open_schema(queue: Connection, role: Role, cli: Cli) -> None:
    """Where everybody may create in the schema, as in Postgres 14's public, no role is let in to enqueue, since what is
    planted there could mislead it. A worker is let in with a warning. Both say what to revoke."""
    queue.execute("grant create on schema public to public")
    name = str(psycopg.conninfo.conninfo_to_dict(role(""))["user"])
    refused = cli("migrate", "--grant-enqueue", name, check=False)
    assert refused.returncode == 2
    assert "run `revoke create on schema public from public`, then grant again" in refused.stderr
    assert "run `revoke create on schema public from public`" in cli("migrate", "--grant-worker", name).stderr
    assert queue.execute("select task from send_grants where role = %s", (name,)).fetchall() == [("work",)]


def test_roles_keep_their_task_through_an_upgrade(queue: Connection, role: Role) -> None:
    """A migrate that makes functions and views anew gives the roles again what they had, and what is new."""
    urls = {may: role(may) for may in ("work", "enqueue", "read")}
    none = role("")
    for name in ("send_claim", "send_enqueue", "send_lane_report"):  # as if their arguments had been others
        queue.execute(sql.SQL("create function {}(older int) returns int language sql as 'select 1'").format(
            sql.Identifier(name)))  # fmt: skip
    queue.execute("update send_definitions set digest = 'older'")
    assert schema.migrate(queue) != schema.MigrationReport()
    with psycopg.connect(urls["work"], autocommit=True) as worker:
        worker.execute("select send_claim('me')")
    with psycopg.connect(urls["enqueue"], autocommit=True) as app:
        enqueue(app, "ada")
    with psycopg.connect(urls["read"], autocommit=True) as reader:
        reader.execute("select from send_lane_status")
    with psycopg.connect(none, autocommit=True) as stranger:
        refused(stranger, "select from send_enqueue('fall', 'log', 'me', 'hi')")


def test_a_schema_of_ones_own(server: str, role: Role) -> None:
    """Grants name the schema that the tables are in, and a role calls send_enqueue there without a search_path."""
    name = f"sq_test_{uuid4().hex[:12]}"
    url = str(psycopg.conninfo.conninfo_to_dict(role(""))["user"])
    with psycopg.connect(server, autocommit=True) as admin:
        create_database(admin, name, "template1")
        try:
            with psycopg.connect(at(server, name), autocommit=True) as conn:
                conn.execute('create schema "Out reach"')
                conn.execute('set search_path = "Out reach"')
                schema.migrate(conn, grants=[(url, task, None) for task in ("work", "enqueue", "read")])
                put(conn, "account", "anna", provider="log")
                put(conn, "campaign", "fall", accounts=["anna"])
                info = make_conninfo(at(server, name), user=url, password="secret")
                with psycopg.connect(info, autocommit=True) as app:
                    app.execute("""select "Out reach".send_enqueue('fall', 'log', 'ada', 'hi')""")
                    app.execute('set search_path = "Out reach"')
                    assert len(app.execute("select * from send_lane_status").fetchall()) == 1
                    [[claimed]] = app.execute("select send_claim('me')").fetchall()
                    assert len(sends_of(claimed)) == 1
        finally:
            drop_database(admin, name)
