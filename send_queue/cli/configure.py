"""Commands of workspaces, accounts and lanes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from send_queue.cli.app import DURATION_OR_NONE, App, json_option, with_options, workspace_option
from send_queue.cli.configure_common import _given, _group, _put, _show
from send_queue.cli.output import as_json, printable
from send_queue.cli.values import (
    CAP,
    RAMP,
    SECONDS,
    SETTING,
    TEXT_OR_NONE,
    TIMEZONE,
    VARIABLE,
)
from send_queue.cli.whole import Whole
from send_queue.model import UserError

# --- workspaces -------------------------------------------------------------------------------------------

skip_contacted_option = click.option(
    "--skip-contacted", metavar="D|none", type=DURATION_OR_NONE, help="Skip recipients to whom another campaign of "
    "the workspace wrote within this time: 90d; 0d skips nobody. A campaign overrides its workspace (default: none).",
)  # fmt: skip


def _timed(fields: dict[str, Any]) -> dict[str, Any]:
    """Write durations as Postgres intervals, in whole days plus seconds."""
    return {
        name: f"{value.days} days {value.seconds} seconds" if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }


workspace_command = _group("workspace", "Tenants: each owns accounts, campaigns, prospects and limits.")


@workspace_command.command("add")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="The time zone of its people (default UTC).")
@skip_contacted_option
@json_option
@click.pass_obj
def workspace_add(app: App, /, name: str, json_: bool, **options: Any) -> None:
    """Add a workspace, besides the first one, named default.

    \b
    Example: send-queue workspace add acme --timezone Europe/Paris
    """
    _put(app, "workspace", name, _timed(_given(options)), json_, adding=True)


@workspace_command.command("set")
@click.argument("name")
@click.option("--timezone", metavar="TZ", type=TIMEZONE, help="The time zone of its people.")
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
        click.option("--provider-account-id", metavar="ID", type=TEXT_OR_NONE, help="Its id at the provider."),
        click.option("--tier", type=click.Choice(["free", "premium", "sales_navigator"]), help="Sets new lanes' caps."),
        click.option("--schedule", metavar="NAME", type=TEXT_OR_NONE, help="When it may send: `always` for "
                     "round the clock (default: office hours for LinkedIn, else always)."),
        click.option("--secret-env", metavar="VAR", type=VARIABLE, help="The name of the environment variable "
                     "with its secret; not the secret."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", type=SETTING, help="A setting for its "
                     "provider, such as from=anna@example.com; NAME= removes it. Repeatable."),
        workspace_option,
        json_option,
    )  # fmt: skip


def _provider_channels(name: str) -> list[str]:
    """List the provider's channels. Raises `UserError` for an unknown provider."""
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
    help="The service that carries its messages: unipile, sendgrid, smtp, log, or your own.",
)
@_account_options
@click.pass_obj
def account_add(app: App, /, name: str, provider: str, workspace: str | None, json_: bool, **options: Any) -> None:
    """Add an account, and its lanes with the caps and pauses of its tier.

    \b
    Example: send-queue account add anna --provider unipile --provider-account-id Xb3c --tier premium
    """
    served = _provider_channels(provider)
    # The provider `log` takes every channel; start it with the lane of its own.
    fields = _account_fields(options) | {"provider": provider, "channels": ["log"] if provider == "log" else served}
    _put(app, "account", name, fields, json_, adding=True, workspace=workspace, served={provider: served})


@account_command.command("set")
@click.argument("name")
@click.option("--provider", metavar="P", help="The service that carries its messages.")
@_account_options
@click.pass_obj
def account_set(
    app: App, /, name: str, provider: str | None, workspace: str | None, json_: bool, **options: Any
) -> None:
    """Change an account. A new tier leaves the caps of its lanes: see `lane set`.

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
    _command: Any = click.pass_obj(_lane_set)  # wrapped anew: options on _lane_set itself would add up
    for _option in (
        json_option,
        workspace_option,
        click.option(
            "--cap-timezone",
            metavar="TZ",
            type=TIMEZONE,
            help="The zone whose midnight begins the cap's day (default UTC).",
        ),
        click.option("--warm-up", type=RAMP, help="Ramp up the daily cap: 5+2 is 5 today, then 2 more each day."),
        click.option("--max-in-flight", type=Whole(1), help="The most sends at the same time (default 1)."),
        click.option("--jitter", "jitter_seconds", type=SECONDS, help="Lengthen each gap by a random time up to this."),
        click.option("--min-gap", "min_gap_seconds", type=SECONDS, help="The shortest time between two sends."),
        click.option("--weekly-cap", type=CAP, help="The most sends in seven days, today included."),
        click.option("--daily-cap", type=CAP, help="The most sends in a day."),
        click.argument("channel"),
        click.argument("account"),
    ):
        _command = _option(_command)
    lane_command.command(_name, help="Set a lane's caps and pace, adding it if needed. `none` removes a cap.\n\n"
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
