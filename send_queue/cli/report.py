"""report: a page about the queue."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.app import App, json_option, simulation_options, tz_option
from send_queue.cli.output import as_json
from send_queue.cli.whole import Whole
from send_queue.intake import files
from send_queue.model import UserError

if TYPE_CHECKING:
    from send_queue.insight.report import Figures


@click.command("report")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-",
              metavar="FILE", help="Write to FILE, whole or not at all.  [default: standard output]")  # fmt: skip
@click.option("--days", type=Whole(2, 92), default=14, show_default=True, help="The days to look back.")
@simulation_options
@click.option("--forecast/--no-forecast", default=None,
              help="Simulate the queue.  [default: if no more than 20,000 sends wait]")  # fmt: skip
@tz_option
@json_option
@click.pass_obj
def report_command(
    app: App,
    /,
    output: Path,
    days: int,
    every: timedelta,
    limit: int,
    drain: bool,
    forecast: bool | None,
    tz: tzinfo,
    json_: bool,
) -> None:
    """Write a page about the queue: past and waiting sends, a forecast, and problems for a person.

    It is one file and needs no network. It names recipients: show it only to people who may see them. The forecast is
    that of `send-queue forecast` with the same --every, --limit and --drain.

    \b
    Example: send-queue report -o report.html
    """
    from send_queue.insight import report

    shown = sys.stdout.isatty()
    if shown and str(output) == "-" and not json_:
        raise UserError("The page is for a browser, not for a terminal: write it to a file with -o report.html.")
    with app.database() as conn:
        figures = report.gather(conn, app.now(), tz, days, every, None if drain else limit, forecast)
    text = as_json(_object(figures)) if json_ else report.html(figures)
    if str(output) == "-":
        click.echo(text)
    else:
        files.write(output, text)
        if shown:
            click.echo(f"Wrote {output}: open it in a browser." if not json_ else f"Wrote {output}.")


def _object(figures: Figures) -> dict[str, Any]:
    ahead = figures.ahead
    return {
        "at": figures.at,
        "queue": figures.status["queue"],
        "lanes": figures.status["lanes"],
        "campaigns": figures.status["campaigns"],
        **{
            name: figures.past[name]
            for name in ("usage", "tries", "results", "causes", "failed", "uncertain", "oldest_due", "next_due")
        },
        "calendars": [
            {**asdict(c), "days": [{**asdict(day), "date": day.date.isoformat()} for day in c.days]}
            for c in figures.calendars
        ],
        "advice": [asdict(item) for item in figures.advice],
        "finishes_at": ahead.finishes_at if ahead else None,
        "every": figures.every,
        "limit": figures.limit,
        "not_played": figures.not_played,
    }
