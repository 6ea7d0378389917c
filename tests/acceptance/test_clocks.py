"""Invariant 3, never twice, where the database's clock and the provider's disagree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault, Sandbox


class Clock:
    """The provider's; the database's is SEND_QUEUE_NOW."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(tmp_path: Path, clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=clock) as sandbox:
        yield sandbox


@pytest.mark.parametrize(("ahead", "blind"), [
    (6 * MINUTE, 0), (6 * MINUTE, 1), (6 * MINUTE, 4), (14 * HOUR, 0), (14 * HOUR, 4), (3 * DAY, 0),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("put_right", [False, True])
def test_invariant_3_a_database_whose_clock_is_ahead_sends_no_message_twice(
    queue: Queue, clock: Clock, ahead: timedelta, blind: int, put_right: bool
) -> None:
    """A message whose answer was lost is in the provider's list from before its own attempt: whenever that is asked,
    it is found there or a person is asked. It is not sent again. The first `blind` questions are not answered."""
    queue.ready(rows=0, channel="linkedin_message")
    [send_id] = queue.enqueue(channel="linkedin_message")
    queue.sandbox.order(Fault(op="chat", drop="after", times=1))
    if blind:
        queue.sandbox.order(Fault(op="account", status=503, times=blind))

    for later in (*(n * 3 * MINUTE for n in range(7)), HOUR, 2 * HOUR, 9 * HOUR):
        # Set back after the attempt, the database's clock comes to the same moments when the provider's does.
        clock.now = MONDAY + later - (timedelta() if put_right and later else ahead)
        queue.run_once(MONDAY + later)

    assert queue.accepted() == ["ACoAA-0"]
    assert queue.row(send_id)["status"] in ("sent", "uncertain")
    if blind == 0:
        assert queue.row(send_id)["status"] == "sent"


@pytest.mark.parametrize("behind", [timedelta(), 6 * MINUTE, 14 * HOUR], ids=str)
def test_a_message_that_is_not_there_goes_also_by_a_clock_that_is_behind(
    queue: Queue, clock: Clock, behind: timedelta
) -> None:
    """What did not arrive is found to be absent, twice, and goes; no clock has to be right for that."""
    queue.ready(rows=0, channel="linkedin_message")
    [send_id] = queue.enqueue(channel="linkedin_message")
    queue.sandbox.order(Fault(op="chat", drop="before", times=1))

    for minutes in (0, 3, 6, 9):
        clock.now = MONDAY + behind + minutes * MINUTE
        queue.run_once(MONDAY + minutes * MINUTE)

    assert queue.row(send_id)["status"] == "sent"
    assert queue.accepted() == ["ACoAA-0"]
