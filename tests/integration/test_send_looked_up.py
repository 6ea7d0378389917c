"""What a provider said of a send in doubt: about one attempt, believed while it is the one that is asked about."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import builders
import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Json, Queue

LEASE = 10 * MINUTE
"""How long a look-up is its run's."""


def look_up(queue: Queue, at: datetime) -> Json:
    return builders.look_up(queue, at, LEASE)


def answer(
    queue: Queue, doubt: Json, verdict: str, at: datetime, name: str | None = None, again: timedelta | None = None
) -> str:
    status: str = queue.call(
        "send_looked_up", attempt_id=UUID(doubt["attempt_id"]), until=datetime.fromisoformat(doubt["until"]),
        verdict=verdict, provider_message_id=name, again=again, at=at,
    )  # fmt: skip
    return status


def outcomes(queue: Queue) -> list[str]:
    found: list[str] = queue.all("select outcome from send_attempts order by send_id, number")
    return found


def tried_twice(queue: Queue) -> tuple[Json, Json]:
    """A look-up that somebody went to sleep over, about the first attempt; and the second attempt, in doubt too."""
    queue.ready(1)
    queue.send("uncertain")
    stale = look_up(queue, AT + 5 * MINUTE)
    assert answer(queue, look_up(queue, AT + 15 * MINUTE), "not_sent", AT + 15 * MINUTE) == "pending"
    [second] = queue.taken(AT + 20 * MINUTE)
    queue.record(second, "uncertain", AT + 21 * MINUTE)
    return stale, second


@pytest.mark.parametrize("verdict", ["not_sent", "absent", "unknown"])
def test_invariant_6_an_answer_about_one_attempt_says_nothing_of_the_next(conn: Connection, verdict: str) -> None:
    """A run that was suspended with an answer in hand finds another attempt in doubt: of that nobody was asked."""
    queue = Queue(conn)
    stale, second = tried_twice(queue)
    send_id = UUID(second["send_id"])
    before = queue.row(send_id)
    for until in (stale["until"], before["look_up_at"].isoformat()):  # though both look-ups end at one moment
        assert answer(queue, stale | {"until": until}, verdict, AT + 22 * MINUTE) == "uncertain"
        assert before == queue.row(send_id)
    assert outcomes(queue) == ["released", "uncertain"]
    assert queue.taken(AT + 23 * MINUTE) == []
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("verdict", ["not_sent", "absent", "unknown"])
def test_invariant_6_an_answer_is_its_run_s_until_another_run_asks(conn: Connection, verdict: str) -> None:
    """Once the look-up was given to somebody else, the first one's answer is not used; the other's is."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    queue.send("uncertain")
    first = look_up(queue, AT)
    second = look_up(queue, AT + LEASE)
    before = queue.row(send_id)
    assert answer(queue, first, verdict, AT + 2 * LEASE) == "uncertain"
    assert before == queue.row(send_id)
    assert answer(queue, second, "not_sent", AT + 2 * LEASE) == "pending"


def test_that_it_was_sent_is_true_whoever_says_it_and_when(conn: Connection) -> None:
    """A late look-up that found the first attempt settles the send, and the ledger, while a second one is in doubt."""
    queue = Queue(conn)
    stale, second = tried_twice(queue)
    assert answer(queue, stale, "sent", AT + HOUR, "m-1") == "sent"
    assert outcomes(queue) == ["sent", "uncertain"]
    assert queue.row(UUID(second["send_id"]))["provider_message_id"] == "m-1"
    queue.assert_tally_is_the_ledger()


def test_a_late_look_up_that_found_it_waits_for_the_attempt_that_is_under_way(conn: Connection) -> None:
    """The first attempt was sent after all, while the second is in flight: the row is its run's until that is over."""
    queue = Queue(conn)
    queue.ready(1)
    queue.send("uncertain")
    stale = look_up(queue, AT)
    answer(queue, look_up(queue, AT + LEASE), "not_sent", AT + LEASE)
    [second] = queue.taken(AT + HOUR)
    assert answer(queue, stale, "sent", AT + HOUR, "m-1") == "sending"
    assert queue.record(second, "failed", AT + HOUR) == (True, "sent")
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_a_lost_attempt_of_a_send_that_was_sent_before_is_no_doubt(conn: Connection) -> None:
    """The first attempt turned out to be sent while the second was under way, whose run died: the send is sent."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    queue.send("uncertain")
    stale = look_up(queue, AT)
    answer(queue, look_up(queue, AT + LEASE), "not_sent", AT + LEASE)
    assert len(queue.taken(AT + HOUR, lease=MINUTE)) == 1
    assert answer(queue, stale, "sent", AT + HOUR, "m-1") == "sending"
    assert queue.rows("send_recover", at=AT + 2 * HOUR) == []
    assert queue.row(send_id)["status"] == "sent"


def test_that_nobody_could_be_asked_takes_nothing_back(conn: Connection) -> None:
    """That it is not there is remembered while the provider is silent, or a poor line would use up all the questions;
    the message of another send in its stead is no silence."""
    queue = Queue(conn)
    queue.ready(2, max_in_flight=2)
    send, theirs = queue.taken(max_rows=2)
    queue.record(send, "uncertain")
    queue.record(theirs, "sent", provider_message_id="m-1")
    for minutes, verdict, since in ((0, "absent", AT), (2, "unknown", AT), (4, "absent", AT), (6, "sent", None)):
        at = AT + minutes * MINUTE
        assert answer(queue, look_up(queue, at), verdict, at, "m-1", again=2 * MINUTE) == "uncertain"
        assert queue.row(UUID(send["send_id"]))["absent_since"] == since


# --- another send's message -------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [None, 2 * MINUTE])
def test_invariant_4_a_message_that_is_another_send_s_does_not_settle_this_one(
    conn: Connection, again: timedelta | None
) -> None:
    """Two sends with one text, one of which never arrived: what is found is the first one's, so nobody can tell."""
    queue = Queue(conn)
    queue.ready(2, max_in_flight=2)
    arrived, lost = queue.taken(max_rows=2)
    queue.record(arrived, "sent", provider_message_id="m-1")
    queue.record(lost, "uncertain")
    assert answer(queue, look_up(queue, AT), "sent", AT + MINUTE, "m-1", again) == "uncertain"
    row = queue.row(UUID(lost["send_id"]))
    assert (row["look_ups"], row["look_up_at"]) == (1, AT + MINUTE + again if again else None)
    assert queue.one("select outcome from send_attempts where send_id = %s", row["id"]) == "uncertain"
    queue.assert_rows_say_why()


def test_the_same_name_in_another_lane_is_another_message(conn: Connection) -> None:
    """Names are unique in a lane, no further."""
    queue = Queue(conn)
    queue.ready(1)
    queue.lane(channel="sms")
    queue.fill(1, channel="sms")
    email, sms = sorted(queue.taken(max_rows=2), key=lambda send: send["channel"])
    queue.record(email, "sent", provider_message_id="m-1")
    queue.record(sms, "uncertain")
    assert answer(queue, look_up(queue, AT), "sent", AT + MINUTE, "m-1") == "sent"


def test_a_late_look_up_that_finds_the_second_try_says_nothing_of_the_first(conn: Connection) -> None:
    """The message of this very send that is known already: the first attempt stays given back."""
    queue = Queue(conn)
    queue.ready(1)
    queue.send("uncertain")
    stale = look_up(queue, AT)
    answer(queue, look_up(queue, AT + LEASE), "not_sent", AT + LEASE)
    queue.send("sent", AT + HOUR, provider_message_id="m-2")
    assert answer(queue, stale, "sent", AT + HOUR, "m-2") == "sent"
    assert outcomes(queue) == ["released", "sent"]
    queue.assert_tally_is_the_ledger()


# --- several attempts in doubt ----------------------------------------------------------------------------


def in_doubt_twice(queue: Queue, max_attempts: int = 3) -> UUID:
    """A send that its campaign would rather send twice, with two attempts in doubt."""
    queue.account()
    queue.campaign(on_uncertain="resend", max_attempts=max_attempts)
    queue.lane(daily_cap=5)
    [send_id] = queue.fill(1)
    for n in range(2):
        queue.send("uncertain", AT + n * HOUR)
        if n == 0:
            assert answer(queue, look_up(queue, AT), "unknown", AT) == "pending"
    return send_id


def test_invariant_1_not_there_gives_back_the_attempt_that_was_asked_about_and_no_other(conn: Connection) -> None:
    """Of the older one nobody knows still: it stays spent. The send is tried again, as its campaign says."""
    queue = Queue(conn)
    in_doubt_twice(queue)
    assert answer(queue, look_up(queue, AT + 2 * HOUR), "not_sent", AT + 2 * HOUR) == "pending"
    assert outcomes(queue) == ["uncertain", "released"]
    assert queue.one("select used from send_usage") == 1
    queue.assert_tally_is_the_ledger()


def test_where_no_tries_are_left_an_older_doubt_is_a_person_s(conn: Connection) -> None:
    """Not `failed`, which would say that it certainly did not go out."""
    queue = Queue(conn)
    send_id = in_doubt_twice(queue, max_attempts=2)
    assert answer(queue, look_up(queue, AT + 2 * HOUR), "not_sent", AT + 2 * HOUR) == "uncertain"
    row = queue.row(send_id)
    assert (row["look_up_at"], row["error_message"]) == (None, "The last try did not go out; an earlier one may have.")
    assert queue.rows("send_look_ups", max_rows=1, lease=LEASE, at=AT + 9 * DAY) == []
    assert queue.call("send_settle", id=send_id, sent=False, at=AT + DAY) == "pending"
    assert outcomes(queue) == ["released", "released"]
    queue.assert_tally_is_the_ledger()


def test_invariant_1_not_there_after_a_repeat_that_came_too_late_gives_back_what_it_was_to_repeat(
    conn: Connection,
) -> None:
    """It never began, so it was about the tries before it that the provider was asked: nothing is spent any more."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=2)
    queue.lane(daily_cap=5)
    [send_id] = queue.fill(1)
    queue.send("uncertain")
    assert answer(queue, look_up(queue, AT), "repeat", AT, again=MINUTE) == "pending"
    queue.send("uncertain", AT + HOUR, error_code="too_late_to_repeat")
    assert answer(queue, look_up(queue, AT + HOUR), "not_sent", AT + HOUR) == "failed"
    assert (outcomes(queue), queue.row(send_id)["error_code"]) == (["released", "released"], "not_sent")
    queue.assert_rows_say_why()
    queue.assert_tally_is_the_ledger()


def test_a_send_that_was_lost_each_time_has_failed(conn: Connection) -> None:
    """All its tries are used up and none is in doubt any more."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=1)
    [send_id] = queue.fill(1)
    queue.send("uncertain")
    assert answer(queue, look_up(queue, AT), "not_sent", AT + HOUR) == "failed"
    assert queue.row(send_id)["error_code"] == "not_sent"
    queue.assert_rows_say_why()


def test_what_is_looked_for_is_looked_for_since_the_first_attempt_in_doubt(conn: Connection) -> None:
    """Where an older one is found the send went out; what is asked about, and how old it is, is the newest."""
    queue = Queue(conn)
    in_doubt_twice(queue)
    doubt = look_up(queue, AT + 2 * HOUR)
    assert (doubt["attempt_number"], datetime.fromisoformat(doubt["started_at"])) == (2, AT)
    assert datetime.fromisoformat(doubt["finished_at"]) == AT + HOUR
