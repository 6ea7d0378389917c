"""A zone that the server does not know is met where it is used, and nowhere else; old names are stored as today's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, Queue
from conftest import Connection

from send_queue import store
from send_queue.store import schema

GONE = "Old/Town"
"""A name that no server knows, as `US/Eastern` is one that some do not."""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


def restored(queue: Queue, table: str, column: str, zone: str = GONE) -> None:
    """Give rows a zone as a restore does, which makes the triggers after the rows."""
    queue.do(f"alter table {table} disable trigger user")
    queue.do(f"update {table} set {column} = %s where {column} is not null", zone)  # noqa: S608 — words of this module
    queue.do(f"alter table {table} enable trigger user")


def two_lanes(queue: Queue) -> tuple[UUID, UUID]:
    """A lane that can be sent from, and one whose cap is counted in a zone that is gone; a send in each."""
    queue.account("ada")
    queue.account("eve")
    queue.campaign("spring", ["ada", "eve"])
    for account in ("ada", "eve"):
        queue.lane(account, daily_cap=5)
    named = {"campaign": "spring", "channel": "email", "message": "Hi", "at": AT - HOUR, "scheduled_for": AT - HOUR}
    good, bad = (
        queue.call("send_enqueue", recipient=f"{account}@example.com", account=account, **named)[0]
        for account in ("ada", "eve")
    )
    queue.do("alter table send_lanes disable trigger user")
    queue.do("update send_lanes set cap_timezone = %s where account_id in "
             "(select id from send_accounts where name = 'eve')", GONE)  # fmt: skip
    queue.do("alter table send_lanes enable trigger user")
    return good, bad


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("US/Eastern", "America/New_York"),
        ("us/eastern", "America/New_York"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("GB", "Europe/London"),
        ("Iceland", "Atlantic/Reykjavik"),
        ("America/new_york", "America/New_York"),
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("Zulu", "Etc/UTC"),
        ("UTC", "UTC"),
    ],
)
def test_a_zone_is_stored_under_the_name_that_it_has_today(queue: Queue, written: str, stored: str) -> None:
    """However it comes in; places that the database merged keep their own names."""
    queue.ready(1)
    queue.do("update send_workspaces set timezone = %s", written)
    queue.do("update send_lanes set cap_timezone = %s", written)
    queue.do("insert into send_schedules (name, timezone, hours) values ('x', %s, '{}')", written)
    queue.do(
        "insert into send_prospects (workspace_id, name, timezone) select id, 'x', %s from send_workspaces", written
    )
    assert {stored} == {
        queue.one("select timezone from send_workspaces"),
        queue.one("select cap_timezone from send_lanes"),
        queue.one("select timezone from send_schedules"),
        queue.one("select timezone from send_prospects where name = 'x'"),
    }


def test_the_name_stays_where_the_server_does_not_know_todays(queue: Queue) -> None:
    """An older server knows the old name only: that one is stored, also where today's is written."""
    queue.do("insert into send_zone_names (written, name) values ('Tokyo/City', 'Old/Town'), ('Old/Town', 'Old/Town')")
    queue.do("update send_zone_names set name = 'Old/Town' where written = 'Asia/Tokyo'")
    assert queue.call("send_timezone", zone="Asia/Tokyo") == "Asia/Tokyo"
    assert queue.call("send_timezone", zone="Old/Town") == "Asia/Tokyo"
    assert queue.call("send_timezone", zone="Mars/Olympus") is None


def test_every_name_of_the_table_is_one_that_python_knows() -> None:
    """Both sides mean the same zones."""
    from send_queue.rules import zones

    text = (schema.sql_dir() / "migrations" / "0003_zone_names.sql").read_text()
    names = {word.strip("',") for word in text.split() if "/" in word and word.strip("',")[0].isupper()}
    assert len(names) > 500
    for name in names - {"Antarctica/Troll"}:
        for part in name.split(","):
            zones.read(part)


@pytest.mark.parametrize(
    ("zone", "says"),
    [(GONE, f"knows no time zone '{GONE}': write a name")]
    + [(zone, "no time zone .* an abbreviation or an offset: write a name of the IANA database")
       for zone in ("EST", "CET", "est5edt", "UTC+3", "<+03>-3", "EST5EDT,M3.2.0/2,M11.1.0/2")],
)  # fmt: skip
@pytest.mark.parametrize(
    "statement",
    [
        "update send_workspaces set timezone = %s",
        "update send_lanes set cap_timezone = %s",
        "insert into send_schedules (name, timezone, hours) values ('x', %s, '{}')",
        "insert into send_prospects (workspace_id, timezone) select id, %s from send_workspaces",
    ],
)
def test_an_unknown_zone_is_refused(queue: Queue, statement: str, zone: str, says: str) -> None:
    """By a sentence, under the rule's name; so is a name whose clock would be wrong half the year."""
    queue.ready(1)
    with pytest.raises(psycopg.Error, match=says) as error:
        queue.do(statement, zone)
    assert error.value.sqlstate == "SQ002"
    assert error.value.diag.constraint_name in ("timezone_is_known", "cap_timezone_is_known")


def test_a_row_whose_zone_is_gone_may_change_otherwise(queue: Queue) -> None:
    """A cap can be lowered before the zone is mended."""
    queue.ready(1)
    restored(queue, "send_lanes", "cap_timezone")
    queue.put("lane", "ada", channel="email", daily_cap=3)
    assert queue.the_lane()["daily_cap"] == 3


def test_no_constraint_asks_which_zones_the_server_knows(queue: Queue) -> None:
    """A restore evaluates them on a server that may know fewer, and would lose rows."""
    assert queue.all("select conname from pg_constraint where pg_get_constraintdef(oid) like '%%timezone(%%'") == []


# --- lanes --------------------------------------------------------------------------------------------------


def test_a_lane_whose_zone_is_gone_waits_and_the_others_go(queue: Queue) -> None:
    """Its cap cannot be counted: it does not send, and the claim says why, each time, while something is due in it."""
    good, bad = two_lanes(queue)
    claim = queue.claim(max_rows=9)
    assert [good] == [UUID(send["send_id"]) for send in claim["sends"]]
    sentence = (
        "The database server does not know the time zone Old/Town, in which the caps of the lane eve email are counted,"
        " so that it does not send: run `send-queue lane set eve email --cap-timezone NAME`, or add the zone to the"
        " server."
    )
    assert sentence == claim["lacking"]
    assert sentence == queue.claim(AT + MINUTE)["lacking"]
    assert queue.claim(AT + MINUTE, account="ada")["lacking"] is None
    queue.call("send_cancel", ids=[bad], at=AT)
    assert queue.claim(AT + 2 * MINUTE)["lacking"] is None


def test_a_lane_goes_on_as_soon_as_its_zone_is_mended(queue: Queue) -> None:
    """Whoever changes it."""
    _, bad = two_lanes(queue)
    queue.claim(max_rows=9)
    queue.put("lane", "eve", channel="email", cap_timezone="US/Eastern")
    assert [bad] == queue.took(AT + MINUTE, 9)
    assert queue.claim(AT + MINUTE)["lacking"] is None


def test_a_lane_goes_on_by_itself_within_an_hour_of_the_server_knowing_its_zone(queue: Queue) -> None:
    """The zone was added to the server: the lane is looked at again."""
    _, bad = two_lanes(queue)
    queue.claim(max_rows=9)
    queue.do("alter table send_lanes disable trigger user")
    queue.do("update send_lanes set cap_timezone = 'America/New_York' where cap_timezone = %s", GONE)
    queue.do("alter table send_lanes enable trigger user")
    assert queue.took(AT + MINUTE, 9) == []
    assert [bad] == queue.took(AT + HOUR, 9)


def test_whoever_looks_is_told_why_the_lane_waits(queue: Queue) -> None:
    """explain, status, forecast and the report, before a claim has met it and after."""
    _, bad = two_lanes(queue)
    for _ in range(2):
        explained = queue.call("send_explain", id=bad, at=AT)
        assert [(hold["rule"], hold["until"]) for hold in explained["holds"]] == [("cap_timezone", None)]
        assert explained["next_at"] is None
        lane = queue.all("select why, next_at from send_lane_report(%s) where account = 'eve'", AT)
        assert "cap_timezone: The database server does not know" in lane[0][0]
        assert lane[0][1] is None
        assert queue.call("send_report_days", at=AT, days=3, lanes=9)["lanes_in_all"] == 2
        assert queue.all("select * from send_split_days(%s)", AT) == []
        queue.claim(max_rows=9)


def test_a_forecast_names_the_lane_among_what_never_goes(queue: Queue, database: str) -> None:
    """And plays all others."""
    from send_queue.insight import forecast

    two_lanes(queue)
    with store.connected(database) as conn:
        played = forecast.forecast(conn, AT, days=1)
    assert [day.sends for day in played.days] == [1]
    assert [never.reason for never in played.never] == ["cap_timezone"]
    assert "lane set eve email --cap-timezone" in played.never[0].mend


def test_a_claim_is_not_slower_for_bearing_unknown_zones(queue: Queue) -> None:
    """A look at the wall clock costs a subtransaction, of a few microseconds, and no id of one."""
    spent = queue.one(
        "explain (analyze, format json) select send_local_time(now(), 'Asia/Tokyo') from generate_series(1, 20000)"
    )[0]["Execution Time"]
    assert spent / 20000 < 0.02  # milliseconds; measured: 0.001
    with queue.conn.transaction():
        queue.one("select send_local_time(now(), 'Asia/Tokyo'), send_local_time(now(), 'Old/Town')")
        assert queue.one("select pg_current_xact_id_if_assigned()") is None


# --- recipients ---------------------------------------------------------------------------------------------


def texts(queue: Queue, *recipients: str, **named: Any) -> list[UUID]:
    queue.account()
    queue.lane(channel="sms", daily_cap=None, max_in_flight=99)
    queue.campaign()
    noon = {"campaign": "spring", "channel": "sms", "message": "Hi", "at": AT - DAY, "scheduled_for": AT - HOUR}
    return [queue.call("send_enqueue", recipient=recipient, **noon, **named)[0] for recipient in recipients]


NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
"""13:00 in Paris."""


def test_a_recipient_whose_zone_is_gone_waits_and_the_others_go(queue: Queue) -> None:
    """Nobody can tell whether it is night there. The claim names the row and the statement that mends it."""
    somebody = queue.one("insert into send_prospects (workspace_id, timezone) select id, 'UTC' from send_workspaces "
                         "returning id")  # fmt: skip
    (paris,) = texts(queue, "+33612345678")
    named = {"campaign": "spring", "channel": "sms", "message": "Hi", "at": AT - DAY, "scheduled_for": AT - HOUR}
    bad = queue.call("send_enqueue", recipient="+33612345679", prospect=somebody, **named)[0]
    restored(queue, "send_prospects", "timezone", "old/Town")
    queue.do("insert into send_zone_names (written, name) values ('Old/Town', 'Europe/Paris')")
    claim = queue.claim(NOON, 9)
    assert [paris] == [UUID(send["send_id"]) for send in claim["sends"]]
    mend = "update send_prospects set timezone = 'Europe/Paris' where timezone = 'old/Town'"
    assert f"old/Town of the prospect {somebody}, so it cannot tell" in claim["lacking"]
    assert f"run `{mend}`" in claim["lacking"]
    row = queue.row(bad)
    assert (row["status"], row["error_code"], row["scheduled_for"]) == ("pending", "timezone", NOON + HOUR)
    explained = queue.call("send_explain", id=bad, at=NOON)
    assert explained["next_at"] is None
    queue.do(mend)
    assert [bad] == queue.took(NOON + HOUR, 9)


def test_a_phone_zone_that_is_gone_keeps_its_numbers_waiting(queue: Queue) -> None:
    """Not every number: those that the row is of."""
    india, paris = texts(queue, "+919812345678", "+33612345678")
    queue.do("update send_phone_zones set timezones = %s where prefix = '91'", [GONE])
    assert [paris] == queue.took(NOON, 9)
    assert "phone numbers that begin with +91" in queue.row(india)["error_message"]


def test_the_zones_of_the_places_that_send_are_borne_too(queue: Queue) -> None:
    """Where nothing is known of a number, the schedule's zone counts, then the workspace's."""
    (nowhere,) = texts(queue, "+18005550100")
    restored(queue, "send_workspaces", "timezone")
    assert queue.took(NOON, 9) == []
    assert "of the workspace default" in queue.row(nowhere)["error_message"]
    queue.do("update send_workspaces set timezone = 'Europe/Paris'")
    assert [nowhere] == queue.took(NOON + HOUR, 9)


def test_a_campaign_without_quiet_hours_asks_for_no_zone(queue: Queue) -> None:
    """What is not used hinders nobody."""
    queue.ready(1)
    restored(queue, "send_workspaces", "timezone")
    restored(queue, "send_prospects", "timezone")
    assert len(queue.taken()) == 1


def test_numbers_have_todays_zones(queue: Queue) -> None:
    """Also those whose zones a migration left out, since the server did not know their old names."""
    zones = dict(queue.all("select prefix, timezones from send_phone_zones"))
    assert (zones["91"], zones["977"], zones["2991"], zones["380"]) == (
        ["Asia/Kolkata"], ["Asia/Kathmandu"], ["America/Nuuk"], ["Europe/Kyiv"],
    )  # fmt: skip
    assert zones["691"] == ["Pacific/Kosrae", "Pacific/Chuuk"]
    assert all(zones.values())


# --- the doctor ---------------------------------------------------------------------------------------------


def test_the_doctor_finds_each_row_whose_zone_is_gone(queue: Queue) -> None:
    """With the command or the statement that mends it."""
    two_lanes(queue)
    queue.schedule("office", AT, AT + HOUR)
    queue.do("insert into send_prospects (workspace_id, timezone) select id, 'UTC' from send_workspaces")
    queue.lane("ada", "sms")
    for table in ("send_schedules", "send_workspaces", "send_prospects"):
        restored(queue, table, "timezone")
    queue.do("update send_phone_zones set timezones = %s where prefix = '91'", [GONE])
    findings = queue.call("send_zones_doctor")["findings"]
    assert {"timezone"} == {finding["check"] for finding in findings}
    assert [finding.get("command") or finding.get("mend") for finding in findings] == [
        ["lane", "set", "eve", "email", "--cap-timezone", "NAME"],
        ["schedule", "set", "office", "--timezone", "NAME"],
        ["workspace", "set", "default", "--timezone", "NAME"],
        "update send_prospects set timezone = 'NAME' where timezone = 'Old/Town'",
        "update send_phone_zones set timezones = array_replace(timezones, 'Old/Town', 'NAME')",
    ]
    assert all("does not know the time zone Old/Town" in finding["what"] for finding in findings)


def test_the_server_tells_its_offsets(queue: Queue) -> None:
    """To the quarter of an hour, of each zone that it knows."""
    since, until = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)
    told = queue.call("send_zone_changes", zones=["America/New_York", "Asia/Kolkata", GONE], since=since, until=until)
    assert {
        "America/New_York": [
            [int(since.timestamp()), -18000],
            [int(datetime(2025, 3, 9, 7, tzinfo=UTC).timestamp()), -14400],
            [int(datetime(2025, 11, 2, 6, tzinfo=UTC).timestamp()), -18000],
        ],
        "Asia/Kolkata": [[int(since.timestamp()), 19800]],
    } == told


def test_both_sides_look_at_the_same_moments(queue: Queue) -> None:
    """Where they have the same data they agree to the second, from whatever moment on."""
    from send_queue.rules import zones

    since = datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC)
    until = since + timedelta(days=1500)
    for name in ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata"):
        told = queue.call("send_zone_changes", zones=[name], since=since, until=until)[name]
        assert [tuple(change) for change in told] == zones.changes(name, since, until)


def test_a_copy_with_unknown_zones_is_adopted(queue: Queue) -> None:
    """A dump may be restored where a lane's zone is not known: what was due there is in doubt, on the day of UTC."""
    two_lanes(queue)
    assert queue.call("send_adopt", since=AT - DAY, at=AT) == {"copy": False, "in_doubt": 2, "waiting": 0}
    days = queue.conn.execute("select distinct day from send_usage").fetchall()
    assert days == [(AT.astimezone(UTC).date(),)]
