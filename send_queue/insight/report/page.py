"""Write the report's HTML from its data; template and style lie beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from math import ceil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from send_queue.insight.report import charts
from send_queue.insight.report.charts import Column
from send_queue.insight.report.figures import Calendar, Figures
from send_queue.model import CHANNELS, Json
from send_queue.rules import zones

CAMPAIGNS = 40
"""Campaigns shown: active ones, then those that sent last."""

MAX_NEVER_REASONS = 20
"""The most reasons shown for sends that never go."""

WITHIN = {60: "1 min", 600: "10 min", 3600: "1 h", 21_600: "6 h", 86_400: "1 day", 604_800: "1 week", None: "more"}
"""Labels of the columns of waiting times."""

OUTCOMES = {"sent": "sent", "already_done": "skipped", "retry": "retry", "held": "held", "failed": "failed",
            "uncertain": "uncertain", "released": "released"}  # fmt: skip
"""Outcomes of tries, and their colours."""


def html(figures: Figures) -> str:
    """Write the report as one self-contained HTML page."""
    env = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.filters.update(
        moment=_moment(figures.zone),
        brief=_brief(figures.zone, figures.at),
        span=span,
        n=lambda n: f"{n:,}",
        percent=percent,
    )
    return _harmless(env.get_template("page.html.j2").render(_told(figures)))


def _told(figures: Figures) -> dict[str, Any]:
    """Return the template's variables."""
    past, status = figures.past, figures.status
    channels = [c for c in CHANNELS if any(day["channel"] == c for day in past["usage"]["days"])]
    counts = {name: status["queue"].get(name, 0) for name in
              ("pending", "sending", "sent", "failed", "skipped", "uncertain")}  # fmt: skip
    lanes = {(lane["workspace"], lane["account"], lane["channel"]): lane for lane in status["lanes"]}
    return {
        "f": figures,
        "counts": counts,
        "channels": channels,
        "today": past["usage"]["today"],
        "in_seven_days": sum(lane["used_week"] for lane in status["lanes"]),
        "taken": _rate(counts),
        "sent_by_day": _sent_by_day(figures, channels),
        "days": _by_day(past["usage"]["days"]),
        "dates": [date.fromisoformat(past["usage"]["first"]) + timedelta(days=n) for n in range(figures.days)],
        "lanes": [_lane(told, lanes.get((told["workspace"], told["account"], told["channel"])), figures)
                  for told in past["usage"]["lanes"]],
        "calendars": [(known, _calendar(known, figures.at)) for known in figures.calendars],
        "ahead": _ahead(figures, channels),
        # The page shows failed and uncertain sends elsewhere.
        "never": [n for n in figures.ahead.never if n.reason not in ("failed", "uncertain")][:MAX_NEVER_REASONS]
                 if figures.ahead else [],
        "campaigns": _campaigns(figures),
        "campaigns_in_all": len(status["campaigns"]),
        "waited": _waited(past["tries"]["waited"]),
        "outcomes": _outcomes(past["tries"]["outcomes"]),
        "colours": {name.replace("_", " "): css for name, css in OUTCOMES.items()},
        "hours_of": charts.hours_of,
        "several_workspaces": len({lane["workspace"] for lane in status["lanes"]}) > 1,
        "style": Markup((Path(__file__).parent / "style.css").read_text(encoding="utf-8")),
    }  # fmt: skip


# --- charts -----------------------------------------------------------------------------------------------


def _by_day(rows: Sequence[Json]) -> dict[date, dict[str, Json]]:
    found: dict[date, dict[str, Json]] = {}
    for row in rows:
        found.setdefault(date.fromisoformat(row["day"]), {})[row["channel"]] = row
    return found


def _sent_by_day(figures: Figures, channels: Sequence[str]) -> Markup:
    usage = figures.past["usage"]
    bars = []
    for day, by_channel in _by_day(usage["days"]).items():
        parts = [by_channel[c]["used"] if c in by_channel else 0 for c in channels]
        capped = [row for row in by_channel.values() if row["cap"] is not None]
        # Draw the cap's line only if the cap covers all parts of the column.
        cap = (
            sum(row["cap"] for row in capped)
            if capped and not any(r["uncapped"] for r in by_channel.values())
            else None
        )
        bars.append(_column_of(day, parts, channels, cap, figures.holidays.get(day)))
    told = "; ".join(bar.title for bar in bars)
    return charts.columns(
        "Sends per day and channel against the caps of the lanes in use", told, bars, _classes(channels)
    )


def _column_of(
    day: date, parts: Sequence[int], channels: Sequence[str], cap: int | None, holiday: str | None
) -> Column:
    told = ", ".join(f"{n:,} {name}" for name, n in zip(channels, parts, strict=True) if n) or "nothing"
    title = f"{day:%a %d %b}{f' ({holiday})' if holiday else ''}: {told}" + (
        f", of {cap:,} that the caps allow" if cap is not None else ""
    )
    return Column(f"{day.day}", f"{day:%a}"[:2], parts, cap, holiday is not None or day.weekday() > 4, title)


def _classes(channels: Sequence[str]) -> list[str]:
    return [f"of-{channel}" for channel in channels]


def _lane(told: Json, lane: Json | None, figures: Figures) -> Json:
    name = f"{told['account']}, {told['channel']}"
    days = ", ".join(map(str, told["used"]))
    cap = f", cap {told['cap']}" if told["cap"] is not None else ""
    drawn = charts.strip(f"Sends per day of {name}", f"From {figures.past['usage']['first']} on: {days}{cap}",
                         told["used"], told["cap"])  # fmt: skip
    return {**told, "drawn": drawn, "now": lane}


def _calendar(known: Calendar, at: datetime) -> Markup | None:
    if not known.days:
        return None
    there = at.astimezone(zones.zone(known.timezone))
    return charts.calendar(f"Open hours of {known.name}, in {known.timezone}", known.days,
                           there.hour + there.minute / 60)  # fmt: skip


def _ahead(figures: Figures, channels: Sequence[str]) -> Markup | None:
    if figures.ahead is None:
        return None
    bars = []
    for day in figures.ahead.days:
        by_channel: Mapping[str, int] = {c: sum(n for lane, n in day.by_lane.items() if lane.endswith(f" {c}"))
                                         for c in channels}  # fmt: skip
        holiday = figures.holidays.get(day.date)
        bars.append(_column_of(day.date, [by_channel[c] for c in channels], channels, None, holiday))
    told = "; ".join(bar.title for bar in bars)
    return charts.columns("Sends per day to come", told, bars, _classes(channels))


def _waited(waited: Json) -> Markup | None:
    if waited["median"] is None:
        return None
    bars = [Column(WITHIN[row["seconds"]], "", [row["n"]], title=f"{WITHIN[row['seconds']]}: {row['n']:,}")
            for row in waited["within"]]  # fmt: skip
    return charts.columns("How long sends had been due when they went", "; ".join(bar.title for bar in bars), bars,
                          ["used"])  # fmt: skip


def _outcomes(outcomes: Mapping[str, int]) -> Markup:
    parts = [(OUTCOMES[name], name.replace("_", " "), outcomes.get(name, 0)) for name in OUTCOMES]
    return charts.split("What became of the newest tries", parts)


def _campaigns(figures: Figures) -> list[Json]:
    done_by = {(c.workspace, c.campaign): c.finishes_at for c in figures.ahead.campaigns} if figures.ahead else {}
    order = {"active": 0, "paused": 1, "done": 2}
    newest = sorted(figures.status["campaigns"], key=lambda c: c["last_sent_at"] or "", reverse=True)
    found = []
    for c in sorted(newest, key=lambda c: order[c["status"]])[:CAMPAIGNS]:
        parts = [("sent", "sent", c["sent"]), ("skipped", "skipped", c["skipped"]), ("failed", "failed", c["failed"]),
                 ("uncertain", "uncertain", c["uncertain"]), ("sending", "in flight", c["in_flight"]),
                 ("waiting", "pending", c["pending"])]  # fmt: skip
        found.append({
            **c,
            "drawn": charts.split(f"The sends of {c['campaign']}", parts),
            "rate": _rate(c),
            "failure_rate": _rate({**c, "sent": c["failed"], "failed": c["sent"]}),
            "done_by": done_by.get((c["workspace"], c["campaign"])),
        })  # fmt: skip
    return found


def _rate(counts: Mapping[str, Any]) -> float | None:
    """Return the share of sent among sent, failed and uncertain; None if there are none of these."""
    tried = counts["sent"] + counts["failed"] + counts["uncertain"]
    return counts["sent"] / tried if tried else None


# --- words ------------------------------------------------------------------------------------------------


def _harmless(page: str) -> str:
    """Replace control characters and direction marks of stored text by their codes; the page itself uses only line
    ends."""
    return re.sub(r"[^\x20-\x7e\n]", lambda c: c[0] if c[0].isprintable() else f"\\x{ord(c[0]):02x}", page)


def _moment(zone: tzinfo) -> Any:
    def moment(when: str | datetime | None, form: str = "%a %d %b %Y, %H:%M %Z") -> str:
        if when is None:
            return "-"
        return f"{(datetime.fromisoformat(when) if isinstance(when, str) else when).astimezone(zone):{form}}"

    return moment


def _brief(zone: tzinfo, at: datetime) -> Any:
    moment, year = _moment(zone), at.astimezone(zone).year

    def brief(when: str | datetime | None) -> str:
        """Write a moment to the minute, with its year if it is not the report's."""
        this = moment(when, "%Y") == str(year)
        return str(moment(when, "%d %b, %H:%M" if this else "%d %b %Y, %H:%M"))

    return brief


def span(seconds: float | None) -> str:
    """Write a time in its two largest units.

    >>> span(0.0042), span(4.2), span(42), span(3900), span(200_000), span(None)
    ('5 ms', '4.2 s', '42 s', '1 h 5 min', '2 d 7 h', '-')

    Milliseconds round up, so that none becomes 0.
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{max(1, ceil(seconds * 1000)):,} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    while parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{n} {unit}" for n, unit in parts[:2] if n)


def percent(share: float | None) -> str:
    """Write a share, never rounded to 0% or 100%.

    >>> percent(0.98765), percent(0.99999), percent(1.0), percent(0.0001), percent(None)
    ('98.8%', '>99.9%', '100%', '<0.1%', '-')
    """
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{share:.0%}"
    return "<0.1%" if share < 0.001 else ">99.9%" if share > 0.999 else f"{share:.1%}"
