"""crontab.example: what cron would make of each line. Lines that are commented out with `#*` or `#0` count too."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import command_line
import pytest
from command_line import in_shell, parse

CRONTAB = Path(__file__).parents[2] / "crontab.example"
LINES = [line for line in CRONTAB.read_text().splitlines() if line and not re.match(r"#(?![*\d])", line)]

# crontab(5): a field is a list of numbers and ranges, or *; either may have a step.
BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day of month": (1, 31), "month": (1, 12), "day of week": (0, 7)}

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)")


def assigned() -> dict[str, str]:
    return {m[1]: m[2] for line in LINES if (m := ASSIGNMENT.fullmatch(line))}


def jobs() -> list[str]:
    return [line.lstrip("#") for line in LINES if not ASSIGNMENT.fullmatch(line)]


def numbers(field: str, low: int, high: int) -> set[int]:
    """The numbers that a field stands for. Raises `ValueError` where cron would refuse it."""
    chosen: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = (str(low), "-", str(high)) if span == "*" else span.partition("-")
        if slash and (not dash or int(step) < 1):
            raise ValueError(f"{part} has a step and no range")
        begin, end = int(first), int(last) if dash else int(first)
        if not low <= begin <= end <= high:
            raise ValueError(f"{part} is not within {low} to {high}")
        chosen |= set(range(begin, end + 1, int(step) if slash else 1))
    return chosen


@pytest.mark.parametrize("line", jobs())
def test_a_job_has_five_fields_and_a_command(line: str) -> None:
    """Five fields within their bounds, and no bare % in the command: cron ends it there."""
    *fields, command = line.split(maxsplit=5)
    assert len(fields) == 5
    for field, (low, high) in zip(fields, BOUNDS.values(), strict=True):
        assert numbers(field, low, high)
    assert not re.search(r"(?<!\\)%", command)


@pytest.mark.parametrize("line", jobs())
def test_a_job_calls_a_command_that_exists_with_options_that_it_has(line: str) -> None:
    """Exactly one call of send-queue in each job, and the real command can read it."""
    [words] = in_shell(line.split(maxsplit=5)[5])
    assert parse(words).command_path.split()[1] == words[0]


def test_a_line_is_an_assignment_or_a_job() -> None:
    """The environment that a run needs is there; values are plain, for cron expands nothing."""
    assert {"PATH", "MAILTO", "DATABASE_URL", "UNIPILE_DSN", "UNIPILE_API_KEY"} <= assigned().keys()
    assert [value for value in assigned().values() if re.search(r"[$~\s#]", value)] == []


def test_something_sends_every_few_minutes_and_something_prunes_each_night() -> None:
    """What is not commented out: one job that sends, one that prunes; no job needs flock."""
    live = [line for line in LINES if not line.startswith("#") and not ASSIGNMENT.fullmatch(line)]
    names = [words[0] for line in live for words in in_shell(line)]
    assert names.count("run-once") == 1
    assert names.count("prune") == 1
    assert [words for line in LINES for words in in_shell(line) if words[0] == "tokens"] == [["tokens", "refresh"]]
    assert not any("flock" in line for line in live)


@pytest.mark.parametrize("field", ["60", "5-1", "*/0", "5/2", "", "x", "1,99"])
def test_a_field_out_of_bounds_would_be_found(field: str) -> None:
    """The reader of fields is strict, or the tests above would prove nothing."""
    with pytest.raises(ValueError, match=r"has a step|is not within|invalid literal"):
        numbers(field, 0, 59)


def test_calls_are_found_in_shell() -> None:
    """The example of the reader of command lines is its specification."""
    assert doctest.testmod(command_line).failed == 0
