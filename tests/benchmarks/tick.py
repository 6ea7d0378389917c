"""The tick: what cron pays for each start, and how often a run speaks to the database."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from . import queues
from .bed import RIVAL_CODE, Bed
from .measure import Line, in_turn, must

BARE = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as conn:
    conn.execute("select 1").fetchone()
"""


def idle(bed: Bed) -> list[Line]:
    """Nothing can go: all lanes are capped, paused, closed, or have only future rows."""
    url = bed.database(
        "idle", lambda url: queues.build(url, lanes=100, history=9_000, pending=1_000, open_every=0, max_in_flight=1)
    )
    bed.send_queue("run-once", url=url)  # as the last tick has left it
    before = queues.sent(url)
    theirs = bed.database("procrastinate", migrated=False)
    env = {"RIVAL_DATABASE_URL": theirs, "PYTHONPATH": str(RIVAL_CODE)}
    procrastinate = (bed.rival("procrastinate"), "--app", "procrastinate_app.app")
    bed.run(*procrastinate, "schema", "--apply", env=env)

    def tick() -> float:
        done = bed.send_queue("run-once", url=url)
        must(done.out == "", f"an idle tick printed {done.out!r}")
        return done.seconds * 1000

    ours, bare, worker = in_turn(
        bed.size.ticks,
        tick,
        lambda: bed.run(sys.executable, "-c", BARE, url).seconds * 1000,
        lambda: bed.run(*procrastinate, "worker", "--one-shot", env=env).seconds * 1000,
    )
    must(queues.sent(url) == before, "an idle tick sent something")
    return [
        Line("idle tick / bare psycopg", "ms", ours, bare, at_most=1.25),
        Line("idle tick / Procrastinate one-shot", "ms", ours, worker, at_most=0.6),
    ]


def round_trips(bed: Bed) -> list[Line]:
    """One row is sent: how often is the database asked, between connecting and the end?"""
    bed.database("one row", lambda url: queues.build(url, lanes=1, pending=1))
    lines = []
    for how, args in (("run-once", ()), ("run-once --json", ("--json",))):
        with bed.copy("one row") as url, _counted(url) as (counted_url, count):
            done = bed.send_queue("run-once", *args, url=counted_url)
            must(queues.sent(url) == 1, "the row was not sent")
            must(not args or json.loads(done.out)["sent"] == 1, "it does not say that the row was sent")
        must(count["connections"] == 1, f"{count['connections']} connections were made")
        lines.append(Line(f"one-row {how}", "round trips", [count["round trips"]], at_most=3))
    return lines


@contextmanager
def _counted(url: str) -> Iterator[tuple[str, dict[str, int]]]:
    """A URL that leads to the same database past somebody who counts.

    A round trip ends with the server's ReadyForQuery; the first of a connection ends the authentication.
    """
    parts = urlsplit(url)
    there = {name: values[0] for name, values in parse_qs(parts.query).items()}
    count = {"connections": 0, "round trips": 0}
    with tempfile.TemporaryDirectory(prefix="sq-count-", dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{folder}/.s.PGSQL.5432")
        door.listen()

        def serve() -> None:
            with suppress(OSError):  # the door is closed at the end
                while True:
                    client, _ = door.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(os.fspath(Path(there["host"]) / f".s.PGSQL.{there['port']}"))
                    count["connections"] += 1
                    threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
                    threading.Thread(target=_count, args=(server, client, count), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield parts._replace(query=f"host={folder}&port=5432").geturl(), count


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _count(server: socket.socket, client: socket.socket, count: dict[str, int]) -> None:
    """Pass on what the server says. Its messages: a byte that says which, and the length of the rest."""
    waiting, greeted = b"", False
    with suppress(OSError):
        while data := server.recv(1 << 16):
            waiting += data
            while len(waiting) >= 5:
                kind, length = struct.unpack("!cI", waiting[:5])
                if len(waiting) <= length:
                    break
                waiting = waiting[length + 1 :]
                if kind == b"Z":
                    count["round trips"] += greeted
                    greeted = True
            client.sendall(data)  # counted first: the client may be gone a moment later
    client.close()
