"""workspace, account, lane, schedule, campaign, limit: add, set, list and show, each with --json."""

from __future__ import annotations

from datetime import date

import pytest

from acceptance.conftest import MONDAY, Queue

STORY: dict[str, list[tuple[list[str], dict[str, object]]]] = {
    "workspace": [
        (["workspace", "add", "acme", "--timezone", "Europe/Paris"], {"name": "acme", "timezone": "Europe/Paris"}),
        (["workspace", "set", "acme", "--timezone", "Europe/Berlin"], {"timezone": "Europe/Berlin", "paused_at": None}),
        (["workspace", "show", "acme"], {"name": "acme", "timezone": "Europe/Berlin"}),
    ],
    "schedule": [
        (["schedule", "add", "ny", "--timezone", "America/New_York", "--hours", "07:00-18:00", "--days", "mon-fri",
          "--holidays", "US", "--holidays-subdivision", "CA", "--closed", "2026-12-24", "--open", "2026-12-26"],
         {"name": "ny", "timezone": "America/New_York", "skip_holidays": True, "holiday_country": "US",
          "holiday_subdivision": "CA", "closed_on": ["2026-12-24"], "open_on": ["2026-12-26"],
          "hours": {day: [["07:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}),
        (["schedule", "set", "ny", "--hours", "09:00-12:00,13:00-17:00", "--holidays", "none"],
         {"timezone": "America/New_York", "skip_holidays": False, "holiday_country": None,
          "hours": {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}),
        (["schedule", "set", "ny", "--closed", "2026-12-31"], {"closed_on": ["2026-12-24", "2026-12-31"]}),
        (["schedule", "set", "ny", "--remove-closed", "2026-12-24"], {"closed_on": ["2026-12-31"]}),
        (["schedule", "set", "ny", "--closed", "none"], {"closed_on": [], "open_on": ["2026-12-26"]}),
        (["schedule", "show", "ny"], {"name": "ny", "closed_on": []}),
    ],
    "account": [
        (["schedule", "add", "ny", "--timezone", "America/New_York", "--hours", "07:00-18:00"], {}),
        (["account", "add", "anna", "--provider", "unipile", "--provider-account-id", "Xb3c", "--tier", "premium",
          "--schedule", "ny", "--secret-env", "ANNAS_KEY"],
         {"name": "anna", "provider": "unipile", "provider_account_id": "Xb3c", "tier": "premium", "schedule": "ny",
          "secret_env": "ANNAS_KEY", "status": "active", "workspace": "default"}),
        (["account", "set", "anna", "--schedule", "none", "--tier", "free"], {"schedule": None, "tier": "free"}),
        (["account", "show", "anna"], {"provider_account_id": "Xb3c", "schedule": None}),
    ],
    "lane": [
        (["account", "add", "ben", "--provider", "log"], {}),
        (["account", "add", "anna", "--provider", "unipile", "--provider-account-id", "x", "--tier", "premium"], {}),
        (["lane", "show", "anna", "linkedin_invite"], {"daily_cap": 50, "weekly_cap": 100, "max_in_flight": 1}),
        (["lane", "set", "anna", "linkedin_invite", "--daily-cap", "30", "--weekly-cap", "none", "--min-gap", "30m",
          "--jitter", "5m", "--max-in-flight", "2", "--warm-up", "5+2", "--cap-timezone", "America/New_York"],
         {"account": "anna", "channel": "linkedin_invite", "daily_cap": 30, "weekly_cap": None,
          "min_gap_seconds": 1800, "jitter_seconds": 300, "max_in_flight": 2, "warm_up_start": 5, "warm_up_step": 2,
          "warm_up_began": f"{MONDAY:%Y-%m-%d}", "cap_timezone": "America/New_York"}),
        (["lane", "set", "anna", "linkedin_invite", "--warm-up", "none"],
         {"daily_cap": 30, "warm_up_start": None, "warm_up_began": None}),
        (["lane", "add", "ben", "sms", "--daily-cap", "7"], {"channel": "sms", "daily_cap": 7}),
        (["lane", "show", "ben", "sms"], {"daily_cap": 7, "min_gap_seconds": 0}),
    ],
    "campaign": [
        (["schedule", "add", "ny", "--timezone", "America/New_York", "--hours", "07:00-18:00"], {}),
        (["account", "add", "anna", "--provider", "log"], {}),
        (["account", "add", "ben", "--provider", "log"], {}),
        (["campaign", "add", "fall", "--account", "anna", "--account", "ben", "--schedule", "ny", "--max-attempts",
          "5", "--backoff", "5m,15m,1h", "--on-uncertain", "resend"],
         {"name": "fall", "accounts": ["anna", "ben"], "schedule": "ny", "max_attempts": 5, "status": "active",
          "backoff_seconds": [300, 900, 3600], "on_uncertain": "resend", "workspace": "default"}),
        (["campaign", "set", "fall", "--remove-account", "ben", "--schedule", "none", "--backoff", "1m"],
         {"accounts": ["anna"], "schedule": None, "backoff_seconds": [60], "max_attempts": 5}),
        (["campaign", "set", "fall", "--account", "ben", "--done"], {"accounts": ["anna", "ben"], "status": "done"}),
        (["campaign", "show", "fall"], {"status": "done"}),
    ],
    "limit": [
        (["account", "add", "anna", "--provider", "log"], {}),
        (["limit", "add", "--account", "anna", "--channel", "log", "10/10m"],
         {"account": "anna", "channel": "log", "max_sends": 10, "workspace": "default"}),
        (["limit", "set", "--account", "anna", "--channel", "log", "20/10m"], {"max_sends": 20, "account": "anna"}),
        (["limit", "add", "1000/1h"], {"account": None, "channel": None, "max_sends": 1000}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", STORY)
def test_add_set_show_and_list(queue: Queue, kind: str) -> None:
    """add and set print what is stored, show the same, list all; what is not named stays as it was."""
    for args, expected in STORY[kind]:
        shown = queue.json(*args)
        assert {name: shown[name] for name in expected} == expected, args
        assert "workspace_id" not in shown
    listed = queue.json(kind, "list")
    assert isinstance(listed, list)
    if kind != "limit":
        name = STORY[kind][-1][0][2]
        assert name in [row.get("name") or row["account"] for row in listed]
    assert shown in listed
    table = queue(kind, "list").stdout.splitlines()
    assert len(table) == 1 + len(listed)


def test_a_limit_is_shown_by_its_id_and_removed_by_its_period(queue: Queue) -> None:
    """limit list gives the id that limit show takes; remove takes what add took."""
    added = queue.json("limit", "add", "20/1m")
    assert queue.json("limit", "show", added["id"]) == added
    queue("limit", "remove", "20/1m")
    assert queue.json("limit", "list") == []


@pytest.mark.parametrize("kind", ["account", "lane", "schedule", "campaign", "limit"])
def test_an_empty_list_says_how_to_begin(queue: Queue, kind: str) -> None:
    """A person who finds nothing is told the next step; a program gets an empty list."""
    assert queue(kind, "list").stdout == f"There are no {kind}s yet: add one with `send-queue {kind} add`.\n"
    assert queue.json(kind, "list") == []


def test_for_a_person_add_and_set_say_what_they_did(queue: Queue) -> None:
    """One line each, and show is a table of fields."""
    assert queue("workspace", "add", "acme").stdout == "Added the workspace acme.\n"
    assert queue("workspace", "set", "acme", "--timezone", "Asia/Tokyo").stdout == "Set the workspace acme.\n"
    assert "timezone" in queue("workspace", "show", "acme").stdout
    assert "Asia/Tokyo" in queue("workspace", "show", "acme").stdout


def test_a_schedule_says_what_is_changed(queue: Queue) -> None:
    """Days add up, and what is dropped is said: a closing day that is lost without a word would be sent on."""
    queue("schedule", "add", "ny", "--timezone", "America/New_York", "--hours", "07:00-18:00", "--closed", "2026-12-24")

    def said(*args: str) -> str:
        return queue("schedule", "set", "ny", *args).stdout

    assert said("--closed", "2026-12-31") == "Set the schedule ny: closed also on 2026-12-31.\n"
    assert said("--remove-closed", "2026-12-24") == "Set the schedule ny: no longer closed on 2026-12-24.\n"
    assert said("--closed", "none", "--hours", "08:00-18:00") == (
        "Set the schedule ny: hours mon-fri 08:00-18:00 (was mon-fri 07:00-18:00); no longer closed on 2026-12-31.\n"
    )
    assert said().startswith("The schedule ny stays as it was")
    done = queue("schedule", "set", "ny", "--remove-closed", "2026-12-24", check=False)
    assert (done.returncode, "2026-12-24 is not among the days" in done.stderr) == (2, True)


def test_a_schedule_shows_its_window_before_any_run(queue: Queue) -> None:
    """The one that is open, or comes next."""
    queue("schedule", "add", "ny", "--timezone", "America/New_York", "--hours", "07:00-18:00")
    shown = queue.json("schedule", "show", "ny")
    assert (shown["opens_at"], shown["closes_at"]) == ("2026-11-23T12:00:00+00:00", "2026-11-23T23:00:00+00:00")


def test_a_lane_is_made_only_where_its_provider_serves_the_channel(queue: Queue) -> None:
    """What is sent there would fail; a lane that is there already can still be changed."""
    queue("account", "add", "anna", "--provider", "unipile", "--provider-account-id", "x")
    done = queue("lane", "set", "anna", "email", "--daily-cap", "7", check=False)
    assert (done.returncode, "provider unipile does not send email" in done.stderr) == (2, True)
    assert "email" not in [lane["channel"] for lane in queue.json("lane", "list")]
    queue("lane", "set", "anna", "log")
    queue("account", "set", "anna", "--provider", "smtp")
    queue("lane", "set", "anna", "email")
    queue("account", "set", "anna", "--provider", "unipile")
    queue("lane", "set", "anna", "email", "--daily-cap", "0")


def test_who_writes_on_linkedin_has_office_hours_unless_somebody_says_otherwise(queue: Queue) -> None:
    """In the workspace's zone, in which its days are counted too; the command says so, round the clock is asked for."""
    queue("workspace", "add", "acme", "--timezone", "America/Los_Angeles")
    args = ("--provider", "unipile", "--workspace", "acme")
    done = queue("account", "add", "anna", *args)
    assert (
        "anna sends in the hours of the schedule office-hours-America/Los_Angeles, mon-fri 09:00-17:00" in done.stderr
    )
    assert "or give --schedule always for round the clock." in done.stderr
    made = queue.json("schedule", "show", "office-hours-America/Los_Angeles")
    assert made["timezone"] == "America/Los_Angeles"
    assert (made["opens_at"], made["closes_at"]) == ("2026-11-23T17:00:00+00:00", "2026-11-24T01:00:00+00:00")
    assert queue.json("lane", "show", "anna", "linkedin_invite")["cap_timezone"] == "America/Los_Angeles"
    ben = queue.json("account", "add", "ben", *args)
    assert ben["schedule"] == "office-hours-America/Los_Angeles"
    assert "sends in the hours" not in queue("account", "add", "eve", *args, "--schedule", "always").stderr
    assert queue.json("account", "show", "eve")["schedule"] == "always"
    assert queue.json("account", "add", "fay", *args, "--schedule", "none")["schedule"] is None
    assert queue.json("account", "add", "mail", "--provider", "smtp")["schedule"] is None
    assert queue.json("account", "set", "fay", "--schedule", "always")["schedule"] == "always"


@pytest.mark.parametrize(("provider", "told"), [
    ("smtp", True), ("sendgrid", True), ("twilio", True), ("log", False), ("webhook", False), ("slack", False),
])  # fmt: skip
def test_who_writes_to_people_round_the_clock_is_told(queue: Queue, provider: str, told: bool) -> None:
    """A mailbox or a number that names no schedule sends at any hour, and the command says so; posts and logs may."""
    args = ("--provider", provider)
    said = queue("account", "add", "desk", *args).stderr
    hint = "desk sends round the clock: give it hours with `send-queue account set desk --schedule NAME`, or --schedule"
    assert (hint in said) is told
    assert queue.json("account", "show", "desk")["schedule"] is None
    for n, schedule in enumerate(("always", "none")):
        assert "round the clock" not in queue("account", "add", f"d{n}", *args, "--schedule", schedule).stderr


def test_names_may_be_the_same_in_two_workspaces(queue: Queue) -> None:
    """A name that two tenants use needs the workspace, and the sentence says so."""
    queue("workspace", "add", "acme")
    queue("account", "add", "anna", "--provider", "log")
    queue("account", "add", "anna", "--provider", "log", "--workspace", "acme")
    done = queue("account", "show", "anna", check=False)
    assert (done.returncode, "name the workspace" in done.stderr) == (2, True)
    assert queue.json("account", "show", "anna", "--workspace", "acme")["workspace"] == "acme"


def test_two_accounts_cannot_be_one_seat(queue: Queue) -> None:
    """One seat in two rows would have its caps twice."""
    queue("account", "add", "anna", "--provider", "unipile", "--provider-account-id", "x")
    done = queue("account", "add", "ben", "--provider", "unipile", "--provider-account-id", "x", check=False)
    assert (done.returncode, "two rows would give one seat" in done.stderr) == (2, True)


def test_migrate_may_be_run_at_any_time(queue: Queue) -> None:
    """On a database that is up to date it does nothing, and says so."""
    assert queue("migrate").stdout == "Nothing to do: the database is up to date.\n"
    assert queue.json("migrate")["applied"] == []


def test_a_schedule_shows_its_closed_days(queue: Queue) -> None:
    """Those of the next twelve months on which it would be open otherwise, with the names of the holidays."""
    queue("schedule", "add", "office", "--timezone", "America/New_York", "--hours", "09:00-17:00", "--days", "mon-fri",
          "--holidays", "US", "--closed", "2027-03-05", "--open", "2026-11-26")  # fmt: skip
    days = {day["date"]: day["reason"] for day in queue.json("schedule", "show", "office")["closed_days"]}
    assert (days["2026-12-25"], days["2027-03-05"]) == ("Christmas Day", "closed on 2027-03-05")
    assert "2026-11-26" not in days  # opened by name
    assert not any(date.fromisoformat(day).weekday() > 4 for day in days)
    shown = queue("schedule", "show", "office").stdout.splitlines()
    assert all(any(line.endswith(f"  {day} {reason}") for line in shown) for day, reason in days.items())
    queue("schedule", "add", "always", "--timezone", "UTC", "--hours", "00:00-24:00", "--days", "mon-sun")
    assert queue.json("schedule", "show", "always")["closed_days"] == []


def test_a_schedule_has_several_calendars(queue: Queue) -> None:
    """All of them are kept and shown, with half days and make-up days; a short list is told when it is named, and where
    the schedule is shown; a state without its one country is refused."""
    done = queue("schedule", "add", "desk", "--timezone", "Asia/Shanghai", "--hours", "09:00-17:00", "--holidays", "GB",
                 "--holidays", "CN", "--holidays", "NYSE:public,half_day@11:00")  # fmt: skip
    assert "such as Easter Monday: consider --holidays GB-ENG" in done.stderr
    shown = queue.json("schedule", "show", "desk")
    assert (shown["holiday_country"], shown["holiday_calendars"]) == ("GB", ["CN", "NYSE:public,half_day@11:00"])
    assert [note[:8] for note in shown["notes"]] == ["GB alone"]
    reasons = {day["date"]: day["reason"] for day in shown["half_days"]}
    assert reasons["2026-12-24"] == "Christmas Eve (markets close at 1:00pm): closes at 11:00"
    assert all(day["reason"] == "open 09:00-17:00" for day in shown["make_up_days"])
    done = queue("schedule", "set", "desk", "--holidays", "GB-ENG", "--holidays", "NYSE")
    assert (done.stdout, done.stderr.count("consider")) == (
        "Set the schedule desk: holiday subdivision ENG (was none); holiday calendars NYSE (was CN, "
        "NYSE:public,half_day@11:00).\n", 0)  # fmt: skip
    queue("schedule", "set", "desk", "--holidays", "US", "--holidays-subdivision", "CA")
    shown = queue.json("schedule", "set", "desk", "--holidays-subdivision", "NY")
    assert (shown["holiday_country"], shown["holiday_subdivision"], shown["holiday_calendars"]) == ("US", "NY", [])
    done = queue("schedule", "set", "desk", "--holidays", "US", "--holidays", "DE", "--holidays-subdivision", "CA",
                 check=False)  # fmt: skip
    assert (done.returncode, "--holidays-subdivision goes with one country" in done.stderr) == (2, True)
    queue("schedule", "set", "desk", "--holidays", "NYSE")
    assert queue.json("schedule", "set", "desk", "--holidays", "none")["skip_holidays"] is False
