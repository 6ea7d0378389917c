"""Figures that must be alike on any server: with JIT, whatever its statistics, with many lanes, in large pools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

from send_queue.store import schema

from . import queues
from .bed import Bed, Connection
from .claim import claim_one
from .drain import LANES
from .measure import Absent, Line, in_turn, must
from .tick import BARE

STATES = ("never analysed", "analysed empty", "fresh", "stale")
PLENTY = 20_000
"""Rows that one lane drains."""


def jit(bed: Bed) -> list[Line]:
    """Milliseconds of a claim of one row on Debian's server with its own defaults, against the same with JIT off."""
    with _debian() as server, psycopg.connect(server, autocommit=True) as conn:
        conn.execute("create database bench encoding 'UTF8' template template0")
        url = urlsplit(server)._replace(path="/bench").geturl()
        with psycopg.connect(url, autocommit=True) as made:
            schema.migrate(made)
        queues.build(url, lanes=20, pending=10_000)
        with psycopg.connect(url, autocommit=True) as asis, psycopg.connect(url, autocommit=True) as off:
            off.execute("set jit = off")
            version, on = (str(queues.value(asis, "show server_version")), queues.value(asis, "show jit"))
            must(on == "on", f"JIT is {on} there")
            for one in (asis, off):
                for _ in range(20):
                    claim_one(one)
            ours, rival = in_turn(
                10, *(lambda c=c: median(claim_one(c) for _ in range(bed.size.claims)) for c in (asis, off))
            )
    return [Line(f"claim, Postgres {version.split()[0]} as it is / JIT off", "ms", ours, rival, at_most=1.3)]


def statistics(bed: Bed) -> list[Line]:
    """Rows a second of the slowest against the fastest drain of one lane, over four states of statistics."""
    n = min(PLENTY, bed.size.drained)
    series: dict[str, list[float]] = {state: [] for state in STATES}
    for _ in range(bed.size.rounds):
        for state in STATES:
            with _bare(bed, f"drain, {state}") as url:
                with psycopg.connect(url, autocommit=True) as conn:
                    if state == "analysed empty":
                        conn.execute("vacuum analyze")
                queues.build(url, lanes=1, pending=n)
                with psycopg.connect(url, autocommit=True) as conn:
                    if state in ("fresh", "stale"):
                        conn.execute("vacuum analyze")
                if state == "stale":  # of a queue that is full of history, and has nothing that waits
                    bed.send_queue("run", url=url)
                    with psycopg.connect(url, autocommit=True) as conn:
                        conn.execute("vacuum analyze")
                        _again(conn)
                began = queues.value(url, "select count(*) from send_queue where status = 'sent'")
                done = bed.send_queue("run", "--json", url=url)
                said = json.loads(done.out)["sent"]
                must((began, said) == (0, n), f"{said} of {n} rows were sent")
                series[state].append(n / done.seconds)
    slowest, fastest = (pick(STATES, key=lambda state: median(series[state])) for pick in (min, max))
    note = {"rows/s": {state: median(seen) for state, seen in series.items()}}
    return [Line(f"drain, {slowest} / {fastest}", "rows/s", series[slowest], series[fastest], at_least=0.7, note=note)]


def lanes(bed: Bed) -> list[Line]:
    """Pages that a claim looks at where nothing is due in any lane, of very many lanes against a few."""

    def idle(lanes: int) -> float:
        url = bed.database(
            f"{lanes} idle lanes", lambda url: queues.build(url, lanes=lanes, pending=0, max_in_flight=1)
        )
        with psycopg.connect(url, autocommit=True) as conn:
            for _ in range(2 + lanes // 400):  # lanes are told that they are idle, some hundreds a claim
                conn.execute("select send_claim(worker => 'bench')")
            conn.execute("vacuum analyze")
            seen = []
            for _ in range(7):
                row = conn.execute(
                    "explain (analyze, buffers, format json) select send_claim(worker => 'bench')"
                ).fetchone()
                assert row is not None
                plan = row[0][0]["Plan"]
                seen.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return float(min(seen))

    many, few = bed.size.lanes, LANES
    return [Line(f"idle claim, {many:,} lanes / {few}", "pages", [idle(many)], [idle(few)], at_most=2)]


def pool(bed: Bed) -> list[Line]:
    """Milliseconds to enqueue a row into a pool of a hundred accounts, each with 200 rows that wait, against one."""
    url = bed.database("pools", lambda url: _pools(url, 100))
    with psycopg.connect(url) as conn:

        def enqueued(campaign: str, n: int = 200) -> float:
            began = time.perf_counter()
            for i in range(n):
                conn.execute(
                    "select send_enqueue(%s, 'log', %s, 'Hello')", (campaign, f"new {time.time_ns()} {i}")
                ).fetchone()
            seconds = time.perf_counter() - began
            conn.rollback()
            return seconds / n * 1000

        for campaign in ("one", "hundred"):
            enqueued(campaign, 20)
        ours, rival = in_turn(10, lambda: enqueued("hundred"), lambda: enqueued("one"))
    return [Line("enqueue, pool of 100 / of 1", "ms", ours, rival, at_most=1.5)]


def list_(bed: Bed) -> list[Line]:
    """Milliseconds of `list --limit 50`, the whole process, with very many rows, against a bare `select 1`."""
    rows = bed.size.history

    def build(url: str) -> None:
        queues.build(url, lanes=100, history=rows, pending=bed.size.pending)

    url = bed.database("to list", build)

    def listed(*more: str) -> float:
        done = bed.send_queue("list", "--limit", "50", *more, "--json", url=url)
        must(len(json.loads(done.out)) == 50, "it does not list 50 rows")
        return done.seconds * 1000

    everything, pending, sent, bare = in_turn(
        bed.size.ticks,
        listed,
        lambda: listed("--status", "pending", "--campaign", "c0"),
        lambda: listed("--status", "sent", "--account", "a7"),
        lambda: bed.run(sys.executable, "-c", BARE, url).seconds * 1000,
    )
    about = f"{rows / 1e6:.3g} M rows / select 1"
    return [
        Line(f"list, {about}", "ms", everything, bare, at_most=2),
        Line("list --status pending --campaign", "ms", pending, bare, at_most=2),
        Line("list --status sent --account", "ms", sent, bare, at_most=2),
    ]


# --- what they stand on -----------------------------------------------------------------------------------


@contextmanager
def _debian() -> Iterator[str]:
    """The URL of a server of Debian's packages, the newest that is installed, with the settings it comes with; it is
    started by an ordinary user, since it does not start for root."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        raise Absent("there is no /usr/lib/postgresql/*/bin/initdb: install Debian's package postgresql")
    programs, user = found[-1].parent, "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sq-debian-", dir="/tmp"))
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"],
        user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="],
        user=user, cwd=folder, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"postgresql://postgres@/postgres?host={folder}"
    try:
        for _ in range(200):  # times 0.1 s
            try:
                psycopg.connect(url).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)  # seconds; a server that starts can only be asked
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _bare(bed: Bed, name: str) -> Iterator[str]:
    """A database with the schema and nothing else, of which nobody has asked for statistics."""
    url = bed.at(name)
    with psycopg.connect(bed.server, autocommit=True) as conn:
        conn.execute(f'create database "{name}"')
        with psycopg.connect(url, autocommit=True) as made:
            schema.migrate(made)
        yield url
        conn.execute(f'drop database "{name}" with (force)')


def _again(conn: Connection) -> None:
    """What was sent waits once more, and nothing is known of it."""
    conn.execute(
        """
        set session_replication_role = replica;
        delete from send_attempts;
        delete from send_usage;
        update send_queue set status = 'pending', sent_at = null, attempts = 0;
        select send_rebuild_counts();
        """
    )


def _pools(url: str, n: int) -> None:
    """The campaign `hundred` has a pool of n accounts, each with 200 rows that wait; `one` has the first of them."""
    queues.build(url, lanes=n, pending=200 * n)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            """
            update send_campaigns set name = 'hundred';
            insert into send_campaigns (workspace_id, name) select id, 'one' from send_workspaces;
            insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
            select a.workspace_id, c.id, a.id from send_accounts a, send_campaigns c
            where a.name = 'a0' and c.name = 'one'
            """
        )


FIGURES: dict[str, Callable[[Bed], list[Line]]] = {
    "jit": jit,
    "statistics": statistics,
    "lanes": lanes,
    "pool": pool,
    "list": list_,
}
