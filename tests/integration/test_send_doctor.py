"""send_doctor: what the database can see of what is wrong; and the statements that mend it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from builders import sends_of
from conftest import Connection
from psycopg.types.json import Jsonb

from send_queue.store import schema

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""A Monday."""

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

Finding = dict[str, Any]


@pytest.fixture
def queue(conn: Connection) -> Connection:
    """An account, a campaign, and one send that went out at AT."""
    put(conn, "account", "anna", provider="log")
    put(conn, "campaign", "fall", accounts=["anna"])
    send(conn, "ada")
    return conn


@pytest.fixture
def other(database: str) -> Iterator[Connection]:
    """A session of somebody else's."""
    with psycopg.connect(database) as other:
        yield other


def put(conn: Connection, kind: str, name: str, adding: bool = True, **fields: Any) -> None:
    conn.execute("select send_set(%s, %s, %s, adding => %s)", (kind, name, Jsonb(fields), adding))


def enqueue(conn: Connection, recipient: str) -> None:
    conn.execute("select send_enqueue('fall', 'log', %s, 'Hi', at => %s)", (recipient, AT))


def claim(conn: Connection, at: datetime = AT) -> str:
    row = conn.execute("select send_claim('a run', lease => '5 minutes', at => %s)", (at,)).fetchone()
    assert row is not None
    return str(sends_of(row[0])[0]["attempt_id"])


def send(conn: Connection, recipient: str, at: datetime = AT, **result: Any) -> None:
    enqueue(conn, recipient)
    answer = {"attempt_id": claim(conn, at), "outcome": "sent"} | result
    conn.execute("select send_record(%s, %s)", (Jsonb([answer]), at))


def findings(conn: Connection, check: str, at: datetime = AT, patience: str = "10 minutes") -> list[Finding]:
    row = conn.execute("select send_doctor(%s, %s)", (at, patience)).fetchone()
    assert row is not None
    return [found for found in row[0]["findings"] if found["check"] == check]


def found(conn: Connection, check: str, **more: Any) -> Finding:
    [finding] = findings(conn, check, **more)
    return finding


def mended(conn: Connection, finding: Finding) -> None:
    """Run what mends a finding, as a person would, and see that it is gone."""
    for statement in finding["mend"].split("; "):
        conn.execute(statement)
    assert findings(conn, finding["check"]) == []


def all_checks(conn: Connection) -> set[str]:
    row = conn.execute("select send_doctor(%s)", (AT,)).fetchone()
    assert row is not None
    return {found["check"] for found in row[0]["findings"]} - {"autovacuum"}


def test_nothing_is_wrong_with_a_queue_at_work(queue: Connection) -> None:
    """Sent, waiting, in flight, given back, failed and prepared for later: none of it is a finding."""
    send(queue, "grace", outcome="retry", retry_seconds=60)
    send(queue, "joan", outcome="failed")
    enqueue(queue, "mary")
    claim(queue)
    assert all_checks(queue) == set()


# --- the tally --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "caps"), [(0, "too many"), (5, "too few")])
def test_a_tally_that_disagrees_with_the_attempts(queue: Connection, said: int, caps: str) -> None:
    """The tally is what its attempts say, whichever way it is wrong; the statement given counts it anew."""
    queue.execute("update send_usage set used = %s", (said,))
    finding = found(queue, "tally")
    assert finding["severity"] == "wrong"
    assert (
        f"The tally of anna log on 2026-11-23 says {said} where its attempts say 1, so that its caps let {caps}"
        in (finding["what"])
    )
    mended(queue, finding)
    assert queue.execute("select used from send_usage").fetchall() == [(1,)]


def test_a_tally_that_is_gone(queue: Connection) -> None:
    """A day with attempts and no tally at all is found, and mended."""
    queue.execute("delete from send_usage")
    mended(queue, found(queue, "tally"))
    assert queue.execute("select used from send_usage").fetchall() == [(1,)]


def test_what_is_in_flight_or_in_doubt_counts(queue: Connection) -> None:
    """The tally counts what may have gone out: attempts in flight, and uncertain ones."""
    send(queue, "grace", outcome="uncertain")
    enqueue(queue, "joan")
    claim(queue)
    assert findings(queue, "tally") == []
    queue.execute("update send_usage set used = 1")
    mended(queue, found(queue, "tally"))
    assert queue.execute("select used from send_usage").fetchall() == [(3,)]


def test_a_tally_of_days_that_no_cap_looks_at(queue: Connection) -> None:
    """Old days are pruned and keep their tally, which is no error; one that says too little is, for forty days."""
    queue.execute("update send_usage set used = 5")
    assert findings(queue, "tally", AT + 20 * DAY) == []
    queue.execute("update send_usage set used = 0")
    assert len(findings(queue, "tally", AT + 20 * DAY)) == 1
    assert findings(queue, "tally", AT + 50 * DAY) == []


def test_mending_a_tally_waits_for_the_claim_under_way(queue: Connection, other: Connection) -> None:
    """The lane is locked before it is counted, so that no claim is missed; a lane at its cap looks again."""
    queue.execute("update send_usage set used = 5")
    put(queue, "lane", "anna", adding=False, channel="log", daily_cap=3)
    enqueue(queue, "grace")
    queue.execute("select send_claim('a run', at => %s)", (AT,))
    assert queue.execute("select next_at_reason from send_lanes").fetchall() == [("daily_cap",)]
    mend = found(queue, "tally")["mend"]
    other.execute("select from send_lanes for no key update")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        queue.execute(cast(Any, f"set lock_timeout = '10ms'; {mend}"))
    other.rollback()
    queue.execute(mend)
    claim(queue)


# --- what waits for somebody ------------------------------------------------------------------------------


def test_what_a_dead_run_left(queue: Connection) -> None:
    """A row in flight is found when its lease has run out, with how long ago that was; a run sees to it."""
    enqueue(queue, "grace")
    claim(queue)
    assert findings(queue, "left_in_flight", AT + 4 * MINUTE) == []
    finding = found(queue, "left_in_flight", at=AT + 75 * MINUTE)
    assert (finding["severity"], finding["command"]) == ("wrong", ["run-once"])
    assert finding["what"] == "A run has died: sends in flight past their lease: 1, the first for 01:10:00."


def test_what_waits_for_a_persons_word(queue: Connection) -> None:
    """An uncertain row is found once no provider is asked about it any more."""
    send(queue, "grace", outcome="uncertain")
    assert findings(queue, "uncertain") == []
    [[send_id]] = queue.execute(
        "update send_queue set look_up_at = null where status = 'uncertain' returning id"
    ).fetchall()
    finding = found(queue, "uncertain")
    assert (finding["severity"], finding["mend"]) == ("wrong", f"send-queue settle {send_id} --sent (or --not-sent)")


def test_a_disconnected_account_with_rows_waiting(queue: Connection) -> None:
    """An account that needs a person is found when something waits for it; the one with most sends comes first."""
    queue.execute("update send_accounts set status = 'disconnected', status_reason = 'checkpoint', name = 'anna''s'")
    assert findings(queue, "disconnected") == []
    enqueue(queue, "grace")
    finding = found(queue, "disconnected")
    assert (finding["severity"], finding["command"]) == ("wrong", ["resume", "account", "anna's"])
    assert "The account anna's is disconnected (checkpoint), and sends wait for it: 1:" in finding["what"]
    put(queue, "account", "zoe", provider="log")
    put(queue, "campaign", "fall", adding=False, accounts=["zoe"])
    for n in range(2):
        queue.execute("select send_enqueue('fall', 'log', %s, 'Hi', account => 'zoe', at => %s)", (f"p{n}", AT))
    queue.execute("update send_accounts set status = 'disconnected'")
    assert [found["command"][2] for found in findings(queue, "disconnected")] == ["zoe", "anna's"]  # the worst first


def test_a_name_in_another_workspace_says_which(queue: Connection) -> None:
    """A command names the workspace where the name alone may not be clear."""
    put(queue, "workspace", "acme")
    queue.execute("select send_set('campaign', 'winter', '{}', adding => true, workspace => 'acme')")
    assert found(queue, "campaign_without_accounts")["command"] == [
        "campaign", "set", "winter", "--account", "NAME", "--workspace", "acme"
    ]  # fmt: skip


def test_a_lane_that_its_provider_holds(queue: Connection) -> None:
    """A provider's hold is worth knowing while it lasts."""
    send(
        queue,
        "grace",
        outcome="held",
        scope="lane",
        hold_seconds=3600,
        error_code="limit_exceeded",
        error_message="Wait.",
    )
    finding = found(queue, "provider_hold")
    assert (finding["severity"], finding["command"]) == ("worth knowing", ["resume", "lane", "anna", "log"])
    assert finding["what"] == "The provider holds anna log until 2026-11-23 16:00:00+00: limit_exceeded: Wait."
    assert findings(queue, "provider_hold", AT + 60 * MINUTE) == []


def test_a_campaign_without_accounts(queue: Connection) -> None:
    """An active campaign with nobody in its pool is wrong; one whose accounts were named by hand is worth knowing."""
    put(queue, "campaign", "winter")
    finding = found(queue, "campaign_without_accounts")
    assert (finding["severity"], finding["command"]) == ("wrong", ["campaign", "set", "winter", "--account", "anna"])
    queue.execute("select send_enqueue('winter', 'log', 'ada', 'Hi', account => 'anna')")
    assert found(queue, "campaign_without_accounts")["severity"] == "worth knowing"
    put(queue, "campaign", "winter", adding=False, status="paused")
    assert findings(queue, "campaign_without_accounts") == []


@pytest.mark.parametrize("name", ["notifications", "posts"])
def test_a_campaign_whose_sends_name_their_accounts_needs_no_pool(queue: Connection, name: str) -> None:
    """Those that `notify` and `post` make for themselves."""
    put(queue, "campaign", name)
    assert findings(queue, "campaign_without_accounts") == []


def test_of_many_alike_the_first_are_listed(queue: Connection) -> None:
    """Of one check twenty are listed, and the rest counted."""
    for n in range(25):
        put(queue, "campaign", f"c{n:02}")
    listed = findings(queue, "campaign_without_accounts")
    assert len(listed) == 21
    assert listed[-1]["what"] == "5 more of this kind are not listed."


# --- the server -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["send_queue_claim", "send_queue_due", "send_queue_asleep"])
@pytest.mark.parametrize(
    "spoil",
    [
        "drop index {0}",
        "update pg_index set indisvalid = false where indexrelid = '{0}'::regclass",
        "drop index {0}; create index {0} on send_queue (account_id) where status = 'pending'",
    ],
)
def test_an_index_that_the_claim_needs(
    queue: Connection, name: str, spoil: str, request: pytest.FixtureRequest
) -> None:
    """The claim's three indexes are there, valid, and the ones that are meant; the statement given makes them so."""
    if "pg_index" in spoil:
        request.getfixturevalue("superuser")
    for statement in spoil.format(name).split("; "):
        queue.execute(cast(Any, statement))
    finding = found(queue, "index")
    assert (finding["severity"], name in finding["what"]) == ("wrong", True)
    mended(queue, finding)
    [[definition]] = queue.execute("select pg_get_indexdef(%s::regclass)", (name,)).fetchall()
    assert definition.endswith("scheduled_for, id) WHERE (status = 'pending'::text)") == (name == "send_queue_claim")


@pytest.mark.usefixtures("superuser")
def test_another_index_that_is_invalid(queue: Connection) -> None:
    """An index whose build has failed is found, whichever it is."""
    queue.execute("update pg_index set indisvalid = false where indexrelid = 'lanes_by_turn'::regclass")
    finding = found(queue, "index")
    assert finding["what"] == "The index lanes_by_turn is invalid: a build of it has failed."
    mended(queue, finding)


def test_autovacuum_that_is_turned_off_for_a_table(queue: Connection) -> None:
    """Autovacuum must be on for our tables; whether it is on for the server is asked too."""
    queue.execute("alter table send_queue set (autovacuum_enabled = off)")
    [finding] = [f for f in findings(queue, "autovacuum") if "send_queue" in f["what"]]
    assert (finding["severity"], finding["mend"]) == ("wrong", "alter table send_queue reset (autovacuum_enabled)")
    queue.execute(finding["mend"])
    [[on]] = queue.execute("select current_setting('autovacuum') = 'on'").fetchall()
    assert [f["mend"] for f in findings(queue, "autovacuum")] == (
        [] if on else ["alter system set autovacuum = on; select pg_reload_conf()"]
    )


def counted(queue: Connection, dead: int) -> None:
    """Wait until the server's statistics say so; they can be hurried since Postgres 15."""
    for _ in range(1000):
        if queue.info.server_version >= 15_00_00:
            queue.execute("select pg_stat_force_next_flush()")
        told = queue.execute("select n_dead_tup from pg_stat_user_tables where relname = 'send_workspaces'").fetchone()
        if told == (dead,):
            return
        queue.execute("select pg_sleep(0.05)")
    raise AssertionError(f"The statistics never told of {dead} dead rows.")


def test_a_table_that_autovacuum_is_far_behind_on(queue: Connection) -> None:
    """Dead rows far beyond where autovacuum should have come are found; a vacuum mends it."""
    queue.execute("alter table send_workspaces set (autovacuum_enabled = off)")
    queue.execute(
        "insert into send_workspaces (name, timezone) select 'w' || g, 'UTC' from generate_series(1, 60000) g"
    )
    queue.execute("delete from send_workspaces where name <> 'default'")
    counted(queue, 60_000)
    finding = found(queue, "dead_rows")
    assert finding["what"] == "Autovacuum is far behind on the table send_workspaces: 60000 dead rows."
    queue.execute(finding["mend"])
    counted(queue, 0)
    assert findings(queue, "dead_rows") == []


def test_an_old_transaction(queue: Connection, other: Connection) -> None:
    """A transaction that keeps dead rows is found by its age, with the process to end; an idle one is not."""
    other.execute("select 1")  # read committed, and between statements: it keeps nothing
    assert findings(queue, "old_transaction", patience="0") == []
    other.execute("select pg_current_xact_id()")
    assert findings(queue, "old_transaction") == []
    finding = found(queue, "old_transaction", patience="0")
    assert (finding["severity"], finding["mend"]) == (
        "wrong",
        f"select pg_terminate_backend({other.info.backend_pid})",
    )
    mended(queue, finding)
    with pytest.raises(psycopg.errors.AdminShutdown):
        other.execute("select 1")


@pytest.mark.usefixtures("superuser")
def test_a_role_that_sees_no_transactions_of_others(queue: Connection) -> None:
    """What could not be looked at is said."""
    queue.execute("select send_grant('pg_signal_backend', 'work')")
    queue.execute("set role pg_signal_backend")
    finding = found(queue, "old_transaction")
    assert (finding["severity"], finding["mend"]) == (
        "worth knowing",
        "grant pg_read_all_stats to pg_signal_backend",
    )


# --- privileges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "who", "what"),
    [
        ("grant execute on function send_enqueue to public", "Everybody", "public.send_enqueue"),
        ("grant select on send_queue to pg_signal_backend", "The role pg_signal_backend", "public.send_queue"),
        ("grant update (used) on send_usage to public", "Everybody", "public.send_usage (used)"),
        ("grant select on send_failures to pg_signal_backend", "The role pg_signal_backend", "public.send_failures"),
        ("alter table send_lanes disable row level security", "Row level security", "send_lanes"),
        ("create policy p on send_lanes to pg_signal_backend using (true)", "Row level security", "send_lanes"),
    ],
)
def test_what_is_open_to_whom_is_found_and_closed(queue: Connection, opened: Any, who: str, what: str) -> None:
    """Whatever somebody opens by hand, or the server by default, doctor names, and the next migrate closes."""
    assert findings(queue, "privileges") == []
    queue.execute(opened)
    finding = found(queue, "privileges")
    assert finding["severity"] == "wrong"
    assert finding["what"].startswith(who)
    assert what in finding["what"]
    assert finding["command"] == ["migrate"]
    schema.migrate(queue)
    assert findings(queue, "privileges") == []


def test_a_granted_role_that_lacks_something_is_found(queue: Connection) -> None:
    """A right that its task needs was taken from it: migrate gives it back."""
    queue.execute("select send_grant('pg_signal_backend', 'work')")
    assert findings(queue, "privileges") == []
    queue.execute("revoke execute on function send_claim from pg_signal_backend")
    assert "The role pg_signal_backend lacks what its task needs" in found(queue, "privileges")["what"]
    schema.migrate(queue)
    assert findings(queue, "privileges") == []


def test_a_grant_to_the_owner_asks_for_nothing(queue: Connection) -> None:
    """The owner has every right; no grant shows it, and none is missed."""
    queue.execute("select send_grant(current_user::text, task) from unnest(array['work', 'enqueue', 'read']) task")
    assert findings(queue, "privileges") == []
    schema.migrate(queue)
    assert findings(queue, "privileges") == []


def test_a_schema_in_which_others_may_create(queue: Connection) -> None:
    """Nobody else may put things into the schema that functions look names up in."""
    queue.execute("grant create on schema public to public")
    finding = found(queue, "privileges")
    assert (finding["severity"], finding["mend"]) == ("wrong", "revoke create on schema public from public")
    mended(queue, finding)
    queue.execute("grant create on schema public to pg_signal_backend")
    finding = found(queue, "privileges")
    assert finding["severity"] == "worth knowing"
    mended(queue, finding)


def test_a_cap_that_is_counted_anew_in_office_hours(queue: Connection) -> None:
    """In Los Angeles midnight UTC is in the afternoon: two caps would go in one business day. Not so in Berlin."""
    hours = {"mon": [["07:00", "18:00"]]}
    for name, zone in (("la", "America/Los_Angeles"), ("berlin", "Europe/Berlin")):
        put(queue, "schedule", name, timezone=zone, hours=hours)
    put(queue, "account", "anna", adding=False, schedule="berlin")
    put(queue, "lane", "anna", adding=False, channel="log", daily_cap=20)
    assert findings(queue, "split_days") == []
    put(queue, "account", "anna", adding=False, schedule="la")
    finding = found(queue, "split_days")
    assert "in America/Los_Angeles, within the hours of the schedule la" in finding["what"]
    assert finding["command"][-2:] == ["--cap-timezone", "America/Los_Angeles"]
    put(queue, "lane", "anna", adding=False, channel="log", cap_timezone="America/Los_Angeles")
    assert findings(queue, "split_days") == []


def test_a_campaign_that_is_done_though_sends_wait_in_it(queue: Connection) -> None:
    """`resume` lets them go; `cancel` would take them out."""
    enqueue(queue, "grace")
    assert findings(queue, "campaign_is_done") == []
    queue.execute("update send_campaigns set status = 'done' where name = 'fall'")
    assert found(queue, "campaign_is_done")["command"] == ["resume", "campaign", "fall"]


# --- for Python -------------------------------------------------------------------------------------------


def test_what_python_is_told(queue: Connection) -> None:
    """Schedules that rows wait for, those that say the same once; and accounts, the one that most waits for first."""
    for name in ("one", "two", "idle"):
        put(queue, "schedule", name, timezone="UTC", hours={"mon": [["09:00", "17:00"]]})
    put(queue, "account", "anna", adding=False, schedule="one", provider="unipile", secret_env="ANNA_KEY")
    put(queue, "account", "ben", provider="unipile", secret_env="ANNA_KEY", schedule="two")
    enqueue(queue, "grace")
    queue.execute("select send_enqueue('fall', 'linkedin_message', 'ACoAAben', 'Hi', account => 'ben', "
                  "scheduled_for => %s, at => %s)", (AT + DAY, AT))  # fmt: skip
    row = queue.execute("select send_doctor(%s)", (AT,)).fetchone()
    assert row is not None
    [schedule] = row[0]["schedules"]
    assert (schedule["name"], schedule["waiting"]) == ("one", 2)
    assert datetime.fromisoformat(schedule["last"]) == AT + DAY
    rows = [found for (found,) in queue.execute("select send_doctor_accounts()")]
    assert [(r["label"], r["status"], r["waiting"], r["secret_env"]) for r in rows] == [
        ("ben", "active", 1, "ANNA_KEY"), ("anna", "active", 0, "ANNA_KEY"),
    ]  # fmt: skip


# --- pacing -----------------------------------------------------------------------------------------------


def test_a_linkedin_lane_without_gap_cap_or_schedule_is_found(queue: Connection) -> None:
    """With the command that gives it what it lacks; a schedule of all its campaigns is one too."""
    put(queue, "account", "seat", provider="unipile")
    put(queue, "lane", "seat", adding=False, channel="linkedin_invite", daily_cap=None)
    [finding] = findings(queue, "unpaced")
    assert finding["severity"] == "worth knowing"
    assert "The lane seat linkedin_invite has no gap, no cap, no schedule" in finding["what"]
    assert finding["command"] == [
        "lane", "set", "seat", "linkedin_invite", "--min-gap", "10m", "--jitter", "10m", "--daily-cap", "20",
    ]  # fmt: skip
    put(queue, "lane", "seat", adding=False, channel="linkedin_invite", daily_cap=20, min_gap_seconds=60)
    [finding] = findings(queue, "unpaced")
    assert finding["command"] == ["account", "set", "seat", "--schedule", "NAME"]
    put(queue, "schedule", "office", timezone="UTC", hours={})
    put(queue, "campaign", "scheduled", accounts=["seat"], schedule="office")
    assert findings(queue, "unpaced") == []
    put(queue, "campaign", "not scheduled", accounts=["seat"])
    assert len(findings(queue, "unpaced")) == 1
    put(queue, "account", "seat", adding=False, schedule="office")
    assert findings(queue, "unpaced") == []
