"""Holds: the provider says wait. One write on the lane, nothing on the rows, and no attempt is used."""

from __future__ import annotations

from uuid import UUID

import pytest
from builders import AT, DAY, HOUR, MINUTE, TICK, Connection, Queue

LADDER = {"hold_seconds": 6 * 3600, "ceiling_seconds": 72 * 3600}


@pytest.mark.parametrize("n", [1, 5])
def test_invariant_8_a_hold_moves_no_row_and_costs_no_attempt(conn: Connection, n: int) -> None:
    """After any number of holds the rows are where they were; only the lane says that it waits, and why."""
    queue = Queue(conn)
    queue.ready(20)
    before = queue.all("select id, scheduled_for, attempts, status, priority from send_queue order by id")
    version = "select id, xmin::text from send_queue order by id"
    moment = AT
    for _ in range(n):
        untouched = queue.all(version)
        send_id = queue.send("held", moment, hold_seconds=3600, error_message="slow down")
        assert [v for v in untouched if v[0] != send_id] == [v for v in queue.all(version) if v[0] != send_id]
        lane = queue.the_lane()
        assert (moment + HOUR, "provider_hold", "limit: slow down") == (
            lane["next_at"], lane["next_at_reason"], lane["next_at_detail"],
        )  # fmt: skip
        assert queue.taken(moment + HOUR - TICK) == []
        moment += HOUR
    assert before == queue.all("select id, scheduled_for, attempts, status, priority from send_queue order by id")
    queue.assert_tally_is_the_ledger()


def test_invariant_8_consecutive_holds_climb_a_ladder_that_a_send_resets(conn: Connection) -> None:
    """6 hours, 12, 24, 48, 72 and no more; after one that goes out it begins again."""
    queue = Queue(conn)
    queue.ready(20)
    moment, hours = AT, []
    for _ in range(7):
        queue.send("held", moment, **LADDER)
        hours.append((queue.the_lane()["next_at"] - moment) / HOUR)
        moment = queue.the_lane()["next_at"]
    assert hours == [6, 12, 24, 48, 72, 72, 72]
    queue.send("sent", moment)
    queue.send("held", moment, **LADDER)
    assert moment + 6 * HOUR == queue.the_lane()["next_at"]


def test_invariant_8_several_in_flight_that_meet_one_limit_count_once(conn: Connection) -> None:
    """Five sends that were out together and come back with the same limit are one step of the ladder; the last of them
    says when it is over."""
    queue = Queue(conn)
    queue.ready(20, max_in_flight=5)
    for n, send in enumerate(queue.taken(max_rows=5)):
        queue.record(send, "held", AT + n * MINUTE, **LADDER)
    assert (queue.the_lane()["consecutive_holds"], queue.the_lane()["next_at"]) == (1, AT + 4 * MINUTE + 6 * HOUR)


@pytest.mark.parametrize("ceiling_seconds", [None, 72 * 3600])
@pytest.mark.parametrize("longest_first", [False, True])
def test_of_several_holds_the_longest_wins(
    conn: Connection, longest_first: bool, ceiling_seconds: float | None
) -> None:
    """Whichever came first, and whether they are of a ladder: an hour does not cut short three days."""
    queue = Queue(conn)
    queue.ready(2, max_in_flight=2)
    first, second = queue.taken(max_rows=2)
    days = {"hold_seconds": 72 * 3600, "ceiling_seconds": ceiling_seconds, "error_message": "days"}
    hour = {"hold_seconds": 3600, "ceiling_seconds": 6 * 3600, "error_message": "an hour"}
    queue.record(first, "held", **(days if longest_first else hour))
    queue.record(second, "held", **(hour if longest_first else days))
    lane = queue.the_lane()
    assert (lane["next_at"], lane["next_at_detail"]) == (AT + 72 * HOUR, "limit: days")
    assert queue.taken(AT + 72 * HOUR - TICK) == []


def test_a_send_that_was_out_when_the_hold_came_does_not_reset_the_ladder(conn: Connection) -> None:
    """It proves nothing of the provider after the hold: else a lane with two in flight would never climb."""
    queue = Queue(conn)
    queue.ready(20, max_in_flight=2)
    moment, hours = AT, []
    for _ in range(3):
        held, sent = queue.taken(moment, 2)
        queue.record(held, "held", moment, **LADDER)
        hours.append((queue.the_lane()["next_at"] - moment) / HOUR)
        queue.record(sent, "sent", moment + MINUTE)
        moment = queue.the_lane()["next_at"]
    assert hours == [6, 12, 24]


# --- a worker that was declared dead ----------------------------------------------------------------------


@pytest.mark.parametrize("named", [{"hold_seconds": None}, {"hold_seconds": 3600}, LADDER])
@pytest.mark.parametrize("scope", ["lane", "account"])
def test_invariant_6_a_hold_that_comes_late_holds_nothing(
    conn: Connection, scope: str, named: dict[str, float]
) -> None:
    """A run that wakes after a day with a refusal in hand: the account was mended meanwhile, and goes on."""
    queue = Queue(conn)
    queue.ready(2)
    queue.lane(channel="sms")
    [send] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    lanes = queue.all("select channel, next_at, next_at_reason, consecutive_holds from send_lanes order by 1")
    assert queue.record(send, "held", AT + DAY, scope=scope, **named) == (False, "uncertain")
    assert lanes == queue.all("select channel, next_at, next_at_reason, consecutive_holds from send_lanes order by 1")
    assert queue.one("select status from send_accounts") == "active"


def test_invariant_6_a_hold_that_is_told_twice_counts_once(conn: Connection) -> None:
    """The run did not hear that its result was stored, and stores it again after a person has resumed the account."""
    queue = Queue(conn)
    queue.ready(2)
    [send] = queue.taken()
    queue.record(send, "held", scope="account", hold_seconds=None)
    queue.call("send_pause", paused=False, kind="account", name="ada")
    assert queue.record(send, "held", scope="account", hold_seconds=None)[0] is False
    assert queue.one("select status from send_accounts") == "active"


def test_invariant_6_a_late_word_that_it_was_sent_does_not_reset_the_ladder(conn: Connection) -> None:
    """It is long ago that it went out."""
    queue = Queue(conn)
    queue.ready(9)
    [late] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    queue.send("held", AT + HOUR, **LADDER)
    assert queue.record(late, "sent", AT + DAY) == (True, "sent")
    assert queue.the_lane()["consecutive_holds"] == 1


def test_a_hold_of_the_account_holds_all_its_lanes(conn: Connection) -> None:
    """Scope account with a time: every channel of the account waits; other accounts do not."""
    queue = Queue(conn)
    queue.account("bob")
    queue.ready(2)
    queue.lane(channel="sms")
    queue.lane("bob", "sms")
    queue.send("held", scope="account", hold_seconds=600)
    assert queue.all(
        "select a.name, l.channel from send_lanes l join send_accounts a on a.id = l.account_id "
        "where l.next_at_reason = 'provider_hold' and l.next_at = %s order by 1, 2",
        AT + 10 * MINUTE,
    ) == [("ada", "email"), ("ada", "sms")]


def test_a_hold_without_an_end_disconnects_the_account(conn: Connection) -> None:
    """Until a person acts: the account says what for, no lane of it sends, and resuming it is all that is needed."""
    queue = Queue(conn)
    queue.ready(2)
    queue.send("held", scope="account", hold_seconds=None, error_code="bad_key", error_message="401")
    assert queue.one("select status, status_reason from send_accounts") == ("disconnected", "bad_key: 401")
    assert queue.taken(AT + 365 * DAY) == []
    queue.call("send_pause", paused=False, kind="account", name="ada")
    assert len(queue.taken()) == 1


def test_a_hold_does_not_connect_or_rename_a_pause(conn: Connection) -> None:
    """An account that a person has paused stays paused, with the person's reason."""
    queue = Queue(conn)
    queue.ready(2)
    [send] = queue.taken()
    queue.call("send_pause", paused=True, kind="account", name="ada", reason="holiday")
    queue.record(send, "held", scope="account", hold_seconds=None)
    assert queue.one("select status, status_reason from send_accounts") == ("paused", "holiday")


def test_a_hold_ends_no_earlier_than_the_gap_and_the_longer_hold_wins(conn: Connection) -> None:
    """A hold only ever puts a lane off."""
    queue = Queue(conn)
    queue.ready(9, min_gap_seconds=1800)
    queue.send("held", hold_seconds=60)
    assert queue.the_lane()["next_at"] == AT + 30 * MINUTE
    queue.do("update send_lanes set min_gap_seconds = 0, max_in_flight = 2, next_at = 'epoch'")
    first, second = queue.taken(max_rows=2)
    queue.record(first, "held", hold_seconds=3600)
    queue.record(second, "held", hold_seconds=60)
    assert queue.the_lane()["next_at"] == AT + HOUR


def test_a_hold_ends_the_wait_for_a_limit_which_is_counted_anew_afterwards(conn: Connection) -> None:
    """A lane at its cap that meets a short hold looks again when the hold is over: the failed one gave room back."""
    queue = Queue(conn)
    queue.ready(9, daily_cap=1)
    [send] = queue.taken()
    queue.do("update send_lanes set max_in_flight = 2")
    assert queue.taken() == []
    queue.record(send, "held", hold_seconds=60)
    assert queue.the_lane()["next_at"] == AT + MINUTE
    assert len(queue.taken(AT + MINUTE)) == 1


def test_the_quick_way_to_record_leaves_the_ladder_to_the_other_one(conn: Connection) -> None:
    """A send that ends a ladder of holds is for send_record: nothing is written down by send_record_sent."""
    queue = Queue(conn)
    [send_id, *_] = queue.ready(2)
    queue.send("held", AT, **LADDER)
    moment = queue.the_lane()["next_at"]
    [send] = queue.taken(moment)
    given = {"send_ids": [UUID(send["send_id"])], "attempt_ids": [UUID(send["attempt_id"])], "at": moment}
    assert queue.rows("send_record_sent", **given) == given["attempt_ids"]
    assert queue.row(send_id)["status"] == "sending"
