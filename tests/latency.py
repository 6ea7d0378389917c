"""`make latency`: what the distance to the database costs, measured with a delay laid between it and send-queue.

    send-queue ──TCP──> Distance: each byte arrives half a round trip later ──unix socket──> an embedded Postgres

The first bytes of a connection are held for one round trip more, as the handshake of TCP would hold them. What
encryption and a password add is not in it: the embedded server asks for neither.

Each line of the table is a whole process, interpreter and all, so the column without delay is what it costs anyhow.
The delays take turns, and the medians are printed. Round trips are counted: how often the client spoke after the server
had, and one for each connection's handshake.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from send_queue.sandbox import Sandbox
from send_queue.store import embedded, schema

Connection = psycopg.Connection[tuple[Any, ...]]

ROWS = 100
"""How many rows `run` drains."""

ACCOUNTS = 10
"""How many accounts they are spread over."""

BARE = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as conn:
    conn.execute("select 1")
"""
"""What no command can go below: connect, and ask one thing."""


GOODBYE = b"X\0\0\0\4"
"""What a client says last; nobody waits for an answer."""


class Distance:
    """A door to a Postgres, `delay` seconds away in each direction. Bandwidth is not touched: what is sent while
    earlier bytes are under way travels beside them."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        there = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._socket = f"{there['host']}/.s.PGSQL.{there['port']}"
        self._door = socket.create_server(("127.0.0.1", 0))
        self.delay = 0.0
        self.trips = 0
        self.url = f"postgresql://postgres@127.0.0.1:{self._door.getsockname()[1]}{parts.path}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):  # the door is closed at the end
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._socket)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.trips += 1
                answered = threading.Event()  # the server has spoken since the client did
                answered.set()
                self._carry(client, server, held=2 * self.delay, spoke=partial(self._ask, answered))
                self._carry(server, client, held=0.0, spoke=answered.set)

    def _ask(self, answered: threading.Event) -> None:
        self.trips += answered.is_set()
        answered.clear()

    def _carry(self, source: socket.socket, target: socket.socket, held: float, spoke: Callable[[], None]) -> None:
        """Carry what one side says to the other, nothing before `held` seconds are over."""
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        held += time.monotonic()

        def leave() -> None:
            data = b" "
            while data:
                data = b""
                with suppress(OSError):
                    data = source.recv(1 << 16)
                if data not in (b"", GOODBYE):
                    spoke()
                under_way.put((max(time.monotonic(), held) + self.delay, data))

        def arrive() -> None:
            with suppress(OSError):
                while True:
                    at, data = under_way.get()
                    time.sleep(max(0.0, at - time.monotonic()))  # the delay itself, which is what is measured
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)

        for end in (leave, arrive):
            threading.Thread(target=end, daemon=True).start()


class Bed:
    """A queue in an embedded Postgres, the distance to it, and a provider that answers at once."""

    def __init__(self, conn: Connection, door: Distance, sandbox: Sandbox) -> None:
        self.conn, self.door = conn, door
        self._env = {"PATH": os.defpath, "LANG": "C.UTF-8", "DATABASE_URL": door.url, "UNIPILE_DSN": sandbox.url,
                     "UNIPILE_API_KEY": "any"}  # fmt: skip
        for n in range(ACCOUNTS):
            conn.execute(
                "insert into send_accounts (workspace_id, name, provider, provider_account_id)"
                " select id, %s, 'unipile', %s from send_workspaces",
                (f"a{n}", f"seat{n}"),
            )
        conn.execute(
            "insert into send_lanes (account_id, channel, max_in_flight) select id, channel, 100 from send_accounts,"
            " unnest(array['log', 'linkedin_invite']) channel"
        )
        conn.execute("insert into send_campaigns (workspace_id, name) select id, 'fall' from send_workspaces")
        conn.execute(
            "insert into send_campaign_accounts (workspace_id, campaign_id, account_id)"
            " select c.workspace_id, c.id, a.id from send_campaigns c, send_accounts a"
        )
        self._told = 0

    def due(self, rows: int, channel: str) -> None:
        """Rows that are due, spread over the accounts, each to somebody new."""
        self.conn.execute(
            "insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message)"
            " select c.workspace_id, c.id, a.id, %s, 'ACoAA' || n, 'Hello' from generate_series(%s::int, %s::int) n"
            " join send_accounts a on a.name = 'a' || n %% %s, send_campaigns c",
            (channel, self._told, self._told + rows - 1, ACCOUNTS),
        )
        self._told += rows
        self.conn.execute("analyze send_queue, send_lanes, send_attempts")

    def left(self) -> int:
        [(n,)] = self.conn.execute("select count(*) from send_queue where status <> 'sent'").fetchall()
        return int(n)

    def seconds(self, command: Sequence[str]) -> float:
        """Run a process to its end and return how long it took."""
        began = time.perf_counter()
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=600, check=False)
        took = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"{command} exited {done.returncode}: {done.stderr}")
        return took

    def sends(self, rows: int, channel: str, *args: str) -> Callable[[], float]:
        """Something to be timed: that many rows, and a command that must leave none of them."""

        def timed() -> float:
            self.due(rows, channel)
            took = self.seconds([sys.executable, "-m", "send_queue", *args])
            if left := self.left():
                raise SystemExit(f"send-queue {' '.join(args)} left {left} rows")
            return took

        return timed


@contextmanager
def bed() -> Iterator[Bed]:
    folder = Path(tempfile.mkdtemp(prefix="sq-latency-", dir="/tmp"))
    try:
        server = embedded.url(folder)
        with psycopg.connect(server, autocommit=True) as conn:
            schema.migrate(conn)
            with closing(Distance(server)) as door, Sandbox(folder / "journal.jsonl", sync=False) as sandbox:
                yield Bed(conn, door, sandbox)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def figures(here: Bed) -> Mapping[str, tuple[int, Callable[[], float]]]:
    """What is timed: in how many rounds, and how."""
    run = ("run", "--concurrency")
    return {
        "a bare Python: connect, ask one thing": (7, lambda: here.seconds([sys.executable, "-c", BARE, here.door.url])),
        "idle tick": (7, here.sends(0, "log", "run-once")),
        "`run-once`, one row": (7, here.sends(1, "log", "run-once")),
        "`run`, 100 `log` rows, concurrency 1": (5, here.sends(ROWS, "log", *run, "1")),
        "`run`, 100 `log` rows, concurrency 10": (5, here.sends(ROWS, "log", *run, "10")),
        "`run`, 100 rows over HTTP, concurrency 1": (2, here.sends(ROWS, "linkedin_invite", *run, "1")),
        "`run`, 100 rows over HTTP, concurrency 10": (2, here.sends(ROWS, "linkedin_invite", *run, "10")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.latency", description=__doc__)
    parser.add_argument("--ms", type=float, nargs="+", default=[0, 1, 30, 100], help="round trips, in milliseconds")
    delays: list[float] = parser.parse_args().ms
    print("| what | " + " | ".join(f"{ms:g} ms" for ms in delays) + " | round trips |")
    print("| --- |" + " --- |" * (len(delays) + 1))
    with bed() as here:
        for what, (rounds, timed) in figures(here).items():
            here.door.delay = 0.0
            timed()  # what the first of its kind does for the others: files are read, windows are worked out
            took: dict[float, list[float]] = {ms: [] for ms in delays}
            trips = []
            for _ in range(rounds):
                for ms in delays:
                    here.door.delay, here.door.trips = ms / 2000, 0
                    took[ms].append(timed())
                    trips.append(here.door.trips)
            times = " | ".join(f"{median(seconds):.2f} s" for seconds in took.values())
            print(f"| {what} | {times} | {median(trips):g} |", flush=True)


if __name__ == "__main__":
    main()
