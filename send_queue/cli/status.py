"""status: for a terminal (status_terminal.py), for a pipe, and for programs."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.app import App, json_option, tz_option
from send_queue.cli.output import as_json, printable, short, table
from send_queue.cli.whole import Whole
from send_queue.model import ConfigurationError, DatabaseUnreachable, UserError

if TYPE_CHECKING:
    from send_queue.store import Connection

Json = dict[str, Any]

WATCH_SECONDS = 2
"""Seconds between two looks of a bare --watch."""

MAX_ACCOUNTS = 5
"""Disconnected accounts named; the rest are counted."""

HIDDEN = ("failed_by_code", "failed_most", "limits", "look_ups", "retrying")
"""Keys that --json leaves out."""

MAX_CODES = 5
"""The most error codes named."""

MAX_LIMITS = 5
"""The most rolling limits named, the fullest first."""


@click.command("status")
@click.option("--watch", type=Whole(1, 86_400), is_flag=False, flag_value=WATCH_SECONDS, metavar="[SECONDS]",
              help=f"Look again every SECONDS, {WATCH_SECONDS} by default, until Ctrl-C.")  # fmt: skip
@tz_option
@json_option
@click.pass_obj
def status_command(app: App, /, watch: int | None, tz: tzinfo, json_: bool) -> None:
    """Show the state of the queue: counts, lanes with their caps, campaigns.

    \b
    Example: send-queue status --watch
    """
    from send_queue.core import explain

    on_terminal = sys.stdout.isatty() and not json_
    if watch and not on_terminal:
        raise UserError("--watch needs a terminal and no --json: leave it out, and call status repeatedly.")
    with app.database() as conn:
        status, first = (explain.status(conn, app.now()), None) if json_ else _look(app, conn)
    if on_terminal:
        _show(app, status, first, tz, watch)
    elif json_:
        click.echo(as_json({name: value for name, value in status.items() if name not in HIDDEN}))
    else:
        click.echo("\n\n".join(paragraphs(status, first, tz)))


# --- piped ------------------------------------------------------------------------------------------------


def paragraphs(status: Json, first: Json | None, zone: tzinfo) -> Iterator[str]:
    """Write the whole status as text for a pipe."""
    counts = ", ".join(f"{n:,} {name}" for name, n in sorted(status["queue"].items())) or "empty"
    yield "\n".join([f"Queue at {short(status['at'], zone)}: {counts}.", *summary(status), *_following(first, zone)])
    if status["lanes"]:
        lanes = [
            lane
            | {
                "today": used_of_cap(lane["used_today"], lane["cap"]),
                "week": used_of_cap(lane["used_week"], lane["weekly_cap"]),
            }
            for lane in status["lanes"]
        ]
        columns = ("workspace", "account", "channel", "today", "week", "in_flight", "next_at", "why")
        yield table(lanes, columns, zone=zone)
    if status["campaigns"]:
        counted = ("workspace", "campaign", "status", "total", "sent", "pending", "in_flight", "failed", "skipped",
                   "uncertain")  # fmt: skip
        yield table(status["campaigns"], counted)
    yield from needs_attention(status, zone)


def used_of_cap(used: int, cap: int | None) -> str:
    """Write 12/20, or 12 without a cap."""
    return f"{used:,}" if cap is None else f"{used:,}/{cap:,}"


def _following(first: Json | None, zone: tzinfo) -> Iterator[str]:
    if first:
        send = f"{first['channel']} of {first['account']} for {first['campaign']}"
        yield f"Next: {printable(send)}, {short(first['next_at'], zone)}."


def summary(status: Json) -> Iterator[str]:
    """Write the use of daily caps and rolling limits, the waiting sends by the rule that holds them, and failures."""
    yield from _today(status["lanes"])
    yield from _limits(status["limits"])
    waiting: Counter[str] = Counter()
    for lane in status["lanes"]:
        waiting[(lane["why"] or "").partition(":")[0]] += lane["pending"]
    for campaign in status["campaigns"]:
        if campaign["status"] != "active":
            waiting[campaign["status"]] += campaign["pending"]
    open_ = waiting.pop("", 0)
    if any(waiting.values()):
        parts = [f"{n:,} by {printable(rule)}" for rule, n in waiting.most_common() if n]
        yield f"Held: {', '.join(parts)}; {open_:,} more wait for their time or the next run."
    codes: Counter[str] = Counter(status["failed_by_code"])
    if codes:
        most = ", ".join(f"{n:,} {printable(code)}" for code, n in codes.most_common(MAX_CODES))
        newest = f" (the newest {codes.total():,})" if codes.total() < status["failed"] else ""
        yield f"Failed by error code{newest}: {most}."


def _today(lanes: list[Json]) -> Iterator[str]:
    capped = [lane for lane in lanes if lane["cap"] is not None]
    of_caps = sum(lane["used_today"] for lane in capped)
    free = sum(lane["used_today"] for lane in lanes) - of_caps
    if of_caps or free:
        within = f"{of_caps:,} of the {sum(lane['cap'] for lane in capped):,} sends that the daily caps allow"
        yield f"Today: {', '.join([within] * bool(capped) + [f'{free:,} on lanes without a cap'] * bool(free))}."


def _limits(limits: list[Json]) -> Iterator[str]:
    from send_queue.cli.configure_common import period

    fullest = sorted(limits, key=lambda limit: -limit["used"] / max(limit["max_sends"], 1))
    parts = [
        f"{limit['used']:,}/{limit['max_sends']:,} in {period(limit['per'])} of "
        + printable(" ".join(filter(None, (limit["account"] or f"workspace {limit['workspace']}", limit["channel"]))))
        for limit in fullest[:MAX_LIMITS]
    ]
    if parts:
        more = f", and {len(limits) - MAX_LIMITS:,} more" if len(limits) > MAX_LIMITS else ""
        yield f"Limits: {', '.join(parts)}{more}."


def needs_attention(status: Json, zone: tzinfo) -> Iterator[str]:
    """Write the problems that may need a person, as sentences."""
    look_ups = status["look_ups"]
    if status["copy"]:
        yield "This database is a copy and sends nothing: see `send-queue adopt --help`."
    yield from _disconnected(status["lanes"])
    for code, n in status["retrying"].items():
        yield f"{n:,} will be retried after {printable(code)}: see `send-queue list --status pending`."
    if status["uncertain"]:
        doubtful = f"{status['uncertain']:,} uncertain: see `send-queue list --status uncertain`"
        if look_ups["sends"]:
            yield (f"{doubtful}.\nRuns will query the provider about {look_ups['sends']:,}, from "
                   f"{short(look_ups['first'], zone)}: settle the rest afterwards.")  # fmt: skip
        else:
            yield f"{doubtful}, then settle them."
    if status["failed"]:
        account, n = status["failed_most"]["account"], status["failed_most"]["n"]
        most = f"{n:,} of them of" if n < status["failed"] else "all of"
        command = printable(shlex.join(["send-queue", "list", "--status", "failed", "--account", account]))
        yield (f"{status['failed']:,} failed, {most} {printable(account)}: see `{command}`. Mend the cause "
               "and retry them, or cancel those whose recipient is wrong.")  # fmt: skip


def _disconnected(lanes: list[Json]) -> Iterator[str]:
    """Name the accounts that need a person, the busiest first, each with its command."""
    several = len({lane["workspace"] for lane in lanes}) > 1
    why = {
        (lane["workspace"], lane["account"]): lane["why"].partition(": ")[2].rstrip(".")
        for lane in sorted(lanes, key=lambda lane: lane["used_week"], reverse=True)
        if (lane["why"] or "").partition(":")[0] == "disconnected"
    }
    for (workspace, account), reason in list(why.items())[:MAX_ACCOUNTS]:
        place = ["--workspace", workspace] if several else []
        command = printable(shlex.join(["send-queue", "resume", "account", account, *place]))
        because = f" ({printable(reason)})" if reason else ""
        yield f"The account {printable(account)} is disconnected{because}: mend it at its provider, then `{command}`."
    if (more := len(why) - MAX_ACCOUNTS) > 0:
        yield f"{more:,} more accounts are disconnected: see `send-queue account list`."


# --- on a terminal ----------------------------------------------------------------------------------------


def _show(app: App, status: Json, first: Json | None, zone: tzinfo, watch: int | None) -> None:
    from send_queue.cli import status_terminal

    console = status_terminal.console(app.env)
    if watch is None:
        console.print(status_terminal.view(status, first, zone, console))
        return
    from rich.live import Live

    lost = ""
    with suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(status_terminal.view(status, first, zone, console, console.height, lost), refresh=True)
            time.sleep(watch)  # seconds; the argument of --watch
            try:
                # Hold no connection between two looks: a person may leave this open for days.
                with closing(app.reconnect()) as conn:
                    (status, first), lost = _look(app, conn), ""
            except DatabaseUnreachable as error:
                lost = str(error)


def _look(app: App, conn: Connection) -> tuple[Json, Json | None]:
    """Read the status, and the first send with its `next_at` if the role may see it."""
    from send_queue import store
    from send_queue.core import explain

    at = app.now()
    status = explain.status(conn, at)
    try:
        first = store.explain_idle(conn, store.Filters(), at, with_remaining=False)["first"]
        if first and first["beyond"]:
            first["next_at"] = explain.explain(conn, UUID(first["send_id"]), at).next_at
    except ConfigurationError:
        return status, None
    return status, first if first and first["next_at"] else None
