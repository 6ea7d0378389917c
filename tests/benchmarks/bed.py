"""The test bed: a Postgres of its own, databases in it, the sizes, and processes that are timed."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from send_queue.store import embedded, schema

from .measure import Broken

Connection = psycopg.Connection[tuple[Any, ...]]

BIN = Path(sys.executable).parent
RIVAL_CODE = Path(__file__).parent / "rivals"
LONGEST = 1800.0
"""Seconds that any one process may take."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything, in rows where nothing else is said."""

    rounds: int
    ticks: int
    """Rounds of what takes a fraction of a second."""
    claims: int
    """Claims in a round."""
    history: int
    pending: int
    lanes: int
    heap: int
    """Rows of the paused campaign."""
    drained: int
    posted: int
    crowd: int
    beside_snapshot: int
    remembered: int
    """Rows drained while the memory is looked at."""
    lines: int


SIZES = {
    "tiny": Size(
        rounds=2, ticks=3, claims=10, history=20_000, pending=5_000, lanes=500, heap=5_000, drained=2_000, posted=200,
        crowd=2_000, beside_snapshot=2_000, remembered=2_000, lines=2_000,
    ),
    "default": Size(
        rounds=3, ticks=15, claims=40, history=1_000_000, pending=100_000, lanes=10_000, heap=100_000, drained=100_000,
        posted=3_000, crowd=120_000, beside_snapshot=50_000, remembered=100_000, lines=100_000,
    ),
    "10m": Size(
        rounds=5, ticks=25, claims=100, history=10_000_000, pending=1_000_000, lanes=10_000, heap=500_000,
        drained=200_000, posted=5_000, crowd=300_000, beside_snapshot=100_000, remembered=1_000_000, lines=1_000_000,
    ),
}  # fmt: skip
"""`tiny` is for trying the benchmark itself out: its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended well: what it printed, seconds, and the most memory that it held, in MB."""

    out: str
    seconds: float
    peak: float


@dataclass(slots=True)
class Bed:
    """Where everything happens."""

    folder: Path
    size: Size
    rivals: Path
    """The bin folder of the venv with the rivals in it."""
    say: Callable[[str], None]
    server: str = ""
    _made: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def up(self) -> Iterator[Bed]:
        """Start the server, with the settings that it comes with; fsync is on."""
        self.server = embedded.url(self.folder / "server")
        try:
            yield self
        finally:
            embedded.stop(self.folder / "server")

    # --- databases ----------------------------------------------------------------------------------------

    def at(self, name: str) -> str:
        return urlsplit(self.server)._replace(path=f"/{quote(name)}").geturl()

    def database(self, name: str, build: Callable[[str], None] = lambda _: None, migrated: bool = True) -> str:
        """Make a database, once, by what `build` does to the one at that URL; returns its URL."""
        if name not in self._made:
            self.say(f"building {name}")
            with psycopg.connect(self.server, autocommit=True) as conn:
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            url = self.at(name)
            with psycopg.connect(url, autocommit=True) as conn:
                if migrated:
                    schema.migrate(conn)
            build(url)
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("vacuum analyze")
                conn.execute("checkpoint")
            self._made[name] = url
        return self._made[name]

    @contextlib.contextmanager
    def copy(self, name: str) -> Iterator[str]:
        """A copy of a database that was made, for one measurement: no one finds the traces of another."""
        with psycopg.connect(self.server, autocommit=True) as conn:
            copied, made = sql.Identifier("copy"), sql.Identifier(name)
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(copied))
            conn.execute(sql.SQL("create database {} template {} strategy file_copy").format(copied, made))
            # Else the one measured first would write the pages of the copy to the disk for the other too.
            conn.execute("checkpoint")
            with psycopg.connect(self.at("copy"), autocommit=True) as of_ours:
                if of_ours.execute("select from pg_proc where proname = 'send_adopt'").fetchone() is not None:
                    of_ours.execute("select send_adopt()")
            yield self.at("copy")
            conn.execute(sql.SQL("drop database {} with (force)").format(copied))

    # --- processes ----------------------------------------------------------------------------------------

    def run(
        self, *command: str | Path, url: str = "", env: Mapping[str, str] | None = None, fine: tuple[int, ...] = (0,)
    ) -> Done:
        """Run a process as cron would, without a terminal, and time all of it. Raises `Broken` where it fails."""
        return self.at_once([command], url, env, fine)[0]

    def at_once(
        self,
        commands: Sequence[Sequence[str | Path]],
        url: str,
        env: Mapping[str, str] | None = None,
        fine: tuple[int, ...] = (0,),
    ) -> list[Done]:
        """Run processes side by side; the seconds of each count from when the first was started."""
        around = {"PATH": os.defpath, "HOME": str(self.folder), "DATABASE_URL": url, "LANG": "C.UTF-8", **(env or {})}
        with contextlib.ExitStack() as files, ThreadPoolExecutor(len(commands)) as watchers:
            out, errors = (
                [files.enter_context(tempfile.TemporaryFile("w+", dir=self.folder)) for _ in commands] for _ in "oe"
            )
            began = time.perf_counter()
            running = [
                subprocess.Popen(command, env=around, stdin=subprocess.DEVNULL, stdout=o, stderr=e)
                for command, o, e in zip(commands, out, errors, strict=True)
            ]
            try:
                ended = list(watchers.map(lambda process: _wait(process, began), running))
            finally:
                for process in running:
                    process.kill()  # those still there: we are being stopped ourselves
            done = []
            for process, (seconds, peak), o, e in zip(running, ended, out, errors, strict=True):
                o.seek(0)
                e.seek(0)
                if process.returncode not in fine:
                    raise Broken(f"{process.args!r} exited {process.returncode}: {e.read()[-500:]}")
                done.append(Done(o.read(), seconds, peak))
            return done

    def send_queue(self, *args: str, url: str, **more: Any) -> Done:
        """Run the command as it is installed."""
        return self.run(BIN / "send-queue", *args, url=url, **more)

    def rival(self, name: str) -> Path:
        """A program of the rivals' venv."""
        if not (self.rivals / name).exists():
            raise Broken(f"there is no {name} in {self.rivals}: run this by `make bench`, which installs the rivals")
        return self.rivals / name


def _wait(process: subprocess.Popen[Any], began: float) -> tuple[float, float]:
    """Wait for the end; returns the seconds and the most memory, in MB, read ten times a second."""
    ended = os.pidfd_open(process.pid)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak(process.pid))
        if time.perf_counter() - began > LONGEST:
            process.kill()
        select.select([ended], [], [], 0.1)  # returns at the very end of the process, unlike wait(timeout)
    seconds = time.perf_counter() - began
    os.close(ended)
    return seconds, peak


def _peak(pid: int) -> float:
    """The most memory that a process has held so far, in MB; 0 where the system does not tell.

    Not by getrusage: what the parent held before the exec counts there too.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
