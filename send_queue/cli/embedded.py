"""The embedded Postgres: url, dump, restore, stop."""

from __future__ import annotations

from pathlib import Path

import click

from send_queue.cli.app import App, json_option
from send_queue.cli.output import as_json
from send_queue.model import UserError


@click.group("embedded")
def embedded_command() -> None:
    """The embedded Postgres: send-queue uses it without DATABASE_URL, and leaves it running."""


@embedded_command.command("url")
@click.pass_obj
def embedded_url(app: App) -> None:
    """Print its URL, starting it if needed.

    \b
    Example: psql "$(send-queue embedded url)"
    """
    from send_queue.store import embedded

    click.echo(embedded.url(embedded.default_data_dir(app.env)))


@embedded_command.command("dump")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_obj
def embedded_dump(app: App, /, file: Path, json_: bool) -> None:
    """Back it up into FILE, readable by you alone.

    Runs may go on meanwhile. The new FILE replaces an older one once it is complete.

    \b
    Example: send-queue embedded dump queue.dump
    """
    from send_queue.store import backup, embedded

    size = backup.dump(embedded.default_data_dir(app.env), file)
    click.echo(as_json({"file": str(file), "bytes": size}) if json_ else f"Dumped {size:,} bytes.")


@embedded_command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace the database; its present content is lost.")
@json_option
@click.pass_obj
def embedded_restore(app: App, /, file: Path, replace: bool, json_: bool) -> None:
    """Restore a FILE of `embedded dump`, whole or not at all.

    Stop cron first. A restored database is a copy, and sends nothing before `send-queue adopt`.

    \b
    Example: send-queue embedded restore queue.dump
    """
    from send_queue import store
    from send_queue.store import backup, embedded

    folder = embedded.default_data_dir(app.env)
    backup.check(file)
    if not replace:
        with store.connected(embedded.url(folder)) as conn:
            if not store.is_blank(conn):
                raise UserError(
                    f"The embedded Postgres in {folder} has content, so nothing was restored: dump it if you need it,"
                    " then add --replace."
                )
    backup.restore(folder, file)
    if json_:
        click.echo(as_json({"file": str(file), "copy": True}))
    else:
        click.echo("Restored as a copy that sends nothing: run `send-queue adopt --since` with the moment of the dump,"
                   " or `send-queue adopt --nothing-was-sent` if nothing went out after it.")  # fmt: skip


@embedded_command.command("stop")
@click.pass_obj
def embedded_stop(app: App) -> None:
    """Stop it.

    \b
    Example: send-queue embedded stop
    """
    from send_queue.store import embedded

    embedded.stop(embedded.default_data_dir(app.env))
