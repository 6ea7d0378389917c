"""run-once: what it prints, and each reason for sending nothing, produced for real."""

from __future__ import annotations

import os
import pty
import sys
from datetime import UTC, datetime, timedelta

import pytest

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, SECOND, SOON, Json, Queue, moment
from send_queue.sandbox import Fault

KEYS = ["success", "processed", "sent", "retried", "held", "failed", "skipped", "uncertain", "sent_to", "send_id",
        "remaining_in_queue", "reason", "message", "next_at"]  # fmt: skip
COUNTS = ("sent", "retried", "held", "failed", "skipped", "uncertain")


def nothing(queue: Queue, reason: str, message: str | None, now: datetime = MONDAY) -> Json:
    """Run once, and see that nothing was taken in hand, for this reason."""
    report = queue.run_once(now)
    assert list(report) == KEYS
    assert {name: report[name] for name in ("success", "processed", *COUNTS)} == {
        "success": True, "processed": 0, **dict.fromkeys(COUNTS, 0),
    }  # fmt: skip
    assert report["reason"] == reason
    if message is not None:
        assert report["message"] == message
    return report


def test_a_send_is_reported_with_exactly_the_promised_keys(queue: Queue) -> None:
    """run-once --json prints one object with the promised keys; one row goes at a time, the oldest first."""
    first, _ = queue.ready(rows=2)

    report = queue.run_once()

    assert list(report) == KEYS
    message = report.pop("message")
    assert "ACoAA-0" in message
    assert report == {
        "success": True, "processed": 1, "sent": 1, "retried": 0, "held": 0, "failed": 0, "skipped": 0, "uncertain": 0,
        "sent_to": "ACoAA-0", "send_id": first, "remaining_in_queue": 1, "reason": None, "next_at": None,
    }  # fmt: skip
    assert queue.accepted() == ["ACoAA-0"]
    row = queue.row(first)
    assert row["status"] == "sent"
    assert row["provider_message_id"] == queue.sandbox.accepted()[0]["id"]


def test_processed_is_the_sum_of_what_became_of_the_rows(queue: Queue) -> None:
    """Every row taken in hand is counted once, and `processed` is the sum."""
    queue.ready(rows=0)
    queue.sandbox.account("acc-anna", relations=["friend"])
    queue.sandbox.order(
        Fault(op="invite", recipient="bad", status=400, type="invalid_parameters"),
        Fault(op="invite", recipient="doubt", status=500, type="unexpected_error"),
        # Whether this one is pending cannot be told, since the profile cannot be read: to be tried again.
        Fault(op="invite", recipient="again", status=422, type="already_invited_recently"),
        Fault(op="profile", status=503),
        Fault(op="invite", recipient="limit", status=429),
    )
    for n, recipient in enumerate(("friend", "bad", "doubt", "again", "new", "limit")):
        queue.enqueue(recipient=recipient, priority=n)
    queue.enqueue(recipient="late", at=MONDAY - 2 * HOUR, expires_at=MONDAY - HOUR)

    report = queue.run_once(MONDAY, "--limit", "9")

    assert {name: report[name] for name in COUNTS} == {
        "sent": 1, "retried": 1, "held": 1, "failed": 1, "skipped": 2, "uncertain": 1,
    }  # fmt: skip
    assert report["processed"] == 7
    assert report["sent_to"] == "new"
    assert report["remaining_in_queue"] == 2
    assert queue.accepted() == ["new"]


# --- each reason ------------------------------------------------------------------------------------------


def test_no_messages_due_on_an_empty_queue(queue: Queue) -> None:
    """With nothing in the queue there is nothing to say a moment for."""
    report = nothing(queue, "no_messages_due", "Nothing is due.")
    assert (report["next_at"], report["remaining_in_queue"]) == (None, 0)


def test_no_messages_due_before_the_first_is(queue: Queue) -> None:
    """Before its scheduled_for a row is not due; next_at is that very moment."""
    queue.ready(rows=0)
    queue.enqueue(scheduled_for=MONDAY + 90 * MINUTE)

    report = nothing(queue, "no_messages_due", "Nothing is due.")

    assert moment(report["next_at"]) == MONDAY + 90 * MINUTE
    assert report["remaining_in_queue"] == 1
    queue.goes_at_and_not_before(MONDAY + 90 * MINUTE)


def test_outside_schedule(queue: Queue) -> None:
    """Outside business hours nothing goes; next_at is when they begin."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri")
    queue.ready(schedule="office")
    sunday, opens = MONDAY - DAY, datetime(2026, 11, 23, 14, tzinfo=UTC)
    queue.conn.execute("update send_queue set scheduled_for = %s", (sunday - DAY,))

    report = nothing(queue, "outside_schedule", None, now=sunday)

    assert "office" in report["message"]
    assert moment(report["next_at"]) == opens
    queue.goes_at_and_not_before(opens)


def test_daily_limit_reached(queue: Queue) -> None:
    """Twenty of twenty: the reason says so, and next_at is midnight in the lane's cap time zone."""
    queue.ready(rows=21, daily_cap=20, cap_timezone="America/New_York")
    assert queue.run_once(MONDAY, "--limit", "30")["sent"] == 20

    report = nothing(queue, "daily_limit_reached", "Daily limit reached (20/20)", now=MONDAY + MINUTE)

    midnight = datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert moment(report["next_at"]) == midnight
    assert report["remaining_in_queue"] == 1
    queue.goes_at_and_not_before(midnight)


def test_weekly_limit_reached(queue: Queue) -> None:
    """The week is seven days, today included: next_at is when the first day's sends have left it."""
    queue.ready(rows=5, weekly_cap=4)
    assert queue.run_once(MONDAY, "--limit", "3")["sent"] == 3
    assert queue.run_once(MONDAY + DAY, "--limit", "3")["sent"] == 1

    report = nothing(queue, "weekly_limit_reached", "Weekly limit reached (4/4)", now=MONDAY + 2 * DAY)

    next_monday = datetime(2026, 11, 30, tzinfo=UTC)
    assert moment(report["next_at"]) == next_monday
    queue.goes_at_and_not_before(next_monday)


@pytest.mark.parametrize("scope", ["account", "workspace"])
def test_rate_limited(queue: Queue, scope: str) -> None:
    """A rolling limit holds until the oldest send that fills it has left the period, to the microsecond."""
    queue.ready(rows=3)
    queue("limit", "add", *(("--account", "anna") if scope == "account" else ()), "2/10m")
    assert queue.run_once(MONDAY, "--limit", "3")["sent"] == 2
    [[first]] = queue.conn.execute("select min(started_at) from send_attempts").fetchall()

    report = nothing(queue, "rate_limited", f"Limit of the {scope} reached (2/2 in 00:10:00)", now=MONDAY + MINUTE)

    assert moment(report["next_at"]) == first + 10 * MINUTE
    queue.goes_at_and_not_before(first + 10 * MINUTE)


def test_min_gap(queue: Queue) -> None:
    """After a send the lane rests for its gap."""
    queue.ready(rows=2, min_gap_seconds=1800)
    assert queue.run_once(MONDAY, "--limit", "2")["sent"] == 1
    [[began]] = queue.conn.execute("select started_at from send_attempts").fetchall()

    report = nothing(queue, "min_gap", "The gap after the last send is not over.", now=MONDAY + MINUTE)

    assert moment(report["next_at"]) == began + 30 * MINUTE
    queue.goes_at_and_not_before(began + 30 * MINUTE)


def test_jitter_adds_to_the_gap_and_is_drawn_once(queue: Queue) -> None:
    """The next moment lies between the gap and the gap plus its jitter, and does not change by asking again."""
    queue.ready(rows=2, min_gap_seconds=1800, jitter_seconds=600)
    assert queue.run_once(MONDAY, "--limit", "2")["sent"] == 1
    [[began]] = queue.conn.execute("select started_at from send_attempts").fetchall()

    next_at = moment(nothing(queue, "min_gap", None, now=MONDAY + MINUTE)["next_at"])

    assert began + 30 * MINUTE <= next_at <= began + 40 * MINUTE
    assert moment(nothing(queue, "min_gap", None, now=MONDAY + 2 * MINUTE)["next_at"]) == next_at
    queue.goes_at_and_not_before(next_at)


def test_paused(queue: Queue) -> None:
    """What is paused waits for a person: there is no moment to name."""
    queue.ready()
    queue("pause", "campaign", "fall", "--reason", "wrong list")

    report = nothing(queue, "paused", "The campaign fall is paused: wrong list.")

    assert report["next_at"] is None
    queue("resume", "campaign", "fall")
    assert queue.run_once()["sent"] == 1


def test_provider_hold(queue: Queue) -> None:
    """A provider's limit holds the lane; next_at is when the hold is over."""
    queue.ready()
    queue.sandbox.order(Fault(op="invite", status=429, times=1))
    report = queue.run_once()
    assert (report["processed"], report["held"], report["reason"]) == (1, 1, "provider_hold")

    report = nothing(queue, "provider_hold", None, now=MONDAY + HOUR)

    assert "too_many_requests" in report["message"]
    next_at = moment(report["next_at"])
    assert MONDAY + 6 * HOUR <= next_at <= MONDAY + 6 * HOUR + SOON
    queue.goes_at_and_not_before(next_at)


def test_in_flight(queue: Queue) -> None:
    """While another run has the lane's one send in hand, nothing goes; should it never come back, then at its lease."""
    queue.ready(rows=2)
    queue.conn.execute("select send_claim('another run', at => %s, lease => '5 minutes')", (MONDAY,))

    report = nothing(queue, "in_flight", "1 of 1 in flight", now=MONDAY + MINUTE)

    assert moment(report["next_at"]) == MONDAY + 5 * MINUTE
    assert queue.run_once(MONDAY + 5 * MINUTE)["sent"] == 1


def test_the_reason_is_that_of_the_earliest_due_row_and_next_at_that_of_the_first_to_go(queue: Queue) -> None:
    """reason is about the row that has waited longest; next_at about the one that can go soonest."""
    queue.ready(rows=2, daily_cap=1)
    queue.account("ben", min_gap_seconds=1800)
    queue.campaign("other", "ben")
    queue.enqueue(2, campaign="other", at=MONDAY - MINUTE)
    assert queue.run_once(MONDAY, "--limit", "4")["sent"] == 2
    [[began]] = queue.conn.execute(
        "select started_at from send_attempts b join send_accounts a on a.id = account_id where name = 'ben'"
    ).fetchall()

    report = nothing(queue, "daily_limit_reached", "Daily limit reached (1/1)", now=MONDAY + MINUTE)

    assert moment(report["next_at"]) == began + 30 * MINUTE


# --- what is printed --------------------------------------------------------------------------------------


def test_nothing_is_printed_when_nothing_happened_and_nobody_looks(queue: Queue) -> None:
    """cron mails whatever is printed: an idle run prints nothing at all, on neither stream."""
    queue.ready(rows=1)
    queue.conn.execute("update send_queue set scheduled_for = now() + '1 hour'")
    done = queue("run-once", now=None)
    assert (done.stdout, done.stderr) == ("", "")
    done = queue("run", now=None)
    assert (done.stdout, done.stderr) == ("", "")


def test_one_line_is_printed_when_something_happened(queue: Queue) -> None:
    """What was sent is one line for a person."""
    queue.ready()
    done = queue("run-once")
    assert done.stdout.count("\n") == 1
    assert "1 sent to ACoAA-0" in done.stdout


def closed_beside(queue: Queue, *faults: Fault, rows: int = 1) -> None:
    """Anna's rows, which meet what is ordered; and one of Ben's, due for longer, whose office is closed."""
    queue.schedule("office", "America/New_York", ["03:00-04:00"], "mon-fri")
    queue.ready(rows=rows)
    queue.account("ben", schedule="office")
    queue.campaign("other", "ben")
    queue.enqueue(campaign="other", at=MONDAY - 3 * HOUR)
    queue.sandbox.order(*faults)


def test_the_line_speaks_of_what_the_run_did(queue: Queue) -> None:
    """Why others wait is not why this one did not go."""
    closed_beside(queue, Fault(op="invite", status=400, type="invalid_parameters", detail="Not like this."))
    assert queue("run-once").stdout.startswith("1 failed: invalid_parameters: ")
    queue.enqueue(at=MONDAY)
    report = queue.run_once(MONDAY + MINUTE)
    assert (report["failed"], "office" in report["message"]) == (1, False)
    assert "invalid_parameters" in report["message"]


def test_what_is_held_names_its_own_hold(queue: Queue) -> None:
    """Not the closed office of another account."""
    closed_beside(queue, Fault(op="invite", status=401, type="disconnected_account"))
    report = queue.run_once()
    assert (report["held"], report["reason"]) == (1, "provider_hold")
    assert report["message"].startswith("1 held back: disconnected_account: ")


def test_when_all_fail_it_does_not_say_that_nothing_is_due(queue: Queue) -> None:
    """How many, and what the last one met."""
    queue.ready(rows=3)
    queue.sandbox.order(Fault(op="invite", status=400, type="invalid_parameters"))
    said = queue("run").stdout
    assert said.startswith("3 failed; the last: invalid_parameters: ")
    assert "Nothing is due" not in said


def test_each_count_keeps_its_own_words(queue: Queue) -> None:
    """The recipient stands behind the one that was sent."""
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", recipient="ACoAA-1", status=400, type="invalid_parameters"))
    assert queue("run").stdout.startswith("1 sent to ACoAA-0, 1 failed.")


def test_a_dry_run_says_why_nothing_would_go(queue: Queue) -> None:
    """The reason and the next moment, also where no run has worked out the window yet."""
    queue.schedule("office", "America/New_York", ["07:00-18:00"], "mon-fri")
    queue.ready(schedule="office")
    queue.conn.execute("update send_queue set scheduled_for = %s", (MONDAY - 2 * DAY,))
    said = queue("run-once", "--dry-run", now=MONDAY - DAY).stdout
    assert said == ("Nothing would be sent now: The schedule office is closed until Mon 2026-11-23 07:00 "
                    "America/New_York. Next: Mon 2026-11-23 12:00 UTC.\n")  # fmt: skip
    assert queue.json("run-once", "--dry-run", now=MONDAY - DAY) == []


def test_on_a_terminal_one_line_says_why_nothing_was_sent(queue: Queue, database: str) -> None:
    """A person who looks is told the reason, the next moment and what remains, in one line."""
    queue.ready(rows=2, daily_cap=1)
    queue("run-once")

    said = on_a_terminal(["run-once"], {**queue.env, "DATABASE_URL": database, "SEND_QUEUE_NOW": MONDAY.isoformat()})

    assert said.splitlines() == ["Nothing sent: Daily limit reached (1/1). Next: Tue 2026-11-24 00:00 UTC. "
                                 "1 in the queue."]  # fmt: skip


def on_a_terminal(args: list[str], env: dict[str, str]) -> str:
    """Run the command with a terminal as its stdout, and return what that shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.execve(sys.executable, [sys.executable, "-m", "send_queue", *args], {"PATH": os.defpath, **env})
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # Linux says so when the other side has hung up
        pass
    finally:
        os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return shown.decode().replace("\r\n", "\n")


def test_a_recipient_cannot_write_to_the_terminal(queue: Queue) -> None:
    """Control characters of others are shown by their names."""
    queue.account(channel="log", provider="log")
    queue.campaign()
    queue.enqueue(channel="log", recipient="eve\x1b[31m")
    done = queue("run-once")
    assert "\x1b" not in done.stdout
    assert "eve\\x1b[31m" in done.stdout


# --- limit, filters, dry run ------------------------------------------------------------------------------


def test_limit_is_how_many_go_at_the_most(queue: Queue) -> None:
    """--limit 3 sends three, in the order of priority and then age, and --limit 9 what is there."""
    queue.ready(rows=3)
    queue.enqueue(recipient="urgent", priority=1)
    report = queue.run_once(MONDAY, "--limit", "3")
    assert (report["sent"], report["remaining_in_queue"]) == (3, 1)
    assert queue.accepted() == ["urgent", "ACoAA-0", "ACoAA-1"]
    assert queue.run_once(MONDAY + MINUTE, "--limit", "9")["sent"] == 1


@pytest.mark.parametrize(
    ("filters", "goes"),
    [
        (("--account", "ben"), {"ben"}),
        (("--campaign", "second"), {"second", "ben"}),
        (("--channel", "linkedin_message"), {"chat"}),
        (("--channel", "linkedin_invite", "--campaign", "fall"), {"first"}),
        (("--account", "ben", "--campaign", "fall"), set()),
    ],
)
def test_filters_say_what_a_run_is_about(queue: Queue, filters: tuple[str, ...], goes: set[str]) -> None:
    """Only sends of the named account, channel and campaign go, and only they are counted as remaining."""
    queue.account()
    queue.account("ben")
    queue.campaign()
    queue.campaign("second", "anna", "ben")
    queue.enqueue(recipient="first")
    queue.enqueue(recipient="second", campaign="second", account="anna")
    queue.enqueue(recipient="ben", campaign="second", account="ben")
    queue.enqueue(recipient="chat", channel="linkedin_message")

    report = queue.run_once(MONDAY, "--limit", "9", *filters)

    assert set(queue.accepted()) == goes
    assert (report["sent"], report["remaining_in_queue"]) == (len(goes), 0)
    assert report["reason"] == (None if goes else "no_messages_due")


@pytest.mark.parametrize("what", ["account", "campaign", "channel"])
def test_a_filter_that_names_nothing_is_wrong_usage(queue: Queue, what: str) -> None:
    """A misspelt filter is said, not taken for a quiet queue."""
    queue.ready()
    done = queue("run-once", f"--{what}", "nobody", check=False)
    assert done.returncode == 2
    assert f"There is no {what} 'nobody'" in done.stderr


def test_dry_run_sends_and_stores_nothing(queue: Queue) -> None:
    """--dry-run says what would go now, within every limit, and leaves every table as it was."""
    queue.schedule("office", "America/New_York", ["09:00-17:00"], "mon-fri")
    ids = queue.ready(rows=5, daily_cap=3, max_in_flight=9, schedule="office")
    queue.enqueue(recipient="late", at=MONDAY - 2 * HOUR, expires_at=MONDAY - HOUR)
    before = everything(queue)

    would = queue.json("run-once", "--dry-run", "--limit", "9")
    shown = queue("run-once", "--dry-run")

    assert would == [
        {"send_id": send_id, "account": "anna", "channel": "linkedin_invite", "campaign": "fall",
         "recipient": f"ACoAA-{n}"}
        for n, send_id in enumerate(ids[:3])
    ]  # fmt: skip
    assert shown.stdout == "Would send linkedin_invite from anna to ACoAA-0.\n"
    assert everything(queue) == before
    assert queue.accepted() == []


def everything(queue: Queue) -> list[tuple[str, str]]:
    """All rows of all tables."""
    [[tables]] = queue.conn.execute(
        "select array_agg(relname::text order by relname) from pg_class "
        "where relkind = 'r' and relname like 'send\\_%' and relnamespace = 'public'::regnamespace"
    ).fetchall()
    return [
        (table, str(queue.conn.execute(f"select * from {table} t order by t::text").fetchall()))  # noqa: S608
        for table in tables
    ]


def test_a_dry_run_over_an_idle_queue_says_so(queue: Queue) -> None:
    """Nothing to send is said to a person, and is an empty list for a program."""
    assert queue("run-once", "--dry-run").stdout == "Nothing would be sent now.\n"
    assert queue.json("run-once", "--dry-run") == []


def test_another_tick_goes_on_where_the_last_one_stopped(queue: Queue) -> None:
    """Each run is a process of its own that knows nothing; together they send each row once."""
    queue.ready(rows=3)
    for n in range(4):
        queue("run-once", now=MONDAY + n * timedelta(minutes=30))
    assert queue.accepted() == ["ACoAA-0", "ACoAA-1", "ACoAA-2"]
    assert queue.statuses() == {"sent": 3}


def test_without_a_clock_of_its_own_the_database_says_what_time_it_is(queue: Queue) -> None:
    """Without SEND_QUEUE_NOW a row that is due by the database's clock goes, and one of the future does not."""
    queue.ready(rows=0)
    [[now]] = queue.conn.execute("select now()").fetchall()
    queue.enqueue(recipient="past", at=now - SECOND)
    queue.enqueue(recipient="future", scheduled_for=now + HOUR)
    report = queue.run_once(None, "--limit", "9")
    assert (report["sent"], report["remaining_in_queue"]) == (1, 1)
    assert queue.accepted() == ["past"]
