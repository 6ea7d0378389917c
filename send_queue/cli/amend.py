"""amend: correct waiting sends."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click

from send_queue.cli.app import App, json_option, workspace_option
from send_queue.cli.intake import literal_option
from send_queue.cli.output import as_json, printable
from send_queue.cli.values import ID, MOMENT
from send_queue.cli.whole import Whole
from send_queue.model import UserError


@click.command("amend")
@click.argument("ids", type=ID, nargs=-1, metavar="[ID]...")
@click.option("--campaign", metavar="C", help="All waiting sends of this campaign.")
@click.option("--message", metavar="M", help="The new text; {fields} are filled in for each person.")
@click.option("--subject", metavar="S", help="The new subject, likewise.")
@click.option("--at", "scheduled_for", type=MOMENT, metavar="T", help="Not before: 2026-11-23T09:00:00+01:00.")
@click.option("--priority", type=Whole(-32768, 32767), help="Lower goes first.")
@click.option("--account", metavar="A", help="The account that sends them instead.")
@click.option("--dry-run", is_flag=True, help="Count the sends, show three texts, change nothing.")
@literal_option
@workspace_option
@json_option
@click.pass_obj
def amend_command(
    app: App, /, ids: tuple[UUID, ...], campaign: str | None, message: str | None, subject: str | None,
    scheduled_for: datetime | None, priority: int | None, account: str | None, dry_run: bool, literal: bool,
    workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Correct waiting sends: their text, moment, priority or account.

    All of them change, or none where one would be refused. Sends that may have gone out with an earlier try stay as
    they are.

    \b
    Example: send-queue amend --campaign fall --message 'Hi {first_name}' --dry-run
    """
    from send_queue.intake import amend
    from send_queue.intake.wording import Wording

    if bool(ids) == (campaign is not None):
        raise UserError("The sends to amend are not clear: give ids or --campaign, not both.")
    if all(value is None for value in (message, subject, scheduled_for, priority, account)):
        raise UserError("No change is given: add --message, --subject, --at, --priority or --account.")
    with app.database() as conn:
        result = amend.amend(
            conn, ids or None, campaign, workspace, Wording(message, subject, literal=literal), scheduled_for, priority,
            account, app.now(), dry_run,
        )  # fmt: skip
    if json_:
        click.echo(as_json({"changed": result.changed, "fixed": result.fixed, "dry_run": dry_run,
                            "examples": result.examples}))  # fmt: skip
        return
    for example in result.examples:
        if texts := [text for text in (example["subject"], example["message"]) if text is not None]:
            click.echo(f"To {printable(example['recipient'])}:")
            for text in texts:
                click.echo("\n".join(f"    {printable(line)}" for line in text.splitlines()))
    click.echo(f"{result.changed:,} {'would be ' if dry_run else ''}amended.")
    if result.fixed:
        click.echo(f"{result.fixed:,} may have gone out with an earlier try, and stay as they are.")
