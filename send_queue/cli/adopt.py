"""adopt: let a copy of a database send."""

from __future__ import annotations

from datetime import datetime

import click

from send_queue.cli.app import App, json_option
from send_queue.cli.output import as_json
from send_queue.cli.values import MOMENT
from send_queue.model import UserError


@click.command("adopt")
@click.option("--nothing-was-sent", is_flag=True, help="Nothing went out after the copy was made.")
@click.option("--since", type=MOMENT, metavar="TIME", help="The copy was made then, and sends may have gone out after "
              "it: those due or in flight become uncertain, and runs query their providers.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Count the sends concerned, and change nothing.")
@json_option
@click.pass_obj
def adopt_command(app: App, /, nothing_was_sent: bool, since: datetime | None, dry_run: bool, json_: bool) -> None:
    """Let a restored or copied database send.

    Until then runs send nothing and exit with 78. First stop all that sends from the original: each recipient would get
    its message twice. A copy for tests needs no adoption: everything but sending works in it.

    \b
    Example: send-queue adopt --since 2026-11-23T02:00:00Z
    """
    from send_queue import store

    if nothing_was_sent == (since is not None):
        raise UserError("It is unknown whether sends went out after the copy: give --nothing-was-sent or --since TIME.")
    with app.database() as conn:
        if dry_run:
            with store.rolled_back(conn):
                adopted = store.adopt(conn, since, app.now())
        else:
            adopted = store.adopt(conn, since, app.now())
    if json_:
        click.echo(as_json(adopted))
    elif not adopted["copy"] and since is None:
        click.echo("This database is not a copy: nothing to do.")
    else:
        verb = "would be" if dry_run else "are"
        click.echo(f"Sends that wait to go out: {adopted['waiting']:,}; that {verb} uncertain because of this: "
                   f"{adopted['in_doubt']:,}.")  # fmt: skip
