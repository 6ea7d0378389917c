"""forecast: what goes on which day, when each campaign is done, what never goes and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from acceptance.conftest import DAY, MINUTE, MONDAY, Queue
from acceptance.conftest import moment as read

WEDNESDAY = "2026-11-25"


def forecast(queue: Queue, *args: str, **more: Any) -> Any:
    return queue.json("forecast", "--tz", "America/New_York", *args, **more)


def days(told: Any) -> list[int]:
    return [day["sends"] for day in told["days"]]


def test_a_week_with_a_holiday(queue: Queue) -> None:
    """Office hours, a cap of 20 in its own zone, a gap of 30 minutes, Thanksgiving: 22 openings a day, 20 go."""
    queue.schedule("office", "America/New_York", ["07:00-18:00"], "mon-fri", skip_holidays=True, holiday_country="US")
    queue.ready(rows=60, schedule="office", daily_cap=20, min_gap_seconds=1800, cap_timezone="America/New_York")
    told = forecast(queue, "--drain", "--every", "30m")
    assert [(day["date"], day["sends"]) for day in told["days"]] == [
        ("2026-11-23", 16), ("2026-11-24", 20), (WEDNESDAY, 20), ("2026-11-26", 0), ("2026-11-27", 4),
        ("2026-11-28", 0), ("2026-11-29", 0),
    ]  # fmt: skip
    assert told["days"][1]["by_lane"] == {"anna linkedin_invite": 20}
    assert [campaign["campaign"] for campaign in told["campaigns"]] == ["fall"]
    finishes = read(told["finishes_at"])
    assert read(told["campaigns"][0]["finishes_at"]) == finishes
    assert timedelta() <= finishes - (MONDAY + 4 * DAY - 90 * MINUTE) < MINUTE
    assert (told["never"], told["later"]) == ([], 0)
    assert queue.statuses() == {"pending": 60}, "nothing is changed"


def test_the_cadence_of_cron_is_what_holds_the_default(queue: Queue) -> None:
    """run-once sends one message a run: 12 an hour at every 5 minutes, and the forecast says so aloud."""
    queue.ready(rows=300)
    told = forecast(queue)
    assert days(told)[:2] == [168, 132]
    assert read(told["finishes_at"]) - MONDAY - 299 * 5 * MINUTE < MINUTE
    assert told["runs_at_their_limit"] == 299
    shown = queue("forecast", "--tz", "UTC").stdout
    assert "At one message every 5m all that can go are out by Tue 2026-11-24" in shown
    assert "send-queue forecast --drain" in shown
    assert days(forecast(queue, "--drain"))[0] == 300
    assert days(forecast(queue, "--limit", "2", "--every", "1h")) == [28, 48, 48, 48, 48, 48, 32]


def test_what_never_goes_and_what_mends_it(queue: Queue) -> None:
    """Rows that wait for a person are counted with the reason, the words that were given, and a command."""
    queue.account("anna")
    queue.account("ben")
    queue.account("carla", daily_cap=0)
    queue.campaign("fall", "anna", "ben", "carla")
    queue.campaign("dark days", "anna")
    queue.enqueue(3, account="ben")
    queue.enqueue(2, account="carla")
    queue.enqueue(4, campaign="dark days", account="anna")
    queue.enqueue(1, account="anna")
    failed = queue.enqueue(2, account="anna")
    queue.conn.execute(
        "update send_queue set status = 'failed', error_code = 'x' where id = any (%s::uuid[])", (failed,)
    )
    queue("pause", "lane", "ben", "linkedin_invite", "--reason", "he is away")
    queue("pause", "campaign", "dark days")
    told = forecast(queue, "--drain")
    assert days(told)[0] == 1
    never = {(n["reason"], n["sends"]): n for n in told["never"]}
    assert set(never) == {("paused", 3), ("daily_cap", 2), ("paused", 4), ("failed", 2)}
    assert "he is away" in never["paused", 3]["detail"]
    assert never["paused", 3]["mend"] == "send-queue resume lane ben linkedin_invite"
    assert never["paused", 4]["mend"] == "send-queue resume campaign 'dark days'"
    assert never["daily_cap", 2]["mend"] == "send-queue lane set carla linkedin_invite --daily-cap N"
    shown = queue("forecast", "--tz", "UTC").stdout
    assert all(n["mend"] in shown for n in told["never"])


def test_a_row_that_expires_behind_others_is_said_to(queue: Queue) -> None:
    """Of three with a day's cap of one and two days to live, one expires."""
    queue.ready(rows=0, daily_cap=1)
    queue.enqueue(3, expires_at=MONDAY + DAY)
    told = forecast(queue, "--drain")
    assert days(told)[:3] == [2, 0, 0]  # one on Monday, and one at midnight UTC, which is Monday in New York
    assert [(n["reason"], n["sends"]) for n in told["never"]] == [("expired", 1)]


def test_a_schedule_that_does_not_open_and_what_is_past_its_time(queue: Queue) -> None:
    """Rows of a schedule that was spoilt by hand, rows that have expired, and what may have gone out, are named."""
    queue.schedule("office", "UTC", ["07:00-18:00"], "mon-fri")
    queue.account("anna", schedule="office")
    queue.account("ben")
    queue.campaign("fall", "anna", "ben")
    queue.enqueue(2, account="anna")
    queue.enqueue(3, account="ben", expires_at=MONDAY - MINUTE)
    doubtful = queue.enqueue(1, account="ben")
    queue.conn.execute("update send_queue set status = 'uncertain' where id = any (%s::uuid[])", (doubtful,))
    queue.conn.execute("update send_schedules set hours = '{}'")
    told = forecast(queue, "--drain")
    assert days(told) == [0] * 7
    never = {(n["reason"], n["sends"]): n["mend"] for n in told["never"]}
    assert set(never) == {("schedule", 2), ("expired", 3), ("uncertain", 1)}
    assert never["schedule", 2] == "send-queue schedule show office"


def test_chance_adds_its_mean_to_the_gap(queue: Queue) -> None:
    """A gap of 30 minutes with up to 20 of jitter is one of 40."""
    queue.ready(rows=4, min_gap_seconds=1800, jitter_seconds=1200)
    told = forecast(queue, "--drain", "--every", "5m")
    assert timedelta() <= read(told["finishes_at"]) - (MONDAY + 120 * MINUTE) < MINUTE


def test_days_are_those_of_the_zone(queue: Queue) -> None:
    """The same sends fall on other dates elsewhere, and the zone is always shown."""
    queue.ready(rows=4, min_gap_seconds=6 * 3600)
    assert days(queue.json("forecast", "--drain", "--tz", "UTC", "--days", "2")) == [2, 2]
    told = queue.json("forecast", "--drain", "--tz", "Asia/Tokyo", "--days", "2")
    assert [day["date"] for day in told["days"]] == ["2026-11-24", "2026-11-25"]
    assert days(told) == [4, 0]
    assert told["timezone"] == "Asia/Tokyo"
    assert "JST" in queue("forecast", "--tz", "Asia/Tokyo").stdout.splitlines()[0]
    assert "CET" in queue("forecast", env={"TZ": "Europe/Berlin"}).stdout.splitlines()[0]


def test_an_empty_queue_has_a_forecast_too(queue: Queue) -> None:
    """Nothing goes, and no list is missing."""
    told = forecast(queue, "--days", "3")
    assert days(told) == [0, 0, 0]
    assert (told["finishes_at"], told["campaigns"], told["never"]) == (None, [], [])
    assert "Nothing goes." in queue("forecast").stdout


@pytest.mark.parametrize(("option", "value", "says"), [
    ("--every", "0s", "write 5m"), ("--every", "often", "not a duration"), ("--tz", "EST5", "There is no time zone"),
    ("--days", "0", "from 1 to 3660"),
])  # fmt: skip
def test_wrong_usage_is_told_how_to_write_it(queue: Queue, option: str, value: str, says: str) -> None:
    """One sentence, exit status 2."""
    done = queue("forecast", option, value, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
