"""The report's pure parts: the week, the advice, the charts."""

from __future__ import annotations

import doctest
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from send_queue.cli import status_terminal
from send_queue.insight.report import charts, page
from send_queue.insight.report.advice import advice
from send_queue.insight.report.charts import Column
from send_queue.insight.report.week import Day, week
from send_queue.rules import schedule_text

WEDNESDAY = datetime(2026, 11, 25, 15, 20, tzinfo=UTC)
"""The day before Thanksgiving."""


@pytest.mark.parametrize("module", [charts, page, status_terminal], ids=lambda module: module.__name__)
def test_the_examples_are_true(module: Any) -> None:
    """What the docstrings say is so."""
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)


# --- the week ---------------------------------------------------------------------------------------------


def schedule(*hours: str, days: str = "mon-fri", zone: str = "America/New_York", **more: Any) -> Any:
    return schedule_text.schedule_from({
        "name": "office", "timezone": zone, "hours": schedule_text.hours_from_text(hours, days), **more
    })  # fmt: skip


def test_a_week_has_open_hours_holidays_and_weekends() -> None:
    """Seven days from today, on the schedule's own clock, each closed one with its reason."""
    office = schedule("07:00-12:00", "13:00-18:00", skip_holidays=True, holiday_country="US", closed_on=["2026-11-30"])
    open_day = ((420, 720), (780, 1080))
    assert week(office, WEDNESDAY) == [
        Day(date(2026, 11, 25), open_day, None, ""),
        Day(date(2026, 11, 26), (), "holiday", "Thanksgiving Day"),
        Day(date(2026, 11, 27), open_day, None, ""),
        Day(date(2026, 11, 28), (), "weekend", "Saturday"),
        Day(date(2026, 11, 29), (), "weekend", "Sunday"),
        Day(date(2026, 11, 30), (), "holiday", "closed on 2026-11-30"),
        Day(date(2026, 12, 1), open_day, None, ""),
    ]


def test_a_scale_ends_for_every_figure() -> None:
    """Its steps are counted: one beyond the largest count has steps of the largest size."""
    for most in (0, 1, 9, 10**19, 10**30):
        top, step = charts._scale(most)
        assert top >= most
        assert step <= 10**charts.MAX_POWER


def test_a_night_shift_is_open_on_two_days() -> None:
    """What runs over midnight is on both, and what began yesterday is there this morning."""
    nights = schedule("22:00-02:00", days="mon-sun", zone="UTC")
    assert {day.open for day in week(nights, WEDNESDAY)} == {((0, 120), (1320, 1440))}


def test_a_schedule_that_never_opens_is_closed_all_week() -> None:
    """It is told, and nothing fails."""
    never = schedule("07:00-08:00", days="sun", closed_on=[
        date.fromordinal(date(2026, 11, 22).toordinal() + 7 * n).isoformat() for n in range(120)
    ])  # fmt: skip
    assert [day.open for day in week(never, WEDNESDAY)] == [()] * 7


# --- the advice -------------------------------------------------------------------------------------------


def lane(account: str, why: str | None, channel: str = "email", workspace: str = "default") -> dict[str, Any]:
    return {"workspace": workspace, "account": account, "channel": channel, "why": why, "used_week": 0}


def status(*lanes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lanes": list(lanes), "failed": 0, "uncertain": 0, "retrying": {}, "look_ups": {"sends": 0}, **more}


def test_each_trouble_has_the_command_that_sees_to_it() -> None:
    """What needs a person first; of an account once, however many lanes it has."""
    found = advice(status(
        lane("anna", "paused: lane: too many declines"),
        lane("ben", "disconnected: bad_key"), lane("ben", "disconnected: bad_key", "sms"),
        lane("o'neil", "paused: on holiday"), lane("carla", "provider_hold: limit: Wait."),
        lane("dora", "daily_cap: Daily limit reached (5/5)"), lane("emma", None),
        failed=3, uncertain=2, retrying={"http_503": 4},
    ))  # fmt: skip
    assert [(item.weight, item.what, item.command) for item in found] == [
        ("bad", "The account ben is disconnected: bad_key.", "send-queue resume account ben"),
        ("bad", "3 sends failed and will not be retried.", "send-queue retry --code CODE   (or cancel ID)"),
        ("doubt", "2 sends may or may not have gone out.", "send-queue settle ID --sent   (or --not-sent)"),
        ("wait", "The account anna, email, is paused: too many declines.", "send-queue resume lane anna email"),
        ("wait", "The account o'neil is paused: on holiday.", "send-queue resume account 'o'\"'\"'neil'"),
        ("wait", "The account carla, email, is held by its provider: limit: Wait.",
         "send-queue resume lane carla email"),
        ("wait", "4 sends met http_503 and will be retried.", None),
    ]  # fmt: skip


def test_a_workspace_that_is_paused_is_told_once() -> None:
    """Not for each of its lanes; and where there are several, commands say which one they mean."""
    found = advice(status(
        lane("anna", "paused: workspace: outage", workspace="acme"), lane("ben", "paused: workspace: outage",
             workspace="acme"), lane("anna", "paused: lane", workspace="other"),
    ))  # fmt: skip
    assert [(item.what, item.command) for item in found] == [
        ("The workspace acme is paused: outage.", "send-queue resume workspace acme"),
        ("The account anna, email, is paused.", "send-queue resume lane anna email --workspace other"),
    ]


def test_campaigns_that_are_paused_are_resumed_by_their_name() -> None:
    """Once for all their lanes; of several the list says which; those that are done need nobody."""
    found = advice(status(
        lane("anna", "paused: campaign fall: boss said so"), lane("ben", "paused: campaign fall: boss said so"),
        lane("carla", "paused: 3 campaigns"), lane("dora", "done: campaign fall"),
    ))  # fmt: skip
    assert [(item.weight, item.what, item.command) for item in found] == [
        ("wait", "The campaign fall is paused: boss said so.", "send-queue resume campaign fall"),
        ("wait", "Nothing goes from the account carla: 3 campaigns are paused.", "send-queue campaign list"),
    ]


def test_nothing_to_see_to() -> None:
    """A quiet queue has no advice; what the provider is asked about needs nobody yet."""
    assert advice(status(lane("anna", None))) == []
    [item] = advice(status(uncertain=2, look_ups={"sends": 2}))
    assert (item.weight, item.command) == ("doubt", None)


# --- the charts -------------------------------------------------------------------------------------------


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_columns_stand_on_each_other_and_end_below_their_cap() -> None:
    """Heights are in proportion, and the line is where the cap is."""
    svg = drawn(charts.columns("Sends", "told", [Column("1", "Mo", [30, 10], 50)], ["a", "b"]))
    a, b = (svg.find(f".//rect[@class='{name}']") for name in "ab")
    line = svg.find(".//line[@class='cap']")
    assert a is not None
    assert b is not None
    assert line is not None
    assert float(a.attrib["height"]) == pytest.approx(3 * float(b.attrib["height"]), abs=0.3)
    assert float(a.attrib["y"]) == pytest.approx(float(b.attrib["y"]) + float(b.attrib["height"]), abs=0.2)
    assert float(line.attrib["y1"]) < float(b.attrib["y"])


def test_each_chart_has_words_for_who_does_not_see_it() -> None:
    """A title and a description that its ids name, no two alike; and what is in them cannot be markup."""
    nasty = "</title><script>alert(1)</script>"
    all_of_them = "".join([
        charts.columns(nasty, nasty, [Column(nasty, nasty, [1], title=nasty)], ["a"]),
        charts.strip(nasty, nasty, [1, 2], 2),
        charts.split(nasty, [("a", nasty, 3)]),
        charts.calendar(nasty, [Day(date(2026, 11, 26), (), "holiday", nasty)], 7.5),
    ])  # fmt: skip
    page = drawn(f"<div>{all_of_them}</div>")
    images = page.findall(".//svg[@role='img']")
    ids = [name for image in images for name in image.attrib["aria-labelledby"].split()]
    assert (len(images), len(set(ids))) == (4, 8)
    assert {name for name in ids if page.find(f".//*[@id='{name}']") is None} == set()
    assert page.findall(".//script") == []


def test_each_outcome_of_a_try_has_a_colour_of_its_own() -> None:
    """One that the style knows."""
    style = (Path(page.__file__).parent / "style.css").read_text(encoding="utf-8")
    assert len(set(page.OUTCOMES.values())) == len(page.OUTCOMES)
    assert [css for css in page.OUTCOMES.values() if f".{css} {{ --fill" not in style] == []


def test_nothing_to_draw_is_drawn_as_nothing() -> None:
    """No days, no sends, no cap."""
    empty = [
        charts.columns("t", "d", [], []), charts.columns("t", "d", [Column("", "", [0])], ["a"]),
        charts.strip("t", "d", [0, 0], 0), charts.strip("t", "d", [], None), charts.split("t", []),
    ]  # fmt: skip
    for svg in empty:
        assert [rect.attrib["class"] for rect in drawn(svg).iter("rect") if rect.attrib["class"] != "off"
                and float(rect.attrib["height"])] == []  # fmt: skip
