"""Roles without a task: nothing of the queue is open to them, whatever the server gives away by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
import pytest
from builders import Queue
from conftest import Cli, Connection
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from send_queue.model import ConfigurationError
from send_queue.store import schema

OPEN = """
    with relation as (
        select oid, relname, relkind, relowner from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
    )
    select relname from relation cross join unnest(%(may)s::text[]) may
    where has_table_privilege(%(role)s, oid, may)
       or may in ('SELECT', 'INSERT', 'UPDATE') and has_any_column_privilege(%(role)s, oid, may)
    union
    select relname from relation
    where case relkind when 'S' then has_sequence_privilege(%(role)s, oid, 'USAGE, SELECT, UPDATE') end
    union
    select proname from pg_proc
    where pronamespace = 'public'::regnamespace and has_function_privilege(%(role)s, oid, 'EXECUTE')
"""
"""What of the queue a role may use."""

DO = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


class Supabase:
    """A database whose default privileges give all that is made in `public` to three roles, as Supabase's do."""

    def __init__(self, url: str, conn: Connection) -> None:
        self.url = url
        self.conn = conn
        self.made: list[str] = []
        for kind in ("anon", "authenticated", "service_role"):
            self.role(kind, "bypassrls" if kind == "service_role" else "")
        for what in ("tables", "functions", "sequences"):
            self.do(f"alter default privileges in schema public grant all on {what} to {{}}", *self.made)
        self.do("grant usage on schema public to {}", *self.made)

    def role(self, kind: str, options: str = "") -> str:
        name = f"{kind}_{uuid4().hex[:8]}"
        self.do(f"create role {{}} login password 'secret' {options}", name)
        self.made.append(name)
        return name

    def do(self, statement: str, *roles: str) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, roles))
        self.conn.execute(sql.SQL(cast(Any, statement)).format(names))

    def connect(self, role: str) -> Connection:
        return psycopg.connect(self.url_of(role), autocommit=True)

    def url_of(self, role: str) -> str:
        return make_conninfo(self.url, user=role, password="secret")

    def open_to(self, role: str) -> set[str]:
        return {name for (name,) in self.conn.execute(OPEN, {"role": role, "may": list(DO)})}

    def end(self) -> None:
        for role in self.made:
            for statement in ("drop owned by {}", "drop role {}"):
                self.do(statement, role)


@pytest.fixture
def supabase(empty_database: str) -> Iterator[Supabase]:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        here = Supabase(empty_database, conn)
        try:
            yield here
        finally:
            here.end()


def remade(conn: Connection) -> None:
    """An upgrade that makes all functions and views anew."""
    for kind, names in (
        ("view", "select oid::regclass::text from pg_class where relkind = 'v' and relname ^@ 'send_'"),
        ("function", "select oid::regprocedure::text from pg_proc join send_definitions on name = proname"),
    ):
        for (name,) in conn.execute(cast(Any, names)).fetchall():
            with suppress(errors.DependentObjectsStillExist):  # triggers and constraints keep theirs
                conn.execute(sql.SQL("drop {} {}").format(sql.SQL(cast(Any, kind)), sql.SQL(name)))
    conn.execute("update send_definitions set digest = 'older'")
    assert schema.migrate(conn).views


def queue_of(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.ready(2, channel="log")
    return queue


# --- strangers --------------------------------------------------------------------------------------------


def test_nothing_is_open_whatever_the_default_privileges(supabase: Supabase) -> None:
    """No table, view, sequence or function: after the first migrate, the second, and one that makes all anew."""
    for migrated in (schema.migrate, schema.migrate, remade):
        migrated(supabase.conn)
        for stranger in supabase.made:
            assert supabase.open_to(stranger) == set()
    without = "select relname from pg_class where relname ^@ 'send_' and relkind = 'r' and not relrowsecurity"
    assert supabase.conn.execute(without).fetchall() == []


def test_what_was_open_before_is_closed(supabase: Supabase) -> None:
    """Tables, columns, views, functions, by whomever opened to whomever: migrate says what it took from a role that had
    it by hand."""
    schema.migrate(supabase.conn)
    hand = supabase.role("dashboard")
    for role in (*supabase.made, None):
        for grant in ("all on all tables in schema public", "all on all functions in schema public",
                      "update (used) on send_usage"):  # fmt: skip
            to = sql.Identifier(role) if role else sql.SQL("public")
            supabase.conn.execute(sql.SQL(cast(Any, f"grant {grant} to {{}}")).format(to))
    warnings: list[str] = []
    supabase.conn.add_notice_handler(
        lambda n: warnings.append(str(n.message_primary)) if n.severity == "WARNING" else None
    )
    schema.migrate(supabase.conn)
    assert [supabase.open_to(role) for role in supabase.made] == [set()] * 4
    for role in supabase.made:  # a column's right is no default either
        [warning] = [w for w in warnings if w.startswith(f"The rights of role {role} on")]
        assert role == hand or "on public.send_usage were" in warning


def test_a_stranger_tries(supabase: Supabase) -> None:
    """Reading, writing, emptying and calling are refused for real; and a right given by hand shows no row."""
    schema.migrate(supabase.conn)
    queue_of(supabase.conn)
    anon, _, service = supabase.made
    relations = "select relname, relkind = 'v' from pg_class where relname ^@ 'send_' and relkind in ('r', 'v')"
    writing = ("insert into {} default values", "delete from {}", "truncate {} cascade")
    tries = [
        sql.SQL(cast(Any, text)).format(sql.Identifier(name))
        for name, is_view in supabase.conn.execute(relations)
        for text in ("select from {}", *(() if is_view else writing))
    ]
    for call in ("enqueue('spring', 'log', 'me', 'hi')", "claim('me')", "lane_report()", "pause(true, 'all')",
                 "grant('x', 'work')", "close()", "uuid()"):  # fmt: skip
        tries.append(sql.SQL(cast(Any, f"select send_{call}")).format())
    for role in (anon, service):
        with supabase.connect(role) as stranger:
            for statement in tries:
                with pytest.raises(errors.InsufficientPrivilege):
                    stranger.execute(statement)
    supabase.do("grant select on send_queue to {}", anon)
    with supabase.connect(anon) as stranger:
        assert stranger.execute("select count(*) from send_queue").fetchone() == (0,)


def test_granted_roles_work_under_it(supabase: Supabase, cli: Cli) -> None:
    """Under the same default privileges a worker sends, an app enqueues, a reader reads, after an upgrade too."""
    roles = {task: supabase.role(task) for task in ("work", "enqueue", "read")}
    schema.migrate(supabase.conn, grants=[(role, task, None) for task, role in roles.items()])
    queue = queue_of(supabase.conn)
    for sent in (3, 4):
        with supabase.connect(roles["enqueue"]) as app:
            app.execute("select send_enqueue('spring', 'log', 'you', 'hi')")
        cli("run", env={"DATABASE_URL": supabase.url_of(roles["work"])})
        assert queue.statuses() == {"sent": sent}
        with supabase.connect(roles["read"]) as reader:
            assert reader.execute("select sent from send_campaign_progress").fetchall() == [(sent,)]
            assert reader.execute("select account from send_lane_status where channel = 'log'").fetchall() == [("ada",)]
        remade(supabase.conn)
        assert supabase.open_to(supabase.made[0]) == set()


def test_a_member_of_the_owners_role_passes(supabase: Supabase) -> None:
    """People who steer are members of the owner's role: row level security does not hide its rows from them."""
    owner, person = supabase.role("owner"), supabase.role("person")
    supabase.do("grant create on schema public to {}", owner)
    supabase.conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(owner), sql.Identifier(person)))
    with supabase.connect(owner) as conn:
        schema.migrate(conn)
    with supabase.connect(person) as conn:
        queue = queue_of(conn)
        queue.call("send_pause", paused=True, kind="account", name="ada")
        assert queue.one("select count(*) from send_next") == 2


# --- one workspace ----------------------------------------------------------------------------------------


@pytest.fixture
def tenants(supabase: Supabase) -> Queue:
    """Two workspaces, acme and default, each with an account ada and a campaign spring; only default has summer."""
    schema.migrate(supabase.conn)
    queue = Queue(supabase.conn)
    queue.workspace("acme")
    for workspace in ("default", "acme"):
        queue.account("ada", workspace=workspace)
        queue.campaign("spring", ["ada"], workspace=workspace)
    queue.campaign("summer", ["ada"])
    return queue


def whose(queue: Queue, send_id: UUID) -> Any:
    return queue.one(
        "select w.name from send_queue q join send_workspaces w on w.id = workspace_id where q.id = %s", send_id
    )


def enqueued(conn: Connection, campaign: str, workspace: str | None = None) -> UUID:
    call = "select id from send_enqueue(%s, 'log', 'r', 'm', workspace => %s)"
    [[send_id]] = conn.execute(call, (campaign, workspace)).fetchall()
    return cast(UUID, send_id)


def test_a_bound_role_sees_one_workspace(supabase: Supabase, tenants: Queue) -> None:
    """Without a workspace it means its own; another one, and what only another one has, is as if it did not exist."""
    bound, free = supabase.role("bound"), supabase.role("free")
    schema.migrate(supabase.conn, grants=[(bound, "enqueue", "acme")])
    schema.migrate(supabase.conn, grants=[(free, "enqueue", None)])
    with supabase.connect(bound) as app:
        assert whose(tenants, enqueued(app, "spring")) == "acme"
        assert whose(tenants, enqueued(app, "spring", "acme")) == "acme"
        for campaign, workspace, said in [
            ("spring", "default", "There is no workspace 'default'"),
            ("spring", "nowhere", "There is no workspace 'nowhere'"),
            ("summer", None, "There is no campaign 'summer'"),
            ("summer", "acme", "There is no campaign 'summer' in the workspace 'acme'"),
        ]:
            with pytest.raises(psycopg.Error, match=said) as refused:
                enqueued(app, campaign, workspace)
            assert refused.value.sqlstate == "SQ005"
    with supabase.connect(free) as app:
        assert whose(tenants, enqueued(app, "spring")) == "default"
        assert whose(tenants, enqueued(app, "spring", "acme")) == "acme"
    assert whose(tenants, enqueued(supabase.conn, "spring")) == "default"


def test_a_bound_role_stays_so_whoever_it_is_by(supabase: Supabase, tenants: Queue) -> None:
    """By `set role`, as PostgREST does it; as a member; and through a function of its own that others call."""
    bound, login, other = supabase.role("bound"), supabase.role("login", "noinherit"), supabase.role("other")
    schema.migrate(supabase.conn, grants=[(bound, "enqueue", "acme")])
    supabase.conn.execute(sql.SQL("grant {} to {}").format(sql.Identifier(bound), sql.Identifier(login)))
    with supabase.connect(login) as app:
        with app.transaction():
            app.execute(sql.SQL("set local role {}").format(sql.Identifier(bound)))
            sent = enqueued(app, "spring")
        assert whose(tenants, sent) == "acme"
        app.execute(sql.SQL("set role {}").format(sql.Identifier(bound)))
        with pytest.raises(psycopg.Error, match="There is no campaign 'summer'"):
            enqueued(app, "summer")
    supabase.do("create schema theirs authorization {}", bound)
    with supabase.connect(bound) as app:
        app.execute(
            "create function theirs.put() returns uuid language sql security definer as "
            "$$ select id from public.send_enqueue('summer', 'log', 'r', 'm') $$"
        )
        app.execute("grant usage on schema theirs to public")
    with supabase.connect(other) as stranger, pytest.raises(errors.InsufficientPrivilege, match="granted no workspace"):
        stranger.execute("select theirs.put()")


def test_a_role_lets_others_enqueue_by_a_function_of_its_own(supabase: Supabase, tenants: Queue) -> None:
    """Where no role is bound, whoever may call the function of a granted role puts in what that one decides."""
    granted, other = supabase.role("granted"), supabase.role("other")
    schema.migrate(supabase.conn, grants=[(granted, "enqueue", None)])
    supabase.do("create schema theirs authorization {}", granted)
    with supabase.connect(granted) as app:
        app.execute(
            "create function theirs.put() returns uuid language sql security definer as "
            "$$ select id from public.send_enqueue('summer', 'log', 'r', 'm') $$"
        )
        app.execute("grant usage on schema theirs to public")
    with supabase.connect(other) as stranger:
        [[send_id]] = stranger.execute("select theirs.put()").fetchall()
    assert whose(tenants, send_id) == "default"


def test_a_worker_tells_whom_it_must_beside_bound_roles(supabase: Supabase, tenants: Queue) -> None:
    """A run puts in notifications for all workspaces, whatever applications are bound to."""
    worker = supabase.role("worker")
    schema.migrate(supabase.conn, grants=[(supabase.role("bound"), "enqueue", "acme"), (worker, "work", None)])
    tenants.do(
        "select send_set_notification('{disconnected}', 'webhook', 'https://example.com', at => now() - '1h'::interval)"
    )
    tenants.do("update send_accounts set status = 'disconnected'")
    with supabase.connect(worker) as conn:
        conn.execute("select send_end_run('run', 'me', 1)")
    assert tenants.statuses() == {"pending": 1}


@pytest.mark.parametrize("task", ["work", "read"])
@pytest.mark.usefixtures("tenants")
def test_only_enqueue_is_bound(supabase: Supabase, task: str) -> None:
    """Runs and views are of all workspaces: a sentence says so, and nothing is granted."""
    role = supabase.role("r")
    with pytest.raises(psycopg.Error, match="Only --grant-enqueue can be bound to a workspace") as refused:
        schema.migrate(supabase.conn, grants=[(role, task, "acme")])
    assert refused.value.sqlstate == "SQ002"
    assert supabase.open_to(role) == set()


# --- what is remembered -----------------------------------------------------------------------------------


def test_a_renamed_role_keeps_its_task_and_a_dropped_one_is_forgotten(supabase: Supabase) -> None:
    """A task is the role's, not its name's; a role that is gone leaves none behind for whoever has that name next."""
    old, gone, new = supabase.role("old"), supabase.role("gone"), f"new_{uuid4().hex[:8]}"
    schema.migrate(supabase.conn, grants=[(old, "enqueue", None), (gone, "work", None)])
    supabase.conn.execute(sql.SQL("alter role {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))
    for statement in ("drop owned by {}", "drop role {}"):
        supabase.do(statement, gone)
    supabase.made = [new if name == old else name for name in supabase.made if name != gone]
    warnings: list[str] = []
    supabase.conn.add_notice_handler(
        lambda n: warnings.append(str(n.message_primary)) if n.severity == "WARNING" else None
    )
    remade(supabase.conn)
    assert [w for w in warnings if "no longer exists" in w] == [
        f"The role {gone} no longer exists: its task (work) was revoked."
    ]
    assert supabase.conn.execute("select role, task from send_grants").fetchall() == [(new, "enqueue")]
    assert supabase.open_to(new) == {"send_enqueue"}


# --- whose it is ------------------------------------------------------------------------------------------


def test_send_ours_is_all_that_migrate_makes(conn: Connection) -> None:
    """Each table, view and function of a database that has nothing else, and nothing that is not there."""
    made = conn.execute("""
        select 'pg_class', oid from pg_class
        where relnamespace = current_schema()::regnamespace and relkind not in ('i', 'I', 't', 'c')
        union all select 'pg_proc', oid from pg_proc where pronamespace = current_schema()::regnamespace
    """).fetchall()
    assert set(conn.execute("select * from send_ours()").fetchall()) == set(made)


def test_a_users_own_things_stay_as_they_are(supabase: Supabase) -> None:
    """What has a name that begins with send_ and is not ours keeps its rights, its options and its owner's rights."""
    app, other = supabase.role("app"), supabase.role("other")
    for statement in (
        "create table send_letters (id int)",
        "create view send_letters_view as select * from send_letters",
        "create function send_email(text) returns text security definer set search_path = public return $1",
        "create function send_fax() returns int security definer return 1",
    ):
        supabase.conn.execute(cast(Any, statement))
    supabase.do("grant select on send_letters, send_letters_view to {}", app)
    supabase.do("grant create on schema public to {}", other)
    supabase.do("alter function send_fax() owner to {}", other)
    theirs = """
        select c.oid, relacl::text, reloptions::text, relrowsecurity from pg_class c
        where relnamespace = current_schema()::regnamespace and relname ^@ 'send_letters'
        union all select p.oid, proacl::text, proconfig::text, prosecdef from pg_proc p
        where proname in ('send_email', 'send_fax') order by oid
    """
    before = supabase.conn.execute(theirs).fetchall()
    schema.migrate(supabase.conn)
    schema.migrate(supabase.conn)
    assert (4, before) == (len(before), supabase.conn.execute(theirs).fetchall())


def test_an_upgrade_by_another_role_belongs_to_the_owner(supabase: Supabase) -> None:
    """Whoever may act as the owner of the tables upgrades them, and what is made anew is the owner's."""
    owner = supabase.role("owner", "createrole")
    supabase.do("grant create, usage on schema public to {}", owner)
    with supabase.connect(owner) as conn:
        schema.migrate(conn)
    remade(supabase.conn)
    owners = """
        select relowner::regrole::text from pg_class where relname ^@ 'send_' and relkind in ('r', 'v')
        union select proowner::regrole::text from pg_proc where proname ^@ 'send_'
    """
    assert supabase.conn.execute(owners).fetchall() == [(owner,)]
    me = supabase.conn.execute("select session_user = current_user").fetchone()
    assert me == (True,)
    stranger = supabase.role("stranger", "createrole")
    supabase.do("grant create on schema public to {}", stranger)
    with supabase.connect(stranger) as conn, pytest.raises(ConfigurationError, match="permission denied"):
        schema.migrate(conn)
