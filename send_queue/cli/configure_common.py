"""Shared parts of the commands that configure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable, table, terminal_width
from send_queue.cli.reassign import count_waiting, removal_notices
from send_queue.cli.values import (
    CLEARED,
)

COLUMNS = {
    "workspace": ("name", "timezone", "paused_at", "pause_reason"),
    "account": ("workspace", "name", "provider", "provider_account_id", "tier", "schedule", "status", "status_reason"),
    "lane": ("workspace", "account", "channel", "daily_cap", "weekly_cap", "cap_timezone", "min_gap_seconds",
             "jitter_seconds", "max_in_flight", "next_at", "next_at_reason", "paused_at"),
    "schedule": ("name", "timezone", "hours", "skip_holidays", "holiday_country", "holiday_subdivision",
                 "holiday_calendars", "closed_on", "open_on", "opens_at", "closes_at"),
    "campaign": ("workspace", "name", "status", "accounts", "schedule", "max_attempts", "backoff_seconds",
                 "on_uncertain"),
    "limit": ("id", "workspace", "account", "channel", "max_sends", "per"),
}  # fmt: skip

SPARE = {
    "account": ("workspace", "tier", "schedule", "provider_account_id"),
    "lane": ("workspace", "paused_at", "next_at_reason", "next_at", "jitter_seconds", "cap_timezone", "max_in_flight"),
    "schedule": ("holiday_calendars", "holiday_subdivision", "open_on", "closes_at", "closed_on", "skip_holidays"),
    "campaign": ("workspace", "backoff_seconds", "schedule", "on_uncertain"),
}
"""Columns that a list drops on a narrow terminal, in this order; `show` has them all."""


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the given options; `none` becomes null."""
    return {k: None if v is CLEARED else v for k, v in options.items() if v is not None and v != ()}


LINE_BY_LINE = ("closed_days", "half_days", "make_up_days", "notes")
"""Lists of a schedule that `show` gives a line for each of their parts."""


def _show(kind: str, row: Mapping[str, Any], json_: bool) -> None:
    if json_:
        click.echo(as_json(row))
        return
    shown = _readable(row)
    for column in ("closed_days", "half_days", "make_up_days"):
        if isinstance(shown.get(column), list):
            said = [f"{day['date']} {day['reason']}" for day in shown[column]]
            shown = {**shown, column: said or "none in the next 12 months"}
    names = [*COLUMNS[kind], *(name for name in row if name not in COLUMNS[kind])]
    lines = []
    for name in names:
        value = shown.get(name)
        each = value if name in LINE_BY_LINE and isinstance(value, list) and value else [value]
        lines += [{"field": name if n == 0 else "", "value": part} for n, part in enumerate(each)]
    click.echo(table(lines, ("field", "value"), longest=None))


def _readable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write a schedule's hours and a limit's period as options take them."""
    if isinstance(row.get("hours"), dict):
        row = {**row, "hours": _week(row["hours"])}
    if isinstance(row.get("per"), str):
        row = {**row, "per": period(row["per"])}
    return row


def _week(hours: Mapping[str, Any]) -> str:
    """Write hours as options take them: "mon-fri 07:00-18:00"."""
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    runs: list[tuple[list[str], str]] = []
    for day in week:
        text = ",".join("-".join(pair) for pair in hours.get(day, ()))
        if text and runs and runs[-1][1] == text and runs[-1][0][-1] == week[week.index(day) - 1]:
            runs[-1][0].append(day)
        elif text:
            runs.append(([day], text))
    return "; ".join(f"{days[0]}-{days[-1]} {text}" if len(days) > 1 else f"{days[0]} {text}" for days, text in runs)


def period(interval: str) -> str:
    """Write Postgres's `1 day 02:30:00` as options take it: 1d2h30m."""
    parts = re.fullmatch(r"(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d))?", interval)
    if not parts:
        return interval
    return "".join(f"{int(n)}{unit}" for n, unit in zip(parts.groups(), "dhms", strict=True) if n and int(n))


def _group(kind: str, help: str) -> click.Group:
    """Make a group with `list`, and with `show` for all kinds but lanes and limits, which have their own."""

    @click.group(kind, help=help)
    def group() -> None: ...

    @group.command("list", help=f"List the {kind}s.\n\n\b\nExample: send-queue {kind} list --json")
    @json_option
    @click.pass_obj
    def list_(app: App, json_: bool) -> None:
        from send_queue import store

        with app.database() as conn:
            rows = _with_windows(app, kind, store.listed(conn, kind))
        if json_:
            click.echo(as_json(rows))
        elif rows:
            click.echo(table([_readable(row) for row in rows], COLUMNS[kind], terminal_width(), SPARE.get(kind, ())))
        else:
            click.echo(f"There are no {kind}s yet: add one with `send-queue {kind} add`.")

    if kind not in ("lane", "limit"):

        @group.command("show", help=f"Show one {kind}.\n\n\b\nExample: send-queue {kind} show NAME")
        @click.argument("name")
        @workspace_option
        @json_option
        @click.pass_obj
        def show(app: App, name: str, workspace: str | None, json_: bool) -> None:
            from send_queue import store

            with app.database() as conn:
                rows = store.listed(conn, kind, store.find(conn, kind, name, workspace))
            [row] = _with_windows(app, kind, rows)
            _show(kind, row, json_)

    return group


def _with_windows(app: App, kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add each schedule's current or next window, computed here since a run may not have stored it yet; the days of
    the next twelve months on which holidays change its hours, with their names; and notes on lists of holidays."""
    if kind != "schedule" or not rows:
        return rows
    from send_queue.rules import calendar, holiday_calendars, schedule_text

    at = app.now() or datetime.now(UTC)
    for row in rows:
        row |= {
            "opens_at": None,
            "closes_at": None,
            "closed_days": [],
            "half_days": [],
            "make_up_days": [],
            "notes": [],
        }
        with suppress(calendar.ScheduleError):  # edited by hand, or never opens again
            schedule = schedule_text.schedule_from(row)
            for column in ("closed_days", "half_days", "make_up_days"):
                days = getattr(calendar, column)(schedule, at, 366)
                row[column] = [{"date": day.isoformat(), "reason": reason} for day, reason in days]
            row["notes"] = holiday_calendars.notes(holiday_calendars.of_schedule(schedule), at.year)
            window = calendar.next_window(schedule, at)
            row |= {"opens_at": window.opens_at.isoformat(), "closes_at": window.closes_at.isoformat()}
    return rows


def _put(app: App, kind: str, name: str, fields: dict[str, Any], json_: bool, *, adding: bool,
         workspace: str | None = None, served: Mapping[str, list[str]] | None = None) -> None:  # fmt: skip
    from send_queue import store
    from send_queue.cli import office_hours

    said = None
    with app.database() as conn, store.transaction(conn):
        office_hours.make_always(conn, fields, app.now())
        if served:
            store.note_providers(conn, served)
        if adding and kind == "account":
            said = office_hours.give(conn, name, fields, workspace, app.now())
        row = store.upsert(conn, kind, name, fields, adding=adding, workspace=workspace, at=app.now())
        if said and "schedule" in fields:
            office_hours.count_days(conn, row, app.now())
        if kind == "workspace" and "timezone" in fields and not adding:
            said = office_hours.keeping(conn, row)
        if "remove_accounts" in fields:
            row["waiting"] = count_waiting(conn, fields["remove_accounts"], row)
    if said:
        warn(said)
    if json_:
        click.echo(as_json(row))
    elif adding or fields:
        click.echo(f"{'Added' if adding else 'Set'} the {kind} {printable(name)}.")
        for sentence in removal_notices(name, row.get("waiting", {})):
            click.echo(printable(sentence))
    else:
        click.echo(_unchanged(kind, name))


def _unchanged(kind: str, name: str) -> str:
    return f"The {kind} {printable(name)} stays as it was: give an option, see `send-queue {kind} set --help`."
