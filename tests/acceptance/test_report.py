"""The report: the page that cron writes, as a browser shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import DAY, HOUR, MONDAY, Queue
from send_queue.intake import files
from send_queue.sandbox import Fault

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

NOW = MONDAY + 2 * HOUR

FIGURES = {"today": "3", "week": "3", "taken": "60.0%", "pending": "4", "failed": "2", "uncertain": "0"}
"""What the page of the queue below says at NOW, in its tiles; of nine rows one was skipped."""


@pytest.fixture
def week(queue: Queue) -> Queue:
    """Two accounts in the week of Thanksgiving: one sent 3, 2 failed, ben is paused; a name tries to be markup."""
    queue.schedule("office", "America/New_York", ["07:00-18:00"], "mon-fri", skip_holidays=True, holiday_country="US")
    queue.account(daily_cap=4, weekly_cap=20, schedule="office")
    queue.account("<b>ben</b>", daily_cap=9)
    queue.campaign("fall", "anna", "<b>ben</b>")
    queue.enqueue(5, account="anna")
    queue.enqueue(5, account="<b>ben</b>")
    queue("pause", "account", "<b>ben</b>", "--reason", "rain & wind")
    queue("run-once", "--limit", "3")
    for n, (status, code) in enumerate([("failed", "invalid_recipient"), ("failed", "gone"), ("skipped", "cancelled")]):
        queue.conn.execute(
            "update send_queue set status = %s, error_code = %s, updated_at = %s where id = ("
            "select id from send_queue where status = 'pending' order by scheduled_for desc limit 1)",
            (status, code, MONDAY + n * HOUR),
        )  # fmt: skip
    return queue


def written(queue: Queue, to: Path, *args: str, now: datetime = NOW) -> str:
    queue("report", "-o", to, *args, now=now)
    return to.read_text(encoding="utf-8")


# --- the file ---------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else(week: Queue, tmp_path: Path) -> None:
    """No script, no address of another place, no other file; small; and text of others is text."""
    page = written(week, tmp_path / "report.html")
    assert not re.search(r"<script|<link (?!rel=.icon. href=.data:)|https?://|@import|url\(| on\w+=", page)
    assert len(page.encode()) < 300_000
    assert "<b>ben" not in page
    assert "&lt;b&gt;ben&lt;/b&gt;" in page
    assert "Hello" not in page, "the text of a message is nobody's business"


def test_the_page_is_there_whole_or_not_at_all(week: Queue, tmp_path: Path) -> None:
    """It takes the place of the last one, leaves nothing else behind, and may be read as other files may."""
    page = tmp_path / "report.html"
    page.write_text("the last one")
    assert written(week, page).rstrip().endswith("</html>")
    assert page.stat().st_mode & 0o444 == 0o444
    assert {path.name for path in tmp_path.iterdir() if "report" in path.name} == {"report.html"}
    refused = week("report", "-o", tmp_path / "no" / "such.html", check=False)
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr


def test_what_is_no_file_is_written_to_and_stays(week: Queue, tmp_path: Path) -> None:
    """A pipe, a link and an open file are written to, never replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_text)
        week("report", "-o", pipe, now=NOW)
        assert read.result(60).startswith("<!doctype html>")
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    week("report", "-o", tmp_path / "link", now=NOW)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith("<!doctype html>")
    log = tmp_path / "log"
    log.write_text("before\n")
    same = log.stat().st_ino
    with log.open("a") as out:
        files.write(Path(f"/dev/fd/{out.fileno()}"), "after\n")
    assert (log.read_text(), log.stat().st_ino) == ("before\nafter\n", same)


def test_without_a_file_it_goes_to_standard_output(week: Queue) -> None:
    """And --json gives the figures, with what to do."""
    assert week("report", now=NOW).stdout.startswith("<!doctype html>")
    figures = week.json("report", "--days", "3", now=NOW)
    assert figures["queue"] == {"pending": 4, "sent": 3, "failed": 2, "skipped": 1}
    assert [day["used"] for day in figures["usage"]["days"]] == [0, 0, 3]
    assert [item["command"] for item in figures["advice"]] == [
        "send-queue retry --code CODE   (or cancel ID)", "send-queue resume account '<b>ben</b>'",
    ]  # fmt: skip
    assert (figures["oldest_due"], figures["next_due"]) == ((MONDAY - HOUR).isoformat(), None)
    [office] = figures["calendars"]
    assert [day["closed"] for day in office["days"]] == [None, None, None, "holiday", None, "weekend", "weekend"]


def test_holidays_are_shaded_in_past_days_and_days_to_come(week: Queue) -> None:
    """A day on which every schedule in use is closed is grey like a weekend, and its title has the reason."""
    for now in (NOW, NOW + 7 * DAY):  # three days before Thanksgiving, and four after it
        page = week("report", now=now).stdout
        assert re.search(r'<title>Thu 26 Nov \(Thanksgiving[^<]*\): nothing[^<]*</title><rect class="off"', page), now
        assert not re.search(r'<title>Wed 25 Nov: [^<]*</title><rect class="off"', page)
    week.schedule("elsewhere", "Europe/Paris", ["09:00-17:00"], "mon-fri")
    week.account("carl", schedule="elsewhere")
    assert "Thu 26 Nov: nothing" in week("report", now=NOW + 7 * DAY).stdout


def test_the_forecast_may_be_left_out(week: Queue) -> None:
    """--no-forecast leaves it out and says so; the page stands without it."""
    page = week("report", "--no-forecast", now=NOW).stdout
    assert "There is no forecast here" in page
    assert json.loads(week("report", "--no-forecast", "--json", now=NOW).stdout)["finishes_at"] is None


def test_an_empty_queue_has_a_page(queue: Queue) -> None:
    """Nothing is wrong where nothing is."""
    page = queue("report").stdout
    assert "All is well.</strong> 0 sent today" in page
    assert "There are no campaigns yet." in page


def test_moments_of_another_year_have_their_year(week: Queue, tmp_path: Path) -> None:
    """Those of the report's own have none, for they are read at a glance."""
    assert "due since 23 Nov, 14:00" in written(week, tmp_path / "report.html", "--tz", "UTC")
    later = written(week, tmp_path / "report.html", "--tz", "UTC", now=MONDAY + 60 * DAY)
    assert "due since 23 Nov 2026, 14:00" in later


def test_the_page_says_what_was_played(week: Queue, tmp_path: Path) -> None:
    """The queue is played forward as `forecast` does it, by the same options and the same defaults."""
    week.enqueue(600, account="anna")
    week.lane("anna", daily_cap=None, weekly_cap=None)
    for args, said in (
        ([], "Played forward with <code>run-once</code> every 5 min, one send a run, "),
        (["--limit", "20", "--every", "1h"], "Played forward with <code>run-once</code> every 1 h, 20 sends a run, "),
        (["--drain"], "Played forward with <code>run</code> every 5 min, all that may go a run, "),
    ):
        page = written(week, tmp_path / "report.html", *args, "--tz", "UTC")
        told = page[page.index('<section id="ahead">') : page.index('<section id="campaigns">')]
        figures = week.json("report", *args, "--tz", "UTC", now=NOW)
        forecast = week.json("forecast", *args, "--tz", "UTC", now=NOW)
        assert said in told
        assert ("runs could send more than their limit" in told) == bool(forecast["runs_at_their_limit"])
        assert re.findall(r'<th scope="row">[^<]*</th><td class="num">(\d+)</td>', told) == [
            str(day["sends"]) for day in forecast["days"]
        ]
        assert (figures["every"], figures["limit"]) == (forecast["every"], forecast["limit"])
        assert figures["finishes_at"][:16] == forecast["finishes_at"][:16]  # to the minute: time runs on
    assert "write 5m" in week("report", "--every", "0s", check=False).stderr


def test_what_is_in_doubt_is_told_apart_from_what_was_sent(queue: Queue) -> None:
    """The headline counts what was accepted; lanes that nothing ever went through lend it no caps."""
    queue.ready(rows=4, daily_cap=4)
    queue.account("idle", daily_cap=100)
    queue("run-once")
    queue.sandbox.order(Fault(op="invite", status=500, times=1))
    queue("run-once", now=MONDAY + HOUR)
    page = queue("report", now=NOW).stdout
    assert "1 sent today, 1 uncertain, 2 waiting" in page
    assert '<p data-figure="today">1</p>' in page
    assert "1 more uncertain; 4 allowed by the caps" in page


def test_answers_are_told_where_there_are_any(queue: Queue) -> None:
    """Where nothing was accepted, nothing is said of how long answers took; what was released has its colour."""
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="invalid_recipient", times=1))
    queue("run-once")
    page = queue("report", now=NOW).stdout
    assert "were second or later tries." in page
    assert "Half the answers" not in page
    assert '<span class="chip"><i class="released"></i>released</span>' in page
    queue("run-once", now=MONDAY + HOUR)
    assert "Half the answers came within" in queue("report", now=NOW).stdout


# --- in a browser -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Chromium, which notes down what it complains of."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no chromium with its chromedriver here")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
                   "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage",
                   f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):  # fmt: skip
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_it(week: Queue, tmp_path: Path, browser: Any, width: int, scheme: str) -> None:
    """On a phone and on a desk, by day and by night: no complaint, nothing wider than the screen, the right figures,
    and letters that stand out from what is behind them."""
    written(week, tmp_path / "report.html", "--days", "7")
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500})  # fmt: skip
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                            {"features": [{"name": "prefers-color-scheme", "value": scheme}]})  # fmt: skip
    browser.get((tmp_path / "report.html").as_uri())

    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("""
        return [...document.querySelectorAll('section, .tile, svg.plot, svg.strip, .lane > div')]
            .filter(e => e.getBoundingClientRect().right > innerWidth || e.getBoundingClientRect().left < 0)
            .map(e => e.outerHTML.slice(0, 200))""") == []  # fmt: skip
    shown = """return Object.fromEntries(
        [...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.innerText]))"""
    assert browser.execute_script(shown) == FIGURES
    fall = browser.execute_script("return document.querySelector('[data-campaign=fall]').innerText")
    assert {"3", "4", "2", "1", "60.0%", "40.0%"} <= set(fall.split())
    ink, paper = browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    assert contrast(ink, paper) > 7  # WCAG's AAA
    assert (brightness(paper) > 0.5) == (scheme == "light")


def test_the_columns_are_as_high_as_the_figures_say(week: Queue, tmp_path: Path, browser: Any) -> None:
    """Today's column reaches three quarters of the way to anna's cap, and the holiday is in the calendar."""
    written(week, tmp_path / "report.html", "--days", "7", now=NOW)
    browser.get((tmp_path / "report.html").as_uri())
    lane = browser.execute_script("""
        const strip = [...document.querySelectorAll('.lane')].find(e => e.innerText.includes('anna'));
        const bar = [...strip.querySelectorAll('rect')].pop().getBoundingClientRect();
        const cap = strip.querySelector('.cap').getBoundingClientRect();
        return [bar.height, bar.bottom - cap.top]""")
    assert lane[0] / lane[1] == pytest.approx(3 / 4, abs=0.05)
    assert "holiday: Thanksgiving Day" in browser.execute_script(
        "return document.querySelector('#calendar').textContent"
    )
    words = browser.execute_script(
        "return [...document.querySelectorAll('svg[role=img]')].map(e => e.querySelector('desc').textContent)"
    )
    assert any("Mon 23 Nov: 3 linkedin_invite, of 13 that the caps allow" in told for told in words)
    assert all(words)


def test_the_forecast_is_that_of_the_command(week: Queue, tmp_path: Path, browser: Any) -> None:
    """The page plays the queue forward as `forecast` does: day by day the same."""
    written(week, tmp_path / "report.html", now=NOW)
    browser.get((tmp_path / "report.html").as_uri())
    told = browser.execute_script("return document.querySelector('#ahead table').textContent")
    forecast = week.json("forecast", now=NOW)
    figures = re.findall(r"(\w{3} \d\d \w{3})(\d+)", told)
    assert [int(n) for _, n in figures] == [day["sends"] for day in forecast["days"]]
    assert datetime.fromisoformat(forecast["finishes_at"]) < MONDAY + 7 * DAY


def brightness(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    lower, upper = sorted([brightness(one), brightness(other)])
    return (upper + 0.05) / (lower + 0.05)
