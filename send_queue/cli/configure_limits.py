"""Commands of rolling limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from send_queue.cli.app import App, json_option, workspace_option
from send_queue.cli.configure_common import _group, _show
from send_queue.cli.output import as_json
from send_queue.cli.values import (
    RATE,
)
from send_queue.model import UserError

# --- limits -----------------------------------------------------------------------------------------------

limit_command = _group("limit", "Rolling limits of an account or a whole workspace: 10/10m, 20/1m, 1000/1h.")

_scope = (
    click.argument("rate", type=RATE, metavar="N/DURATION"),
    click.option("--channel", metavar="C", help="Only sends of this channel."),
    click.option("--account", metavar="A", help="The account (default: the whole workspace)."),
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


_limit("add", "Add a limit, or change the one of the same period.\n\n"
       "\b\nExample: send-queue limit add --account anna 10/10m")  # fmt: skip
_limit("set", "Change a limit (the same as add).\n\n\b\nExample: send-queue limit set --workspace acme 1000/1h")
_limit("remove", "Remove the limit of this period.\n\n\b\nExample: send-queue limit remove --account anna 10/10m")


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
