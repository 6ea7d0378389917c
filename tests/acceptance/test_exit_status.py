"""Exit statuses: 0 whatever became of messages, 2 wrong usage, 69 no database, 78 configuration missing or wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from conftest import Cli

from acceptance.conftest import MINUTE, MONDAY, Done, Queue
from send_queue.sandbox import Fault

AN_ID = "0199c5e0-0000-7000-8000-000000000000"


def refused(done: Done, status: int, *parts: str) -> None:
    """One sentence on stderr, nothing on stdout, no traceback, and the status."""
    said = [line for line in done.stderr.splitlines() if "rehearsing" not in line]
    assert (done.returncode, done.stdout, len(said)) == (status, "", 1), done
    assert said[0].startswith("send-queue: ")
    assert said[0].endswith(".")
    for part in parts:
        assert part in said[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(op="invite", status=400, type="invalid_parameters"),
        Fault(op="invite", status=401, type="disconnected_account"),
        Fault(op="invite", status=429),
        Fault(op="invite", status=500),
        Fault(op="invite", drop="after"),
    ],
    ids=["failed", "disconnected", "held", "uncertain", "dropped"],
)
def test_0_whatever_became_of_messages(queue: Queue, fault: Fault) -> None:
    """A message that did not go is not an error of the command: cron need not hear of it."""
    queue.sandbox.order(fault)
    queue.ready()
    assert queue("run-once").returncode == 0


WRONG: list[tuple[list[str], str]] = [
    (["frobnicate"], "No such command 'frobnicate'"),
    (["statsu"], "No such command 'statsu'. Did you mean 'status'? See `send-queue --help`."),
    (["run-once", "--frobnicate"], "No such option"),
    (["run-once", "--limit", "0"], "'--limit': '0' is not a whole number of 1 or more"),
    (["run-once", "--limit", "many"], "'many' is not a whole number of 1 or more"),
    (["run", "--max-runtime", "4 minutes"], "write it as 90m, 1h30m, 5s or 2d"),
    (["run", "--concurrency", "0"], "'0' is not a whole number from 1 to 256"),
    (["explain", "Ada Lovell"], "copy one from `send-queue list --name 'Ada Lovell'`"),
    (["pause", "anna"], "write `send-queue pause account anna` for an account of this name"),
    (["remove", "anna"], "write `send-queue remove account anna` for an account of this name"),
    (["explain"], "Name one send by its id, or a person with --recipient or --name."),
    (["notify", "remove", "3"], "'3' is not an id: copy one from `send-queue notify list`"),
    (["explain", AN_ID], "There is no send"),
    (["show", AN_ID], "There is no send"),
    (["list", "--status", "lost"], "lost"),
    (["enqueue", "--campaign", "fall"], "Missing option"),
    (["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "x", "--message", "m", "--at", "tomorrow"],
     "write it as 2026-11-23T09:00:00+01:00"),
    (["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "x", "--message", "m",
      "--at", "2026-11-24T09:00:00"], "has no time zone"),
    (["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "x", "--message", "m",
      "--priority", "99999"], "--priority"),
    (["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "x", "--message", "m",
      "--payload", "[]"], "not a JSON object"),
    (["import", "nowhere.csv", "--campaign", "fall", "--channel", "log"], "There is no file nowhere.csv"),
    (["import", "long" * 100, "--campaign", "fall", "--channel", "log"], "cannot be read (File name too long)"),
    (["account", "add", " ", "--provider", "log"], "The name of the account is missing: give one"),
    (["sandbox", "--port", "0", "--journal", "none/x"], "(No such file or directory: none/x): name another --journal"),
    (["account", "add", "carla", "--provider", "pigeon"], "There is no provider 'pigeon'"),
    (["account", "add", "carla", "--provider", "log", "--tier", "gold"], "gold"),
    (["account", "add", "anna", "--provider", "log"], "The account 'anna' is there already"),
    (["account", "set", "nobody", "--tier", "free"], "There is no account 'nobody'"),
    (["lane", "set", "anna", "carrier_pigeon"], "There is no channel 'carrier_pigeon'"),
    (["lane", "set", "anna", "log", "--daily-cap", "-1"], "'-1' is not a whole number from 0 to 999999999"),
    (["lane", "set", "anna", "log", "--daily-cap", "9999999999"], "is not a whole number from 0 to 999999999"),
    (["lane", "set", "anna", "log", "--warm-up", "5"], "write 5+2"),
    (["lane", "set", "anna", "log", "--min-gap", "soon"], "not a duration"),
    (["lane", "set", "anna", "log", "--cap-timezone", "Mars/Base"], "timezone"),
    (["lane", "show", "anna", "sms"], "has no lane 'sms'"),
    (["limit", "add", "10"], "write"),
    (["limit", "add", "0/10m"], "write 10/10m"),
    (["limit", "add", "10/0s"], "period is positive"),
    (["limit", "add", "10/99999999d"], "period is within ten years"),
    (["campaign", "add", "c", "--account", "anna", "--follow-up", "9999999d"], "follow up is within ten years"),
    (["lane", "set", "anna", "log", "--min-gap", "400000d"], "out of range"),
    (["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "x", "--message", "a\udcff"], "UTF-8"),
    (["limit", "show", "nothing"], "There is no limit 'nothing'"),
    (["schedule", "add", "s", "--timezone", "Europe/Paris"], "The hours are missing"),
    (["schedule", "add", "s", "--timezone", "Mars/Base", "--hours", "09:00-17:00"], "Mars/Base"),
    (["schedule", "add", "s", "--timezone", "UTC", "--hours", "25:00-26:00"], "write hours such as"),
    (["schedule", "add", "s", "--timezone", "UTC", "--hours", "9:00-17:00", "--days", "blursday"], "weekday"),
    (["schedule", "add", "s", "--timezone", "UTC", "--hours", "9:00-17:00", "--holidays", "XX"], "XX"),
    (["schedule", "add", "s", "--timezone", "UTC", "--hours", "9:00-17:00", "--closed", "Xmas"], "not a date"),
    (["campaign", "add", "c", "--account", "nobody"], "There is no account 'nobody'"),
    (["campaign", "add", "c", "--max-attempts", "0"], "--max-attempts"),
    (["campaign", "add", "c", "--backoff", "5m,later"], "not a duration"),
    (["campaign", "add", "c", "--on-uncertain", "shrug"], "shrug"),
    (["campaign", "set", "nothing"], "There is no campaign 'nothing'"),
    (["workspace", "add", "w", "--timezone", "Mars/Base"], "timezone"),
    (["pause"], "It is not clear where to pause"),
    (["pause", "campaign"], "The campaign has no name"),
    (["pause", "lane", "anna"], "A lane has an account and a channel"),
    (["pause", "campaign", "fall", "log"], "Only a lane has a channel"),
    (["pause", "--all", "campaign", "fall"], "It is not clear where to pause"),
    (["resume", "galaxy", "x"], "galaxy"),
    (["resume", "lane", "anna", "sms"], "has no lane"),
    (["retry"], "The sends to retry are not clear"),
    (["retry", AN_ID, "--failed"], "The sends to retry are not clear"),
    (["retry", AN_ID], "does not exist"),
    (["retry", AN_ID, "--campaign", "fall"], "--campaign goes with --failed"),
    (["cancel"], "The sends to cancel are not clear"),
    (["cancel", AN_ID], "does not exist"),
    (["settle"], "The send or its fate is not clear"),
    (["settle", AN_ID, "--sent", "--not-sent"], "The send or its fate is not clear"),
    (["settle", AN_ID, "--sent"], "There is no send"),
    (["settle", "--all-not-sent"], "--campaign"),
    (["prune"], "Missing option '--older-than': see `send-queue prune --help`."),
    (["prune", "--older-than", "3 months"], "not a duration"),
]  # fmt: skip


@pytest.mark.parametrize("part", range(4))
def test_2_for_wrong_usage(queue: Queue, part: int) -> None:
    """Wrong usage is one sentence that says what to do, and stores nothing."""
    queue.account(provider="log", channel="log")
    queue.campaign()
    for args, hint in WRONG[part::4]:
        refused(queue(*args, check=False), 2, hint)
    [[rows]] = queue.conn.execute(
        "select (select count(*) from send_queue) + (select count(*) from send_schedules) + (select count(*) from "
        "send_limits) + (select count(*) from send_accounts where name <> 'anna') + (select count(*) from "
        "send_campaigns where name <> 'fall') + (select count(*) from send_workspaces where name <> 'default')"
    ).fetchall()
    assert rows == 0


@pytest.mark.parametrize(
    "url",
    ["postgresql://127.0.0.1:1/x", "postgresql://nobody@nowhere.invalid/x"],
    ids=["refused", "unknown host"],
)
def test_69_when_the_database_cannot_be_reached(cli: Cli, url: str) -> None:
    """Without a database nothing can be done, and the sentence names what to check."""
    refused(cli("run-once", env={"DATABASE_URL": url}, check=False), 69, "check DATABASE_URL")


def test_69_when_there_is_no_such_database(cli: Cli, database: str) -> None:
    """A server that is up without the database that is named is the same to us."""
    refused(cli("run-once", env={"DATABASE_URL": f"{database}_not"}, check=False), 69, "check DATABASE_URL")


def test_78_when_the_url_cannot_be_read(cli: Cli) -> None:
    """A DATABASE_URL that is none is a mistake in the configuration."""
    refused(cli("run-once", env={"DATABASE_URL": "=="}, check=False), 78, "DATABASE_URL")


@pytest.mark.parametrize("command", [["run-once"], ["status"], ["enqueue", "--campaign", "c", "--channel", "log",
                                     "--recipient", "r", "--message", "m"]])  # fmt: skip
def test_78_when_the_schema_is_not_installed(cli: Cli, empty_database: str, command: list[str]) -> None:
    """Before `migrate` every command says to run it; after it, the command works."""
    env = {"DATABASE_URL": empty_database}
    refused(cli(*command, env=env, check=False), 78, "run `send-queue migrate`")
    if command == ["run-once"]:
        cli("migrate", env=env)
        cli(*command, env=env)


def test_78_when_the_provider_is_not_configured(queue: Queue) -> None:
    """Without UNIPILE_DSN nothing is lost or spent: the row stays pending, and goes once it is set."""
    [send_id] = queue.ready()

    refused(queue("run-once", env={"UNIPILE_DSN": ""}, check=False), 78, "UNIPILE_DSN is not set")

    row = queue.row(send_id)
    assert (row["status"], row["attempts"], row["lease_expires_at"]) == ("pending", 0, None)
    assert queue.attempts(send_id) == [("released", None)]
    assert queue.used() == 0
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1


def test_what_another_provider_can_send_is_not_lost_where_one_lacks_its_configuration(queue: Queue) -> None:
    """A run that stops for one provider's configuration has recorded what it had in hand."""
    queue.ready()
    queue.account("ben", provider="log", channel="log")
    queue.campaign("other", "ben")
    queue.enqueue(campaign="other", channel="log", at=MONDAY - MINUTE)
    done = queue("run", "--concurrency", "2", env={"UNIPILE_DSN": ""}, check=False)
    assert done.returncode == 78
    assert queue.statuses()["pending"] >= 1
    assert not queue.statuses()["sending"]


@pytest.mark.parametrize("now", ["2026-11-23T09:00:00", "yesterday"])
def test_78_when_the_rehearsed_moment_has_no_zone(queue: Queue, now: str) -> None:
    """A moment without a zone could be any of 24: it is refused, and nothing is sent."""
    queue.ready()
    done = queue.cli("run-once", now=now, env=queue.env, check=False)
    refused(done, 78, "SEND_QUEUE_NOW")
    assert queue.accepted() == []


def test_78_a_missing_key_loses_nothing(queue: Queue) -> None:
    """A secret that is missing on this machine ends the run with its name; the row waits, and goes once it is set."""
    [send_id] = queue.ready()
    done = queue("run-once", env={"UNIPILE_API_KEY": ""}, check=False)
    assert done.returncode == 78
    assert "UNIPILE_API_KEY is not set" in done.stderr
    assert (queue.row(send_id)["status"], queue.row(send_id)["attempts"]) == ("pending", 0)
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1


def test_69_when_the_database_is_read_only(queue: Queue, database: str) -> None:
    """It was reached: what is wrong with it is said. Doctor names what ends it."""
    queue.ready()
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("do $$ begin execute format('alter database %I set default_transaction_read_only = on', "
                     "current_database()); end $$")  # fmt: skip
    refused(queue("run-once", check=False), 69, "The database is read-only", "DATABASE_URL")
    assert "reset default_transaction_read_only" in queue("doctor", check=False).stdout
    with psycopg.connect(database, autocommit=True, options="-c default_transaction_read_only=off") as conn:
        conn.execute("do $$ begin execute format('alter database %I reset default_transaction_read_only', "
                     "current_database()); end $$")  # fmt: skip
    assert queue.run_once(MONDAY)["sent"] == 1


@pytest.mark.parametrize("args", [("status",), ("status", "--json"), ("run-once",)])
@pytest.mark.parametrize("to", ["> /dev/full", ">&-"])
def test_74_when_nothing_can_be_said(queue: Queue, database: str, args: tuple[str, ...], to: str) -> None:
    """A log that is full, or closed, is no reason for a traceback; what was sent is recorded."""
    queue.ready()
    command = [str(Path(sys.executable).parent / "send-queue"), *args]
    env = {"DATABASE_URL": database, "PATH": "/bin:/usr/bin", "SEND_QUEUE_NOW": MONDAY.isoformat()}
    done = subprocess.run(["/bin/sh", "-c", f'"$@" {to}', "sh", *command], env=env | queue.env, text=True,
                          capture_output=True, timeout=60)  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "rehearsing" not in line]
    if to == ">&-" or (args == ("run-once",) and not said):
        assert (done.returncode, said) == (0, [])
    else:
        assert (done.returncode, len(said)) == (74, 1)
        assert "could not be written (No space left on device)" in said[0]


def test_debug_shows_the_traceback(cli: Cli) -> None:
    """A traceback is for those who ask for it."""
    done = cli("--debug", "run-once", env={"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, check=False)
    assert "Traceback" in done.stderr


def test_a_role_that_may_not_is_a_matter_of_configuration(queue: Queue, database: str) -> None:
    """A role without rights on the tables is told who has them, by the run and by doctor."""
    role = f"sq_weak_{abs(hash(database)) % 10**8}"
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"create role {role} login".encode())
        try:
            weak = psycopg.conninfo.make_conninfo(database, user=role)
            done = queue("run-once", env={"DATABASE_URL": weak}, check=False)
            [found] = queue.json("doctor", env={"DATABASE_URL": weak}, check=False)["findings"]
        finally:
            conn.execute(f"drop role {role}".encode())
    refused(done, 78, "run it as the owner of the tables", "`send-queue migrate --grant-worker`")
    assert found["mend"] == f"send-queue migrate --grant-worker {role} (as the owner of the tables)"
