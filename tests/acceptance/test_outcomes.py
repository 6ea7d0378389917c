"""Invariant 4, never lost, and the table of outcomes: what the provider said, and what became of the row."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, SECOND, SOON, Json, Queue, moment
from send_queue.sandbox import Fault


def state(queue: Queue, send_id: str) -> tuple[str, int, str | None]:
    """Status, attempts that counted, and the error code."""
    row = queue.row(send_id)
    return row["status"], row["attempts"], row["error_code"]


def prospect(queue: Queue, recipient: str = "ACoAA-0") -> Json:
    [[row]] = queue.conn.execute(
        "select to_jsonb(p) from send_prospects p where linkedin_user_id = %s", (recipient,)
    ).fetchall()
    return dict(row)


# --- it went out ------------------------------------------------------------------------------------------


def test_sent(queue: Queue) -> None:
    """Accepted: the row is sent and has the provider's id, the attempt counts, the cap is spent."""
    [send_id] = queue.ready(daily_cap=20)
    queue("run-once")
    row, [entry] = queue.row(send_id), queue.sandbox.accepted()
    assert (row["status"], row["attempts"], row["provider_message_id"]) == ("sent", 1, entry["id"])
    assert MONDAY <= datetime.fromisoformat(row["sent_at"]) <= MONDAY + SOON
    assert (queue.attempts(send_id), queue.used()) == ([("sent", None)], 1)
    assert (entry["account_id"], entry["text"]) == ("acc-anna", "Hello 0")


def test_a_message_goes_to_the_chat_of_the_recipient(queue: Queue) -> None:
    """The channel linkedin_message writes to the recipient's chat."""
    queue.ready(rows=0)
    queue.enqueue(channel="linkedin_message", recipient="friend")
    assert queue.run_once()["sent"] == 1
    assert [(e["channel"], e["recipient"]) for e in queue.sandbox.accepted()] == [("linkedin_message", "friend")]


@pytest.mark.parametrize(("follow_up", "days"), [(None, 3), ("5d", 5)])
def test_a_follow_up_is_due_after_an_invitation(queue: Queue, follow_up: str | None, days: int) -> None:
    """A prospect who was invited is connection_request_sent; a follow-up is due in 3 days, or as the campaign says."""
    queue.account()
    queue("campaign", "add", "fall", "--account", "anna", *(("--follow-up", follow_up) if follow_up else ()))
    queue.enqueue()
    assert prospect(queue)["status"] is None
    queue("run-once")
    found = prospect(queue)
    assert found["status"] == "connection_request_sent"
    due = datetime.fromisoformat(found["follow_up_due_at"])
    assert MONDAY + days * DAY <= due <= MONDAY + days * DAY + SOON


# --- it was done before -----------------------------------------------------------------------------------


def test_already_connected(queue: Queue) -> None:
    """Whoever is connected needs no invitation: skipped, with the reason, and the cap is given back."""
    [send_id] = queue.ready()
    queue.sandbox.account("acc-anna", relations=["ACoAA-0"])
    assert queue.run_once()["skipped"] == 1
    assert state(queue, send_id) == ("skipped", 1, "already_connected")
    assert (queue.attempts(send_id), queue.used()) == ([("already_done", "already_connected")], 0)
    assert prospect(queue)["status"] == "connected"


def test_an_invitation_that_is_pending(queue: Queue) -> None:
    """`already_invited_recently` with an invitation that is pending: it was done before, by somebody else."""
    first, second = queue.ready(rows=2)
    queue.run_once()
    queue.conn.execute("update send_queue set recipient = 'ACoAA-0' where id = %s", (second,))
    assert queue.run_once(MONDAY + MINUTE)["skipped"] == 1
    assert state(queue, second) == ("skipped", 1, "invitation_pending")
    assert state(queue, first) == ("sent", 1, None)
    assert (queue.accepted(), queue.used()) == (["ACoAA-0"], 1)


def test_an_invitation_that_was_withdrawn(queue: Queue) -> None:
    """`already_invited_recently` without one that is pending: LinkedIn refuses for weeks, so it has failed."""
    [send_id] = queue.ready()
    queue.sandbox.order(Fault(op="invite", status=422, type="already_invited_recently"))
    assert queue.run_once()["failed"] == 1
    assert state(queue, send_id) == ("failed", 1, "already_invited_recently")


# --- the lane or the account must wait --------------------------------------------------------------------


def test_a_provider_limit_holds_the_lane_ever_longer(queue: Queue) -> None:
    """422 cannot_resend_yet is the account's limit: 6 h, then 12, doubling to 72; a send that goes out resets it."""
    [send_id, _] = queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="cannot_resend_yet", times=5))
    now = MONDAY
    for hours in (6, 12, 24, 48, 72):
        report = queue.run_once(now)
        assert (report["held"], report["reason"]) == (1, "provider_hold")
        assert "cannot_resend_yet" in report["message"]
        until = moment(report["next_at"])
        assert now + hours * HOUR <= until <= now + hours * HOUR + SOON
        assert queue.run_once(until - SECOND)["processed"] == 0
        now = until
    assert queue.row(send_id)["attempts"] == 0
    assert queue.run_once(now)["sent"] == 1
    queue.sandbox.order(Fault(op="invite", status=422, type="cannot_resend_yet", times=1))
    now += MINUTE
    assert moment(queue.run_once(now)["next_at"]) <= now + 6 * HOUR + SOON


def test_429_holds_the_lane_and_not_the_other_channel(queue: Queue) -> None:
    """A limit on invitations says nothing of messages."""
    [send_id] = queue.ready()
    queue.enqueue(channel="linkedin_message", recipient="friend")
    queue.sandbox.order(Fault(op="invite", status=429))
    report = queue.json("run")
    assert (report["held"], report["sent"]) == (1, 1)
    assert queue.attempts(send_id) == [("held", "too_many_requests")]
    assert queue.used() == 1
    explained = queue.explain(send_id, MONDAY + HOUR)
    assert [hold["rule"] for hold in explained["holds"]] == ["provider_hold"]
    assert explained["verdict"] == "waiting"


def test_retry_after_makes_the_hold_longer(queue: Queue) -> None:
    """Where the provider says how long, we do not come back sooner."""
    queue.ready()
    queue.sandbox.order(Fault(op="invite", status=429, headers={"retry-after": "36000"}))
    until = moment(queue.run_once()["next_at"])
    assert MONDAY + 10 * HOUR <= until <= MONDAY + 10 * HOUR + SOON


def test_resume_lane_ends_a_provider_hold(queue: Queue) -> None:
    """A person who knows better than the hold may end it."""
    queue.ready()
    queue.sandbox.order(Fault(op="invite", status=429, times=1))
    queue.run_once()
    queue("resume", "lane", "anna", "linkedin_invite")
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1


def test_a_disconnected_account_waits_for_a_person(queue: Queue) -> None:
    """401 disconnected_account: the account says so, its rows stay as they are, and `resume account` goes on."""
    ids = queue.ready(rows=2)
    queue.sandbox.account("acc-anna", status="CREDENTIALS")
    assert queue.json("run")["held"] == 1

    account = queue.json("account", "show", "anna")
    assert account["status"] == "disconnected"
    assert "disconnected_account" in account["status_reason"]
    assert [state(queue, send_id)[:2] for send_id in ids] == [("pending", 0), ("pending", 0)]
    assert queue.used() == 0
    report = queue.run_once(MONDAY + DAY)
    assert (report["reason"], report["next_at"]) == ("provider_hold", None)
    explained = queue.explain(ids[0], MONDAY + DAY)
    assert (explained["verdict"], explained["holds"][0]["rule"]) == ("needs_person", "disconnected")

    queue.sandbox.account("acc-anna", status="OK")
    queue("resume", "account", "anna")
    assert queue.json("run", now=MONDAY + DAY)["sent"] == 2


# --- it certainly did not go out --------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [
    Fault(op="invite", status=400, type="invalid_parameters"),
    Fault(op="invite", status=422, type="invalid_recipient"),
    Fault(op="invite", status=422, type="something_new"),
    Fault(op="invite", status=404, type="resource_not_found"),
], ids=["400", "422", "unknown type", "404"])  # fmt: skip
def test_failed(queue: Queue, fault: Fault) -> None:
    """A refusal that will be repeated is final: failed at once, said by its code, the cap given back."""
    [send_id] = queue.ready()
    queue.sandbox.order(fault)
    assert queue.run_once()["failed"] == 1
    assert state(queue, send_id) == ("failed", 1, fault.type)
    assert queue.used() == 0
    assert queue.run_once(MONDAY + 30 * DAY)["reason"] == "no_messages_due"


def test_nothing_listens(queue: Queue) -> None:
    """Connection refused: nothing has left, so it is tried again at the back-off, and has failed after max_attempts."""
    [send_id] = queue.ready(campaign={"max_attempts": 3, "backoff_seconds": [300, 900]})
    nobody = {"UNIPILE_DSN": "http://127.0.0.1:1"}
    now = MONDAY
    for attempt, seconds in enumerate((300, 900), 1):
        assert queue.run_once(now, env=nobody)["retried"] == 1
        row = queue.row(send_id)
        assert (row["status"], row["attempts"]) == ("pending", attempt)
        due = datetime.fromisoformat(row["scheduled_for"])
        delay = timedelta(seconds=seconds)
        assert now + delay <= due <= now + delay * 1.1 + SOON
        assert queue.run_once(due - SECOND, env=nobody)["reason"] == "no_messages_due"
        now = due
    assert queue.run_once(now, env=nobody)["failed"] == 1
    assert state(queue, send_id)[:2] == ("failed", 3)
    assert [outcome for outcome, _ in queue.attempts(send_id)] == ["retry"] * 3
    assert (queue.used(), queue.accepted()) == (0, [])


def test_a_retry_that_works(queue: Queue) -> None:
    """What could not be reached goes out when it can be."""
    [send_id] = queue.ready()
    queue.run_once(env={"UNIPILE_DSN": "http://127.0.0.1:1"})
    assert queue.run_once(MONDAY + 6 * MINUTE)["sent"] == 1
    assert state(queue, send_id) == ("sent", 2, None)


# --- it may have gone out ---------------------------------------------------------------------------------

IN_DOUBT = {
    "dropped after accepting": (Fault(op="invite", drop="after", times=1), True),
    "dropped before accepting": (Fault(op="invite", drop="before", times=1), False),
    "500": (Fault(op="invite", status=500, type="unexpected_error", times=1), False),
    "504 after accepting": (Fault(op="invite", status=504, accept=True, times=1), True),
    "somebody's HTML": (Fault(op="invite", spoil="html", times=1), True),
    "200 with nothing in it": (Fault(op="invite", status=200, body="", times=1), False),
    "a truncated answer": (Fault(op="invite", spoil="truncated", times=1), True),
}


BLIND = Fault(op="account", status=503, type="service_unavailable")
"""The provider cannot be asked what became of anything."""


@pytest.mark.parametrize("case", IN_DOUBT)
def test_a_doubt_is_settled_by_asking(queue: Queue, case: str) -> None:
    """What arrived is found at once; what did not goes again when the provider has said so twice, its lag apart."""
    fault, accepted = IN_DOUBT[case]
    [send_id] = queue.ready(daily_cap=1)
    queue.sandbox.order(fault)

    first = queue.run_once()
    assert (first["sent"], first["uncertain"]) == ((1, 0) if accepted else (0, 1))
    if not accepted:
        assert queue.run_once(MONDAY + MINUTE)["sent"] == 0
        assert queue.run_once(MONDAY + 3 * MINUTE)["sent"] == 0
        assert queue.run_once(MONDAY + 6 * MINUTE)["sent"] == 1
    assert state(queue, send_id)[0] == "sent"
    assert queue.accepted() == ["ACoAA-0"]
    assert queue.used() == 1


@pytest.mark.parametrize("case", IN_DOUBT)
def test_uncertain(queue: Queue, case: str) -> None:
    """What leaves open whether it went out, and cannot be asked about, is uncertain: counted in the cap, shown, and
    not sent again."""
    fault, accepted = IN_DOUBT[case]
    [send_id] = queue.ready(daily_cap=1)
    queue.sandbox.order(fault, BLIND)

    assert queue.run_once()["uncertain"] == 1

    assert state(queue, send_id)[:2] == ("uncertain", 1)
    assert queue.row(send_id)["error_code"]
    assert queue.used() == 1
    for n in range(1, 3):
        queue.run_once(MONDAY + n * DAY)
    assert len(queue.accepted()) == accepted


def test_a_send_in_doubt_is_shown_and_explained(queue: Queue) -> None:
    """status, list and explain show what is in doubt, and what to do about it."""
    [send_id] = queue.ready()
    queue.sandbox.order(Fault(op="invite", drop="after"), BLIND)
    queue("run-once")
    assert queue.json("status")["uncertain"] == 1
    assert "1 uncertain: see `send-queue list --status uncertain`" in queue("status").stdout
    assert [row["id"] for row in queue.json("list", "--status", "uncertain")] == [send_id]
    explained = queue.explain(send_id)
    assert (explained["status"], explained["verdict"], explained["next_at"]) == ("uncertain", "needs_person", None)
    assert [hold["rule"] for hold in explained["holds"]] == ["uncertain"]
    assert queue.conn.execute("select id::text from send_uncertain").fetchall() == [(send_id,)]


def test_settle_sent(queue: Queue) -> None:
    """A person has seen it at the provider: it is sent, counted, and the follow-up is due."""
    [send_id] = queue.ready()
    queue.sandbox.order(Fault(op="invite", drop="after"), BLIND)
    queue("run-once")
    assert queue.json("settle", send_id, "--sent", now=MONDAY + HOUR) == {"send_id": send_id, "status": "sent"}
    assert state(queue, send_id) == ("sent", 1, None)
    assert (queue.used(), queue.attempts(send_id)[0][0]) == (1, "sent")
    assert prospect(queue)["status"] == "connection_request_sent"
    assert queue.run_once(MONDAY + DAY)["processed"] == 0
    again = queue("settle", send_id, "--not-sent", check=False)
    assert again.returncode == 2
    assert "needs no settling" in again.stderr


def test_settle_not_sent(queue: Queue) -> None:
    """It is not there: pending again, its place under the cap given back, and it goes."""
    [send_id] = queue.ready(daily_cap=1)
    queue.sandbox.order(Fault(op="invite", drop="before", times=1))
    queue("run-once")
    assert queue.run_once(MONDAY + MINUTE)["reason"] == "no_messages_due"
    assert queue.json("settle", send_id, "--not-sent", now=MONDAY + HOUR) == {"send_id": send_id, "status": "pending"}
    assert queue.used() == 0
    assert queue.run_once(MONDAY + HOUR)["sent"] == 1
    assert queue.accepted() == ["ACoAA-0"]


def test_settle_all_not_sent(queue: Queue) -> None:
    """After an outage all of a campaign's doubts can be settled at once, and no other campaign's."""
    queue.ready(rows=3)
    queue.campaign("other")
    queue.enqueue(campaign="other")
    queue.sandbox.order(Fault(op="invite", drop="before", times=4))
    assert queue.json("run")["uncertain"] == 4
    assert queue.json("settle", "--all-not-sent", "--campaign", "fall", now=MONDAY + HOUR) == {"changed": 3}
    assert queue.json("run", now=MONDAY + HOUR)["sent"] == 3
    assert queue.statuses() == {"sent": 3, "uncertain": 1}


# --- what a dead run left ---------------------------------------------------------------------------------


def test_a_row_that_a_dead_run_left_is_in_doubt(queue: Queue) -> None:
    """Invariant 4: a lease that has run out is seen to by the next run; until then the row is in flight."""
    [send_id] = queue.ready(daily_cap=5)
    queue.sandbox.order(BLIND)
    queue.conn.execute("select send_claim('a run that died', at => %s, lease => '5 minutes')", (MONDAY,))

    explained = queue.explain(send_id, MONDAY + MINUTE)
    assert (explained["status"], explained["verdict"]) == ("sending", "waiting")
    assert explained["holds"] == [
        {"rule": "in_flight", "until": (MONDAY + 5 * MINUTE).isoformat(), "detail": "It is being sent."}
    ]
    assert queue.run_once(MONDAY + MINUTE)["processed"] == 0
    assert state(queue, send_id)[0] == "sending"

    assert queue.run_once(MONDAY + 5 * MINUTE)["uncertain"] == 1
    assert state(queue, send_id) == ("uncertain", 1, "lease_expired")
    assert (queue.attempts(send_id), queue.used()) == ([("uncertain", "lease_expired")], 1)
    assert queue.accepted() == []


def test_what_a_dead_run_left_is_looked_up(queue: Queue) -> None:
    """Invariant 3: a row that a killed run left, and that did not go out, goes once the provider has said so twice."""
    [send_id] = queue.ready(daily_cap=5)
    queue.conn.execute("select send_claim('a run that died', at => %s, lease => '5 minutes')", (MONDAY,))
    assert queue.run_once(MONDAY + 5 * MINUTE)["sent"] == 0
    assert queue.run_once(MONDAY + 8 * MINUTE)["sent"] == 0
    assert queue.run_once(MONDAY + 11 * MINUTE)["sent"] == 1
    assert state(queue, send_id)[0] == "sent"
    assert (queue.accepted(), queue.used()) == (["ACoAA-0"], 1)


@pytest.mark.parametrize("fault", [Fault(op="invite", drop="before", times=1), None], ids=["lost answer", "dead run"])
def test_a_campaign_may_have_what_nobody_can_tell_of_sent_again(queue: Queue, fault: Fault | None) -> None:
    """With --on-uncertain resend it goes again when the provider could not be asked in the end: somebody has said that
    twice is better than never. Each try stays counted."""
    [send_id] = queue.ready(campaign={"on_uncertain": "resend"})
    if fault:
        queue.sandbox.order(fault, BLIND)
        queue.run_once()
    else:
        queue.sandbox.order(BLIND)
        queue.conn.execute("select send_claim('a run that died', at => %s, lease => '5 minutes')", (MONDAY,))
    asked = [queue.run_once(MONDAY + n * 6 * HOUR)["sent"] for n in range(1, 12)]
    assert sum(asked) == 1
    assert state(queue, send_id) == ("sent", 2, None)
    assert (queue.accepted(), queue.used()) == (["ACoAA-0"], 2)
