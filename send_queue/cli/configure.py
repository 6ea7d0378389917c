"""What an operator sets up: workspaces, accounts, lanes, schedules, campaigns, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from send_queue.cli.app import (
    BACKOFF,
    CAP,
    CLEARED,
    COUNTRY_OR_NONE,
    DURATION,
    DURATION_OR_NONE,
    PLACE_SETTING,
    QUIET,
    RAMP,
    RATE,
    SECONDS,
    SETTING,
    TEXT_OR_NONE,
    TIMEZONE,
    VARIABLE,
    App,
    as_json,
    json_option,
    printable,
    table,
    terminal_width,
    warn,
    with_options,
    workspace_option,
)
from send_queue.cli.reassign import said_of_removed, waiting_of
from send_queue.cli.whole import Whole
from send_queue.model import UserError

COLUMNS = {
    "workspace": ("name", "timezone", "paused_at", "pause_reason"),
    "account": ("workspace", "name", "provider", "provider_account_id", "tier", "schedule", "status", "status_reason"),
    "lane": ("workspace", "account", "channel", "daily_cap", "weekly_cap", "cap_timezone", "min_gap_seconds",
             "jitter_seconds", "max_in_flight", "next_at", "next_at_reason", "paused_at"),
    "schedule": ("name", "timezone", "hours", "skip_holidays", "holiday_country", "holiday_subdivision", "closed_on",
                 "open_on", "opens_at", "closes_at"),
    "campaign": ("workspace", "name", "status", "accounts", "schedule", "max_attempts", "backoff_seconds",
                 "on_uncertain"),
    "limit": ("id", "workspace", "account", "channel", "max_sends", "per"),
}  # fmt: skip

SPARE = {
    "account": ("workspace", "tier", "schedule", "provider_account_id"),
    "lane": ("workspace", "paused_at", "next_at_reason", "next_at", "jitter_seconds", "cap_timezone", "max_in_flight"),
    "schedule": ("holiday_subdivision", "open_on", "closes_at", "closed_on", "skip_holidays"),
    "campaign": ("workspace", "backoff_seconds", "schedule", "on_uncertain"),
}
"""The columns that a list leaves out where the terminal is too narrow, the first of them first; `show` has them all."""


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given; `none` as null."""
    return {k: None if v is CLEARED else v for k, v in options.items() if v is not None and v != ()}


def _show(kind: str, row: Mapping[str, Any], json_: bool) -> None:
    if json_:
        click.echo(as_json(row))
        return
    shown = _readable(row)
    names = [*COLUMNS[kind], *(name for name in row if name not in COLUMNS[kind])]
    click.echo(table([{"field": name, "value": shown.get(name)} for name in names], ("field", "value")))


def _readable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row as people read it: the hours of a schedule and the period of a limit as they are typed."""
    if isinstance(row.get("hours"), dict):
        row = {**row, "hours": _week(row["hours"])}
    if isinstance(row.get("per"), str):
        row = {**row, "per": _period(row["per"])}
    return row


def _week(hours: Mapping[str, Any]) -> str:
    """Hours as they are typed: "mon-fri 07:00-18:00"."""
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    runs: list[tuple[list[str], str]] = []
    for day in week:
        text = ",".join("-".join(pair) for pair in hours.get(day, ()))
        if text and runs and runs[-1][1] == text and runs[-1][0][-1] == week[week.index(day) - 1]:
            runs[-1][0].append(day)
        elif text:
            runs.append(([day], text))
    return "; ".join(f"{days[0]}-{days[-1]} {text}" if len(days) > 1 else f"{days[0]} {text}" for days, text in runs)


def _period(interval: str) -> str:
    """An interval as Postgres writes it, `1 day 02:30:00`, as a duration is typed: 1d2h30m."""
    parts = re.fullmatch(r"(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d))?", interval)
    if not parts:
        return interval
    return "".join(f"{int(n)}{unit}" for n, unit in zip(parts.groups(), "dhms", strict=True) if n and int(n))


def _group(kind: str, help: str) -> click.Group:
    """A group with `list` and `show`, which are alike for all kinds but lanes and limits."""

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
    """Schedules with the window that holds the moment, or comes next, whether a run has worked it out yet or not."""
    if kind != "schedule" or not rows:
        return rows
    from send_queue.rules import calendar

    at = app.now() or datetime.now(UTC)
    for row in rows:
        row |= {"opens_at": None, "closes_at": None}
        with suppress(calendar.ScheduleError):  # it was spoilt by hand, or does not open again
            window = calendar.next_window(calendar.schedule_from(row), at)
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
        if said:
            office_hours.count_days(conn, row, app.now())
        if "remove_accounts" in fields:
            row["waiting"] = waiting_of(conn, fields["remove_accounts"], row)
    if said:
        warn(said)
    if json_:
        click.echo(as_json(row))
    elif adding or fields:
        click.echo(f"{'Added' if adding else 'Set'} the {kind} {printable(name)}.")
        for sentence in said_of_removed(name, row.get("waiting", {})):
            click.echo(printable(sentence))
    else:
        click.echo(_unchanged(kind, name))


def _unchanged(kind: str, name: str) -> str:
    return f"Nothing was named to set: the {kind} {printable(name)} stays as it is, see `send-queue {kind} set --help`."


# --- workspaces -------------------------------------------------------------------------------------------

skip_contacted_option = click.option(
    "--skip-contacted", metavar="D|none", type=DURATION_OR_NONE, help="Skip whom another campaign of the workspace "
    "wrote to within this time: 90d; 0d skips nobody. A campaign's rule goes before its workspace's (default: none).",
)  # fmt: skip


def _timed(fields: dict[str, Any]) -> dict[str, Any]:
    """Durations as the database reads them, in days where they are some."""
    return {
        name: f"{value.days} days {value.seconds} seconds" if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }


workspace_command = _group("workspace", "Tenants: each owns accounts, campaigns, prospects and limits.")


@workspace_command.command("add")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="Where its people are (default UTC).")
@skip_contacted_option
@json_option
@click.pass_obj
def workspace_add(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Add a workspace (there is one from the start: default).

    \b
    Example: send-queue workspace add acme --timezone Europe/Paris
    """
    _put(app, "workspace", name, _timed(_given(options)), json_, adding=True)


@workspace_command.command("set")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="Where its people are.")
@skip_contacted_option
@json_option
@click.pass_obj
def workspace_set(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Change a workspace.

    \b
    Example: send-queue workspace set acme --timezone Europe/Berlin
    """
    _put(app, "workspace", name, _timed(_given(options)), json_, adding=False)


# --- accounts ---------------------------------------------------------------------------------------------

account_command = _group("account", "Sending identities: a LinkedIn seat, a mailbox, a phone number, a profile.")


def _account_options(command: Any) -> Any:
    return with_options(
        command,
        click.option("--provider-account-id", metavar="ID", type=TEXT_OR_NONE, help="The provider's id of it."),
        click.option("--tier", type=click.Choice(["free", "premium", "sales_navigator"]), help="Decides the caps."),
        click.option("--schedule", metavar="NAME", type=TEXT_OR_NONE, help="When it may send: `always` for "
                     "round the clock (default: office hours for LinkedIn, else always)."),
        click.option("--secret-env", metavar="VAR", type=VARIABLE, help="The name of the environment variable "
                     "that holds its secret; not the secret."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", type=SETTING, help="What its provider "
                     "must know of it, such as from=anna@example.com; NAME= takes one out. Repeatable."),
        workspace_option,
        json_option,
    )  # fmt: skip


def _provider_channels(name: str) -> list[str]:
    """The channels of a provider. Raises `UserError` where there is none so named."""
    from send_queue.providers import installed

    if name not in (known := installed.names()):
        raise UserError(f"There is no provider {name!r}: use one of {', '.join(sorted(known))}.")
    return sorted(installed.channels(name) or ())


def _account_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    fields = _given(options)
    if "settings" in fields:
        fields["settings"] = dict(fields["settings"])
    return fields


@account_command.command("add")
@click.argument("name")
@click.option(
    "--provider",
    metavar="P",
    required=True,
    help="What carries its messages: unipile, sendgrid, smtp, log, or your own.",
)
@_account_options
@click.pass_obj
def account_add(app: App, /, name: str, provider: str, workspace: str | None, json_: bool, **options: Any) -> None:
    """Add an account, and its lanes with the caps and pauses of its tier.

    \b
    Example: send-queue account add anna --provider unipile --provider-account-id Xb3c --tier premium
    """
    served = _provider_channels(provider)
    # The provider `log` takes every channel; only its own is worth a lane from the start.
    fields = _account_fields(options) | {"provider": provider, "channels": ["log"] if provider == "log" else served}
    _put(app, "account", name, fields, json_, adding=True, workspace=workspace, served={provider: served})


@account_command.command("set")
@click.argument("name")
@click.option("--provider", metavar="P", help="What carries its messages.")
@_account_options
@click.pass_obj
def account_set(
    app: App, /, name: str, provider: str | None, workspace: str | None, json_: bool, **options: Any
) -> None:
    """Change an account. A new tier does not change the caps of its lanes: see `lane set`.

    \b
    Example: send-queue account set anna --schedule new-york
    """
    fields = _account_fields(options)
    served = {}
    if provider is not None:
        served[provider] = _provider_channels(provider)
        fields["provider"] = provider
    _put(app, "account", name, fields, json_, adding=False, workspace=workspace, served=served)


# --- lanes ------------------------------------------------------------------------------------------------

lane_command = _group("lane", "An account's use of one channel: caps, pacing, holds.")


def _lane_set(app: App, /, account: str, channel: str, workspace: str | None, json_: bool, **options: Any) -> None:
    fields = _given(options) | {"channel": channel}
    if "warm_up" in fields:
        start, step = fields.pop("warm_up") or (None, None)
        fields |= {"warm_up_start": start, "warm_up_step": step}
        if start is None:
            fields["warm_up_began"] = None
    from send_queue import store

    with app.database() as conn:
        row = store.upsert(conn, "lane", account, fields, workspace=workspace, at=app.now())
    click.echo(as_json(row) if json_ else f"Set the lane {printable(account)} {channel}.")


for _name in ("set", "add"):
    _command: Any = click.pass_obj(_lane_set)  # wrapped anew: options given to _lane_set itself would add up
    for _option in (
        json_option,
        workspace_option,
        click.option(
            "--cap-timezone", metavar="TZ", type=TIMEZONE, help="Where the cap's day begins at midnight (default UTC)."
        ),
        click.option("--warm-up", type=RAMP, help="A ramp from today on: 5+2 is 5, then 2 more each day."),
        click.option("--max-in-flight", type=Whole(1), help="How many at the same time (default 1)."),
        click.option("--jitter", "jitter_seconds", type=SECONDS, help="Chance adds up to this to each gap."),
        click.option("--min-gap", "min_gap_seconds", type=SECONDS, help="The least time between two sends."),
        click.option("--weekly-cap", type=CAP, help="The most in seven days, today included."),
        click.option("--daily-cap", type=CAP, help="The most in a day."),
        click.argument("channel"),
        click.argument("account"),
    ):
        _command = _option(_command)
    lane_command.command(_name, help="Set what a lane may do; it is made if need be. `none` takes a limit away.\n\n"
                         f"\b\nExample: send-queue lane {_name} anna linkedin_invite --daily-cap 20 --min-gap 30m"
                         )(_command)  # fmt: skip


@lane_command.command("show")
@click.argument("account")
@click.argument("channel")
@workspace_option
@json_option
@click.pass_obj
def lane_show(app: App, /, account: str, channel: str, workspace: str | None, json_: bool) -> None:
    """Show one lane.

    \b
    Example: send-queue lane show anna linkedin_invite
    """
    from send_queue import store

    with app.database() as conn:
        rows = store.listed(conn, "lane", store.find(conn, "account", account, workspace), channel)
    if not rows:
        raise UserError(f"The account {account!r} has no lane {channel!r}: see `send-queue lane list`.")
    _show("lane", rows[0], json_)


# --- schedules --------------------------------------------------------------------------------------------

schedule_command = _group("schedule", "Business hours, weekdays, holidays, in a time zone.")


def _schedule_options(command: Any) -> Any:
    return with_options(
        command,
        click.option("--hours", multiple=True, metavar="FROM-TO", help="07:00-18:00; several: 9:00-12:00,13:00-17:00; "
                     "over midnight: 22:00-02:00; of some days only: 'fri 9:00-12:00'. May be given again."),
        click.option("--days", help="The days that --hours is about: mon-fri (default), sun-thu, mon,wed,fri."),
        click.option("--holidays", type=TEXT_OR_NONE, metavar="COUNTRY", help="Closed on its public holidays: US, DE."),
        click.option("--holidays-subdivision", type=TEXT_OR_NONE, metavar="CODE", help="Of this state too: CA, BY."),
        click.option("--closed", multiple=True, metavar="DATE", help="Closed on this day too. May be given again."),
        click.option("--open", "open_", multiple=True, metavar="DATE", help="Open on this day too, in spite of a "
                     "weekend or a holiday. May be given again."),
    )  # fmt: skip


def _schedule_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    from send_queue.rules import calendar

    given = _given(options)
    fields: dict[str, Any] = {k: given[k] for k in ("timezone",) if k in given}
    if "hours" in given:
        fields["hours"] = calendar.hours_from_text(given["hours"], given.get("days"))
    elif "days" in given:
        raise UserError("--days says which days --hours is about: give both.")
    if "holidays" in given:
        fields |= {"skip_holidays": given["holidays"] is not None, "holiday_country": given["holidays"],
                   "holiday_subdivision": None}  # fmt: skip
    if "holidays_subdivision" in given:
        fields["holiday_subdivision"] = given["holidays_subdivision"]
    for option, column in DAYS.items():
        if option in given:
            fields[column] = sorted({_date(text) for text in given[option] if text != "none"})
    return fields


DAYS = {"closed": "closed_on", "open_": "open_on"}
"""The options that name days, and the columns that hold them."""


def _with_days(there: Mapping[str, Any], fields: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The days of a schedule with those that are added and without those that are taken out; `none` empties the list
    first."""
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
    """What a schedule says now and said otherwise before, in the order of its columns."""
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
            was, now = ("none" if row[column] is None else row[column] for row in (before, after))
            changed.append(f"{column.replace('_', ' ')} {now} (was {was})")
    return "; ".join(changed)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(f"{text!r} is not a date: write it as 2026-12-24.") from None


def _checked(app: App, fields: Mapping[str, Any], name: str) -> None:
    """Refuse a schedule that cannot be read or never opens."""
    from send_queue.rules import calendar

    calendar.check(calendar.schedule_from({"name": name, **fields}), app.now() or datetime.now(UTC))


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
        _checked(app, fields, name)
        row = store.upsert(conn, "schedule", name, fields, adding=True)
    click.echo(as_json(row) if json_ else f"Added the schedule {printable(name)}.")


@schedule_command.command("set")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="An IANA name: America/New_York.")
@_schedule_options
@click.option("--remove-closed", multiple=True, metavar="DATE", help="Not closed on this day. May be given again.")
@click.option("--remove-open", multiple=True, metavar="DATE", help="Not open on this day. May be given again.")
@json_option
@click.pass_obj
def schedule_set(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Change a schedule; what is not named stays.

    --hours replaces the hours of the whole week. --closed and --open add days to those that are there;
    --remove-closed and --remove-open take days out, `--closed none` and `--open none` take out all.

    \b
    Example: send-queue schedule set new-york --closed 2026-12-24 --closed 2026-12-31
    """
    from send_queue import store

    fields = _schedule_fields(options)
    with app.database() as conn:
        [there] = store.listed(conn, "schedule", store.find(conn, "schedule", name))
        fields = _with_days(there, fields, options)
        _checked(app, there | fields, name)
        row = store.upsert(conn, "schedule", name, fields)
    if json_:
        click.echo(as_json(row))
    elif changes := _changes(there, row):
        click.echo(f"Set the schedule {printable(name)}: {printable(changes)}.")
    else:
        click.echo(f"Set the schedule {printable(name)}: it says what it said before." if fields
                   else _unchanged("schedule", name))  # fmt: skip


# --- campaigns --------------------------------------------------------------------------------------------

campaign_command = _group("campaign", "Sends that belong together: a pool of accounts, a schedule, a retry policy.")


def _campaign_options(command: Any) -> Any:
    return with_options(
        command,
        click.option("--account", "accounts", multiple=True, metavar="A", help="An account of its pool; repeatable."),
        click.option("--schedule", metavar="S", type=TEXT_OR_NONE, help="When it may send (default: the account's)."),
        click.option("--max-attempts", type=Whole(1), help="Tries before it is failed (default 3)."),
        click.option("--backoff", "backoff_seconds", type=BACKOFF, help="Waits between tries (default 5m,15m,1h)."),
        click.option("--on-uncertain", type=click.Choice(["hold", "resend"]), help="What to do with a send that may "
                     "have gone out and cannot be looked up (default hold: a person decides)."),
        click.option("--follow-up", "follow_up_after", type=DURATION, help="When a follow-up is due after an "
                     "invitation (default 3d)."),
        click.option("--quiet-hours", metavar="FROM-UNTIL|none", type=QUIET, help="When nobody is written to, in the "
                     "recipient's own time zone: 21:00-08:00 (default: those for sms; none for other channels)."),
        skip_contacted_option,
        click.option("--country", metavar="CC|none", type=COUNTRY_OR_NONE, help="Where phone numbers are from that "
                     "do not name their country: GB (default none: such numbers are refused)."),
        click.option("--set", "settings", multiple=True, metavar="A:NAME=VALUE", type=PLACE_SETTING, help="What the "
                     "account A's provider must know in this campaign, before what the account says: "
                     "anna:from=fall@example.com. Repeatable."),
    )  # fmt: skip


def _campaign_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    fields = _given(options)
    for name in ("accounts", "remove_accounts"):
        if name in fields:
            fields[name] = list(fields[name])
    if "quiet_hours" in fields:
        fields["quiet_from"], fields["quiet_until"] = fields.pop("quiet_hours")
    if "settings" in fields:
        by_account: dict[str, dict[str, str | None]] = {}
        for account, (name, value) in fields["settings"]:
            by_account.setdefault(account, {})[name] = value
        fields["settings"] = by_account
    if isinstance(after := fields.get("follow_up_after"), timedelta):
        fields["follow_up_after"] = f"{after.total_seconds()} seconds"
    return _timed(fields)


@campaign_command.command("add")
@click.argument("name")
@_campaign_options
@workspace_option
@json_option
@click.pass_obj
def campaign_add(app: App, /, name: str, workspace: str | None, json_: bool, **options: Any) -> None:
    """Add a campaign.

    \b
    Example: send-queue campaign add fall --account anna --account ben --max-attempts 3 --backoff 5m,15m,1h
    """
    _put(app, "campaign", name, _campaign_fields(options), json_, adding=True, workspace=workspace)


@campaign_command.command("set")
@click.argument("name")
@_campaign_options
@click.option("--remove-account", "remove_accounts", multiple=True, metavar="A", help="It leaves the pool.")
@click.option("--done", "status", flag_value="done", help="It is over: nothing more goes out.")
@workspace_option
@json_option
@click.pass_obj
def campaign_set(app: App, /, name: str, workspace: str | None, json_: bool, **options: Any) -> None:
    """Change a campaign; accounts are added to the pool.

    What waits for an account that leaves still goes out from it, until `reassign` moves it.

    \b
    Example: send-queue campaign set fall --account carla --remove-account ben
    """
    _put(app, "campaign", name, _campaign_fields(options), json_, adding=False, workspace=workspace)


# --- limits -----------------------------------------------------------------------------------------------

limit_command = _group("limit", "Rolling limits of an account or a whole workspace: 10/10m, 20/1m, 1000/1h.")

_scope = (
    click.argument("rate", type=RATE, metavar="N/DURATION"),
    click.option("--channel", metavar="C", help="Only sends of this channel."),
    click.option("--account", metavar="A", help="Of this account (default: of the whole workspace)."),
    workspace_option,
)


def _limit(verb: str, help: str) -> None:
    def command(
        app: App, rate: tuple[int, timedelta], channel: str | None, account: str | None, workspace: str | None,
        json_: bool,
    ) -> None:  # fmt: skip
        from send_queue import store

        max_sends, per = rate
        with app.database() as conn:
            row = store.put_limit(conn, None if verb == "remove" else max_sends, per, account, channel, workspace)
        click.echo(as_json(row) if json_ else f"{'Removed' if verb == 'remove' else 'Set'} the limit.")

    decorated: Any = json_option(command)
    for option in _scope:
        decorated = option(decorated)
    limit_command.command(verb, help=help)(click.pass_obj(decorated))


_limit("add", "Add a limit, or change the one for the same period.\n\n"
       "\b\nExample: send-queue limit add --account anna 10/10m")  # fmt: skip
_limit("set", "Change a limit (the same as add).\n\n\b\nExample: send-queue limit set --workspace acme 1000/1h")
_limit("remove", "Remove the limit for this period.\n\n\b\nExample: send-queue limit remove --account anna 10/10m")


@limit_command.command("show")
@click.argument("id", metavar="ID")
@json_option
@click.pass_obj
def limit_show(app: App, /, id: str, json_: bool) -> None:
    """Show one limit.

    \b
    Example: send-queue limit show 0199…
    """
    from send_queue import store

    with app.database() as conn:
        rows = [row for row in store.listed(conn, "limit") if row["id"] == id]
    if not rows:
        raise UserError(f"There is no limit {id!r}: see `send-queue limit list`.")
    _show("limit", rows[0], json_)
