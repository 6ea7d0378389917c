"""Invariant 19: a copy never sends by itself, however it was made, until a person has said `adopt`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from databases import at, create_database
from psycopg import sql

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Done, Queue
from send_queue.store import embedded, schema

ROWS = 5


def client(program: str, *args: str, stdin: Path | None = None) -> bytes:
    """Run a client of the wheel's, as an operator would."""
    with (stdin or Path(os.devnull)).open("rb") as file:
        done = subprocess.run([embedded.bin_dir() / program, *args], stdin=file, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Place:
    """The server of the tests, and copies of a test's database on it."""

    def __init__(self, server: str, original: str, folder: Path) -> None:
        self.server, self.original, self.folder = server, original, folder
        self.made: list[str] = []

    def new(self, template: str = "template1") -> str:
        name = f"sq_copy_{uuid4().hex[:12]}"
        with psycopg.connect(self.server, autocommit=True) as conn:
            create_database(conn, name, template)
        self.made.append(name)
        return at(self.server, name)

    def dump(self, *options: str) -> Path:
        file = self.folder / f"{uuid4().hex}.sql"
        file.write_bytes(client("pg_dump", *options, self.original))
        return file

    def load(self, url: str, file: Path) -> str:
        client("psql", "-X", "-q", url, stdin=file)
        return url

    # --- how copies are made ------------------------------------------------------------------------------

    def restored(self) -> str:
        """A dump, restored into another database."""
        return self.load(self.new(), self.dump())

    def templated(self) -> str:
        """createdb -T."""
        return self.new(urlsplit(self.original).path[1:])

    def filled(self) -> str:
        """Its rows alone, loaded into a queue that was migrated on its own, and emptied of all but its note."""
        url = self.new()
        with psycopg.connect(url, autocommit=True) as conn:
            schema.migrate(conn)
            tables = conn.execute("select relname from pg_class where relkind = 'r' and relname ~ '^send_'").fetchall()
            names = [sql.Identifier(name) for (name,) in tables if name != "send_database"]
            conn.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(names)))
        return self.load(url, self.dump("--data-only", "--disable-triggers"))

    def restored_in_place(self) -> str:
        """The same database, back from its dump: what went out after it is forgotten."""
        file = self.dump()
        with psycopg.connect(self.original, autocommit=True) as conn:
            conn.execute("drop schema public cascade; create schema public")
        return self.load(self.original, file)


@pytest.fixture
def place(server: str, database: str, tmp_path: Path) -> Iterator[Place]:
    place = Place(server, database, tmp_path)
    yield place
    with psycopg.connect(server, autocommit=True) as conn:
        for name in place.made:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


HOW: list[Callable[[Place], str]] = [Place.restored, Place.templated, Place.filled, Place.restored_in_place]


def copied(place: Place, queue: Queue, how: Callable[[Place], str]) -> str:
    """The URL of a copy; the test's own connection must not be in the way of a template."""
    queue.conn.close()
    return how(place)


def on(queue: Queue, url: str, *args: str, **more: Any) -> Done:
    """Run a command on a copy."""
    return queue(*args, env={"DATABASE_URL": url}, **more)


def refused(done: Done) -> None:
    """It sends nothing and ends with 78 and one sentence, which names the remedy."""
    assert done.returncode == 78
    [said] = [line for line in done.stderr.splitlines() if "rehearsing" not in line]
    assert "is a copy" in said
    assert "send-queue adopt" in said


@pytest.mark.parametrize("how", HOW, ids=lambda how: how.__name__)
def test_invariant_19_a_copy_sends_nothing_before_it_is_adopted(
    queue: Queue, place: Place, how: Callable[[Place], str]
) -> None:
    """0 of 5 go out, whatever is run and migrated; all of them once a person has said that nothing was sent."""
    queue.ready(rows=ROWS)
    url = copied(place, queue, how)
    for command in (["run-once"], ["run-once", "--limit", "10"], ["run"], ["run-once", "--dry-run"]):
        refused(on(queue, url, *command, check=False))
    on(queue, url, "migrate")
    refused(on(queue, url, "run", check=False))
    assert queue.accepted() == []
    with psycopg.connect(url) as conn:
        assert conn.execute("select status, count(*)::int from send_queue group by 1").fetchall() == [("pending", ROWS)]
        assert conn.execute("select from send_attempts").fetchall() == []

    assert f"wait to go out: {ROWS};" in on(queue, url, "adopt", "--nothing-was-sent").stdout
    on(queue, url, "run")
    assert len(set(queue.accepted())) == len(queue.accepted()) == ROWS


def test_another_cluster_is_another_database(queue: Queue, place: Place) -> None:
    """A dump restored on a second server sends nothing there, and its original goes on."""
    queue.ready(rows=ROWS)
    file, folder = place.dump(), Path("/tmp") / f"sq-{uuid4().hex[:8]}"
    try:
        url = place.load(embedded.url(folder), file)
        refused(on(queue, url, "run", check=False))
        assert queue.accepted() == []
        queue("run")
        assert len(queue.accepted()) == ROWS
    finally:
        embedded.stop(folder)


def test_everything_but_sending_works_in_a_copy(queue: Queue, place: Place, tmp_path: Path) -> None:
    """Rows are enqueued, imported, explained and forecast there; status and doctor say that it is a copy."""
    [send_id] = queue.ready()
    url = copied(place, queue, Place.templated)
    csv = tmp_path / "people.csv"
    csv.write_text("recipient\nACoAA-new\n")
    of_lane = ["--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi"]
    on(queue, url, "enqueue", *of_lane, "--recipient", "ACoAA-other")
    on(queue, url, "import", str(csv), *of_lane)
    for command in (["list"], ["explain", send_id], ["forecast"], ["history", send_id], ["metrics"], ["status"]):
        on(queue, url, *command)
    assert "is a copy" in on(queue, url, "status").stdout
    assert '"copy": true' in on(queue, url, "status", "--json").stdout
    assert '"copy": false' in queue("status", "--json").stdout
    found = on(queue, url, "doctor", check=False)
    assert found.returncode == 1
    assert "wrong: This database is a copy" in found.stdout
    assert "adopt" in found.stdout
    assert "is a copy" not in queue("doctor", check=False).stdout


def test_adopt_since_sends_what_the_original_did_not(queue: Queue, place: Place) -> None:
    """The original sent 2 of 5 after the copy was made: its provider knows them, so the copy sends the other 3."""
    queue.ready(rows=ROWS, min_gap_seconds=0)
    url = copied(place, queue, Place.templated)
    queue("run-once", "--limit", "2")
    assert len(queue.accepted()) == 2

    later = MONDAY + HOUR
    since = ["adopt", "--since", (MONDAY - MINUTE).isoformat()]
    assert f"because of this: {ROWS}" in on(queue, url, *since, "--dry-run", now=later).stdout
    refused(on(queue, url, "run", now=later, check=False))
    assert f"because of this: {ROWS}" in on(queue, url, *since, now=later).stdout
    for n in range(12):
        on(queue, url, "run", now=later + n * 5 * MINUTE)
    assert len(set(queue.accepted())) == len(queue.accepted()) == ROWS
    with psycopg.connect(url) as conn:
        assert conn.execute("select status, count(*)::int from send_queue group by 1").fetchall() == [("sent", ROWS)]


def test_adopt_wants_to_know_what_was_sent(queue: Queue) -> None:
    """Exactly one of its two options, and no moment that is still to come."""
    for args in ([], ["--nothing-was-sent", "--since", MONDAY.isoformat()], ["--since", (MONDAY + DAY).isoformat()]):
        assert queue("adopt", *args, check=False).returncode == 2
    assert queue("adopt", "--nothing-was-sent").stdout == "This database is not a copy: nothing to do.\n"
    assert queue.json("adopt", "--nothing-was-sent") == {"copy": False, "in_doubt": 0, "waiting": 0}


def test_a_copy_uses_up_no_refresh_token(queue: Queue, place: Place) -> None:
    """Renewed tokens would be the copy's, and the original's of no use any more."""
    url = copied(place, queue, Place.templated)
    refused(on(queue, url, "tokens", "refresh", check=False))


# --- the embedded Postgres --------------------------------------------------------------------------------


@pytest.fixture
def home(queue: Queue, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a queue with 5 rows in an embedded Postgres of its own, a stranger's pg_dump first in PATH."""
    older = tmp_path / "older"
    older.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        (older / name).write_text("#!/bin/sh\necho server version mismatch >&2\nexit 1\n")
        (older / name).chmod(0o755)
    folder = Path("/tmp") / f"sq-{uuid4().hex[:8]}"
    env = {"DATABASE_URL": "", "SEND_QUEUE_DATA_DIR": str(folder), "PATH": f"{older}:{os.defpath}"}
    queue("migrate", now=None, env=env)
    queue("account", "add", "anna", "--provider", "log", now=None, env=env)
    queue("campaign", "add", "fall", "--account", "anna", now=None, env=env)
    for n in range(ROWS):
        queue(
            "enqueue",
            "--campaign",
            "fall",
            "--channel",
            "log",
            "--recipient",
            str(n),
            "--message",
            "Hi",
            now=None,
            env=env,
        )
    yield env
    embedded.stop(folder)


def test_the_embedded_postgres_is_dumped_and_restored(queue: Queue, home: dict[str, str], tmp_path: Path) -> None:
    """The dump is for its owner's eyes; restored, it is a copy, in its old place and in another; a queue in use is
    replaced only where that is asked for."""
    file = tmp_path / "queue.dump"
    file.write_text("an older one")
    queue("embedded", "dump", str(file), now=None, env=home)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*queue.dump*")] == ["queue.dump"]
    queue("run", now=None, env=home)

    assert "add --replace" in queue("embedded", "restore", str(file), now=None, env=home, check=False).stderr
    assert queue.json("status", now=None, env=home)["queue"] == {"sent": ROWS}
    assert "send-queue adopt" in queue("embedded", "restore", "--replace", str(file), now=None, env=home).stdout
    assert queue.json("status", now=None, env=home)["queue"] == {"pending": ROWS}
    refused_here = queue("run", now=None, env=home, check=False)
    assert (refused_here.returncode, "is a copy" in refused_here.stderr) == (78, True)
    queue("adopt", "--nothing-was-sent", now=None, env=home)
    queue("run", now=None, env=home)
    assert queue.json("status", now=None, env=home)["queue"] == {"sent": ROWS}

    other = home | {"SEND_QUEUE_DATA_DIR": f"{home['SEND_QUEUE_DATA_DIR']}-2"}
    try:
        queue("migrate", now=None, env=other)
        queue("embedded", "restore", str(file), now=None, env=other)
        assert queue("run", now=None, env=other, check=False).returncode == 78
    finally:
        embedded.stop(Path(other["SEND_QUEUE_DATA_DIR"]))


def test_a_dump_that_fails_changes_nothing(queue: Queue, home: dict[str, str], tmp_path: Path) -> None:
    """Neither a file nor a queue is touched where a dump cannot be written, or is none, or ends in its midst."""
    file, broken = tmp_path / "queue.dump", tmp_path / "broken.dump"
    queue("embedded", "dump", str(file), now=None, env=home)
    broken.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    plain = tmp_path / "plain.sql"
    plain.write_text("select 1;")
    assert queue("embedded", "dump", str(tmp_path / "none" / "x"), now=None, env=home, check=False).returncode == 2
    for bad in (broken, plain, tmp_path / "none"):
        done = queue("embedded", "restore", "--replace", str(bad), now=None, env=home, check=False)
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert queue.json("status", now=None, env=home)["queue"] == {"pending": ROWS}
    nowhere = home | {"SEND_QUEUE_DATA_DIR": str(tmp_path / "nowhere")}
    assert queue("embedded", "dump", str(file), now=None, env=nowhere, check=False).returncode == 78
