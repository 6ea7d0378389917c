"""forget: remove a person's data."""

from __future__ import annotations

import shlex
from typing import Any

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable


@click.command("forget")
@click.argument("whom", metavar="RECIPIENT|PROSPECT")
@click.option("--dry-run", is_flag=True, help="Count, and remove nothing.")
@workspace_option
@json_option
@click.pass_obj
def forget_command(app: App, /, whom: str, dry_run: bool, workspace: str | None, json_: bool) -> None:
    """Remove a person's data, by an address in any spelling or a prospect's id.

    Their waiting sends are skipped; counts, tally and suppressions stay.

    \b
    Example: send-queue forget ada@example.com
    """
    from send_queue import store

    with app.database() as conn:
        report = store.forget(conn, whom, workspace, dry_run, app.now())
    if json_:
        click.echo(as_json(report))
        return
    verb, skipped = ("Would remove", "would become") if dry_run else ("Removed", "became")
    click.echo(
        f"{verb} the data of {printable(whom)} in the workspace {printable(report['workspace'])} from "
        f"{_counted(report, 'sends')}, {_counted(report, 'attempts')}, {_counted(report, 'prospects')} and "
        f"{_counted(report, 'notifications')}; {report['skipped']:,} waiting "
        f"{'send' if report['skipped'] == 1 else 'sends'} {skipped} `skipped`."
    )
    click.echo(f"Kept: the rows with their codes and moments, for counts and caps, and {_kept(report)}.")
    if not report["suppressions_kept"]:
        place = [] if report["workspace"] == "default" else ["--workspace", report["workspace"]]
        add = shlex.join(["send-queue", "suppress", "add", whom, *place])
        warn(f"Later sends to them are not blocked: to block them, which stores the address, run `{add}`.")


def _counted(report: dict[str, Any], what: str) -> str:
    n = report[what]
    return f"{n:,} {what[:-1] if n == 1 else what}"


def _kept(report: dict[str, Any]) -> str:
    n = report["suppressions_kept"]
    if not n:
        return "no suppression"
    return "one suppression, with their address" if n == 1 else f"{n:,} suppressions, with their addresses"
