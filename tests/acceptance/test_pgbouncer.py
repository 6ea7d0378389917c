"""Everything works through pgbouncer in transaction mode: no session is ours, and none of our calls needs one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from chaos.ports import unused_port
from chaos.world import environment, until
from conftest import Cli

from send_queue.sandbox import Sandbox
from send_queue.store import schema

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (Debian: apt install pgbouncer)")

POOL = 2
"""Connections to the server: fewer than there are clients, so that transactions of one client change places."""


@pytest.fixture
def pooled(empty_database: str) -> Iterator[str]:
    """The URL of the test's database through a pgbouncer of its own."""
    assert PGBOUNCER is not None
    server = urlsplit(empty_database)
    host = server.hostname or parse_qs(server.query)["host"][0]
    name = server.path.lstrip("/")
    port = unused_port()
    folder = Path(tempfile.mkdtemp(prefix="sq-pgbouncer-", dir="/tmp"))
    folder.chmod(0o755)
    ini = folder / "pgbouncer.ini"
    password = f" password={server.password}" if server.password else ""
    user = server.username or "postgres"
    ini.write_text(f"""
[databases]
{name} = host={host} port={server.port or 5432} dbname={name} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = 50
""")
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:  # which it refuses to be; the server's socket is open to its owner
        socket_dir = Path(host)
        uid = socket_dir.stat().st_uid if socket_dir.is_absolute() else pwd.getpwnam("nobody").pw_uid
        owner = {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": ()}
    url = f"postgresql://{user}@127.0.0.1:{port}/{name}"
    with (folder / "log").open("wb") as log:
        bouncer = subprocess.Popen([PGBOUNCER, ini], stdout=log, stderr=log, cwd="/", **owner)

    def listens() -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return True
        return False

    try:
        until(lambda: bouncer.poll() is not None or listens(), what="pgbouncer")
        if bouncer.poll() is not None:
            pytest.fail(f"pgbouncer did not start:\n{(folder / 'log').read_text()}")
        yield url
    finally:
        bouncer.send_signal(signal.SIGINT)
        bouncer.wait(timeout=30)
        shutil.rmtree(folder)


def test_a_pool_whose_role_has_settings_of_its_own(pooled: str, empty_database: str, cli: Cli) -> None:
    """The encoding is asked for as a connection begins, which the pool keeps to; each claim has its isolation level."""
    message = "Grüße 🎉, \\n"
    with psycopg.connect(empty_database, autocommit=True) as conn:
        for setting in ("client_encoding = latin1", "default_transaction_isolation = 'repeatable read'",
                        "standard_conforming_strings = off"):  # fmt: skip
            conn.execute(f"alter database {conn.info.dbname} set {setting}")
        for args in (
            ("migrate",), ("account", "add", "anna", "--provider", "log"),
            ("campaign", "add", "hi", "--account", "anna"),
            ("enqueue", "--campaign", "hi", "--channel", "log", "--recipient", "Zoë", "--message", message),
        ):  # fmt: skip
            cli(*args, env={"DATABASE_URL": pooled})
        for pgclientencoding in ("sjis", "latin1"):
            env = {"DATABASE_URL": pooled, "PGCLIENTENCODING": pgclientencoding}
            runs = cli("run", "--json", env=env), cli("list", "--json", env=env)
        assert '"status": "sent"' in runs[1].stdout
        conn.execute("set client_encoding = utf8")
        assert conn.execute("select recipient, message from send_queue").fetchall() == [("Zoë", message)]


def test_the_whole_flow_through_a_transaction_pool(pooled: str, cli: Cli, tmp_path: Path) -> None:
    """From migrate to prune, with overlapping runs, explain's rehearsal and an import, through two connections."""
    csv = tmp_path / "people.csv"
    csv.write_text("recipient,first_name\n" + "".join(f"ACoAA{n},Name{n}\n" for n in range(12)))
    with Sandbox(tmp_path / "journal.jsonl", sync=False) as sandbox:
        env = environment(DATABASE_URL=pooled, UNIPILE_DSN=sandbox.url)

        def said(*args: str | Path, now: datetime | None = None) -> str:
            return cli(*args, env=env, now=now).stdout

        assert f"{len(list(schema.sql_dir().glob('migrations/*.sql')))} migrations," in said("migrate")
        assert said("migrate").startswith("Nothing to do")
        for account in ("anna", "ben"):
            said("account", "add", account, "--provider", "unipile", "--provider-account-id", account, "--schedule",
                 "always")  # fmt: skip
            said("lane", "set", account, "linkedin_message", "--daily-cap", "50", "--max-in-flight", "4", "--min-gap",
                 "0m", "--jitter", "0m")  # fmt: skip
        said("campaign", "add", "hello", "--account", "anna", "--account", "ben")
        said("limit", "add", "--account", "anna", "40/10m")
        said("enqueue", "--campaign", "hello", "--channel", "linkedin_message", "--recipient", "ACoAAfirst",
             "--message", "Hi")  # fmt: skip
        assert '"sent": 1' in said("run-once", "--json")
        said("import", csv, "--campaign", "hello", "--channel", "linkedin_message", "--message", "Hi {first_name}")

        with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as conn:
            waiting = conn.execute("select id::text from send_queue where status = 'pending' order by id").fetchall()
            for (send_id,) in waiting[-3:]:
                assert '"verdict": "' in said("explain", send_id, "--json")
            assert '"account"' in said("run-once", "--dry-run", "--limit", "5", "--json")
            runs = [
                subprocess.Popen(
                    [sys.executable, "-m", "send_queue", "run", "--concurrency", "4"],
                    env=env,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                for _ in range(4)
            ]
            for run in runs:
                printed = run.communicate(timeout=60)
                assert (run.returncode, printed[1]) == (0, b"")
            [(left,)] = conn.execute("select count(*) from pg_class where relpersistence = 't'").fetchall()
            assert left == 0

        assert len(sandbox.accepted()) == 13
        assert len({e["recipient"] for e in sandbox.accepted()}) == 13
        assert '"sent": 13' in said("status", "--json").replace('"count": 13', '"sent": 13')
        assert "13" in said("prune", "--older-than", "1d", now=datetime.now(UTC) + timedelta(days=30))
