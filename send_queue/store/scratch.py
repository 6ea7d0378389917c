"""Databases for tests: made and dropped on a server."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from .connection import translate_errors


def create_database(server: str, template: str | None = None) -> str:
    """Make a database with a new name, empty or a copy of `template`; return its URL.

    `server` is the URL of any database of the server. Its role needs the right `createdb`; raises `UserError`.
    """
    name = f"send_queue_test_{uuid4().hex[:16]}"
    copied = _name(template) if template else "template1"
    with translate_errors(), psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(copied)))
    if "://" in server:
        return urlsplit(server)._replace(path=f"/{name}").geturl()
    return make_conninfo(server, dbname=name)


def drop_database(server: str, url: str) -> None:
    """End the role's sessions in a database that `create_database` made, and drop it."""
    with translate_errors(), psycopg.connect(server, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = %s"
                     " and usename = current_user", (_name(url),))  # fmt: skip
        conn.execute(sql.SQL("drop database {}").format(sql.Identifier(_name(url))))


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
