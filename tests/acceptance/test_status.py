"""status: what a person sees on a terminal, and what a pipe gets."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from subprocess import DEVNULL, Popen
from typing import Any

import psycopg
import pytest
from databases import at

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue

pty = pytest.importorskip("pty")

Terminal = Callable[..., "Shown"]


class Shown:
    """A command on a terminal: what it has shown so far."""

    def __init__(self, args: list[str], env: dict[str, str], columns: int, rows: int) -> None:
        ours, theirs = pty.openpty()
        size = {"COLUMNS": str(columns), "LINES": str(rows)}
        self._read = ours
        self.process = Popen([sys.executable, "-m", "send_queue", *args], env={"PATH": os.defpath, **size, **env},
                             stdin=theirs, stdout=theirs, stderr=DEVNULL, start_new_session=True)  # fmt: skip
        os.close(theirs)
        self.raw = ""

    def until(self, text: str) -> str:
        """Read on until this is shown; fails where the command ends before."""
        deadline = time.monotonic() + 60
        while text not in self.text:
            if not select.select([self._read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"It never showed {text!r}, but {self.raw[-4000:]!r}")
            assert self._more(), f"It ended before it showed {text!r}: {self.raw!r}"
        return self.text

    def end(self) -> str:
        """All that it shows, once it has ended well."""
        while self._more():
            pass
        assert self.process.wait(60) == 0
        return self.text

    @property
    def text(self) -> str:
        """Without what only a terminal reads."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw).replace("\r", "")

    def _more(self) -> str:
        try:
            more = os.read(self._read, 65_536).decode(errors="replace")
        except OSError:  # so Linux says that the other side has hung up
            return ""
        self.raw += more
        return more

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._read)


@pytest.fixture
def terminal(database: str) -> Iterator[Terminal]:
    """Start the command on a terminal of so many columns and rows."""
    started: list[Shown] = []

    def start(*args: str, now: datetime = MONDAY, columns: int = 120, rows: int = 40, **env: str) -> Shown:
        given = {"DATABASE_URL": database, "SEND_QUEUE_NOW": now.isoformat(), "TERM": "xterm-256color",
                 "LC_ALL": "C.UTF-8", "TZ": "America/New_York", **env}  # fmt: skip
        started.append(Shown(["status", *args], given, columns, rows))
        return started[-1]

    yield start
    for shown in started:
        shown.close()


@pytest.fixture
def busy(queue: Queue) -> Queue:
    """anna has sent 3 of 4 and waits for her gap; ben is paused; one failed, one is uncertain."""
    queue.ready(rows=8, daily_cap=4, min_gap_seconds=1800)
    queue.conn.execute("update send_queue set scheduled_for = %s", (MONDAY - DAY,))
    queue.account("ben", daily_cap=9)
    queue.conn.execute("update send_queue set status = 'failed', error_code = 'x' where id in "
                       "(select id from send_queue limit 1)")  # fmt: skip
    for n in (2, 1, 0):
        queue("run-once", now=MONDAY - n * HOUR)
    queue("pause", "account", "ben", "--reason", "on holiday")
    queue("limit", "add", "2/90m")
    queue("limit", "add", "--account", "anna", "9/1d2h")
    return queue


@pytest.mark.usefixtures("busy")
def test_a_terminal_shows_bars_what_goes_next_and_why_not_now(terminal: Terminal) -> None:
    """Use against the cap as a bar, the next moment in the terminal's own zone, pauses with their reason."""
    shown = terminal(now=MONDAY + 10 * MINUTE).end()
    assert "Mon 2026-11-23 10:10 EST (America/New_York)" in shown
    assert "3 sent · 4 pending · 1 failed" in shown
    assert "Next: linkedin_invite of anna for fall, 10:30, in 20m" in shown
    assert re.search(r"anna +linkedin_invite +█{9}░{3} 3/4 +3 +10:30, in 20m +min_gap", shown), shown
    assert re.search(r"ben +linkedin_invite +░{12} 0/9 +0 +paused: on holiday", shown), shown
    assert "1 failed, all of " in shown
    assert "Today: 3 of the 13 sends that the daily caps allow." in shown
    assert "Limits: 2/2 in 1h30m of workspace default, 3/9 in 1d2h of anna." in shown
    assert "Held: 4 by min_gap; 0 more wait for their time or the next run." in shown
    assert "Failed by error code: 1 x." in shown
    assert re.search(r"fall +active +██████░{6} 4/8 +3 +4 +0 +1 +0 +0", shown), shown


@pytest.mark.usefixtures("busy")
def test_a_narrow_terminal_leaves_nothing_important_out(terminal: Terminal) -> None:
    """At 60 columns no line is longer than that, and each lane still says why it waits."""
    shown = terminal(columns=60, now=MONDAY + 10 * MINUTE).end()
    assert max(map(len, shown.splitlines())) <= 60
    assert {"3/4", "0/9"} <= set(shown.split())
    assert "min_gap" in shown
    assert "paused: on" in shown


@pytest.mark.usefixtures("busy")
def test_no_color_has_no_colours(terminal: Terminal) -> None:
    """NO_COLOR leaves the letters as they are coloured; without it there are colours."""
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-9]")
    plain, colours = terminal(NO_COLOR="1"), terminal()
    plain.end()
    colours.end()
    assert not coloured.search(plain.raw)
    assert coloured.search(colours.raw)


@pytest.mark.usefixtures("busy")
def test_a_terminal_without_unicode_gets_bars_that_it_can_show(terminal: Terminal) -> None:
    """All of it is ASCII then."""
    shown = terminal(PYTHONIOENCODING="ascii").end()
    assert shown.isascii()
    assert "#########... 3/4" in shown


def test_tz_shows_times_in_another_zone(busy: Queue, terminal: Terminal) -> None:
    """--tz decides, else TZ; the zone is always said, and a zone that there is not is refused."""
    assert "16:10 CET (Europe/Berlin)" in terminal("--tz", "Europe/Berlin", now=MONDAY + 10 * MINUTE).end()
    piped = busy("status", "--tz", "Europe/Berlin", now=MONDAY + 10 * MINUTE).stdout
    assert piped.startswith("Queue at Mon 2026-11-23 16:10 CET: ")
    assert "\nNext: linkedin_invite of anna for fall, Mon 2026-11-23 16:30 CET.\n" in piped
    assert "Mon 2026-11-23 16:30 CET" in piped
    assert "Mon 2026-11-23 10:30 EST" in busy("status", now=MONDAY + 10 * MINUTE, env={"TZ": "America/New_York"}).stdout
    refused = busy("status", "--tz", "CEST", check=False)
    assert refused.returncode == 2
    assert "time zone" in refused.stderr


def test_a_pipe_gets_all_of_it(queue: Queue) -> None:
    """However many lanes there are, and however long their reasons: nothing is cut, coloured or drawn."""
    for n in range(70):
        queue.account(f"account-with-a-long-name-{n:02}", daily_cap=5)
    queue("pause", "--all", "--reason", "an outage of the provider")
    said = queue("status").stdout
    assert (
        len(re.findall(r"account-with-a-long-name-\d\d  linkedin_invite  0/5 .* an outage of the provider", said)) == 70
    )
    assert said.isascii()


def test_disconnected_accounts_are_named_with_the_command_the_busiest_first(queue: Queue) -> None:
    """The last lines of the morning's first look: which accounts, why, and what to type; five, the rest counted."""
    for n in range(7):
        queue.account(f"seat {n}")
    queue.campaign("fall", "seat 3")
    queue.enqueue(account="seat 3")
    queue("run-once")
    queue.conn.execute("update send_accounts set status = 'disconnected', status_reason = 'token_ended'")
    said = queue("status").stdout
    named = [line for line in said.splitlines() if line.startswith("The account ")]
    assert len(named) == 5
    assert named[0] == (
        "The account seat 3 is disconnected (token_ended): mend it at its provider, then"
        " `send-queue resume account 'seat 3'`."
    )
    assert "2 more accounts are disconnected: see `send-queue account list`." in said


def test_many_lanes_on_a_terminal_are_cut_and_say_so(queue: Queue, terminal: Terminal) -> None:
    """Those that need somebody are shown before those that are quiet."""
    for n in range(70):
        queue.account(f"a{n:02}", daily_cap=5)
    queue("pause", "account", "a69", "--reason", "rain")
    shown = terminal().end()
    assert "11 more lanes, quieter ones" in shown
    assert shown.index("a69") < shown.index("a00")


def test_watch_looks_again_until_it_is_interrupted(busy: Queue, terminal: Terminal) -> None:
    """What changes is shown on the next look; Ctrl-C ends it well, and the screen is given back."""
    watching = terminal("--watch", "1", now=MONDAY + DAY)
    watching.until("4 pending")
    busy("run-once", now=MONDAY + DAY)
    watching.until("3 pending")
    watching.until("4 sent")
    watching.process.send_signal(signal.SIGINT)
    watching.end()
    assert watching.raw.rstrip().endswith("\x1b[?1049l")


def test_watch_outlives_the_database(server: str, queue: Queue, terminal: Terminal) -> None:
    """Where it is lost, what was seen last stays, with a line that says so."""
    queue.ready(rows=2)
    watching = terminal("--watch", "1")
    watching.until("2 pending")
    name = queue.conn.info.dbname
    queue.conn.close()
    with psycopg.connect(at(server, "postgres"), autocommit=True) as other:
        other.execute(f"alter database {name} rename to {name}_away".encode())
        try:
            shown = watching.until("Outdated")
        finally:
            other.execute(f"alter database {name}_away rename to {name}".encode())
    assert "2 pending" in shown


def test_what_no_clock_ends_has_no_next_moment(queue: Queue, terminal: Terminal) -> None:
    """A cap of nothing, and a campaign that is paused: the reason is shown, and neither "now" nor the end of time."""
    queue.ready(daily_cap=0)
    queue("run-once")
    assert re.search(r"anna +linkedin_invite +░{12} 0/0 +0 +daily_cap: Daily limit reached", terminal().end())
    queue("pause", "campaign", "fall", "--reason", "boss said so")
    assert re.search(r"anna +linkedin_invite +░{12} 0/0 +0 +paused: campaign fall: boss said so", terminal().end())
    assert [(lane["next_at"], lane["why"]) for lane in queue.json("status")["lanes"]] == [
        (None, "paused: campaign fall: boss said so")
    ]


def test_lanes_that_are_done_are_quiet(queue: Queue, terminal: Terminal) -> None:
    """Where not all lanes fit, those whose campaigns are done come after those that need somebody."""
    for n in range(70):
        queue.account(f"a{n:02}")
    queue.campaign("fall", *(f"a{n:02}" for n in range(69)), status="done")
    queue("pause", "account", "a69", "--reason", "rain")
    shown = terminal().end()
    assert "done: campaign fall" in shown
    assert shown.index("a69") < shown.index("a00")


@pytest.mark.parametrize("args", [["--watch"], ["--watch", "5", "--json"]], ids=" ".join)
def test_watch_needs_a_terminal(queue: Queue, args: list[str]) -> None:
    """Cron cannot watch: one sentence says so, and nothing hangs."""
    done = queue("status", *args, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--watch needs a terminal" in done.stderr


def test_json_is_what_it_was(busy: Queue) -> None:
    """The keys that programs rely on, moments in UTC, whatever the zone."""
    status: dict[str, Any] = busy.json("status", "--tz", "Europe/Berlin")
    assert set(status) == {"at", "copy", "queue", "lanes", "campaigns", "uncertain", "failed"}
    assert status["at"].endswith("+00:00")
