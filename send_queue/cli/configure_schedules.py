"""Commands of schedules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import click

from send_queue.cli.app import App, json_option, warn, with_options
from send_queue.cli.configure_common import COLUMNS, _given, _group, _readable, _unchanged
from send_queue.cli.output import as_json, printable
from send_queue.cli.values import (
    CLEARED,
    TEXT_OR_NONE,
    TIMEZONE,
)
from send_queue.model import UserError

# --- schedules --------------------------------------------------------------------------------------------

schedule_command = _group("schedule", "Business hours, weekdays, holidays, in a time zone.")


def _schedule_options(command: Any) -> Any:
    return with_options(
        command,
        click.option("--hours", multiple=True, metavar="FROM-TO", help="07:00-18:00; several: 9:00-12:00,13:00-17:00; "
                     "over midnight: 22:00-02:00; for some days: 'fri 9:00-12:00'. Repeatable."),
        click.option("--days", help="The days of --hours: mon-fri (default), sun-thu, mon,wed,fri."),
        click.option("--holidays", type=TEXT_OR_NONE, multiple=True, metavar="CALENDAR", help="Close on the public "
                     "holidays of a country, US, or of it and a state, GB-ENG; of a market, NYSE; other categories, "
                     "US:public,half_day@13:00. Repeatable."),
        click.option("--holidays-subdivision", type=TEXT_OR_NONE, metavar="CODE", help="And on this state's: CA, BY."),
        click.option("--closed", multiple=True, metavar="DATE", help="Close on this day too. Repeatable."),
        click.option("--open", "open_", multiple=True, metavar="DATE", help="Open on this day, even if it is a "
                     "weekend or a holiday. Repeatable."),
    )  # fmt: skip


def _schedule_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    from send_queue.rules import schedule_text

    given = _given(options)
    fields: dict[str, Any] = {k: given[k] for k in ("timezone",) if k in given}
    if "hours" in given:
        fields["hours"] = schedule_text.hours_from_text(given["hours"], given.get("days"))
    elif "days" in given:
        raise UserError("--days has no --hours: give both.")
    if "holidays" in given:
        fields |= _calendars([text for text in given["holidays"] if text is not CLEARED])
    if "holidays_subdivision" in given:
        if fields.get("holiday_subdivision") or fields.get("holiday_calendars"):
            raise UserError("--holidays-subdivision goes with one country: write --holidays US-CA for each calendar.")
        fields["holiday_subdivision"] = given["holidays_subdivision"]
    for option, column in DAYS.items():
        if option in given:
            fields[column] = sorted({_date(text) for text in given[option] if text != "none"})
    return fields


def _calendars(named: list[str]) -> dict[str, Any]:
    """Put the first country, with its state, into columns of their own, and each other calendar into the list."""
    names = list(dict.fromkeys(named))
    first = next((name for name in names if re.fullmatch(r"[A-Za-z]{2}(-[^:@]+)?", name)), "")
    country, _, subdivision = first.partition("-")
    return {"skip_holidays": bool(names), "holiday_country": country or None,
            "holiday_subdivision": subdivision or None,
            "holiday_calendars": [name for name in names if name != first]}  # fmt: skip


DAYS = {"closed": "closed_on", "open_": "open_on"}
"""Options that name days, and their columns."""


def _with_days(there: Mapping[str, Any], fields: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Add and remove days; `none` empties the list first. Raises `UserError` for a removed day that is not there."""
    for option, column in DAYS.items():
        removed = {_date(text) for text in options[f"remove_{option.rstrip('_')}"]}
        if option not in _given(options) and not removed:
            continue
        before = set() if "none" in options[option] else set(there[column])
        if unknown := removed - set(there[column]):
            raise UserError(f"{min(unknown)} is not among the days of {column}: see `send-queue schedule show`.")
        fields[column] = sorted(before - removed | set(fields.get(column, ())))
    return fields


def _changes(there: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """List the changed columns, in their order, with the old values."""
    changed = []
    before, after = _readable(there), _readable(row)
    for column in COLUMNS["schedule"][1:]:
        if column in ("opens_at", "closes_at") or before[column] == after[column]:
            continue
        if column in DAYS.values():
            gone, new = ([d for d in a if d not in b] for a, b in ((before[column], after[column]),
                                                                   (after[column], before[column])))  # fmt: skip
            what = column.replace("_on", "")
            changed += [f"{what} also on {', '.join(new)}"] if new else []
            changed += [f"no longer {what} on {', '.join(gone)}"] if gone else []
        else:
            was, now = (", ".join(x) if isinstance(x, list) else x for x in (before[column], after[column]))
            was, now = ("none" if x in (None, "") else x for x in (was, now))
            changed.append(f"{column.replace('_', ' ')} {now} (was {was})")
    return "; ".join(changed)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(f"{text!r} is not a date: write it as 2026-12-24.") from None


def _checked(app: App, there: Mapping[str, Any], fields: Mapping[str, Any], name: str) -> None:
    """Refuse an unreadable schedule, and one that never opens; warn where new holidays may surprise."""
    from send_queue.rules import holiday_calendars, schedule_text

    at = app.now() or datetime.now(UTC)
    schedule = schedule_text.schedule_from({"name": name, **there, **fields})
    schedule_text.check(schedule, at)
    if "holiday_country" in fields or "holiday_subdivision" in fields:
        for note in holiday_calendars.notes(holiday_calendars.of_schedule(schedule), at.year):
            warn(note)


@schedule_command.command("add")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, required=True, help="An IANA name: America/New_York.")
@_schedule_options
@json_option
@click.pass_obj
def schedule_add(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Add a schedule.

    \b
    Example: send-queue schedule add new-york --timezone America/New_York --hours 07:00-18:00 \\
               --days mon-fri --holidays US --closed 2026-12-24
    """
    from send_queue import store

    fields = _schedule_fields(options)
    if "hours" not in fields:
        raise UserError("The hours are missing: give --hours 07:00-18:00.")
    with app.database() as conn:
        _checked(app, {}, fields, name)
        row = store.upsert(conn, "schedule", name, fields, adding=True)
    click.echo(as_json(row) if json_ else f"Added the schedule {printable(name)}.")


@schedule_command.command("set")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="An IANA name: America/New_York.")
@_schedule_options
@click.option("--remove-closed", multiple=True, metavar="DATE", help="Remove this day of --closed. Repeatable.")
@click.option("--remove-open", multiple=True, metavar="DATE", help="Remove this day of --open. Repeatable.")
@json_option
@click.pass_obj
def schedule_set(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Change a schedule; columns without an option stay.

    --hours replaces the hours of the whole week, --holidays all calendars. --closed and --open add days;
    --remove-closed and --remove-open remove them; `--closed none` and `--open none` remove all.

    \b
    Example: send-queue schedule set new-york --closed 2026-12-24 --closed 2026-12-31
    """
    from send_queue import store

    fields = _schedule_fields(options)
    with app.database() as conn:
        [there] = store.listed(conn, "schedule", store.find(conn, "schedule", name))
        fields = _with_days(there, fields, options)
        _checked(app, there, fields, name)
        row = store.upsert(conn, "schedule", name, fields)
    if json_:
        click.echo(as_json(row))
    elif changes := _changes(there, row):
        click.echo(f"Set the schedule {printable(name)}: {printable(changes)}.")
    else:
        click.echo(f"Set the schedule {printable(name)}: nothing changed." if fields
                   else _unchanged("schedule", name))  # fmt: skip
