"""post: one text to many profiles."""

from __future__ import annotations

from typing import Any

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json
from send_queue.cli.values import MOMENT
from send_queue.cli.whole import Whole


@click.command("post")
@click.argument("text")
@click.option("--account", "accounts", metavar="A", multiple=True, required=True,
              help="An account with a profile. Repeatable.")  # fmt: skip
@click.option("--campaign", metavar="C", help="Its campaign (default: posts, added if needed).")
@click.option("--at", "scheduled_for", type=MOMENT, metavar="T", help="Not before: 2026-11-23T09:00:00+01:00.")
@click.option("--priority", type=Whole(-32768, 32767), help="Lower goes first (default 100).")
@click.option("--dedupe-key", metavar="K", help="Unique in the workspace: a second post with the key is not stored.")
@click.option("--dry-run", is_flag=True, help="Check the text for each network; store nothing.")
@workspace_option
@json_option
@click.pass_obj
def post_command(app: App, /, text: str, dry_run: bool, json_: bool, **more: Any) -> int:
    """Put one text into the queue for several profiles: a row for each account, all or none.

    Nothing is stored if the text is too long for one of the networks, by its own count.

    \b
    Example: send-queue post 'We are hiring: https://example.com/jobs' --account our-mastodon \\
               --account our-bluesky --at 2026-11-23T09:00:00+01:00
    """
    from send_queue.intake import crosspost

    with app.database() as conn:
        done = crosspost.dispatch(conn, text, dry_run=dry_run, at=app.now(), **more)
    for account, why in done.wrong:
        warn(f"{account}: {why}")
    if done.wrong:
        warn("Nothing was stored: mend the text, or leave out the accounts above.")
        return 2
    if done.made_campaign and not dry_run:
        warn(f"The campaign {crosspost.CAMPAIGN} was made: give it a schedule with `send-queue campaign set`.")
    if json_:
        sends = [{"id": placed.id, "account": placed.account, "created": placed.created} for placed in done.sends]
        click.echo(as_json({"dispatch": None if dry_run else done.id, "sends": sends}))
        return 0
    for placed in done.sends:
        if dry_run:
            click.echo(f"{placed.account}: {'would be enqueued' if placed.created else 'is there already'}.")
        else:
            click.echo(f"{placed.id} {placed.account} {'enqueued' if placed.created else 'is there already'}.")
    return 0
