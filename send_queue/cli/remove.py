"""rename, remove: campaigns, accounts, schedules and lanes."""

from __future__ import annotations

import click

from send_queue.cli.app import App, json_option, workspace_option
from send_queue.cli.output import as_json, printable
from send_queue.cli.values import Noun
from send_queue.model import UserError


@click.command("rename")
@click.argument("kind", type=Noun(["campaign", "account", "schedule"]), metavar="campaign|account|schedule")
@click.argument("name")
@click.argument("new_name")
@workspace_option
@json_option
@click.pass_obj
def rename_command(app: App, /, kind: str, name: str, new_name: str, workspace: str | None, json_: bool) -> None:
    """Rename a campaign, an account or a schedule.

    Cron lines and filters that have the old name need the new one.

    \b
    Example: send-queue rename campaign fall autumn
    """
    from send_queue import store

    with app.database() as conn:
        store.rename(conn, kind, name, new_name, workspace)
    if json_:
        click.echo(as_json({"kind": kind, "name": new_name, "renamed_from": name}))
    else:
        click.echo(f"Renamed the {kind} {printable(name)} to {printable(new_name)}.")


@click.command("remove")
@click.argument("kind", type=Noun(["campaign", "account", "schedule", "lane"]),
                metavar="campaign|account|schedule|lane")  # fmt: skip
@click.argument("name")
@click.argument("channel", required=False)
@click.option("--with-its-sends", "with_sends", is_flag=True, help="Remove its sends too, if none was ever tried.")
@click.option("--dry-run", is_flag=True, help="Count, and remove nothing.")
@workspace_option
@json_option
@click.pass_obj
def remove_command(
    app: App, /, kind: str, name: str, channel: str | None, with_sends: bool, dry_run: bool, workspace: str | None,
    json_: bool,
) -> None:  # fmt: skip
    """Remove a campaign, an account, a schedule or a lane to which nothing refers.

    An account or lane that has sent stays while its caps count that.

    \b
    Example: send-queue remove campaign mistaken --with-its-sends --dry-run
             send-queue remove lane anna linkedin_invite
    """
    from send_queue import store

    if (kind == "lane") != (channel is not None):
        wrong = "A lane has an account and a channel" if kind == "lane" else "Only a lane has a channel"
        raise UserError(f"{wrong}: write `send-queue remove {kind} {'ACCOUNT CHANNEL' if kind == 'lane' else 'NAME'}`.")
    with app.database() as conn:
        report = store.remove(conn, kind, name, channel, workspace, with_sends, dry_run, app.now())
    if json_:
        click.echo(as_json(report))
        return
    sends = report["sends"]
    also = f", with {sends:,} send{'' if sends == 1 else 's'} that had not been tried" if sends else ""
    verb = "Would remove" if dry_run else "Removed"
    click.echo(f"{verb} the {kind} {printable(name)}{f' {channel}' if channel else ''}{also}.")
