"""Commands of campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from send_queue.cli.app import COUNTRY_OR_NONE, App, json_option, with_options, workspace_option
from send_queue.cli.configure import _timed, skip_contacted_option
from send_queue.cli.configure_common import _given, _group, _put
from send_queue.cli.values import (
    BACKOFF,
    DURATION,
    PLACE_SETTING,
    QUIET,
    TEXT_OR_NONE,
)
from send_queue.cli.whole import Whole

# --- campaigns --------------------------------------------------------------------------------------------

campaign_command = _group("campaign", "Sends that belong together: a pool of accounts, a schedule, a retry policy.")


def _campaign_options(command: Any) -> Any:
    return with_options(
        command,
        click.option("--account", "accounts", multiple=True, metavar="A", help="An account of its pool. Repeatable."),
        click.option("--schedule", metavar="S", type=TEXT_OR_NONE, help="When it may send (default: the account's)."),
        click.option("--max-attempts", type=Whole(1), help="Tries before a send fails (default 3)."),
        click.option("--backoff", "backoff_seconds", type=BACKOFF, help="Waits between tries (default 5m,15m,1h)."),
        click.option("--on-uncertain", type=click.Choice(["hold", "resend"]), help="The fate of a send that may "
                     "have gone out and cannot be looked up (default hold: a person decides)."),
        click.option("--follow-up", "follow_up_after", type=DURATION, help="The time from an invitation to its "
                     "follow-up (default 3d)."),
        click.option("--quiet-hours", metavar="FROM-UNTIL|none", type=QUIET, help="Hours without sends, in the "
                     "recipient's time zone (default: 21:00-08:00 for sms; none for other channels)."),
        skip_contacted_option,
        click.option("--country", metavar="CC|none", type=COUNTRY_OR_NONE, help="The country of phone numbers "
                     "without one: GB (default none: such numbers are refused)."),
        click.option("--set", "settings", multiple=True, metavar="A:NAME=VALUE", type=PLACE_SETTING, help="A setting "
                     "for the account A in this campaign, over its own: anna:from=fall@example.com. Repeatable."),
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
@click.option(
    "--remove-account", "remove_accounts", multiple=True, metavar="A", help="Remove an account from the pool."
)
@click.option("--done", "status", flag_value="done", help="End the campaign: nothing more goes out.")
@workspace_option
@json_option
@click.pass_obj
def campaign_set(app: App, /, name: str, workspace: str | None, json_: bool, **options: Any) -> None:
    """Change a campaign; --account adds to its pool.

    Sends that wait for a removed account still go out from it, until `reassign` moves them.

    \b
    Example: send-queue campaign set fall --account carla --remove-account ben
    """
    _put(app, "campaign", name, _campaign_fields(options), json_, adding=False, workspace=workspace)
