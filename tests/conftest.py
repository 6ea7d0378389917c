"""What all tests share: one embedded Postgres for the run, and for each test a database with the schema and no rows.

Databases are copies of a template that was migrated once (`databases`). A server of one's own may be named by
SEND_QUEUE_TEST_DATABASE_URL; its role must be allowed to create databases.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from databases import Connection as Connection
from databases import Reused, at, create_database, drop_database, new_database
from hypothesis import HealthCheck, settings
from psycopg import sql
from sizes import FULL

from send_queue.providers import installed
from send_queue.store import embedded, schema

SERVER_URL = "SEND_QUEUE_TEST_DATABASE_URL"
SERVER_DIR = "SEND_QUEUE_TEST_SERVER_DIR"
"""Set here for the workers of pytest-xdist: the folder of the server that they share."""

# What is played is the same each time, however long it takes; with --hypothesis-profile=explore it is not.
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("fixed"), derandomize=False, print_blob=True)
settings.load_profile("fixed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests where a share is played."""
    if not FULL and (slow := [item for item in items if item.get_closest_marker("slow")]):
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_configure(config: pytest.Config) -> None:
    hear_signals()
    if not hasattr(config, "workerinput") and SERVER_URL not in os.environ:
        # Short, and not below pytest's own: that one is closed to all other users on each run.
        os.environ[SERVER_DIR] = tempfile.mkdtemp(prefix="sq-test-", dir="/tmp")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and (folder := os.environ.pop(SERVER_DIR, None)):
        embedded.stop(Path(folder))
        shutil.rmtree(folder)


def hear_signals() -> None:
    """Start children with the signals of a command that a person starts, in the background of a shell too.

    They would inherit that the shell has SIGINT ignored there; they do not inherit a handler.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def server() -> str:
    """The URL of a database on the server of this run."""
    if own := os.environ.get(SERVER_URL):
        return own
    url = embedded.url(Path(os.environ[SERVER_DIR]))
    with psycopg.connect(url, autocommit=True) as conn:
        # Tests kill processes, not machines: nothing here has to survive a power cut.
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            conn.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)))
        conn.execute("select pg_reload_conf()")
    return url


NO_LIMITS = (
    "delete from send_limit_defaults; delete from send_lane_defaults where channel in ('email', 'sms');"
    " update send_lane_defaults set min_gap_seconds = 0, jitter_seconds = 0"
)
"""Most tests have limits of their own, on lanes that begin with none; those of a new lane have a test of their own."""


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a database that holds the schema and nothing else; made once for each state of the SQL."""
    files = [Path(schema.__file__), *sorted(schema.sql_dir().rglob("*.sql"))]
    served = {name: sorted(channels) for name, channels in sorted(installed.served().items())}
    parts = [*(file.read_bytes() for file in files), NO_LIMITS.encode(), repr(served).encode()]
    name = f"sq_template_{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(hashtext('sq_template'))")
        if conn.execute("select from pg_database where datname = %s", (name,)).fetchone() is None:
            new = create_database(conn, f"{name}_new", "template1")
            with psycopg.connect(at(server, new), autocommit=True) as fresh:
                schema.migrate(fresh, served=served)
                fresh.execute(NO_LIMITS)
                fresh.execute("revoke create on schema public from public")  # as it is from Postgres 15 on
            conn.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(new), sql.Identifier(name)))
    return name


@pytest.fixture(scope="session")
def reused(server: str, template: str) -> Iterator[Reused]:
    database = Reused(server, template)
    yield database
    database.drop()


@pytest.fixture
def database(reused: Reused) -> Iterator[str]:
    """The URL of a database of this test's own, with the schema in it and nothing that a test before has left."""
    yield reused.url()
    reused.clean()


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    """The URL of a database of this test's own, with nothing in it."""
    yield from fresh_database(server, "template1")


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    """A connection to the test's database, in autocommit."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def superuser(conn: Connection) -> None:
    """For tests that do what only a superuser may: they are skipped where the tests connect as another role."""
    if conn.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() != (True,):
        pytest.skip("only a superuser may do this")


class Cli(Protocol):
    def __call__(
        self,
        *args: str | Path,
        now: datetime | str | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # as subprocess.run calls it
        check: bool = True,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def cli(database: str, tmp_path: Path) -> Cli:
    """Run `send-queue` as cron would: a process of its own with hardly any environment.

    `now` is what it takes the time to be, `env` adds to the environment, `timeout` is in seconds. With
    `check` an exit status other than 0 fails the test and shows what the command said.
    """

    def run(
        *args: str | Path,
        now: datetime | str | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # as subprocess.run calls it
        check: bool = True,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        moment = now.isoformat() if isinstance(now, datetime) else now
        done = subprocess.run(
            [sys.executable, "-m", "send_queue", *args],
            env={
                "PATH": os.defpath,
                "HOME": str(tmp_path),
                "DATABASE_URL": database,
                **({"SEND_QUEUE_NOW": moment} if moment else {}),
                **(env or {}),
            },
            input="" if input is None else input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"send-queue {' '.join(map(str, args))} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    return run


def fresh_database(server: str, template: str) -> Iterator[str]:
    """Make a database that no test has used, and drop it in the end."""
    name = new_database(server, template)
    yield at(server, name)
    with psycopg.connect(server, autocommit=True) as conn:
        drop_database(conn, name)
