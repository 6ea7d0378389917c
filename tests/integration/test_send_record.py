"""What became of a send: written down once, by the attempt that is current, in a state that says why."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Meanwhile, Queue, at_once, result
from psycopg.types.json import Jsonb

STATE = "status, attempts, scheduled_for, sent_at, claimed_by, lease_expires_at, error_code"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("sent", ("sent", 1, AT, AT + MINUTE, None, None, None)),
        ("already_done", ("skipped", 1, AT, None, None, None, "already_connected")),
        ("retry", ("pending", 1, AT + 6 * MINUTE, None, None, None, "http_503")),
        ("held", ("pending", 0, AT, None, None, None, "limit")),
        ("released", ("pending", 0, AT, None, None, None, None)),
        ("failed", ("failed", 1, AT, None, None, None, "invalid_recipient")),
        ("uncertain", ("uncertain", 1, AT, None, None, None, "read_timeout")),
    ],
)
def test_invariant_4_each_outcome_leaves_the_row_in_a_state_that_says_why(
    conn: Connection, outcome: str, expected: tuple[Any, ...]
) -> None:
    """Final, waiting or in doubt, with a code; the attempt says the same; and nothing is deleted."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [send] = queue.taken()
    assert (True, expected[0]) == queue.record(send, outcome, AT + MINUTE, http_status=200)
    assert expected == queue.one(f"select {STATE} from send_queue where id = %s", send_id)  # noqa: S608 — our own columns
    assert [(outcome, AT + MINUTE, 200, expected[6])] == queue.all(
        "select outcome, finished_at, http_status, error_code from send_attempts"
    )
    queue.assert_rows_say_why()
    queue.assert_tally_is_the_ledger()


def test_invariant_4_nothing_is_deleted_on_the_way_to_the_dead_letter(conn: Connection) -> None:
    """A send that is retried until its attempts are used up has failed, and every attempt is there."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=3)
    [send_id] = queue.fill(1)
    for day, status in enumerate(["pending", "pending", "failed"]):
        queue.send("held", AT + day * DAY)
        [send] = queue.taken(AT + day * DAY + HOUR)
        assert (True, status) == queue.record(send, "retry", AT + day * DAY + HOUR)
    assert queue.one("select status, attempts, error_code from send_queue") == ("failed", 3, "http_503")
    assert (
        queue.all("select outcome from send_attempts where send_id = %s order by number", send_id)
        == ["held", "retry"] * 3
    )
    assert queue.taken(AT + 30 * DAY) == []


def test_invariant_4_a_send_that_used_up_its_tries_is_in_doubt_while_one_of_them_is(conn: Connection) -> None:
    """`failed` would say that it certainly did not go out: its provider is asked instead, and then a person."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(max_attempts=2)
    [send_id] = queue.fill(1)
    queue.send("uncertain")
    queue.do("update send_queue set status = 'pending'")
    [send] = queue.taken()
    assert queue.record(send, "retry", error_message="Nothing listens there.") == (True, "uncertain")
    row = queue.row(send_id)
    said = "Nothing listens there. An earlier try may have gone out."
    assert (row["attempts"], row["error_message"], row["look_up_at"]) == (2, said, AT)
    assert queue.taken(AT + DAY) == []
    queue.assert_rows_say_why()
    queue.assert_tally_is_the_ledger()


def test_already_done_after_a_doubt_of_ours_is_our_own_send(conn: Connection) -> None:
    """Where an attempt of ours may have gone out, "it was done before" proves that it did."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    queue.send("uncertain")
    queue.do("update send_queue set status = 'pending'")
    [send] = queue.taken()
    assert queue.record(send, "already_done") == (True, "sent")
    assert queue.row(send_id)["sent_at"] == AT


def test_already_done_after_an_attempt_that_was_taken_for_lost_is_our_own_send(conn: Connection) -> None:
    """The provider listed it late: it is sent, and counted on the day of the attempt that went out."""
    queue = Queue(conn)
    [send_id] = queue.ready(1, daily_cap=5)
    queue.send("uncertain")
    queue.call("send_settle", id=send_id, sent=False, at=AT + HOUR)
    [send] = queue.taken(AT + DAY)
    assert queue.record(send, "already_done", AT + DAY, error_code="invitation_pending") == (True, "sent")
    assert queue.all("select outcome from send_attempts order by number") == ["sent", "already_done"]
    assert queue.all("select day, used from send_usage order by 1") == [
        (AT.date(), 1), ((AT + DAY).date(), 0),
    ]  # fmt: skip
    assert queue.row(send_id)["sent_at"] == AT + DAY
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_already_done_after_an_attempt_that_never_began_is_somebody_else_s(conn: Connection) -> None:
    """A run let go of it: nothing of ours went out."""
    queue = Queue(conn)
    queue.ready(1)
    queue.send("released")
    [send] = queue.taken()
    assert queue.record(send, "already_done") == (True, "skipped")
    queue.assert_tally_is_the_ledger()


def test_a_sent_invitation_moves_its_prospect_on(conn: Connection) -> None:
    """The prospect's status, and when to follow up, by the campaign's delay; already connected is remembered too."""
    queue = Queue(conn)
    queue.account()
    queue.campaign(follow_up_after="5 days")
    for name in ("sent", "already_done"):
        queue.enqueue(channel="linkedin_invite", recipient=name)
        queue.send(name)
    assert queue.all("select linkedin_user_id, status, follow_up_due_at from send_prospects order by 1") == [
        ("already_done", "connected", None),
        ("sent", "connection_request_sent", AT + 5 * DAY),
    ]


# --- invariant 6 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["retry", "held", "failed", "already_done", "released", "uncertain"])
def test_invariant_6_a_result_after_recovery_is_not_recorded(conn: Connection, outcome: str) -> None:
    """A worker whose lease ran out was declared dead: what it says does not change the row or the counts."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [send] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    before = queue.row(send_id)
    assert queue.record(send, outcome, AT + HOUR) == (False, "uncertain")
    assert before == queue.row(send_id)
    assert queue.all("select outcome, finished_at, error_code from send_attempts") == [
        ("uncertain", AT + MINUTE, "lease_expired")
    ]
    queue.assert_tally_is_the_ledger()


def test_invariant_6_a_late_word_that_it_was_sent_settles_the_doubt(conn: Connection) -> None:
    """The dead worker that comes back and knows that it went out is believed: the row is sent, and stays counted."""
    queue = Queue(conn)
    [send_id] = queue.ready(1, daily_cap=1)
    [send] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    assert queue.record(send, "sent", AT + HOUR, provider_message_id="m-1") == (True, "sent")
    row = queue.row(send_id)
    assert (
        row["status"], row["sent_at"], row["provider_message_id"], row["error_code"],
    ) == ("sent", AT + HOUR, "m-1", None)  # fmt: skip
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()
    assert queue.record(send, "sent", AT + 2 * HOUR) == (False, "sent")


def test_invariant_6_a_result_is_recorded_once(conn: Connection) -> None:
    """Recording the same attempt again changes nothing, whatever it says the second time."""
    queue = Queue(conn)
    queue.ready(1)
    [send] = queue.taken()
    assert queue.record(send, "failed") == (True, "failed")
    assert queue.record(send, "sent") == (False, "failed")
    assert queue.record(send, "retry") == (False, "failed")
    queue.assert_tally_is_the_ledger()


def test_invariant_6_the_attempt_before_cannot_speak_for_the_one_that_is_current(conn: Connection) -> None:
    """A result of the first attempt, while the second is in flight, does not touch the row; that it was sent after all
    is kept in the ledger, and counted."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [first] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    queue.call("send_settle", id=send_id, sent=False, at=AT + HOUR)
    [second] = queue.taken(AT + HOUR)
    for outcome in ("failed", "retry"):
        assert queue.record(first, outcome, AT + HOUR) == (False, "sending")
    assert queue.record(first, "sent", AT + HOUR) == (True, "sending")
    queue.assert_tally_is_the_ledger()
    assert queue.record(second, "sent", AT + HOUR) == (True, "sent")
    queue.assert_tally_is_the_ledger()


def test_invariant_6_recovery_and_a_late_result_at_once_agree(database: str, conn: Connection) -> None:
    """Whichever comes first, the send is counted once and its row says what is known."""
    queue = Queue(conn)
    queue.ready(60, max_in_flight=100, daily_cap=100)
    sends = queue.taken(max_rows=60, lease=MINUTE)

    def work(queue: Queue, thread: int) -> None:
        if thread == 0:
            for _ in range(40):
                queue.rows("send_recover", at=AT + MINUTE)
        else:
            for n, send in enumerate(sends[thread - 1 :: 3]):
                queue.record(send, ("sent", "failed", "retry")[n % 3], AT + MINUTE)

    at_once(database, 4, work)
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()
    assert queue.statuses().get("sending", 0) == 0


# --- adversities ------------------------------------------------------------------------------------------


def test_a_claim_does_not_wait_for_a_late_word_that_counts_again(database: str, conn: Connection) -> None:
    """Given back, it is spent once more: who writes a lane's tally holds the lane, which a claim passes by."""
    queue = Queue(conn)
    [send_id, _] = queue.ready(2)
    [send] = queue.taken(lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    queue.call("send_settle", id=send_id, sent=False, at=AT + HOUR)
    queue.call("send_cancel", ids=[send_id], at=AT + HOUR)
    conn.execute("set lock_timeout = '1s'")
    with psycopg.connect(database) as other:
        assert Queue(other).record(send, "sent", AT + HOUR) == (True, "sent")
        claim = queue.claim(AT + HOUR)
        assert (claim["sends"], claim["lock_skipped"]) == ([], True)
        other.commit()
    assert len(queue.taken(AT + HOUR)) == 1
    queue.assert_tally_is_the_ledger()


@pytest.mark.parametrize("given_back", [False, True])
def test_late_words_of_several_lanes_and_others_never_wait_for_each_other(
    database: str, conn: Connection, given_back: bool
) -> None:
    """Batches that name two lanes in opposite orders, and people who settle both: lanes come before rows."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    for name in ("ada", "bob"):
        queue.lane(name, max_in_flight=9)
        queue.fill(2, account=name)
    sends = queue.taken(max_rows=4, lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)
    if given_back:
        queue.call("send_settle_campaign", campaign="spring", at=AT + MINUTE)
    batches = [sends, sends[::-1]]

    def work(queue: Queue, thread: int) -> None:
        for n in range(40):
            if thread == 0:
                queue.call("send_settle_campaign", campaign="spring", at=AT + HOUR)
            else:
                kinds = ("sent", "failed", "held")
                results = [result(s["attempt_id"], kinds[n % 3 if i else 0]) for i, s in enumerate(batches[thread % 2])]
                queue.rows("send_record", results=Jsonb(results), at=AT + HOUR)

    at_once(database, 5, work)
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


@pytest.mark.parametrize("backwards", [False, True])
def test_a_batch_of_sent_and_a_change_of_the_cap_zone_never_wait_for_each_other(
    database: str, conn: Connection, backwards: bool
) -> None:
    """Both write many attempts of a lane, with somebody in their way: by send and number, however the results lie."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    attempts = [send["attempt_id"] for send in queue.taken(max_rows=9)]
    results = Jsonb([result(attempt, "sent") for attempt in attempts[:: -1 if backwards else 1]])
    with psycopg.connect(database) as other:
        Queue(other).all("select 1 from send_attempts where id = %s for update", attempts[4])
        records = Meanwhile(database, lambda own: own.rows("send_record", results=results, at=AT))
        changes = Meanwhile(database, lambda own: own.do("update send_lanes set cap_timezone = 'Asia/Tokyo'"))
        other.commit()
    records.end()
    changes.end()
    assert queue.statuses() == {"sent": 9}
    queue.assert_tally_is_the_ledger()


def test_results_of_several_lanes_are_recorded_together(conn: Connection) -> None:
    """One transaction for all of them; one that is unknown is left out of the answer."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    queue.fill(2, account="ada")
    queue.fill(2, account="bob")
    sends = queue.taken(max_rows=2)
    results = [
        result(sends[0]["attempt_id"], "sent"),
        result(sends[1]["attempt_id"], "held", scope="account", hold_seconds=None),
        result(str(UUID(int=1)), "sent"),
    ]
    answers = queue.rows("send_record", results=Jsonb(results), at=AT)
    assert sorted([(UUID(sends[0]["send_id"]), True, "sent"), (UUID(sends[1]["send_id"]), True, "pending")]) == sorted(
        answers
    )
    queue.assert_tally_is_the_ledger()


def test_a_provider_that_names_all_sends_alike_loses_the_name_not_the_send(database: str, conn: Connection) -> None:
    """Two results with one provider_message_id, recorded at the same time, are both recorded."""
    queue = Queue(conn)
    queue.ready(2, max_in_flight=9)
    first, second = queue.taken(max_rows=2)
    with psycopg.connect(database) as other:
        assert Queue(other).record(first, "sent", provider_message_id="ok") == (True, "sent")
        waits = Thread(target=lambda: queue.record(second, "sent", provider_message_id="ok"))
        waits.start()
        waits.join(0.2)  # it may wait for the first one: this is how long it is given to get there
        other.commit()
        waits.join(30)
    assert queue.statuses() == {"sent": 2}
    assert queue.one("select count(*) from send_queue where provider_message_id = 'ok'") == 1


def test_a_cap_zone_that_changes_while_a_result_waits_keeps_the_tally(database: str, conn: Connection) -> None:
    """The day that is given back is the one that the attempt counts in once the lane is ours, not before."""
    queue = Queue(conn)
    queue.ready(2, daily_cap=5, max_in_flight=9)
    noon_tomorrow_there = AT + 6 * HOUR  # 15:00 UTC is the next day in Tokyo
    [send] = queue.taken(noon_tomorrow_there)
    problems: list[BaseException] = []

    def record() -> None:
        try:
            queue.record(send, "failed", noon_tomorrow_there)
        except psycopg.Error as error:
            problems.append(error)

    with psycopg.connect(database) as other:
        Queue(other).do("update send_lanes set cap_timezone = 'Asia/Tokyo'")
        waits = Thread(target=record)
        waits.start()
        waits.join(0.2)
        other.commit()
        waits.join(30)
    assert problems == []
    queue.assert_tally_is_the_ledger()
    assert queue.one("select sum(used) from send_usage") == 0


def test_a_late_word_and_a_person_s_word_at_once_do_not_wait_for_each_other(database: str, conn: Connection) -> None:
    """Locks are taken in one order: settling a send by hand and by its late worker never deadlocks."""
    queue = Queue(conn)
    queue.ready(40, max_in_flight=100)
    sends = queue.taken(max_rows=40, lease=MINUTE)
    queue.rows("send_recover", at=AT + MINUTE)

    def work(queue: Queue, thread: int) -> None:
        for send in sends:
            if thread % 2:
                queue.record(send, "sent", AT + HOUR)
            else:
                try:
                    queue.call("send_settle", id=UUID(send["send_id"]), sent=False, at=AT + HOUR)
                except psycopg.Error as refused:  # since somebody else has settled it
                    if refused.sqlstate != "SQ006":
                        raise

    at_once(database, 6, work)
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_results_that_stop_accounts_and_others_never_wait_for_each_other(database: str, conn: Connection) -> None:
    """Results of several lanes at once, some of which stop an account, from several workers: no deadlock."""
    queue = Queue(conn)
    names = [f"a{n}" for n in range(4)]
    for name in names:
        queue.account(name)
    queue.campaign(accounts=names)
    for name in names:
        queue.lane(name, max_in_flight=1000)
        queue.fill(100, account=name)

    def work(queue: Queue, thread: int) -> int:
        done = 0
        for n in range(60):
            sends = queue.taken(AT + timedelta(seconds=n), 6)
            results = [
                result(s["attempt_id"], "held", scope="account", hold_seconds=None if n % 5 == 0 else 0)
                if (i + thread + n) % 2
                else result(s["attempt_id"], ("released", "failed", "sent")[i % 3])
                for i, s in enumerate(sends)
            ]
            done += len(queue.rows("send_record", results=Jsonb(results), at=AT + timedelta(seconds=n)))
            if n % 5 == 0:
                for name in names:
                    queue.call("send_pause", paused=False, kind="account", name=name)
        return done

    assert sum(at_once(database, 6, work)) > 0
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


@pytest.mark.parametrize(
    ("outcome", "next_at"),
    [("already_done", AT), ("retry", AT), ("released", AT), ("failed", AT), ("sent", AT + HOUR),
     ("uncertain", AT + HOUR), ("held", AT + HOUR)],
)  # fmt: skip
def test_only_an_attempt_that_may_have_gone_out_spends_the_gap(
    conn: Connection, outcome: str, next_at: datetime
) -> None:
    """The lane goes on at the turn that it had, ahead of nobody. A provider that asks to wait keeps the gap."""
    queue = Queue(conn)
    queue.ready(2, min_gap_seconds=3600)
    queue.send(outcome)
    assert queue.the_lane()["next_at"] == next_at
    assert len(queue.taken(AT + MINUTE)) == (next_at == AT)


@pytest.mark.parametrize(("later", "next_at"), [("sent", 2), ("uncertain", 2), (None, 2), ("failed", 1)])
def test_a_gap_is_kept_by_a_later_attempt_that_may_have_gone_out(
    conn: Connection, later: str | None, next_at: int
) -> None:
    """Two sends are in flight, an hour apart, when the first turns out to have failed."""
    queue = Queue(conn)
    queue.ready(2, min_gap_seconds=3600, max_in_flight=2)
    [first] = queue.taken(AT, lease=DAY)
    [second] = queue.taken(AT + HOUR, lease=DAY)
    if later:
        queue.record(second, later, AT + HOUR)
    queue.record(first, "failed", AT + HOUR + MINUTE)
    assert queue.the_lane()["next_at"] == AT + next_at * HOUR


def test_a_gap_that_was_raised_meanwhile_counts_from_the_last_send(conn: Connection) -> None:
    """Though the attempt in flight fails and gives its own back."""
    queue = Queue(conn)
    queue.ready(3, min_gap_seconds=300)
    queue.send()
    [second] = queue.taken(AT + 5 * MINUTE, lease=DAY)
    queue.do("update send_lanes set min_gap_seconds = 3600")
    queue.record(second, "failed", AT + 6 * MINUTE)
    assert queue.the_lane()["next_at"] == AT + HOUR


def test_the_gap_of_an_attempt_that_was_in_doubt_comes_back_with_its_cap(conn: Connection) -> None:
    """A person, or the provider, says that it did not go out."""
    queue = Queue(conn)
    queue.ready(2, min_gap_seconds=3600)
    send_id = queue.send("uncertain")
    queue.call("send_settle", id=send_id, sent=False, at=AT + MINUTE)
    assert queue.the_lane()["next_at"] == AT
