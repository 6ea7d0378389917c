"""Zones are read from the newest data that there are, and two sides that differ are told apart."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from zone_data import HOUR, lay, tzif

from send_queue.rules import zones

AT = datetime(2026, 10, 1, tzinfo=UTC)


def stamp(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


SPRING, AUTUMN = -7 * HOUR, -8 * HOUR
BEFORE = [(stamp(2024, 11, 3, 9), AUTUMN), (stamp(2025, 3, 9, 10), SPRING), (stamp(2025, 11, 2, 9), AUTUMN),
          (stamp(2026, 3, 8, 10), SPRING)]  # fmt: skip
OLD = [(stamp(2024, 4, 1), SPRING), *BEFORE, (stamp(2026, 11, 1, 9), AUTUMN), (stamp(2027, 3, 14, 10), SPRING)]
NEW = [(stamp(2024, 4, 1), SPRING), *BEFORE]
"""From 2026 on it is summer all the year round."""


@pytest.mark.parametrize(
    ("machine", "hour"),
    [("1999a", 16), ("2999z", 9)],
    ids=["the package is newer", "the machine is newer"],
)
def test_the_newer_data_win(tmp_path: Path, machine: str, hour: int) -> None:
    """A calendar asks the newest data: here the machine has a zone of Tokyo that is UTC."""
    folder = lay(tmp_path, machine, Asia__Tokyo=tzif(0, [], "UTC0"))
    script = (
        "from datetime import UTC, datetime\n"
        "from send_queue.rules.calendar import next_window\n"
        "from send_queue.rules.schedule_text import hours_from_text, schedule_from\n"
        "row = {'name': 'x', 'timezone': 'Asia/Tokyo', 'hours': hours_from_text(['09:00-17:00'], 'mon-sun')}\n"
        "window = next_window(schedule_from(row), datetime(2026, 10, 1, 9, tzinfo=UTC))\n"
        "print((window.opens_at.hour, window.closes_at.hour))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONTZPATH": str(folder)}, capture_output=True, text=True, check=True
    )
    opens = {16: "(0, 8)", 9: "(9, 17)"}[hour]
    assert opens == done.stdout.strip()


def test_a_zone_that_only_older_data_have_is_read_from_those(tmp_path: Path) -> None:
    """No zone is lost by newer data that lack it."""
    folder = lay(tmp_path, "1999a", Old__Town=tzif(HOUR, [], "OLD-1"))
    script = "from send_queue.rules import zones; print(zones.read('Old/Town').read()[:4])"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONTZPATH": str(folder)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "b'TZif'"


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "/etc/passwd", "tzdata.zi", "Mars/Olympus", "a\0b"])
def test_only_zones_are_read(name: str) -> None:
    """A name may come from a row: it leads to no other file."""
    with pytest.raises(LookupError):
        zones.read(name)


def test_the_side_that_goes_on_as_before_is_the_older() -> None:
    """A new law is known to the newer data only; the first moment at which the two differ is named."""
    found = zones.first_difference(OLD, NEW, AT)
    assert zones.Difference(datetime(2026, 11, 1, 9, tzinfo=UTC), AUTUMN, SPRING, "ours") == found
    found = zones.first_difference(NEW, OLD, AT)
    assert zones.Difference(datetime(2026, 11, 1, 9, tzinfo=UTC), SPRING, AUTUMN, "theirs") == found


def test_a_difference_that_began_earlier_is_told_from_now_on() -> None:
    """Sides that have differed for a month differ now; where they parted says which is older."""
    december = AT + timedelta(days=60)
    found = zones.first_difference(OLD, NEW, december)
    assert zones.Difference(december, AUTUMN, SPRING, "ours") == found


def test_a_new_change_of_one_side_is_of_the_newer() -> None:
    """Also the other way around: clocks that begin to change."""
    still = [(stamp(2024, 4, 1), SPRING)]
    found = zones.first_difference(still, [*still, (stamp(2026, 11, 1, 9), AUTUMN)], AT)
    assert found
    assert (found.at, found.older) == (datetime(2026, 11, 1, 9, tzinfo=UTC), "ours")


def test_sides_that_agree_have_no_difference() -> None:
    assert zones.first_difference(OLD, OLD, AT) is None
    assert zones.first_difference(OLD, NEW[:-1] + OLD[-3:], AT) is None


def test_changes_are_found_to_the_quarter_of_an_hour() -> None:
    """Of the zone itself: New York in 2025."""
    found = zones.changes("America/New_York", datetime(2025, 1, 1, 5, 7, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    day = stamp(2025, 1, 1, 5, 7)
    assert [(day, -5 * HOUR), (stamp(2025, 3, 9, 7, 7), -4 * HOUR), (stamp(2025, 11, 2, 6, 7), -5 * HOUR)] == found
