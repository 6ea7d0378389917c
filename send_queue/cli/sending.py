"""run-once and run, the commands that cron starts."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from datetime import timedelta
from math import inf
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.app import App, filter_options, json_option, warn
from send_queue.cli.monitoring import end_run, log_of, log_option, watched
from send_queue.cli.output import as_json, printable, short
from send_queue.cli.values import DURATION
from send_queue.cli.whole import Whole
from send_queue.model import clock
from send_queue.providers import Providers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from send_queue.core.run import Pass, RunReport


@click.command("run-once")
@click.option("--limit", type=Whole(1), default=1, show_default=True, help="The most sends.")
@click.option("--dry-run", is_flag=True, help="List the sends that would go out now; send and store nothing.")
@log_option
@filter_options
@json_option
@click.pass_obj
def run_once_command(
    app: App, /, limit: int, dry_run: bool, log: str | None, json_: bool, **filters: str | None
) -> None:
    """Send due rows, one by default, and exit. Cron starts it, or a person by hand.

    Prints one line, or nothing if nothing happened and stdout is not a terminal.

    \b
    Example: send-queue run-once --limit 5 --account anna
    """
    from send_queue.core import run

    if dry_run:
        with _pass(app, filters, calling=False) as pass_:
            claimed, report = run.rehearse(pass_, limit)
            _print_rehearsal(claimed, report, json_)
        return
    began = clock()
    with watched(app), _pass(app, filters, log) as pass_:
        report = run.run(pass_, limit, explain=_explains(json_))
        end_run(pass_, "run-once", report, began, _explains(json_))
        _print(report, json_)


@click.command("run")
@click.option("--max-runtime", type=DURATION, help="End within this time, by stopping to claim early enough: 4m.")
@click.option("--concurrency", type=Whole(1, 256), default=8, show_default=True,
              help="The most calls to providers at the same time.")  # fmt: skip
@log_option
@filter_options
@json_option
@click.pass_obj
def run_command(
    app: App, /, max_runtime: timedelta | None, concurrency: int, log: str | None, json_: bool, **filters: str | None
) -> None:
    """Send all due rows, then exit.

    \b
    Example: send-queue run --max-runtime 4m
    """
    from send_queue.core import run

    began = clock()
    until = began + max_runtime.total_seconds() if max_runtime else inf
    with watched(app), _pass(app, filters, log) as pass_:
        with _bar(pass_, json_) as progress:
            report = run.run(pass_, None, concurrency, until, explain=_explains(json_), on_progress=progress)
        end_run(pass_, "run", report, began, _explains(json_))
        _print(report, json_)


@contextmanager
def _bar(pass_: Pass, json_: bool) -> Iterator[Callable[[RunReport], None]]:
    """Show a progress bar over the waiting rows on a terminal; rows that may not go now leave it short."""
    if json_ or not sys.stderr.isatty():
        yield lambda _: None
        return
    from send_queue import store

    waiting = store.remaining(pass_.database.conn, pass_.filters)
    with click.progressbar(length=waiting, label="Sending", file=sys.stderr, hidden=not waiting) as bar:
        yield lambda report: bar.update(report.processed - bar.pos)


@contextmanager
def _pass(
    app: App, filters: dict[str, str | None], log: str | None = "none", *, calling: bool = True
) -> Iterator[Pass]:
    """Make a pass; a stop signal lets the sends in flight finish. With `calling`, refuse a rehearsal if a
    provider is not on this machine."""
    from send_queue import store
    from send_queue.core import run
    from send_queue.core.log_lines import Listener

    log_to = log_of(app, log)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    providers = Providers(app.env)
    try:
        with app.database() as conn:
            if calling and app.env.get("SEND_QUEUE_NOW"):
                from send_queue.core import rehearsal

                rehearsal.check_run(conn, app.env, providers, store.Filters(**filters))
            database = store.Database(conn, app.now, app.reconnect)
            yield run.Pass(database, providers, app.worker, store.Filters(**filters), stop, Listener(warn, log_to))
            database.conn.close()
    finally:
        providers.close()


def _explains(json_: bool) -> bool:
    """Whether to print a reason if nothing happened."""
    return json_ or sys.stdout.isatty()


def _print(report: RunReport, json_: bool) -> None:
    """Print the report; then raise its configuration error, if any."""
    if json_:
        click.echo(as_json(_object(report)))
    elif report.processed or (sys.stdout.isatty() and not report.problem):
        click.echo(_line(report))
    if report.problem:
        raise report.problem


def _object(report: RunReport) -> dict[str, Any]:
    return {
        "success": report.problem is None,
        "processed": report.processed,
        "sent": report.sent,
        "retried": report.retried,
        "held": report.held,
        "failed": report.failed,
        "skipped": report.skipped,
        "uncertain": report.uncertain,
        "sent_to": report.sent_to,
        "send_id": report.send_id,
        "remaining_in_queue": report.remaining,
        "reason": report.reason,
        "message": _line(report) if report.processed else str(report.problem or report.message),
        "next_at": report.next_at,
    }


def _line(report: RunReport) -> str:
    """Write the report as a line for a person."""
    counts = {"sent": report.sent, "to be retried": report.retried, "held back": report.held,
              "failed": report.failed, "skipped": report.skipped, "uncertain": report.uncertain}  # fmt: skip
    done = [f"{n:,} {what}" for what, n in counts.items() if n]
    line = ", ".join(done).capitalize() if done else "Nothing sent"
    if report.sent_to and report.sent == 1:
        line = line.replace("1 sent", f"1 sent to {printable(report.sent_to)}", 1)
    if report.message and not report.sent:
        line += f"{'; the last' if report.processed > 1 else ''}: {printable(report.message)}"
    line = line.rstrip(".") + "."
    if report.next_at:
        line += f" Next: {short(report.next_at)}."
    if report.remaining is not None:
        line += f" {report.remaining:,} in the queue."
    return line


def _print_rehearsal(claimed: Any, report: RunReport, json_: bool) -> None:
    if json_:
        click.echo(as_json([
            {"send_id": c.send_id, "account": c.account, "channel": c.channel, "campaign": c.campaign,
             "recipient": c.recipient} for c in claimed
        ]))  # fmt: skip
    elif not claimed:
        line = "Nothing would be sent now"
        if report.reason != "no_messages_due":
            line += f": {printable(report.message)}"
        line = line.rstrip(".") + "."
        click.echo(line + (f" Next: {short(report.next_at)}." if report.next_at else ""))
    for send in [] if json_ else claimed:
        click.echo(f"Would send {send.channel} from {printable(send.account)} to {printable(send.recipient)}.")
