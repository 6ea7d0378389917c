"""forecast: when each send goes."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.app import App, json_option, simulation_options, tz_option
from send_queue.cli.output import as_json, printable, short, table, terminal_width
from send_queue.cli.whole import Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from send_queue.insight.forecast import Day, Forecast

WIDEST_BAR = 20
"""Characters of the busiest day's bar."""

LANES_NAMED = 2
"""Lanes that a day names for people; it counts the others."""


@click.command("forecast")
@click.option("--days", type=Whole(1, 3660), default=7, show_default=True, help="The days to show, today included.")
@simulation_options
@tz_option
@json_option
@click.pass_obj
def forecast_command(
    app: App, /, days: int, every: timedelta, limit: int, drain: bool, tz: tzinfo, json_: bool
) -> None:
    """Simulate the queue: sends a day, the end of each campaign, and sends that never go, with the reason.

    \b
    Example: send-queue forecast --days 10 --every 30m --limit 5
    """
    from send_queue.insight import forecast

    with app.database() as conn:
        found = forecast.forecast(conn, app.now(), days, every, None if drain else limit, tz)
    click.echo(as_json(_object(found)) if json_ else "\n".join(_lines(found)))


def _object(found: Forecast) -> dict[str, Any]:
    return {
        "at": found.at,
        "every": found.every,
        "limit": found.limit,
        "timezone": str(found.tz),
        "days": [{"date": day.date.isoformat(), "sends": day.sends, "by_lane": day.by_lane} for day in found.days],
        "finishes_at": found.finishes_at,
        "campaigns": [
            {"workspace": c.workspace, "campaign": c.campaign, "pending": c.pending, "goes": c.goes,
             "finishes_at": c.finishes_at} for c in found.campaigns
        ],
        "never": [
            {"reason": n.reason, "sends": n.sends, "detail": n.detail, "mend": n.mend} for n in found.never
        ],
        "later": found.later,
        "runs_at_their_limit": found.at_its_limit,
    }  # fmt: skip


def _lines(found: Forecast) -> Iterator[str]:
    """Write a forecast for people."""
    how = "run" if found.limit is None else f"run-once --limit {found.limit}"
    yield f"Forecast from {short(found.at, found.tz)}, with `send-queue {how}` every {_length(found.every)}."
    yield ""
    most = max((day.sends for day in found.days), default=0)
    rows = [
        {
            "date": day.date.isoformat(),
            "day": f"{day.date:%a}",
            "sends": f"{day.sends:,}",
            "bar": "#" * -(-day.sends * WIDEST_BAR // most) if day.sends else "",
            "by_lane": _by_lane(day),
        }
        for day in found.days
    ]
    yield table(rows, ("date", "day", "sends", "bar", "by_lane"), terminal_width(), ("bar", "by_lane"))
    yield ""
    yield from _ends(found)
    if found.campaigns:
        yield ""
        campaigns = [
            {
                "workspace": c.workspace,
                "campaign": c.campaign,
                "pending": f"{c.pending:,}",
                "goes": f"{c.goes:,}",
                "finishes": short(c.finishes_at, found.tz) if c.finishes_at else None,
            }
            for c in found.campaigns
        ]
        columns = ("workspace", "campaign", "pending", "goes", "finishes")
        yield table(campaigns, columns, terminal_width(), ("workspace",))
    if found.never:
        yield ""
        yield "These do not go unless somebody acts:"
        for never in found.never:
            yield f"  {never.sends:,} {never.reason}: {printable(never.detail)} Mend it: {printable(never.mend)}"


def _ends(found: Forecast) -> Iterator[str]:
    """Say when all is done, and whether cron's cadence delays it."""
    pace = f"{found.limit or 0:,} messages" if found.limit != 1 else "one message"
    at_this = f"At {pace} every {_length(found.every)} " if found.at_its_limit else ""
    if found.later:
        yield f"{at_this or 'It takes longer: '}{found.later:,} are left after five years."
    elif found.finishes_at:
        yield f"{at_this}{'all' if at_this else 'All'} that can go are out by {short(found.finishes_at, found.tz)}."
    else:
        yield "Nothing goes."
    if found.at_its_limit:
        yield (
            f"{found.at_its_limit:,} runs could send more than their limit: `send-queue run` would, see "
            "`send-queue forecast --drain`."
        )


def _by_lane(day: Day) -> str:
    lanes = sorted(day.by_lane.items(), key=lambda lane: (-lane[1], lane[0]))
    named = ", ".join(f"{name} {sends:,}" for name, sends in lanes[:LANES_NAMED])
    rest = lanes[LANES_NAMED:]
    return f"{named}, {len(rest):,} others {sum(n for _, n in rest):,}" if rest else named


def _length(length: timedelta) -> str:
    """Write a duration as options take it: 1h30m."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        n, seconds = divmod(seconds, size)
        parts += [f"{n}{unit}"] if n else []
    return "".join(parts)
