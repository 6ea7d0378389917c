"""forget: what is stored of a person is removed, through the command."""

from __future__ import annotations

import pytest

from acceptance.conftest import Queue


@pytest.fixture
def queue(queue: Queue) -> Queue:
    """One account with three sends that are due."""
    queue.ready(rows=3, max_in_flight=9)
    return queue


def test_it_says_what_it_removed_and_what_it_kept(queue: Queue) -> None:
    """A dry run says it beforehand; then no command shows them any more, and nobody else is missing."""
    queue("suppress", "add", "ben@example.org")
    dry = queue("forget", "ACoAA-1", "--dry-run")
    assert dry.stdout.splitlines() == [
        "Would remove the data of ACoAA-1 in the workspace default from 1 send, 0 attempts, 1 prospect and 0 "
        "notifications; 1 waiting send would become `skipped`.",
        "Kept: the rows with their codes and moments, for counts and caps, and no suppression.",
    ]
    assert queue.statuses()["pending"] == 3
    done = queue("forget", "ACoAA-1")
    assert done.stdout.startswith("Removed the data of ACoAA-1 in the workspace default from 1 send, 0 attempts, 1")
    assert "`send-queue suppress add ACoAA-1`" in done.stderr
    assert "ACoAA-1" not in queue("list").stdout
    [row] = queue.json("list", "--status", "skipped")
    assert (row["error_code"], row["recipient"]) == ("forgotten", "forgotten")
    explained = queue("explain", row["id"]).stdout
    assert "forgotten: Its recipient was forgotten on" in explained
    assert "To send it after all" not in explained
    assert queue.statuses() == {"pending": 2, "skipped": 1}


def test_a_suppression_is_kept_and_said(queue: Queue) -> None:
    """So that nobody writes to them again."""
    queue("suppress", "add", "ACoAA-1")
    report = queue.json("forget", "ACoAA-1")
    assert (report["sends"], report["suppressions_kept"], report["dry_run"]) == (1, 1, False)
    assert [s["recipient"] for s in queue.json("suppress", "list", "--recipient", "ACoAA-1")] == ["ACoAA-1"]
    queue("suppress", "add", "ACoAA-2")
    done = queue("forget", "ACoAA-2")
    assert done.stdout.splitlines()[1].endswith("and one suppression, with their address.")
    assert "Later sends to them are not blocked" not in done.stderr


def test_whom_nobody_knows_is_said(queue: Queue) -> None:
    """In one sentence that says what to do."""
    done = queue("forget", "ACoAA-9", check=False)
    assert done.returncode == 2
    assert "Nothing is stored of 'ACoAA-9': look for them with `send-queue list`" in done.stderr
