"""One message that something on the way does not let through, and all the others behind it."""

from __future__ import annotations

import pytest

from acceptance.conftest import MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault

HTML = {"content-type": "text/html"}
LATER = 61 * MINUTE  # an hour, and what a run takes


@pytest.mark.parametrize(("status", "hours"), [(403, 3), (404, 3), (413, 0), (422, 0)])
def test_one_message_does_not_stop_its_lane_for_ever(queue: Queue, status: int, hours: int) -> None:
    """A firewall blocks one text with a page of its own. It may be the address that is wrong, so the lane waits some
    hours; then the others go, and the one has failed when its tries are used up."""
    poison, *others = queue.ready(rows=3)
    queue.sandbox.order(
        Fault(op="invite", recipient="ACoAA-0", status=status, body="<html>Blocked</html>", headers=HTML)
    )

    for hour in range(hours):
        assert queue.json("run", now=MONDAY + hour * LATER)["sent"] == 0
    assert queue.json("run", now=MONDAY + hours * LATER)["sent"] == 2

    for later in range(1, 4):
        queue("run", now=MONDAY + (hours + 2 * later) * LATER)
    assert [queue.row(send_id)["status"] for send_id in others] == ["sent", "sent"]
    row = queue.row(poison)
    assert (row["status"], row["attempts"], row["error_code"]) == ("failed", 3, "unexpected_answer")
    assert "Blocked" in row["error_message"]
    assert (queue.used(), queue.accepted()) == (2, ["ACoAA-1", "ACoAA-2"])


def test_an_address_that_is_wrong_fails_nothing_for_hours(queue: Queue) -> None:
    """Where nothing gets through, the lane waits an hour at a time, so that there is time to mend it."""
    ids = queue.ready(rows=3)
    queue.sandbox.order(Fault(op="invite", status=404, body="<html>Not found</html>", headers=HTML))

    for hour in range(9):
        queue("run", now=MONDAY + hour * LATER)
    assert queue.statuses() == {"pending": 3}

    queue.sandbox.clear_faults()
    queue("run", now=MONDAY + 9 * LATER)
    assert [queue.row(send_id)["status"] for send_id in ids] == ["sent"] * 3
