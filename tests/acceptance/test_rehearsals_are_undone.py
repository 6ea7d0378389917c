"""What a rehearsal of a moment to come has written is marked, and undone by the next run in earnest (invariant 23)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, Queue, moment
from send_queue.sandbox import Fault

STATE = {
    "lanes": "select account_id, channel, next_at, next_at_reason, next_at_detail, consecutive_holds, turns, paused_at "
    "from send_lanes order by 1, 2",
    "turns": "select account_id, channel, campaign_id, turn from send_turns order by 1, 2, 3",
    "rows": "select to_jsonb(q) from send_queue q order by q.id",
    "attempts": "select to_jsonb(b) from send_attempts b order by b.id",
    "tally": "select account_id, channel, day, used from send_usage order by 1, 2, 3",
    "accounts": "select to_jsonb(a) from send_accounts a order by a.id",
    "prospects": "select to_jsonb(p) from send_prospects p order by p.id",
    "suppressions": "select to_jsonb(s) from send_suppressions s order by 1",
    "counts": "select campaign_id, status, sum(n)::int from send_counts group by 1, 2 having sum(n) <> 0 order by 1, 2",
}


def state(queue: Queue) -> dict[str, list[tuple[Any, ...]]]:
    """All that says what goes, and when."""
    return {name: queue.conn.execute(query).fetchall() for name, query in STATE.items()}


def explained(queue: Queue, ids: list[str]) -> list[tuple[str, str, str | None]]:
    found = [queue.json("explain", send_id, now=None) for send_id in ids]
    return [(said["status"], said["verdict"], said["next_at"]) for said in found]


def findings(queue: Queue) -> set[str]:
    return {found["check"] for found in queue.json("doctor", now=None, check=False)["findings"]}


def claim(conn: psycopg.Connection[Any], at: datetime | None = None) -> list[str]:
    """What a claim in earnest, or at a moment to come, takes in hand, without a provider."""
    [row] = conn.execute("select send_claim('w', 9, at => %s)", (at,)).fetchall()
    return [send[1] for group in row[0]["claimed"] for send in group["sends"]]


def test_invariant_23_a_rehearsal_changes_nothing(queue: Queue) -> None:
    """With caps of a day and a week, a gap, limits of an account and of the workspace, office and quiet hours,
    campaigns that take turns, a try that failed, a doubt and an expiry: days and nights are rehearsed; after one run in
    earnest lanes, rows, attempts, tally and explain are as before."""
    now = datetime.now(UTC)
    queue.schedule("office", "UTC", ["09:00-17:00"], "mon-fri")
    queue.account("anna", daily_cap=3, weekly_cap=5, min_gap_seconds=1800)
    queue.account("bert", daily_cap=2, schedule="office")
    queue.campaign("fall", "anna")
    queue.campaign("late", "anna")
    queue.campaign("spring", "bert")
    queue.campaign("night", "bert", quiet_from="16:30", quiet_until="11:00")
    queue.conn.execute("select send_set_limit(2, '2 hours', account => 'anna')")
    queue.conn.execute("select send_set_limit(6, '1 day')")
    ids = [
        *queue.enqueue(4, campaign="fall", at=now - DAY),
        *queue.enqueue(3, campaign="late", at=now - DAY),
        *queue.enqueue(3, campaign="spring", at=now - DAY),
        *queue.enqueue(2, campaign="night", at=now - DAY),
        *queue.enqueue(1, campaign="late", at=now - DAY, expires_at=now + 4 * DAY, priority=200),
    ]
    queue("run", now=None)
    before, said = state(queue), explained(queue, ids)

    queue.sandbox.order(Fault(op="invite", status=503, times=1), Fault(op="invite", drop="before", times=1))
    for n in range(3, 9):
        for hour in (16, 22):
            queue("run", now=(now + n * DAY).replace(hour=hour, minute=45))
    statuses = queue.statuses()
    assert statuses["sent"] > 6
    assert statuses["skipped"] == 1
    assert queue.conn.execute("select count(*) > 0 from send_queue where place is not null").fetchone() == (True,)
    assert {"rehearsal"} == findings(queue) & {"rehearsal", "tally", "hold"}

    queue("run", now=None)
    assert state(queue) == before
    assert explained(queue, ids) == said
    assert not findings(queue) & {"rehearsal", "tally", "hold"}
    assert queue.conn.execute("select (select count(*) from send_rehearsed_rows), (select count(*) from "
                              "send_rehearsed_lanes)").fetchone() == (0, 0)  # fmt: skip


def test_what_was_rehearsed_is_sent_in_earnest(queue: Queue) -> None:
    """A sandbox had it, and no person."""
    [send_id] = queue.ready()
    assert queue.run_once(datetime.now(UTC) + 3 * DAY)["sent"] == 1
    queue.sandbox.restart_clean()
    assert queue.run_once(None)["sent"] == 1
    assert queue.attempts(send_id) == [("sent", None)]
    assert queue.used() == 1


def test_what_is_real_is_kept_whatever_its_moment_is(queue: Queue) -> None:
    """A server whose clock was ahead wrote it: no rehearsal did, so none is undone with it, and its cap stays used."""
    ids = queue.ready(rows=2, daily_cap=1)
    assert queue.run_once(None)["sent"] == 1
    queue.conn.execute("update send_attempts set started_at = started_at + interval '2 hours'")
    queue.conn.execute("update send_queue set updated_at = updated_at + interval '2 hours' where status = 'sent'")
    queue.run_once(datetime.now(UTC) + 3 * DAY)
    assert queue.run_once(None)["sent"] == 0
    assert queue.attempts(ids[0]) == [("sent", None)]
    assert queue.row(ids[1])["status"] == "pending"


def test_a_limit_that_lanes_share_counts_nothing_rehearsed(queue: Queue, database: str) -> None:
    """Not even while another run is still undoing it: the other lanes go."""
    queue.ready(rows=1)
    queue.account("bea")
    queue.campaign("spring", "bea")
    queue.conn.execute("select send_set_limit(1, '7 days')")
    queue.run_once(datetime.now(UTC) + 3 * DAY, "--account", "anna")
    queue.enqueue(1, campaign="spring", at=datetime.now(UTC) - HOUR)
    with psycopg.connect(database) as other:
        other.execute("select send_end_rehearsal('{}')")
        assert queue.run_once(None)["sent"] == 1
        other.rollback()
    assert queue.conn.execute("select q.status from send_queue q join send_accounts a on a.id = q.account_id "
                              "where a.name = 'bea'").fetchall() == [("sent",)]  # fmt: skip


def test_a_rehearsal_counts_its_own(queue: Queue) -> None:
    """Of its day, of its week, and of a rolling limit: else it would show what never happens."""
    queue.ready(rows=6, daily_cap=2, weekly_cap=3)
    then = (datetime.now(UTC) + 3 * DAY).replace(hour=12)
    assert queue.json("run", now=then)["sent"] == 2
    assert queue.json("run", now=then + MINUTE)["sent"] == 0
    assert queue.json("run", now=then + DAY)["sent"] == 1
    assert queue.used() == 3
    queue.sandbox.restart_clean()
    assert queue.json("run", now=None)["sent"] == 2
    assert queue.used() == 2


def test_the_rest_of_a_day_may_be_rehearsed(queue: Queue) -> None:
    """The tally of a day has what went out in earnest, however much of the same day was rehearsed."""
    now = datetime.now(UTC)
    queue.ready(rows=3, daily_cap=2)
    queue.run_once(now + 61 * MINUTE)
    queue.run_once(now + 62 * MINUTE)
    queue.sandbox.restart_clean()
    assert queue.json("run", now=None)["sent"] == 2
    assert queue.used() == 2


def test_a_try_after_an_older_doubt_is_undone(queue: Queue) -> None:
    """The row waits as before, and its doubt of old is still one."""
    [send_id] = queue.ready(campaign={"on_uncertain": "resend"})
    claim(queue.conn)
    queue.conn.execute("update send_queue set lease_expires_at = now() - interval '1 s'")
    queue.conn.execute("select send_recover()")
    queue.conn.execute("update send_queue set status = 'pending', look_up_at = null")
    before = state(queue)
    queue.sandbox.order(Fault(op="invite", drop="before", times=1))
    queue("run-once", now=datetime.now(UTC) + 3 * DAY)
    assert queue.row(send_id)["status"] in ("uncertain", "sending")
    queue.conn.execute("select send_end_rehearsal('{}')")
    assert state(queue) == before


def test_a_rehearsal_that_was_killed_is_undone(queue: Queue) -> None:
    """What it had in hand goes in earnest at once; what its ghost says later is nobody's."""
    then = datetime.now(UTC) + 3 * DAY
    [send_id] = queue.ready()
    assert claim(queue.conn, then) == [send_id]
    [ghost] = queue.conn.execute("select id from send_attempts").fetchone() or ()
    assert queue.conn.execute("select * from send_recover()").fetchall() == []
    assert queue.run_once(None)["sent"] == 1
    result = f'[{{"attempt_id": "{ghost}", "outcome": "failed"}}]'
    assert queue.conn.execute("select * from send_record(%s, %s)", (result, then)).fetchall() == []
    assert queue.row(send_id)["status"] == "sent"


def test_a_limit_that_was_raised_meanwhile_is_looked_at_again(queue: Queue) -> None:
    """A wait for a limit that was there before is not put back: it may be over."""
    queue.ready(rows=2, daily_cap=1)
    queue.json("run", now=None)
    queue.conn.execute("update send_lanes set next_at = now() + interval '5 hours', next_at_reason = 'daily_cap'")
    queue.run_once(datetime.now(UTC) + 3 * DAY)
    queue.lane("anna", daily_cap=5)
    queue.sandbox.restart_clean()
    assert queue.run_once(None)["sent"] == 1


def test_a_claim_waits_for_no_row_that_was_rehearsed(queue: Queue, database: str) -> None:
    """The lane of one that somebody holds is for the next run; the others go."""
    [held] = queue.ready()
    queue.account("bea")
    queue.campaign("spring", "bea")
    [other] = queue.enqueue(1, campaign="spring")
    queue.json("run", now=datetime.now(UTC) + 3 * DAY)
    with psycopg.connect(database) as holder:
        holder.execute("select from send_queue where id = %s for update", (held,))
        queue.conn.execute("set statement_timeout = '2s'")
        assert claim(queue.conn) == [other]
        holder.rollback()
    assert claim(queue.conn) == [held]


def test_who_was_written_to_in_a_rehearsal_was_not_contacted(queue: Queue) -> None:
    """So another campaign may write to them."""
    now = datetime.now(UTC)
    queue.ready()
    prospect = queue.conn.execute("select prospect_id, workspace_id from send_queue").fetchone()
    assert prospect is not None
    queue.campaign("winter", "anna")
    asked = ("select send_contacted(%s, (select id from send_campaigns where name = 'winter'), 'linkedin_invite', "
             "'ACoAA-0', %s, '90 days', now())")  # fmt: skip
    queue.run_once(now + 3 * DAY)
    assert queue.conn.execute(asked, (prospect[1], prospect[0])).fetchone() == (None,)
    queue.sandbox.restart_clean()
    queue.run_once(None)
    assert queue.conn.execute(asked, (prospect[1], prospect[0])).fetchone() != (None,)


@pytest.mark.parametrize("kind", ["disconnected_account", "missing_credentials", "invalid_recipient"])
def test_a_sandbox_disconnects_and_suppresses_nobody(queue: Queue, kind: str) -> None:
    """Where something was sent in earnest, a rehearsal holds a lane at the most, and tells nobody."""
    queue.ready(rows=3)
    queue.run_once(None)
    queue.account("teller", "webhook", provider="webhook")
    queue.campaign("news", "teller")
    for event in ("disconnected", "failed"):
        queue(
            "notify",
            "set",
            "--on",
            event,
            "--to",
            f"{queue.sandbox.url}/hook-{event}",
            "--campaign",
            "news",
            check=False,
        )
    before = state(queue)
    queue.sandbox.order(Fault(op="invite", status=422 if kind == "invalid_recipient" else 401, type=kind, times=1))
    queue("run-once", now=datetime.now(UTC) + 3 * DAY, check=False)
    after = state(queue)
    for name in ("accounts", "suppressions", "prospects"):
        assert after[name] == before[name]
    assert len(after["rows"]) == len(before["rows"])
    queue.conn.execute("select send_end_rehearsal('{}')")
    assert state(queue) == before


def test_a_queue_of_its_own_shows_all_that_would_happen(queue: Queue) -> None:
    """Nothing was ever sent in earnest: caps are used, an invitation changes its prospect, a seat is disconnected."""
    queue.ready(rows=2)
    then = datetime.now(UTC) + 3 * DAY
    queue.run_once(then)
    assert queue.used() == 1
    assert queue.conn.execute("select status from send_prospects order by id limit 1").fetchone() == (
        "connection_request_sent",
    )
    queue.sandbox.order(Fault(op="invite", status=401, type="disconnected_account", times=1))
    queue("run-once", now=then + MINUTE, check=False)
    assert queue.conn.execute("select status from send_accounts").fetchone() == ("disconnected",)


def test_a_hold_that_a_person_has_ended_stays_ended(queue: Queue) -> None:
    """`resume account` after a refused secret, whatever a rehearsal had noted in between."""
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=401, type="missing_credentials", times=1))
    queue("run-once", now=None, check=False)
    queue.run_once(datetime.now(UTC) + 3 * DAY)
    queue("resume", "account", "anna", now=None)
    queue.sandbox.restart_clean()
    assert queue.run_once(None)["sent"] == 1


def test_whoever_changes_a_row_after_a_rehearsal_has_his_way(queue: Queue) -> None:
    """One that was cancelled stays so, and one that was given another time keeps it."""
    now = datetime.now(UTC)
    [first, second] = queue.ready(rows=2, campaign={"quiet_from": "00:00", "quiet_until": "23:59"})
    later = now + timedelta(days=9)
    queue.conn.execute("select send_claim('w', at => %s)", (now + 3 * DAY,))
    queue("cancel", first, now=None)
    queue.conn.execute("update send_queue set scheduled_for = %s where id = %s", (later, second))
    queue.conn.execute("select send_end_rehearsal('{}')")
    assert queue.row(first)["status"] == "skipped"
    assert moment(queue.row(second)["scheduled_for"]) == later


def test_doctor_finds_a_wait_for_a_limit_that_has_room(queue: Queue) -> None:
    """And `resume lane` ends it."""
    queue.ready()
    queue.conn.execute("update send_lanes set next_at = now() + interval '20 days', next_at_reason = 'rate_limit'")
    assert "hold" in findings(queue)
    queue("resume", "lane", "anna", "linkedin_invite", now=None)
    assert "hold" not in findings(queue)
    assert queue.run_once(None)["sent"] == 1
