"""`doctor`: what is wrong, and the command that mends it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from conftest import Cli, Connection
from psycopg.types.json import Jsonb

from send_queue import store
from send_queue.insight import doctor
from send_queue.rules import schedule_text
from send_queue.store import embedded, schema

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""A Monday."""

UNIPILE = {"UNIPILE_DSN": "api8.unipile.com:13851", "UNIPILE_API_KEY": "key"}

Finding = dict[str, str]
Doctor = Callable[..., list[Finding]]


@pytest.fixture
def doctor_says(cli: Cli) -> Doctor:
    """What the doctor finds, apart from the autovacuum that the server of the tests has turned off."""

    def says(at: datetime | None = AT, **env: str) -> list[Finding]:
        done = cli("doctor", "--json", now=at, env=env, check=False)
        answer = json.loads(done.stdout)
        assert done.returncode == any(finding["severity"] == "wrong" for finding in answer["findings"])
        assert answer["well"] == (done.returncode == 0)
        return [finding for finding in answer["findings"] if finding["check"] != "autovacuum"]

    return says


def put(conn: Connection, kind: str, name: str, adding: bool = True, **fields: Any) -> None:
    conn.execute("select send_set(%s, %s, %s, adding => %s)", (kind, name, Jsonb(fields), adding))


def enqueue(
    conn: Connection, channel: str = "linkedin_invite", account: str = "anna", day: str = "2026-11-23",
    recipient: str = "a-person",
) -> None:  # fmt: skip
    conn.execute(
        "select send_enqueue('fall', %s, %s, 'Hi', account => %s, scheduled_for => %s, at => %s)",
        (channel, recipient, account, f"{day}T00:00:00Z", AT),
    )


@pytest.fixture
def own_server() -> Iterator[dict[str, str]]:
    """The environment of a server as users have it; that of the tests has autovacuum turned off."""
    folder = Path(tempfile.mkdtemp(prefix="sq-test-", dir="/tmp"))
    yield {"PATH": os.defpath, "HOME": str(folder), "DATABASE_URL": embedded.url(folder)}
    embedded.stop(folder)
    shutil.rmtree(folder)


def one(findings: list[Finding], check: str) -> Finding:
    [finding] = [finding for finding in findings if finding["check"] == check]
    assert finding.keys() == {"check", "severity", "what", "mend"}
    assert finding["what"].endswith(".")
    return finding


def test_exit_status_0_when_all_is_well(own_server: dict[str, str]) -> None:
    """A queue at work, on a server as users have it, is well; before the tables are there it is not."""

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "send_queue", *shlex.split(command)],
            env=own_server, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    done = run("doctor")
    assert (done.returncode, done.stdout) == (
        1,
        "wrong: The tables are not there yet, so no other check ran.\n    mend: send-queue migrate\n",
    )
    for command in (
        "migrate",
        "schedule add office --timezone America/New_York --hours 07:00-18:00 --holidays US",
        "account add anna --provider log --schedule office",
        "campaign add fall --account anna",
        "enqueue --campaign fall --channel email --recipient a@example.com --subject hi --message hi",
        "run-once",
    ):
        assert run(command).returncode == 0
    done = run("doctor")
    assert (done.returncode, done.stdout, done.stderr) == (0, "All is well.\n", "")
    assert json.loads(run("doctor --json").stdout) == {"well": True, "findings": []}


def test_exit_status_1_with_the_command_that_mends_it(conn: Connection, cli: Cli, doctor_says: Doctor) -> None:
    """What is wrong is a sentence and a command; the command, run as it stands, mends it."""
    put(conn, "account", "anna's", provider="log")
    put(conn, "campaign", "fall", accounts=["anna's"])
    enqueue(conn, account="anna's")
    conn.execute("update send_accounts set status = 'disconnected'")
    said = cli("doctor", now=AT, check=False)
    assert said.returncode == 1
    assert "wrong: The account anna's is disconnected, and sends wait for it: 1: connect it at its " in said.stdout
    cli(*shlex.split(one(doctor_says(), "disconnected")["mend"])[1:])
    assert doctor_says() == []


def test_another_version_of_the_schema(conn: Connection, doctor_says: Doctor) -> None:
    """Functions of another version, and a newer database, are found before anything else is asked."""
    conn.execute("update send_definitions set digest = 'older' where name = 'send_claim'")
    assert one(doctor_says(), "schema")["mend"] == "send-queue migrate"
    conn.execute("insert into send_migrations (version, name, digest) values (9999, '9999_later', 'x')")
    assert doctor_says() == [{
        "check": "schema",
        "severity": "wrong",
        "what": "This database was migrated by a newer send-queue (migration 9999_later), "
                "so no other check ran.",
        "mend": "pip install --upgrade send-queue",
    }]  # fmt: skip


def test_an_old_server(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is older than what the SQL needs is said to be."""
    monkeypatch.setattr(schema, "OLDEST_SERVER", 99)
    [finding] = doctor.examine(conn, {}, AT, lambda: datetime.now(UTC))
    assert (finding.check, finding.severity) == ("server", "wrong")
    assert "send-queue needs 99 or newer" in finding.what


# --- the environment --------------------------------------------------------------------------------------


def test_what_the_environment_lacks(conn: Connection, doctor_says: Doctor) -> None:
    """A missing variable is worth knowing, and wrong once sends of an active account wait for it."""
    conn.execute("update send_lane_defaults set min_gap_seconds = 600")
    put(conn, "schedule", "always", timezone="UTC", hours=schedule_text.hours_from_text(["00:00-24:00"], "mon-sun"))
    put(conn, "account", "anna", provider="unipile", schedule="always")
    put(conn, "account", "ben", provider="unipile", secret_env="BEN_KEY", schedule="always")
    put(conn, "campaign", "fall", accounts=["anna", "ben"])
    enqueue(conn, "log", "ben")  # the provider is not asked for this one
    assert {(f["mend"], f["severity"]) for f in doctor_says()} == {
        ("export UNIPILE_API_KEY=…", "worth knowing"), ("export BEN_KEY=…", "worth knowing"),
        ("export UNIPILE_DSN=…", "worth knowing"),
    }  # fmt: skip
    for account in ("anna", "ben"):
        enqueue(conn, "linkedin_invite", account)
    assert {(f["mend"], f["severity"]) for f in doctor_says()} == {
        ("export UNIPILE_API_KEY=…", "wrong"), ("export BEN_KEY=…", "wrong"), ("export UNIPILE_DSN=…", "wrong")
    }  # fmt: skip
    assert doctor_says(**UNIPILE, BEN_KEY="key") == []
    finding = one(doctor_says(**UNIPILE | {"UNIPILE_DSN": "http://example.com"}, BEN_KEY="key"), "environment")
    assert finding["what"].startswith("UNIPILE_DSN must begin with https://")
    conn.execute("update send_accounts set status = 'paused'")
    assert {f["severity"] for f in doctor_says()} == {"worth knowing"}


@pytest.mark.parametrize(("provider", "channel", "recipient", "variable"), [
    ("twilio", "sms", "+14155552671", "TWILIO_AUTH_TOKEN"),
    ("webhook", "webhook", "https://x.example/h", "WEBHOOK_SECRET"),
    ("slack", "webhook", "https://x.example/h", "SLACK_WEBHOOK_URL"),
    ("sendgrid", "email", "ada@example.com", "SENDGRID_API_KEY"),
    ("smtp", "email", "ada@example.com", "SMTP_PASSWORD"),
])  # fmt: skip
def test_the_secret_of_each_provider_is_missed(
    conn: Connection, doctor_says: Doctor, provider: str, channel: str, recipient: str, variable: str
) -> None:
    """Where no account names another, and wrong where its rows wait; with it doctor is silent."""
    put(conn, "account", "desk", provider=provider)
    put(conn, "campaign", "fall", accounts=["desk"])
    env = {"SMTP_URL": "smtp://desk@mail.example.com", "TWILIO_ACCOUNT_SID": "AC1"}
    assert [f["severity"] for f in doctor_says(**env) if variable in f["mend"]] == ["worth knowing"]
    enqueue(conn, channel, "desk", recipient=recipient)
    [found] = [f for f in doctor_says(**env) if variable in f["mend"]]
    assert (found["severity"], found["mend"]) == ("wrong", f"export {variable}=…")
    assert [f for f in doctor_says(**env, **{variable: "x"}) if f["mend"] == f"export {variable}=…"] == []


def test_a_provider_that_is_not_installed(conn: Connection, doctor_says: Doctor) -> None:
    """An account whose provider nobody has registered is found, and wrong when something waits for it."""
    put(conn, "account", "anna", provider="pigeon")
    put(conn, "campaign", "fall", accounts=["anna"])
    assert one(doctor_says(), "environment")["severity"] == "worth knowing"
    enqueue(conn)
    finding = one(doctor_says(), "environment")
    assert finding["severity"] == "wrong"
    assert finding["what"] == (
        "There is no provider 'pigeon' (account anna, provider pigeon), and 1 send waits for it."
    )


# --- the calendar -----------------------------------------------------------------------------------------


def scheduled(conn: Connection, day: str, **schedule: Any) -> None:
    """A row that waits for a schedule, not before a day."""
    hours = {weekday: [["09:00", "17:00"]] for weekday in ("mon", "tue", "wed", "thu", "fri")}
    put(conn, "schedule", "office", timezone="UTC", hours=hours, **schedule)
    put(conn, "account", "anna", provider="log", schedule="office")
    put(conn, "campaign", "fall", accounts=["anna"])
    enqueue(conn, day=day)


def test_a_schedule_that_never_opens_again(conn: Connection, cli: Cli, doctor_says: Doctor) -> None:
    """A schedule without an opening for the last row that waits for it is found; dates that are over are no error."""
    scheduled(conn, "2027-01-04", closed_on=["2026-11-16"])
    assert doctor_says() == []
    conn.execute("update send_schedules set hours = '{}', open_on = '{2026-12-01}'")
    finding = one(doctor_says(), "schedule")
    assert (finding["severity"], "has no hours" in finding["what"]) == ("wrong", True)
    cli(*shlex.split(finding["mend"])[1:])
    assert doctor_says() == []


def test_a_schedule_that_cannot_be_read(conn: Connection, doctor_says: Doctor) -> None:
    """A schedule that was spoilt by hand is found while rows wait for it."""
    scheduled(conn, "2026-11-24")
    conn.execute("update send_schedules set hours = '{\"moon\": [[1, 2]]}'")
    assert "'moon' is not a weekday" in one(doctor_says(), "schedule")["what"]
    conn.execute("update send_queue set status = 'skipped', error_code = 'cancelled'")
    assert doctor_says() == []


@pytest.mark.parametrize(
    ("country", "years", "severity"),
    [("US", 0, None), ("LK", 0, "worth knowing"), ("LK", 1, "wrong")],  # of Sri Lanka a few years are known
)
def test_holidays_that_end_before_the_sends(
    conn: Connection, doctor_says: Doctor, country: str, years: int, severity: str | None
) -> None:
    """A year of which the calendar knows no holiday is found when sends are scheduled for it, or may reach it."""
    last = 2026
    while country == "LK" and doctor._holidays_are_known("LK", last + 1):
        last += 1
    scheduled(conn, f"{last + years}-12-01", skip_holidays=True, holiday_country=country)
    found = doctor_says()
    assert [finding["severity"] for finding in found] == ([severity] if severity else [])
    if found:
        assert f"The holidays of LK are not known for {last + 1}" in one(found, "holidays")["what"]


# --- the clocks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-90, -30, 30, 90])
def test_clocks_that_differ(conn: Connection, seconds: int) -> None:
    """The database's clock decides; that this machine's is more than a minute away is worth knowing."""

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    found = [f for f in doctor.examine(cast(store.Connection, conn), {}, None, clock) if f.check == "clock"]
    assert [finding.severity for finding in found] == (["worth knowing"] if abs(seconds) > 60 else [])


def test_a_database_that_cannot_be_reached(cli: Cli, tmp_path: Path) -> None:
    """Without a database there is nothing to look at: exit status 69, as everywhere."""
    done = cli("doctor", env={"DATABASE_URL": f"postgresql://nobody@/x?host={tmp_path}"}, check=False)
    assert (done.returncode, done.stdout) == (69, "")


def test_it_changes_nothing(database: str, cli: Cli) -> None:
    """A doctor that is asked in a transaction that may not write works all the same."""
    url = f"{database}{'&' if '?' in database else '?'}options=-cdefault_transaction_read_only%3Don"
    with psycopg.connect(url) as conn:
        assert conn.execute("show transaction_read_only").fetchone() == ("on",)
    answer: Any = json.loads(cli("doctor", "--json", env={"DATABASE_URL": url}, check=False).stdout)
    assert {finding["check"] for finding in answer["findings"]} <= {"autovacuum"}


def test_mails_without_a_link_to_unsubscribe_by_are_worth_knowing_of(conn: Connection, doctor_says: Doctor) -> None:
    """It is missed only when the mails are out: doctor says which variable is lacking, and is silent when none is."""
    put(conn, "account", "post", provider="smtp")
    put(conn, "campaign", "fall", accounts=["post"])
    assert [finding["mend"] for finding in doctor_says()] == ["export SMTP_URL=…"]
    enqueue(conn, "email", "post", recipient="ada@example.com")
    found = doctor_says()
    assert [(finding["check"], finding["mend"]) for finding in found] == [
        ("environment", "export SMTP_URL=…"),
        ("unsubscribe", "export SEND_QUEUE_UNSUBSCRIBE_KEY=…"),
    ]
    assert [finding["severity"] for finding in found] == ["wrong", "worth knowing"]
    key = "c2VuZC1xdWV1ZS1zZW5kLXF1ZXVlLXNlbmQtcXVldWU="
    links = {"SEND_QUEUE_UNSUBSCRIBE_KEY": key, "SEND_QUEUE_UNSUBSCRIBE_URL": "https://u.example.com"}
    assert doctor_says(SMTP_URL="smtp://mail.example.com", **links) == []
