"""The claim: which rows it takes, in which order, and what it says when it takes none."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, NEVER, SECOND, TICK, Connection, Queue, at_once

# --- what is taken in hand --------------------------------------------------------------------------------


def test_a_claim_marks_the_row_and_writes_the_attempt_before_anything_is_sent(conn: Connection) -> None:
    """The row has a lease and a worker, the ledger an attempt without an outcome, and the tally counts it."""
    queue = Queue(conn)
    [send_id] = queue.ready(1)
    [send] = queue.taken(lease=7 * MINUTE)
    row = queue.row(send_id)
    assert (
        row["status"], row["claimed_by"], row["lease_expires_at"], row["attempts"],
    ) == ("sending", "w", AT + 7 * MINUTE, 0)  # fmt: skip
    assert [(send_id, UUID(send["attempt_id"]), 1, AT, None, "w")] == queue.all(
        "select send_id, id, number, started_at, outcome, worker from send_attempts"
    )
    assert [(AT.date(), 1)] == queue.all("select day, used from send_usage")


def test_a_claim_hands_over_all_that_a_provider_needs(conn: Connection) -> None:
    """One round trip: the message, the account and its secret's name, and the campaign's policy."""
    queue = Queue(conn)
    queue.account(provider_account_id="seat-1", secret_env="ADA_KEY")
    queue.campaign(max_attempts=4, backoff_seconds=[1, 2])
    send_id = queue.enqueue(recipient="p@example.org", subject="Hi", payload={"a": 1})
    [send] = queue.taken()
    expected = {
        "send_id": str(send_id), "attempt_number": 1, "channel": "email", "recipient": "p@example.org", "subject": "Hi",
        "message": "Hello", "payload": {"a": 1}, "account": "ada", "provider": "log",
        "provider_account_id": "seat-1", "secret_env": "ADA_KEY", "campaign": "spring", "attempts": 0,
        "max_attempts": 4, "backoff_seconds": [1, 2],
    }  # fmt: skip
    assert expected == {k: v for k, v in send.items() if k in expected}
    assert datetime.fromisoformat(send["started_at"]) == AT


def test_invariant_6_two_attempts_of_one_send_are_never_in_flight(database: str, conn: Connection) -> None:
    """Twenty claims at once for ten rows take each row once; and the ledger refuses a second current attempt."""
    queue = Queue(conn)
    ids = queue.ready(10, max_in_flight=100)

    def work(queue: Queue, _: int) -> list[UUID]:
        took: list[UUID] = []
        for _n in range(1_000):
            claim = queue.claim()
            took += [UUID(s["send_id"]) for s in claim["sends"]]
            if not claim["sends"] and not claim["lock_skipped"]:
                return took
        raise AssertionError("always busy")

    taken = [send_id for took in at_once(database, 20, work) for send_id in took]
    assert ids == sorted(taken)
    held = queue.all(
        "select q.attempt_id = b.id and b.number = 1 from send_queue q join send_attempts b on b.send_id = q.id"
    )
    assert held == [True] * len(ids)


def test_a_claim_counts_after_it_locks_and_says_so_where_it_could_not(conn: Connection) -> None:
    """In a transaction whose snapshot is older than its locks no cap would be exact: it is refused."""
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with (
        pytest.raises(psycopg.errors.SerializationFailure, match="READ COMMITTED, not REPEATABLE READ"),
        conn.transaction(),
    ):
        Queue(conn).claim()


# --- order ------------------------------------------------------------------------------------------------


def test_lower_priority_goes_first_then_turns_then_schedule_then_age(conn: Connection) -> None:
    """The order of rows, also across the campaigns of a lane: at each priority that which has waited longest."""
    queue = Queue(conn)
    queue.account()
    chance, campaigns = random.Random(1), ["spring", "summer", "autumn"]
    for name in campaigns:
        queue.campaign(name)
    queue.lane(max_in_flight=1000)
    for _ in range(60):
        queue.enqueue(
            campaign=chance.choice(campaigns),
            priority=chance.choice([-5, 1, 100, 32767]),
            scheduled_for=AT - chance.choice([0, 1, 2]) * HOUR,
        )
    waiting = queue.all("select priority, campaign_id, scheduled_for, id from send_queue")
    turns: dict[UUID, int] = {}
    expected: list[UUID] = []
    while waiting:
        first = min(waiting, key=lambda row: (row[0], turns.get(row[1], 0), *row[2:]))
        waiting.remove(first)
        expected.append(first[3])
        turns[first[1]] = len(expected)
    took: list[UUID] = []
    while len(took) < 60:
        took += queue.took(max_rows=chance.randrange(1, 9))
    assert expected == took


def test_what_is_not_due_is_not_in_the_way(conn: Connection) -> None:
    """A row of a more urgent priority that is scheduled for later waits, and what is due goes."""
    queue = Queue(conn)
    [due] = queue.ready(1)
    [later] = queue.fill(1, priority=1, scheduled_for=AT + TICK)
    assert [due] == queue.took()
    queue.do("update send_lanes set max_in_flight = 9")
    assert queue.took() == []
    assert [later] == queue.took(AT + TICK)


def test_lanes_take_turns(conn: Connection) -> None:
    """The lane that has waited longest goes next, however many rows another one has."""
    queue = Queue(conn)
    names = ["ada", "bob", "eve"]
    for name in names:
        queue.account(name)
    queue.campaign(accounts=names)
    for name, n in zip(names, (50, 3, 3), strict=True):
        queue.lane(name, max_in_flight=100)
        queue.fill(n, account=name)
    turns = [queue.taken(AT + n * SECOND)[0]["account"] for n in range(12)]
    for first in (0, 3, 6):
        assert names == sorted(turns[first : first + 3])
    assert turns[9:] == ["ada"] * 3


def test_one_claim_fills_its_hands_from_several_lanes(conn: Connection) -> None:
    """Up to max_rows in all; of each lane as many as its limits let through."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    queue.lane("ada", max_in_flight=2)
    queue.lane("bob", max_in_flight=2)
    queue.fill(5, account="ada")
    queue.fill(5, account="bob")
    assert len(queue.taken(max_rows=3)) == 3
    assert len(queue.taken(max_rows=9)) == 1
    assert sorted(
        queue.all(
            "select a.name, count(*) from send_queue q join send_accounts a on a.id = q.account_id "
            "where q.status = 'sending' group by 1"
        )
    ) == [("ada", 2), ("bob", 2)]
    assert queue.taken(max_rows=9) == []


# --- pace -------------------------------------------------------------------------------------------------


def test_the_gap_and_its_jitter_are_drawn_once(conn: Connection) -> None:
    """The lane's next_at lies between the gap and the gap with all its jitter, and stays what it was drawn."""
    queue = Queue(conn)
    queue.ready(200, min_gap_seconds=600, jitter_seconds=120, max_in_flight=100)
    moment, gaps = AT, []
    for _ in range(30):
        assert len(queue.taken(moment, 9)) == 1  # with a gap, one at a time
        drawn = queue.the_lane()["next_at"]
        assert queue.the_lane()["next_at_reason"] == "min_gap"
        assert queue.taken(moment + 5 * MINUTE) == []
        assert queue.taken(drawn - TICK) == []
        assert drawn == queue.the_lane()["next_at"]
        gaps.append((drawn - moment).total_seconds())
        moment = drawn
    assert 600 <= min(gaps) < 660 < max(gaps) <= 720


def test_no_more_are_in_flight_than_the_lane_allows(conn: Connection) -> None:
    """What is in flight is counted, and the token says which sends keep us from what is due."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=2)
    first, second = queue.taken(max_rows=5)
    claim = queue.claim()
    assert (claim["sends"], claim["lock_skipped"]) == ([], False)
    assert claim["in_flight"] is not None
    assert claim["in_flight"] == queue.claim(AT + SECOND)["in_flight"]
    queue.record(first, "sent", AT + SECOND)
    [third] = queue.taken(AT + SECOND, 5)
    assert claim["in_flight"] != queue.claim(AT + SECOND)["in_flight"]
    queue.record(second, "sent")
    queue.record(third, "sent")
    assert len(queue.taken(AT + SECOND, 5)) == 2


# --- invariant 2: the calendar ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opens_at", "closes_at", "since", "goes"),
    [
        (AT - HOUR, AT + HOUR, AT - HOUR, True),
        (AT, AT + HOUR, AT, True),  # the first moment is open
        (AT - HOUR, AT, AT - HOUR, False),  # the last is not, and the window has passed
        (AT + TICK, AT + HOUR, AT - HOUR, False),
        (AT - HOUR, AT + HOUR, AT + TICK, False),  # worked out for a later moment: a clock has jumped
        (None, None, None, False),  # not worked out yet
        (NEVER - DAY, NEVER, AT, False),
    ],
)
@pytest.mark.parametrize("of", ["account", "campaign"])
def test_invariant_2_a_window_that_is_closed_or_stale_lets_nothing_out(
    conn: Connection, opens_at: datetime | None, closes_at: datetime, since: datetime, goes: bool, of: str
) -> None:
    """Open from opens_at until just before closes_at, for moments from window_since on; stale counts as closed."""
    queue = Queue(conn)
    queue.schedule("office", opens_at, closes_at, since)
    queue.ready(1)
    queue.put(of, {"account": "ada", "campaign": "spring"}[of], schedule="office")
    assert goes == bool(queue.taken())


def test_invariant_2_the_schedule_of_the_campaign_wins(conn: Connection) -> None:
    """A campaign with a schedule of its own goes by that one alone; one without goes by the account's."""
    queue = Queue(conn)
    queue.schedule("open", AT - HOUR, AT + HOUR, AT - HOUR)
    queue.schedule("closed", AT + HOUR, AT + 2 * HOUR, AT - HOUR)
    queue.account(schedule="closed")
    queue.campaign("with", schedule="open")
    queue.campaign("without")
    queue.lane(max_in_flight=9)
    [goes] = queue.fill(1, campaign="with")
    queue.fill(1, campaign="without", priority=1)
    assert [goes] == queue.took(max_rows=9)
    queue.put("account", "ada", schedule="open")
    queue.put("campaign", "with", schedule="closed")
    [waits] = queue.fill(1, campaign="with", priority=1)
    assert waits not in queue.took(max_rows=9)


def test_a_claim_names_the_schedules_whose_window_must_be_worked_out(conn: Connection) -> None:
    """Those that have passed, are not known, or were worked out for a later moment; no others."""
    queue = Queue(conn)
    queue.schedule("open", AT - HOUR, AT + HOUR, AT - HOUR)
    queue.schedule("to come", AT + HOUR, AT + 2 * HOUR, AT - HOUR)
    queue.schedule("unknown", None, None)
    queue.schedule("passed", AT - HOUR, AT, AT - HOUR)
    queue.schedule("of the future", AT - HOUR, AT + HOUR, AT + TICK)
    assert sorted(s["name"] for s in queue.claim()["stale"]) == ["of the future", "passed", "unknown"]


# --- who wants only some ----------------------------------------------------------------------------------


def test_filters_narrow_what_is_claimed(conn: Connection) -> None:
    """By account, channel and campaign, alone and together."""
    queue = Queue(conn)
    accounts, channels, campaigns = ["ada", "bob"], ["email", "sms"], ["spring", "summer"]
    for name in accounts:
        queue.account(name)
    for name in campaigns:
        queue.campaign(name, accounts)
    for account in accounts:
        for channel in channels:
            queue.lane(account, channel, max_in_flight=99)
            for campaign in campaigns:
                queue.fill(1, account=account, channel=channel, campaign=campaign)

    def seen(**named: Any) -> set[tuple[str, str, str]]:
        with conn.transaction(force_rollback=True):
            return {(s["account"], s["channel"], s["campaign"]) for s in queue.taken(max_rows=99, **named)}

    everything = {(a, ch, c) for a in accounts for ch in channels for c in campaigns}
    assert everything == seen()
    assert {x for x in everything if x[0] == "bob"} == seen(account="bob")
    assert {x for x in everything if x[1] == "sms"} == seen(channel="sms")
    assert {x for x in everything if x[2] == "summer"} == seen(campaign="summer")
    assert {("bob", "sms", "summer")} == seen(account="bob", channel="sms", campaign="summer")
    with pytest.raises(psycopg.DatabaseError, match="There is no campaign 'winter'"):
        seen(campaign="winter")


# --- what nobody wants any more ---------------------------------------------------------------------------


def test_invariant_4_what_has_expired_is_skipped_and_says_so(conn: Connection) -> None:
    """At its expires_at a row is skipped, not sent: five hundred a claim, and never a row that is in flight."""
    queue = Queue(conn)
    queue.ready(1, max_in_flight=9)
    [flying] = queue.took()
    queue.fill(600)
    queue.do("update send_queue set expires_at = %s", AT + MINUTE)
    assert queue.claim(AT + MINUTE - TICK, 0)["expired"] == 0
    claim = queue.claim(AT + MINUTE, 9)
    assert (claim["expired"], claim["sends"]) == (500, [])
    assert queue.claim(AT + MINUTE, 9)["expired"] == 100
    assert queue.statuses() == {"sending": 1, "skipped": 600}
    assert queue.row(flying)["status"] == "sending"
    assert queue.all("select distinct error_code from send_queue where status = 'skipped'") == ["expired"]
    assert "could not go out before it expired" in queue.one(
        "select distinct error_message from send_queue where status = 'skipped'"
    )


# --- others at work ---------------------------------------------------------------------------------------


def test_a_claim_passes_by_a_lane_that_is_held_and_says_that_it_is_busy(database: str, conn: Connection) -> None:
    """It never waits: another lane is served meanwhile, and with nothing else to do the answer is `busy`."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    queue.fill(3, account="ada")
    queue.fill(1, account="bob")
    with psycopg.connect(database) as other:
        Queue(other).taken(account="ada")  # not committed
        conn.execute("set lock_timeout = '1ms'")
        assert [s["account"] for s in queue.taken(max_rows=9)] == ["bob"]
        claim = queue.claim()
        assert (claim["sends"], claim["lock_skipped"]) == ([], True)
    assert not queue.claim()["lock_skipped"]


def test_a_claim_passes_by_a_limit_that_is_held(database: str, conn: Connection) -> None:
    """A limit that lanes share is counted by one claim at a time; the others go on with other work, or are busy."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign(accounts=["ada", "bob"])
    queue.fill(3, account="ada")
    queue.fill(3, account="bob")
    queue.limit(5, HOUR)
    with psycopg.connect(database) as other:
        Queue(other).taken(account="ada")
        conn.execute("set lock_timeout = '1ms'")
        claim = queue.claim(max_rows=9)
        assert (claim["sends"], claim["lock_skipped"]) == ([], True)
    assert len(queue.taken(account="bob")) == 1


def test_a_row_in_somebody_s_hands_is_passed_by(database: str, conn: Connection) -> None:
    """A hand-written update that is not committed yet keeps nobody waiting: the row behind it goes."""
    queue = Queue(conn)
    first, second = queue.ready(2)
    with psycopg.connect(database) as other:
        Queue(other).do("update send_queue set message = 'Hey' where id = %s", first)
        conn.execute("set lock_timeout = '1ms'")
        assert [second] == queue.took()


def test_a_long_transaction_that_enqueues_keeps_nobody_waiting(database: str, conn: Connection) -> None:
    """While somebody's transaction that has enqueued is open, claims and results of the same lane go on."""
    queue = Queue(conn)
    queue.ready(3, max_in_flight=9, daily_cap=9)
    with psycopg.connect(database) as other:
        for n in range(3):
            Queue(other).enqueue(recipient=f"new{n}@example.org")
        conn.execute("set lock_timeout = '1ms'")
        for outcome in ("sent", "failed", "retry"):
            queue.send(outcome)
        assert queue.statuses() == {"sent": 1, "failed": 1, "pending": 1}


def test_a_lane_that_another_run_has_just_filled_is_in_flight_not_passed_by(database: str, conn: Connection) -> None:
    """However claims fall together, one that finds nothing says either busy or what is in flight."""
    queue = Queue(conn)
    queue.ready(400)

    def work(queue: Queue, _: int) -> list[dict[str, object]]:
        silent = []
        for _n in range(60):
            claim = queue.claim(None)
            for send in claim["sends"]:
                queue.record(send, "sent", None)
            if not claim["sends"] and not claim["lock_skipped"] and claim["in_flight"] is None:
                silent.append(cast("dict[str, object]", claim))
        return silent

    assert [silent for found in at_once(database, 4, work) for silent in found] == []


def test_a_claim_says_that_a_dead_run_left_rows(conn: Connection) -> None:
    """left: from the moment a lease has run out."""
    queue = Queue(conn)
    queue.ready(1)
    queue.taken(lease=MINUTE)
    assert not queue.claim(AT + MINUTE - TICK)["expired_leases"]
    assert queue.claim(AT + MINUTE)["expired_leases"]


# --- how many, and until when -----------------------------------------------------------------------------


def test_of_several_full_limits_the_last_to_have_room_says_when(conn: Connection) -> None:
    """A lane at its daily cap and at a limit of an hour is met again tomorrow, not each hour."""
    queue = Queue(conn)
    queue.ready(2, daily_cap=1)
    queue.limit(1, HOUR, account="ada")
    queue.send()
    assert queue.taken(AT + MINUTE) == []
    lane = queue.the_lane()
    assert (lane["next_at"].date(), lane["next_at_reason"]) == (AT.date() + DAY, "daily_cap")


def test_jitter_alone_is_a_gap_too(conn: Connection) -> None:
    """One row a claim, and the next when the jitter that was drawn is over."""
    queue = Queue(conn)
    queue.ready(5, jitter_seconds=60, max_in_flight=5)
    assert len(queue.taken(max_rows=5)) == 1
    assert len(queue.taken(AT + MINUTE, max_rows=5)) == 1


def test_a_claim_is_on_disk_though_the_server_may_lose_commits(conn: Connection) -> None:
    """With synchronous_commit off a crash could forget an attempt that went out: its commit waits for the disk."""
    queue = Queue(conn)
    queue.ready(1)
    with conn.transaction():
        conn.execute("set local synchronous_commit = off")
        assert len(queue.taken()) == 1
        assert queue.one("show synchronous_commit") == "local"
