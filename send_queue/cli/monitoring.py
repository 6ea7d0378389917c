"""Observe runs from outside: log lines, ping, metrics, notify."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import click

from send_queue.cli.app import App, json_option, warn
from send_queue.cli.output import as_json, table, terminal_width
from send_queue.cli.values import DURATION, NOTIFICATION, Kind
from send_queue.model import ConfigurationError, UserError, clock

if TYPE_CHECKING:
    from send_queue.core.log_lines import Log, Transition
    from send_queue.core.run import Pass, RunReport

EVENTS = ("failed", "uncertain", "disconnected", "finished")
LOGS = ("json", "text", "auto", "none")

log_option = click.option("--log", type=click.Choice(LOGS),
                          help="Write each step of each send to stderr; auto: JSON unless stderr is a terminal. "
                               "Default: SEND_QUEUE_LOG, else none.")  # fmt: skip


# --- a run ------------------------------------------------------------------------------------------------


@contextmanager
def watched(app: App) -> Iterator[None]:
    """Report the run's start and end to the dead-man's switch SEND_QUEUE_PING_URL."""
    ping = None
    if url := app.env.get("SEND_QUEUE_PING_URL"):
        from send_queue.providers import reach
        from send_queue.providers.ping import Ping

        try:
            if reach.rehearses(app.env):
                reach.refuse(reach.host_of(url), "the dead-man's switch")
            ping = Ping(url, str(uuid4()))
        except ConfigurationError as wrong:
            warn(f"SEND_QUEUE_PING_URL is not called: {str(wrong).rstrip('.')}.")
    if ping is None:
        yield
        return
    ping.start()
    well = False
    try:
        yield
        well = True
    finally:
        ping.end(well=well)


def end_run(pass_: Pass, command: str, report: RunReport, began: float, with_remaining: bool) -> None:
    """Record the run for `metrics` and queue due notifications; an error here does not undo the run.

    `began` is on `model.clock`. `with_remaining` adds the remaining rows to the report, unless it has them.
    """
    from send_queue import store

    with_remaining = with_remaining and report.remaining is None
    try:
        remaining = store.end_run(
            pass_.database.conn, command, pass_.filters, pass_.worker, clock() - began, report.sent, report.processed,
            pass_.database.now(), with_remaining,
        )  # fmt: skip
        if with_remaining:
            report.remaining = remaining
    except Exception as error:
        said = str(error) if isinstance(error, UserError) else type(error).__name__
        warn(f"The run's work is done, but `send-queue metrics` lacks it: {said}")


def log_of(app: App, choice: str | None) -> Log | None:
    """Return the writer of steps that --log or SEND_QUEUE_LOG selects. Default None: cron mails all output."""
    choice = choice or app.env.get("SEND_QUEUE_LOG") or "none"
    if choice not in LOGS:
        raise ConfigurationError(f"SEND_QUEUE_LOG has an unknown value: set it to one of {', '.join(LOGS)}.")
    if choice == "none":
        return None
    from send_queue.core import log_lines

    for_person = choice == "text" or (choice == "auto" and sys.stderr.isatty())
    line: Callable[[Transition, datetime], str] = log_lines.as_text if for_person else log_lines.as_json

    def write(step: Transition) -> None:
        # A closed stderr does not stop the sending.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(line(step, app.now() or datetime.now(UTC)) + "\n")
            sys.stderr.flush()

    return write


# --- metrics ----------------------------------------------------------------------------------------------


@click.command("metrics")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Write to FILE, whole or not at all, readable by all (default: stdout).")  # fmt: skip
@click.pass_obj
def metrics_command(app: App, /, output: Path | None) -> None:
    """Print the queue's metrics in Prometheus's text format.

    \b
    Example: send-queue metrics -o /var/lib/node_exporter/textfile/send_queue.prom
    """
    from send_queue.insight import metrics
    from send_queue.intake import files

    with app.database() as conn:
        text = metrics.text(conn, app.now())
    if output is None:
        click.echo(text, nl=False)
    else:
        files.write(output, text, 0o644)


# --- notify -----------------------------------------------------------------------------------------------


def _events(text: str) -> tuple[str, ...]:
    events = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [event for event in events if event not in EVENTS]
    if unknown or not events:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is not an event: use {', '.join(EVENTS)}")
    return events


ON = Kind("events", _events)
COLUMNS = ("id", "workspace", "event", "provider", "to", "every", "told_at")


@click.group("notify")
def notify_command() -> None:
    """Notify somebody of events, by messages through the queue itself."""


@notify_command.command("add")
@click.option("--to", required=True, metavar="URL|VAR",
              help="A webhook's URL; with --slack the name of the variable that holds it.")  # fmt: skip
@click.option("--on", type=ON, required=True, help=f"The events, with commas: {', '.join(EVENTS)}.")
@click.option("--slack", is_flag=True, help="--to is an incoming webhook of Slack.")
@click.option("--every", type=DURATION, default="15m", show_default=True,
              help="Notify at most once in this time, counting the events in between.")  # fmt: skip
@click.option("--workspace", metavar="W", help="The workspace (default: the one named default).")
@json_option
@click.pass_obj
def notify_add_command(
    app: App, /, to: str, on: tuple[str, ...], slack: bool, every: timedelta, workspace: str | None, json_: bool
) -> None:
    """Notify somebody of events from now on.

    \b
    Example: send-queue notify add --on failed,uncertain,disconnected,finished --slack --to SLACK_WEBHOOK_URL
    """
    from send_queue import store

    if not timedelta(minutes=1) <= every <= timedelta(days=31):
        raise UserError("--every is out of range: give 1m to 31d.")
    variable = _variable(to) if slack else None
    recipient = to if slack else _url(to, app.env)
    with app.database() as conn:
        rows = store.set_notification(
            conn, on, "slack" if slack else "webhook", recipient, variable, every, workspace, app.now()
        )
    _print(rows, json_)
    if variable and not app.env.get(variable) and not json_:
        warn(f"{variable} is not set here: set it in the runs' environment to the webhook's URL.")


def _variable(text: str) -> str:
    if "/" in text or ":" in text:
        # Not shown: it is the secret itself.
        raise UserError("The URL of a Slack webhook is a secret: put it into a variable of the runs' environment, and "
                        "give its name: --to SLACK_WEBHOOK_URL.")  # fmt: skip
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise UserError("--to is not the name of an environment variable: write --to SLACK_WEBHOOK_URL.")
    return text


def _url(text: str, env: Mapping[str, str]) -> str:
    """Check the URL by the rules of the provider `webhook`. Only the run resolves its host."""
    from send_queue.providers import url_guard
    from send_queue.rules.recipients import endpoint

    try:
        endpoint(text)
    except ValueError:  # not repeated: it may hold a password
        raise UserError("--to is not a webhook's URL: write it as https://example.com/hooks/send-queue, without a "
                        "password, or add --slack and name a variable.") from None  # fmt: skip
    if refused := url_guard.refused(text, url_guard.allowed_hosts(env)):
        raise UserError(f"The runs would not call this URL: {refused.detail}")
    return text


@notify_command.command("list")
@json_option
@click.pass_obj
def notify_list_command(app: App, /, json_: bool) -> None:
    """List the notifications.

    \b
    Example: send-queue notify list
    """
    from send_queue import store

    with app.database() as conn:
        rows = store.notifications(conn)
    _print(rows, json_)


@notify_command.command("remove")
@click.argument("ids", type=NOTIFICATION, nargs=-1, required=True, metavar="ID...")
@json_option
@click.pass_obj
def notify_remove_command(app: App, /, ids: tuple[UUID, ...], json_: bool) -> None:
    """Remove notifications, by the ids of `notify list`.

    \b
    Example: send-queue notify remove 01939c5e-…
    """
    from send_queue import store

    with app.database() as conn:
        for one in ids:
            store.remove_notification(conn, one)
    click.echo(as_json({"removed": len(ids)}) if json_ else f"Removed {len(ids)}.")


def _print(rows: Sequence[dict[str, Any]], json_: bool) -> None:
    if json_:
        click.echo(as_json(rows))
    elif rows:
        click.echo(table(rows, COLUMNS, terminal_width(), ("provider", "workspace", "told_at")))
    else:
        click.echo("There are no notifications: see `send-queue notify add --help`.")
