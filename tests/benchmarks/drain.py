"""Draining the channel `log`: how fast, beside somebody who holds a snapshot open, and in how much memory."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack

import psycopg

from . import queues
from .bed import RIVAL_CODE, Bed, Done
from .measure import Absent, Line, in_turn, must

LANES = 20


def log(bed: Bed) -> list[Line]:
    """Rows a second of one process, its start included, against those of PgQueuer's drain, without its start."""
    n = bed.size.drained
    full = _full(bed, n)
    python = bed.rival("python")
    script = RIVAL_CODE / "pgqueuer_drain.py"
    bed.database("pgqueuer", lambda url: void(bed.run(python, script, url, "fill", str(n))), migrated=False)

    def pgqueuer() -> float:
        with bed.copy("pgqueuer") as url:
            said = json.loads(bed.run(python, script, url, "drain").out)
            left = queues.value(url, "select count(*) from pgqueuer")
            must((said["jobs"], left) == (n, 0), f"PgQueuer did {said['jobs']} of {n} jobs, {left} are left")
        return float(n / said["seconds"])

    ours, rival = in_turn(bed.size.rounds, lambda: _drain(bed, full, n), pgqueuer)
    return [Line("log drain / PgQueuer, batch 100", "rows/s", ours, rival, at_least=1.2)]


def graphile(bed: Bed) -> list[Line]:
    """Rows a second of one process, its start included, against those of graphile-worker's drain, without its start."""
    n = bed.size.drained
    node, modules = shutil.which("node"), bed.rivals.parent / "node_modules"
    if node is None:
        raise Absent("there is no node here, which graphile-worker runs on")
    if not (modules / "graphile-worker").exists():
        raise Absent(f"there is no graphile-worker in {modules}: `make bench` installs it where npm is")
    full = _full(bed, n)

    def run(url: str, *what: str) -> Done:
        return bed.run(node, RIVAL_CODE / "graphile_drain.cjs", url, *what, env={"NODE_PATH": str(modules)})

    bed.database("graphile", lambda url: void(run(url, "fill", str(n))), migrated=False)

    def worker() -> float:
        with bed.copy("graphile") as url:
            said = json.loads(run(url, "drain").out)
            left = queues.value(url, "select count(*) from graphile_worker.jobs")
            must((said["jobs"], left) == (n, 0), f"graphile-worker did {said['jobs']} of {n} jobs, {left} are left")
        return float(n / said["seconds"])

    ours, rival = in_turn(bed.size.rounds, lambda: _drain(bed, full, n), worker)
    return [Line("log drain / graphile-worker, local queue of 500", "rows/s", ours, rival, at_least=1.0)]


def beside_snapshot(bed: Bed) -> list[Line]:
    """Rows a second while somebody holds a snapshot from before the start, so that no dead row can be removed."""
    n = bed.size.beside_snapshot
    full = _full(bed, n)
    ours, rival = in_turn(
        bed.size.rounds, lambda: _drain(bed, full, n, held=True), lambda: _drain(bed, full, n, held=False)
    )
    return [Line("log drain beside snapshot / without", "rows/s", ours, rival, at_least=0.8)]


def memory(bed: Bed) -> list[Line]:
    """The most memory that a run holds while it drains a long queue."""
    n = bed.size.remembered
    name = _full(bed, n)
    with bed.copy(name) as url:
        done = _drained(bed, url, n)
    must(done.peak > 0, "this system does not say how much memory a process holds")
    return [Line(f"memory, draining {n:,} rows", "MB", [done.peak], at_most=90)]


def _full(bed: Bed, n: int) -> str:
    """The name of a database with n rows that can all go: caps and schedules are there, and allow it."""
    name = f"{n} rows"
    bed.database(name, lambda url: queues.build(url, lanes=LANES, pending=n))
    return name


def _drain(bed: Bed, name: str, n: int, held: bool = False) -> float:
    with bed.copy(name) as url, ExitStack() as stack:
        if held:
            holder = stack.enter_context(psycopg.connect(url))
            holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            queues.value(holder, "select count(*) from send_queue")
        return n / _drained(bed, url, n).seconds


def _drained(bed: Bed, url: str, n: int) -> Done:
    done = bed.send_queue("run", "--json", url=url)
    must(json.loads(done.out)["sent"] == n, f"the run does not say that it sent {n} rows: {done.out}")
    must(queues.sent(url) == n, f"not all of {n} rows were sent, or their ledger is not whole")
    return done


def void(_: object) -> None:
    """Drop what something returns."""
