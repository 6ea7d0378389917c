"""The report as a page."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta, tzinfo
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.app import App, as_json, json_option, playing_options, tz_option
from send_queue.model import UserError

if TYPE_CHECKING:
    from send_queue.report import Figures


@click.command("report")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-",
              metavar="FILE", help="Where to write it, whole or not at all.  [default: standard output]")  # fmt: skip
@click.option("--days", type=click.IntRange(2, 92), default=14, show_default=True, help="How many days to look back.")
@playing_options
@click.option("--forecast/--no-forecast", default=None,
              help="Play the queue forward.  [default: where no more than 20,000 sends wait]")  # fmt: skip
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
    """Write a page about the queue: what went out, what waits, what comes, what needs a person.

    One file that needs no other and no network. It names recipients: keep it among those who may see them. What comes
    is played forward as `send-queue forecast` does it, by the same --every, --limit and --drain.

    \b
    Example: send-queue report -o report.html
    """
    from send_queue import report

    with app.database() as conn:
        figures = report.gather(conn, app.now(), tz, days, every, None if drain else limit, forecast)
    text = as_json(_object(figures)) if json_ else report.html(figures)
    if str(output) == "-":
        click.echo(text)
    else:
        _write(output, text)


def _object(figures: Figures) -> dict[str, Any]:
    ahead = figures.ahead
    return {
        "at": figures.at,
        "queue": figures.status["queue"],
        "lanes": figures.status["lanes"],
        "campaigns": figures.status["campaigns"],
        **{name: figures.past[name] for name in ("usage", "tries", "causes", "failed", "uncertain")},
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


def _write(path: Path, text: str) -> None:
    """Put the file there at once: whoever reads it meanwhile reads the one before."""
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                # A temporary file is for its owner alone; this one is as open as any file that a command makes.
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(file.name, 0o666 & ~mask)  # noqa: PTH101 — a descriptor's path
                os.replace(file.name, path)  # noqa: PTH105 — as above
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise UserError(f"The report cannot be written to {path} ({error.strerror}): name a file in a folder of yours "
                        "with -o.") from error  # fmt: skip
