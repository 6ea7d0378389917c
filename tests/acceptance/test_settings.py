"""Whatever the role's or the database's settings are: the commands say and do the same, or say what to change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from conftest import Cli
from databases import at
from psycopg import sql

from acceptance.conftest import MONDAY, Popen, Queue
from send_queue.cli import _status

Here = Callable[[str, Sequence[str | Path], datetime], tuple[int, str, str]]

MESSAGE = r"Grüße 🎉 aus Köln, C:\new 'here'"

HOSTILE = [
    {
        "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on",
        "standard_conforming_strings": "off", "quote_all_identifiers": "on", "client_encoding": "latin1",
        "datestyle": "SQL, DMY", "intervalstyle": "iso_8601", "timezone": "Pacific/Kiritimati",
        "bytea_output": "escape", "array_nulls": "off", "search_path": "public, pg_temp",
    },
    {
        "default_transaction_isolation": "repeatable read", "client_encoding": "sjis", "datestyle": "German",
        "intervalstyle": "sql_standard", "timezone": "<-03>3", "extra_float_digits": "-15",
        "transform_null_equals": "on", "xmlbinary": "hex", "search_path": "public, pg_catalog",
        "plan_cache_mode": "force_custom_plan", "synchronous_commit": "off", "check_function_bodies": "off",
    },
    {
        "datestyle": "Postgres, MDY", "intervalstyle": "postgres_verbose", "standard_conforming_strings": "off",
        "backslash_quote": "off", "default_toast_compression": "pglz",
    },
]  # fmt: skip
"""Settings that a role or a database may have, many at once: each set has something against each way of writing."""


def a_whole_day(here: Here, folder: Path, url: str) -> list[str]:
    """All that the main commands say of a small queue, without what differs each time: ids, fractions of seconds."""
    people = folder / "people.csv"
    people.write_text("recipient,first_name\n+49 170 1234567,Jürgen\n0049 170 7654321,Łucja\n", encoding="utf-8")
    said: list[str] = []

    def call(*args: str | Path, minutes: float = 0, check: bool = True) -> str:
        status, out, err = here(url, args, MONDAY + timedelta(minutes=minutes))
        assert not check or status == 0, (args, out, err)
        told = "\n".join(line for line in err.splitlines() if "rehearsing" not in line)
        said.append(f"{' '.join(map(str, args[:3]))} {status}\n{out}\n{told}")
        return out

    enqueue = ("enqueue", "--campaign", "fall", "--channel", "log", "--message", MESSAGE, "--json")
    call("migrate", "--json")
    call("schedule", "add", "all", "--timezone", "Europe/Berlin", "--hours", "00:00-24:00", "--days", "mon-sun")
    call("account", "add", "anna", "--provider", "log", "--schedule", "all")
    for channel in ("log", "sms"):
        call("lane", "set", "anna", channel, "--daily-cap", "2", "--cap-timezone", "America/New_York", "--json")
    call("limit", "add", "--account", "anna", "10/36h", "--json")
    call("campaign", "add", "fall", "--account", "anna", "--json")
    call("suppress", "add", "+49 (170) 555-0000", "--reason", "asked")
    call(*enqueue, "--recipient", "+49170 5550000", minutes=1)
    call(*enqueue, "--recipient", "  ", check=False)
    call(*enqueue, "--recipient", "late", "--expires", "2026-11-23T15:05:00Z", minutes=2)
    call(*enqueue, "--recipient", "early", "--expires", "2026-11-23T14:05:00Z", check=False)
    last = json.loads(call(*enqueue, "--recipient", "Zoë", "--at", "2026-11-25T09:00:00+01:00"))["id"]
    call(
        "import", people, "--campaign", "fall", "--channel", "log", "--message", "Hi {first_name}", "--json", minutes=3
    )
    call("explain", last, "--json")
    call("run-once", "--dry-run", "--limit", "9", "--json", minutes=10)
    for minute in (10, 10.5):
        call("run-once", "--json", minutes=minute)
    call("run", "--json", minutes=11)
    call("explain", last, minutes=12)
    call("explain", last, "--json", minutes=12)
    for shown in ("status", "list", "limit list", "lane list", "history", "report", "forecast", "suppress list"):
        call(*shown.split(), *([last] if shown == "history" else []), "--json", minutes=12)
    call("pause", "account", "anna", "--reason", "lunch")
    call("resume", "account", "anna")
    call("cancel", last)
    call("history", last, "--json", minutes=12)
    call("doctor", "--json", minutes=12, check=False)
    call("prune", "--older-than", "1d", "--keep-last", "0", minutes=60 * 48)
    return [_same(text) for text in said]


def _same(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r'"created_at": "[^"]*"', "", text)
    text = re.sub(r'\{"check": "settings".*?\}(, )?', "", text)  # which doctor names, as it should
    text = re.sub(r"(T\d\d:\d\d):\d\d(\.\d+)?\+00:00", r"\1", text)
    text = re.sub(r"sq_test_\w+|/tmp/\S+", "NAME", text)
    return re.sub(r"(\d)\.\d+", r"\1", text)


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Call the command in this process, on a database, at a moment: its exit status, and what it wrote."""

    def call(url: str, args: Sequence[str | Path], now: datetime) -> tuple[int, str, str]:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("SEND_QUEUE_NOW", now.isoformat())
        return _status([str(arg) for arg in args]), *capsys.readouterr()

    return call


def have(url: str, settings: Mapping[str, str]) -> None:
    """Give the database settings, as its owner or a hosting company may."""
    with psycopg.connect(url, autocommit=True) as conn:
        for name, value in settings.items():
            values = sql.SQL(", ").join(map(sql.Literal, value.split(", "))) if name == "search_path" else value
            conn.execute(sql.SQL("alter database {} set {} = {}").format(
                sql.Identifier(conn.info.dbname), sql.Identifier(name), values))  # fmt: skip


@pytest.mark.parametrize("settings", HOSTILE, ids=["first", "second", "third"])
def test_a_day_is_the_same(settings: Mapping[str, str], here: Here, empty_database: str, tmp_path: Path) -> None:
    """From migrate to prune, every command says and does the same under settings that are not the server's own."""
    usual = a_whole_day(here, tmp_path, empty_database)
    with psycopg.connect(empty_database) as conn:
        conn.execute("drop schema public cascade; create schema public")
    have(empty_database, settings)
    for said, expected in zip(a_whole_day(here, tmp_path, empty_database), usual, strict=True):
        assert said == expected


# --- encodings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused(server: str, cli: Cli, encoding: str) -> None:
    """migrate makes no queue in it, and no other command speaks to one: one sentence, that says how to make another."""
    name = f"sq_test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {} encoding {} locale 'C' template template0").format(
            sql.Identifier(name), sql.Literal(encoding)))  # fmt: skip
    try:
        for command in ("migrate", "run-once", "doctor", "status"):
            done = cli(command, env={"DATABASE_URL": at(server, name)}, check=False)
            assert (done.returncode, done.stdout) == (78, "")
            assert f"encoding {encoding} cannot hold every text: make a database with `create database" in done.stderr
            assert len(done.stderr.splitlines()) == 1
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


def test_the_encoding_of_others_is_not_ours(queue: Queue) -> None:
    """Neither PGCLIENTENCODING, nor DATABASE_URL, nor the role's setting changes how a message is read and written."""
    queue.ready()
    have(queue.conn.info.dsn, {"client_encoding": "latin1"})
    queue.conn.execute("update send_queue set message = %s", (MESSAGE,))
    assert queue.run_once(env={"PGCLIENTENCODING": "sjis"})["sent"] == 1
    [accepted] = queue.sandbox.accepted()
    assert accepted["text"] == MESSAGE


# --- time-outs and isolation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"idle_session_timeout": "1ms"},
        {"idle_in_transaction_session_timeout": "1ms"},
        {"lock_timeout": "1ms"},
        {"statement_timeout": "1ms"},
        {"transaction_timeout": "1ms"},
    ],
    ids=str,
)
def test_a_time_out_ends_a_command_in_words(queue: Queue, settings: Mapping[str, str]) -> None:
    """A command under a time-out of the server's works, or ends with 69 and a sentence; no result is lost by it."""
    [name] = settings
    if name not in {row[0] for row in queue.conn.execute("select name from pg_settings")}:
        pytest.skip("this server does not have it")
    [send_id] = queue.ready()
    have(queue.conn.info.dsn, settings)
    for command in (["forecast"], ["explain", send_id], ["status"], ["prune", "--older-than", "1d"], ["run-once"]):
        done = queue(*command, check=False)
        said = [line for line in done.stderr.splitlines() if "rehearsing" not in line]
        assert done.returncode in (0, 69), done
        assert len(said) == 1 if done.returncode else len(said) <= 1, done
    accepted = len(queue.sandbox.accepted())
    assert queue.statuses() in ({"pending": 1}, {"sent": 1})
    assert queue.statuses() == {"sent": 1} if accepted else {"pending": 1}


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_cap_is_exact_whatever_the_usual_level_is(queue: Queue, start: Popen, level: str) -> None:
    """Overlapping runs on a database whose transactions are of another level share a cap, and each ends with 0."""
    queue.ready(rows=30, daily_cap=12, max_in_flight=4)
    have(queue.conn.info.dsn, {"default_transaction_isolation": level})
    runs = [start("run", "--concurrency", "4", now=MONDAY) for _ in range(4)]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, (out, err)
    assert len(queue.sandbox.accepted()) == queue.used() == 12
    assert queue.statuses() == {"sent": 12, "pending": 18}


# --- rights -----------------------------------------------------------------------------------------------


def test_a_role_without_temporary_tables_is_told_which_right_it_lacks(queue: Queue, tmp_path: Path) -> None:
    """import, forecast and explain name the grant that their role needs, and who gives it; a run needs none."""
    _, second = queue.ready(rows=2, min_gap_seconds=60)
    name, role = queue.conn.info.dbname, f"sq_clerk_{uuid4().hex[:8]}"
    for statement in (
        "create role {role} login", "revoke temporary on database {name} from public",
    ):  # fmt: skip
        queue.conn.execute(sql.SQL(statement).format(role=sql.Identifier(role), name=sql.Identifier(name)))
    for (owned,) in queue.conn.execute(  # an ordinary role, which owns the queue
        "select 'table ' || oid::regclass from pg_class where relname ^@ 'send_' and relkind in ('r', 'v') union all "
        "select 'function ' || oid::regprocedure from pg_proc where proname ^@ 'send_'"
    ).fetchall():
        queue.conn.execute(sql.SQL("alter {} owner to {}").format(sql.SQL(owned), sql.Identifier(role)))
    people = tmp_path / "people.csv"
    people.write_text("recipient\nACoAAnew\n")
    env = {"DATABASE_URL": psycopg.conninfo.make_conninfo(queue.conn.info.dsn, user=role)}
    try:
        importing = ("import", people, "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi")
        for command in (importing, ("forecast",), ("explain", second)):
            done = queue(*command, env=env, check=False)
            assert done.returncode == 78, done
            assert f"run `grant temporary on database {name} to {role}` as the owner" in done.stderr
        assert queue.run_once(env=env)["sent"] == 1
        queue.conn.execute(sql.SQL("grant temporary on database {} to {}").format(
            sql.Identifier(name), sql.Identifier(role)))  # fmt: skip
        assert queue("forecast", env=env).returncode == 0
    finally:
        queue.conn.execute(sql.SQL("drop owned by {role} cascade; drop role {role}").format(role=sql.Identifier(role)))


# --- doctor -----------------------------------------------------------------------------------------------


def test_doctor_names_settings_that_stand_in_the_way(queue: Queue) -> None:
    """Each with the statement that resets it, on the database or on the role, whichever has it."""
    have(queue.conn.info.dsn, {
        "default_transaction_isolation": "serializable", "statement_timeout": "5s", "lock_timeout": "100ms",
        "session_replication_role": "replica", "default_transaction_read_only": "yes",
    })  # fmt: skip
    found = [f for f in queue.json("doctor", check=False)["findings"] if f["check"] in ("settings", "read_only")]
    assert {f["mend"].partition(" reset ")[2] for f in found if f["severity"] == "wrong"} == {
        "session_replication_role", "default_transaction_read_only"}  # fmt: skip
    for finding in found:
        queue.conn.execute("set default_transaction_read_only = off")
        queue.conn.execute(finding["mend"])
    assert len(found) == 5
    said = queue.json("doctor", check=False)["findings"]
    assert not [f for f in said if f["check"] in ("settings", "read_only")]


def test_doctor_names_a_collation_that_has_changed(queue: Queue) -> None:
    """After an upgrade of the operating system a unique index on text may be broken: doctor names the REINDEX."""
    if queue.conn.info.server_version < 150000:
        pytest.skip("the version of a database's collation is noted from Postgres 15 on")
    name = queue.conn.info.dbname
    [(version,)] = queue.conn.execute(
        "select pg_database_collation_actual_version(oid) from pg_database where datname = %s", (name,)
    ).fetchall()
    if version is None:
        pytest.skip("the collation of this server has no version")
    queue.conn.execute("update pg_database set datcollversion = '0' where datname = %s", (name,))
    [found] = [f for f in queue.json("doctor", check=False)["findings"] if f["check"] == "collation"]
    assert (found["severity"], found["mend"]) == (
        "wrong",
        f"reindex database {name}; alter database {name} refresh collation version",
    )
    for statement in found["mend"].split("; "):
        queue.conn.execute(statement)
    assert "collation" not in [f["check"] for f in queue.json("doctor", check=False)["findings"]]
