"""Databases of tests: a fresh one is ten megabytes that are copied, so one is emptied and used again where it can be.

What a test may leave: rows, which go, and the template's come back; sessions, which are ended; and all that is neither
(a table, a right, a setting, statistics), after which the database is dropped, and the next test gets a fresh one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

CATALOGS = (
    "pg_attribute", "pg_auth_members", "pg_cast", "pg_collation", "pg_constraint", "pg_default_acl", "pg_event_trigger",
    "pg_extension", "pg_index", "pg_operator", "pg_policy", "pg_proc", "pg_publication", "pg_rewrite", "pg_statistic",
    "pg_trigger", "pg_type",
)  # fmt: skip
"""What a change of a database leaves a row in, beside pg_class: there, emptying a table does too."""

LARGE = 5 * 8192
"""Bytes: fewer than the planner takes an empty table to have."""

STATE = sql.SQL("""
select (select md5(string_agg(concat_ws('|', oid, relname, relnamespace, relkind, relowner, relacl, reloptions,
            relrowsecurity, relforcerowsecurity, relpersistence), ',' order by oid)) from pg_class),
    (select string_agg(concat_ws('|', nspname, nspowner, nspacl), ',' order by oid) from pg_namespace
     where nspname !~ '^pg_(toast_)?temp'),
    (select concat_ws('|', datdba, datacl, datconnlimit, datcollversion) from pg_database
     where datname = current_database()),
    (select string_agg(s::text, ',' order by s::text) from pg_db_role_setting s), {}
""").format(
    sql.SQL(", ").join(
        sql.SQL("(select concat(count(*), ' ', max(xmin::text::bigint)) from {})").format(sql.Identifier(name))
        for name in CATALOGS
    )
)


def at(server: str, name: str) -> str:
    """Return the URL of the database `name` on the server of the URL `server`."""
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def create_database(conn: Connection, name: str, template: str) -> str:
    conn.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
    conn.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
    return name


def drop_database(conn: Connection, name: str) -> None:
    """Drop a database that somebody may still be connected to; `force` would need the right to end autovacuum too."""
    end_sessions(conn, name)
    conn.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


def end_sessions(conn: Connection, name: str) -> None:
    conn.execute("select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = %s"
                 " and usesysid is not null and pid <> pg_backend_pid()", (name,))  # fmt: skip


def new_database(server: str, template: str) -> str:
    """Make a copy of a template, and return its name."""
    name = f"sq_test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as conn:
        create_database(conn, name, template)
    if template != "template1":
        with psycopg.connect(at(server, name), autocommit=True) as conn:
            conn.execute("select send_adopt()")  # it is a copy of the template
    return name


class Reused:
    """One database with the schema in it, for one test after another."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._name: str | None = None
        self._state: tuple[Any, ...] | None = None
        self._tables: list[str] = []
        self._rows: dict[str, bytes] = {}
        """What the tables of the template hold, in the binary form of COPY."""
        self._filled: dict[str, tuple[str, bool]] = {}
        self._pointing: list[tuple[Any, ...]] = []
        """Tables that have foreign keys, and to which."""

    def url(self) -> str:
        """The URL of the database, which is as the template is."""
        if self._name is None:
            self._name = new_database(self._server, self._template)
            with psycopg.connect(at(self._server, self._name), autocommit=True) as conn:
                self._look(conn)
        return at(self._server, self._name)

    def clean(self) -> None:
        """Make it as the template is again, or drop it."""
        assert self._name is not None
        try:
            with psycopg.connect(at(self._server, self._name), autocommit=True) as conn:
                end_sessions(conn, self._name)
                if self._state is not None and conn.execute(STATE).fetchone() == self._state:
                    self._empty(conn)
                    return
        except psycopg.Error:
            pass  # whatever a test has done to it: it goes
        self.drop()

    def drop(self) -> None:
        if self._name is not None:
            with psycopg.connect(self._server, autocommit=True) as conn:
                drop_database(conn, self._name)
            self._name = None

    def _look(self, conn: Connection) -> None:
        if conn.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() != (True,):
            return  # triggers are passed by below, which only a superuser may
        self._tables = [name for (name,) in conn.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")]  # fmt: skip
        self._pointing = conn.execute(
            "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint where contype = 'f'"
        ).fetchall()
        self._rows = {}
        self._filled = self._look_at_rows(conn)
        for name in self._filled:
            copying = sql.SQL("copy {} to stdout (format binary)").format(sql.Identifier(name))
            with conn.cursor().copy(copying) as copy:
                self._rows[name] = b"".join(map(bytes, copy))
        self._state = conn.execute(STATE).fetchone()

    def _look_at_rows(self, conn: Connection) -> dict[str, tuple[str, bool]]:
        """Of each table that has had rows, a text that changes with them, and whether it is large."""
        look = sql.SQL("select {}, concat(count(*), ' ', max(xmin::text::bigint)), pg_relation_size({}) > {} from {}"
                       " having pg_relation_size({}) > 0")  # fmt: skip
        looks = (look.format(name, name, LARGE, sql.Identifier(name), name) for name in self._tables)
        return {name: (rows, large) for name, rows, large in conn.execute(sql.SQL(" union all ").join(looks))}

    def _empty(self, conn: Connection) -> None:
        now = self._look_at_rows(conn)
        changed = {name for name in now if now[name] != self._filled.get(name)}
        with conn.transaction():
            conn.execute("set local session_replication_role = replica")
            if any(now[name][1] for name in changed):
                while more := {name for name, to in self._pointing if to in changed} - changed:
                    changed |= more
                names = sql.SQL(", ").join(map(sql.Identifier, changed))
                conn.execute(sql.SQL("truncate {} restart identity").format(names))
            else:  # what little they hold costs a fraction of new files for them and their indexes
                for name in changed:
                    conn.execute(sql.SQL("delete from {}").format(sql.Identifier(name)))
            for name in changed & self._rows.keys():
                copying = sql.SQL("copy {} from stdin (format binary)").format(sql.Identifier(name))
                with conn.cursor().copy(copying) as copy:
                    copy.write(self._rows[name])
        if "send_database" in changed:
            conn.execute("select send_note_database()")  # which goes by where its own row is
        conn.execute("select pg_stat_reset()")
        self._filled = self._look_at_rows(conn)
