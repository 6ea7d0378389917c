"""Looking and steering: status, list, show, explain, retry, cancel, prune."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue, moment
from send_queue.sandbox import Fault

BAD = Fault(op="invite", status=400, type="invalid_parameters", detail="Not like this.")


def failed(queue: Queue, rows: int = 1) -> list[str]:
    """Rows that the provider has refused once."""
    ids = queue.ready(rows=rows)
    queue.sandbox.order(BAD)
    assert queue.json("run")["failed"] == rows
    queue.sandbox.clear_faults()
    return ids


def moment_of(queue: Queue, send_id: str) -> datetime:
    """When a row is due: SQL that says now() means the real time, whatever the day of the rehearsal."""
    due = datetime.fromisoformat(queue.row(send_id)["scheduled_for"])
    return max(due.astimezone(UTC), MONDAY) + MINUTE


# --- looking ----------------------------------------------------------------------------------------------


def test_list_shows_rows_by_time(queue: Queue) -> None:
    """list --json is a list of objects with fixed keys, the earliest first, at most --limit."""
    ids = queue.ready(rows=3)
    rows = queue.json("list")
    assert [row["id"] for row in rows] == ids
    assert list(rows[0]) == sorted(rows[0], key=list(rows[0]).index)
    assert set(rows[0]) == {"id", "status", "scheduled_for", "sent_at", "account", "channel", "campaign", "recipient",
                            "priority", "attempts", "error_code", "error_message"}  # fmt: skip
    assert moment(rows[0]["scheduled_for"]) == MONDAY - HOUR
    assert [row["id"] for row in queue.json("list", "--limit", "1")] == ids[:1]


def test_list_filters(queue: Queue) -> None:
    """Each filter narrows the list; a quiet one says so."""
    queue.ready(rows=2)
    queue("run-once")
    assert [row["status"] for row in queue.json("list", "--status", "sent")] == ["sent"]
    assert len(queue.json("list", "--campaign", "fall", "--account", "anna", "--channel", "linkedin_invite")) == 2
    assert queue.json("list", "--channel", "linkedin_message") == []
    assert queue("list", "--status", "failed").stdout == "There are none.\n"
    shown = queue("list").stdout.splitlines()
    assert shown[0].split() == ["id", "status", "scheduled", "for", "account", "channel", "campaign", "recipient",
                                "attempts", "error", "code"]  # fmt: skip
    assert len(shown) == 3


@pytest.mark.parametrize("what", ["account", "campaign", "channel"])
def test_a_list_of_what_does_not_exist_is_wrong_usage(queue: Queue, what: str) -> None:
    """A misspelt name is not an empty list."""
    queue.ready()
    done = queue("list", f"--{what}", "nobody", check=False)
    assert (done.returncode, f"There is no {what} 'nobody'" in done.stderr) == (2, True)


def test_show_shows_a_send_with_its_attempts(queue: Queue) -> None:
    """show --json has the row's columns and `tries`; for a person, the attempts are lines."""
    [send_id] = failed(queue)
    shown = queue.json("show", send_id)
    assert (shown["id"], shown["campaign"], shown["account"], shown["message"]) == (send_id, "fall", "anna", "Hello 0")
    [attempt] = shown["tries"]
    assert (attempt["number"], attempt["outcome"], attempt["http_status"]) == (1, "failed", 400)
    text = queue("show", send_id).stdout
    assert "attempt 1: Mon 2026-11-23 15:00 UTC  failed  invalid_parameters" in text


def test_status_counts_and_names_lanes_and_campaigns(queue: Queue) -> None:
    """status --json: counts by status, lanes with their caps, campaigns with their progress."""
    queue.ready(rows=3, daily_cap=2)
    queue.json("run")
    status = queue.json("status", now=MONDAY + MINUTE)
    assert set(status) == {"at", "copy", "queue", "lanes", "campaigns", "uncertain", "failed"}
    assert status["queue"] == {"pending": 1, "sent": 2}
    [lane] = status["lanes"]
    assert (lane["cap"], lane["used_today"], lane["remaining"]) == (2, 2, 0)
    assert moment(lane["next_at"]) == datetime(2026, 11, 24, tzinfo=UTC)
    assert "Daily limit reached (2/2)" in lane["why"]
    [campaign] = status["campaigns"]
    assert (campaign["campaign"], campaign["total"], campaign["sent"], campaign["pending"]) == ("fall", 3, 2, 1)
    assert "1 pending, 2 sent" in queue("status", now=MONDAY + MINUTE).stdout
    assert "2/2" in queue("status", now=MONDAY + MINUTE).stdout


def test_the_queries_that_people_keep_run_as_they_stand(queue: Queue) -> None:
    """The documented SQL runs, and an operator's UPDATE on a failed row sends it again."""
    [send_id] = failed(queue)
    run = queue.conn.execute
    assert run("SELECT status, COUNT(*) FROM send_queue GROUP BY status;").fetchall() == [("failed", 1)]
    run("SELECT id, scheduled_for, status FROM send_queue WHERE status='pending' ORDER BY scheduled_for ASC LIMIT 5;")
    assert len(run("SELECT * FROM send_queue WHERE status='failed';").fetchall()) == 1
    for view in ("queue_status", "lane_status", "next", "failures", "uncertain", "campaign_progress"):
        run(f"select * from send_{view}".encode())  # noqa: S608 — our views
    run("UPDATE send_queue SET status='pending', scheduled_for=now() WHERE id=%s", (send_id,))
    assert queue.run_once(moment_of(queue, send_id))["sent"] == 1


def test_status_and_views_show_a_closed_schedule_before_any_run(queue: Queue) -> None:
    """Nobody has worked out the window yet: the command does, and the views say that it is not there."""
    queue.schedule("office", "America/New_York", ["07:00-18:00"], "mon-fri")
    queue.ready(schedule="office")
    [lane] = queue.json("status", now=MONDAY - DAY)["lanes"]
    assert (lane["next_at"], lane["why"]) == ("2026-11-23T12:00:00+00:00", "schedule: office is closed")
    [lane] = queue.json("status", now=MONDAY)["lanes"]
    assert (lane["next_at"], lane["why"]) == (None, None)
    for view in ("send_lane_status", "send_next"):
        [[why]] = queue.conn.execute(f"select why from {view}".encode()).fetchall()  # noqa: S608 — our views
        assert "not worked out yet" in why


def test_status_shows_a_lane_that_is_taken(queue: Queue) -> None:
    """A run that was killed holds the lane's one place until its lease is over."""
    queue.ready(rows=2)
    queue.conn.execute("select send_claim('another run', at => %s, lease => '5 minutes')", (MONDAY,))
    [lane] = queue.json("status", now=MONDAY + MINUTE)["lanes"]
    assert (lane["why"], moment(lane["next_at"])) == ("in_flight: 1 of 1 in flight", MONDAY + 5 * MINUTE)


def test_status_says_what_is_tried_again(queue: Queue) -> None:
    """Rows that wait for a provider that is away are counted by what they met."""
    queue.ready(rows=2)
    queue("run", env={"UNIPILE_DSN": "http://127.0.0.1:9"})
    assert "2 will be retried after connect_refused" in queue("status").stdout


def test_a_list_says_that_there_is_more(queue: Queue) -> None:
    """How many there are, to whoever looks; what is piped is the rows alone."""
    queue.ready(rows=3)
    done = queue("list", "--limit", "2")
    assert len(done.stdout.splitlines()) == 3
    assert "This is the first, by time, of more: raise --limit" in queue("list", "--limit", "1").stderr
    assert "These are the first 2, by time, of more: raise --limit." in done.stderr
    assert "first" not in queue("list", "--limit", "3").stderr


# --- explain ----------------------------------------------------------------------------------------------


def test_explain_has_exactly_the_promised_keys(queue: Queue) -> None:
    """explain --json: send_id, status, verdict, next_at and holds, each hold a rule, until and detail."""
    queue.schedule("office", "UTC", ["09:00-17:00"], "mon-fri")
    [send_id] = queue.ready(schedule="office")
    explained = queue.explain(send_id, MONDAY + 5 * HOUR)
    assert list(explained) == ["send_id", "status", "verdict", "next_at", "holds"]
    assert [list(hold) for hold in explained["holds"]] == [["rule", "until", "detail"]]
    opens = (MONDAY + DAY).replace(hour=9).isoformat()
    assert (explained["send_id"], explained["status"], explained["verdict"]) == (send_id, "pending", "waiting")
    assert (explained["next_at"], explained["holds"][0]["rule"], explained["holds"][0]["until"]) == (
        opens, "schedule", opens,
    )  # fmt: skip


def test_explain_says_due_now_and_final(queue: Queue) -> None:
    """What can go is due_now with this moment; what is over is final, with none."""
    [send_id] = queue.ready()
    explained = queue.explain(send_id)
    assert (explained["verdict"], explained["holds"]) == ("due_now", [])
    assert "can go now" in queue("explain", send_id).stdout
    queue("run-once")
    assert queue.explain(send_id, MONDAY + MINUTE) == {
        "send_id": send_id, "status": "sent", "verdict": "final", "next_at": None, "holds": [],
    }  # fmt: skip


def test_explain_follows_one_rule_after_another_to_the_exact_moment(queue: Queue) -> None:
    """A cap until midnight, then a closed morning: next_at is the moment at which nothing holds, and it goes then."""
    queue.schedule("office", "UTC", ["09:00-17:00"], "mon-fri")
    _, send_id = queue.ready(rows=2, daily_cap=1, schedule="office")
    queue("run-once")
    explained = queue.explain(send_id, MONDAY + MINUTE)
    assert [hold["rule"] for hold in explained["holds"]] == ["daily_cap", "schedule"]
    next_at = moment(explained["next_at"])
    assert next_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    queue.goes_at_and_not_before(next_at)


def test_explain_says_how_many_go_first(queue: Queue) -> None:
    """Behind others of the lane a row waits for its turn, and the detail says how many those are."""
    ids = queue.ready(rows=3, daily_cap=1)
    explained = queue.explain(ids[2])
    [behind] = [hold for hold in explained["holds"] if hold["rule"] == "behind"]
    assert "2" in behind["detail"]
    assert explained["verdict"] == "waiting"


def test_what_is_over_says_why_and_what_next(queue: Queue) -> None:
    """When and why it failed or was skipped, when it was accepted, and what can still be done."""
    [send_id] = failed(queue)
    said = queue("explain", send_id).stdout
    assert "It failed at Mon 2026-11-23 15:00 UTC: invalid_parameters: " in said
    assert f"`send-queue retry {send_id}`" in said
    queue("cancel", send_id)
    said = queue("explain", send_id).stdout
    assert "It was skipped at Mon 2026-11-23 15:00 UTC: cancelled" in said
    after_all = said.partition("To send it after all: ")[2]
    queue.conn.execute(after_all.encode())
    queue.sandbox.clear_faults()
    due = moment_of(queue, send_id)
    queue.run_once(due)
    assert f"The provider took it at {due:%a %Y-%m-%d %H:%M} UTC" in queue("explain", send_id, now=due).stdout


def test_a_doubt_that_is_looked_up_says_when(queue: Queue) -> None:
    """A person settles it only after the provider was asked in vain: who guesses may write twice."""
    [send_id] = queue.ready()
    queue.sandbox.order(Fault(op="invite", status=500), Fault(op="account", status=503))
    queue("run-once")
    [hold] = queue.explain(send_id)["holds"]
    assert MONDAY < moment(hold["until"]) <= MONDAY + 3 * MINUTE
    assert "a run queries the provider at Mon 2026-11-23 15:0" in queue("explain", send_id).stdout
    assert "Runs will query the provider about 1, from Mon 2026-11-23 15:0" in queue("status").stdout
    queue.conn.execute("update send_queue set look_up_at = null")
    assert "is uncertain and waits for a person" in queue("explain", send_id).stdout
    assert "1 uncertain: see `send-queue list --status uncertain`, then settle them." in queue("status").stdout


# --- steering ---------------------------------------------------------------------------------------------


def test_retry_sends_a_failed_row_again(queue: Queue) -> None:
    """retry ID: due at once, with all its tries before it."""
    one, two = failed(queue, rows=2)
    assert queue.json("retry", one, now=MONDAY + HOUR) == {"changed": 1}
    assert (queue.row(one)["status"], queue.row(one)["attempts"]) == ("pending", 0)
    assert queue.run_once(MONDAY + HOUR + MINUTE)["send_id"] == one
    assert queue.row(two)["status"] == "failed"
    again = queue("retry", one, check=False)
    assert (again.returncode, "only a failed send can be" in again.stderr) == (2, True)


def test_retry_by_code_or_account(queue: Queue) -> None:
    """retry --code CODE --account A puts back the failed sends of that code and account, without ids."""
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="invalid_recipient", times=2))
    queue("run", "--max-runtime", "5s")
    queue("run", "--max-runtime", "5s", now=MONDAY + HOUR)
    assert queue.json("retry", "--code", "rejected_elsewhere") == {"changed": 0}
    failed = {row["error_code"] for row in queue.json("list", "--status", "failed")}
    assert len(failed) == 1
    assert queue.json("retry", "--code", *failed, "--account", "anna")["changed"] >= 1
    assert queue.json("list", "--status", "failed") == []


def test_retry_failed_of_a_campaign(queue: Queue) -> None:
    """retry --failed puts all back, with --campaign only that campaign's."""
    failed(queue, rows=2)
    queue.campaign("other")
    queue.sandbox.order(BAD)
    queue.enqueue(campaign="other")
    queue.json("run", now=MONDAY + MINUTE)
    assert queue.json("retry", "--failed", "--campaign", "fall") == {"changed": 2}
    assert queue.statuses() == {"pending": 2, "failed": 1}
    assert queue.json("retry", "--failed") == {"changed": 1}


def test_cancel_takes_out_what_waits(queue: Queue) -> None:
    """cancel: skipped, with the reason, and never sent; what is sent stays sent."""
    first, second, third = queue.ready(rows=3)
    queue("run-once")
    assert queue.json("cancel", second) == {"changed": 1}
    assert (queue.row(second)["status"], queue.row(second)["error_code"]) == ("skipped", "cancelled")
    refused = queue("cancel", first, check=False)
    assert (refused.returncode, "only pending and failed sends can be cancelled" in refused.stderr) == (2, True)
    assert queue.json("cancel", "--campaign", "fall") == {"changed": 1}
    assert queue.row(third)["status"] == "skipped"
    assert queue.run_once(MONDAY + HOUR)["reason"] == "no_messages_due"
    assert queue.accepted() == ["ACoAA-0"]


def test_cancel_changes_all_or_nothing(queue: Queue) -> None:
    """One id that cannot be cancelled keeps all of them."""
    first, second = queue.ready(rows=2)
    queue("run-once")
    assert queue("cancel", second, first, check=False).returncode == 2
    assert queue.row(second)["status"] == "pending"


def test_prune_deletes_what_is_long_over_and_nothing_else(queue: Queue) -> None:
    """prune: sent, failed and skipped rows of long ago, the newest of each campaign kept; never what may yet go."""
    ids = queue.ready(rows=6)
    queue.sandbox.order(Fault(op="invite", recipient="ACoAA-4", status=500), Fault(op="invite", recipient="ACoAA-5"))
    queue("cancel", ids[5])
    queue.json("run", "--max-runtime", "1m")
    queue.enqueue(recipient="still-waits")

    assert queue.json("prune", "--older-than", "90d", now=MONDAY + 89 * DAY) == {"deleted": 0}
    assert queue.json("prune", "--older-than", "90d", "--keep-last", "2", now=MONDAY + 91 * DAY) == {"deleted": 3}
    assert queue.json("prune", "--older-than", "90d", now=MONDAY + 91 * DAY) == {"deleted": 2}
    assert queue.statuses() == {"uncertain": 1, "pending": 1}
    [[attempts]] = queue.conn.execute("select count(*) from send_attempts").fetchall()
    assert attempts == 1


def test_a_reason_that_is_a_sentence_ends_once(queue: Queue) -> None:
    """People write full stops, and so do providers."""
    [send_id] = queue.ready()
    queue("pause", "campaign", "fall", "--reason", "Wrong list.")
    assert queue.explain(send_id)["holds"][0]["detail"] == "The campaign fall is paused: Wrong list."
    assert queue.run_once()["message"] == "The campaign fall is paused: Wrong list."


def test_resume_says_when_there_was_nothing_to_resume(queue: Queue) -> None:
    """And what holds it still, a level above."""
    queue.ready()
    assert queue("resume", "account", "anna").stdout == "The account anna was not paused: nothing to resume.\n"
    assert queue("resume", "--all").stdout == "No workspace was paused: nothing to resume.\n"
    queue("pause", "lane", "anna", "linkedin_invite")
    queue("pause", "workspace", "default")
    done = queue("resume", "lane", "anna", "linkedin_invite")
    assert done.stdout == "Resumed the lane anna linkedin_invite.\n"
    assert (
        "The workspace default is still paused, so nothing goes: `send-queue resume workspace default`." in done.stderr
    )
    assert queue("resume", "--all").stdout == "Resumed 1 workspace.\n"


def test_resume_names_the_holds_of_a_provider(queue: Queue) -> None:
    """An account's, which only the lane's resume ends, with that command; then the one that has ended."""
    queue.ready()
    queue.conn.execute(
        "update send_lanes set next_at = %s, next_at_reason = 'provider_hold', next_at_detail = 'limit_exceeded'",
        (MONDAY + HOUR,),
    )
    said = queue("resume", "account", "anna").stderr
    assert "The provider holds anna linkedin_invite until" in said
    assert "`send-queue resume lane anna linkedin_invite` ends that." in said
    assert queue("resume", "lane", "anna", "linkedin_invite").stdout == "Resumed the lane anna linkedin_invite.\n"
    assert queue("resume", "account", "anna").stderr.count("holds") == 0


def test_what_chance_has_a_part_in_is_said_to_be_about(queue: Queue) -> None:
    """Jitter counts by its mean, so that asking again gives the same; without it the moment is exact."""
    ids = queue.ready(rows=4, min_gap_seconds=600, jitter_seconds=120)
    said = {queue("explain", ids[-1], now=MONDAY).stdout.splitlines()[0] for _ in range(2)}
    assert len(said) == 1
    assert "waits; it can go at about 2026-11-23T" in said.pop()
    queue("lane", "set", "anna", "linkedin_invite", "--jitter", "0s")
    assert "waits; it can go at 2026-11-23T" in queue("explain", ids[-1], now=MONDAY).stdout
