"""migrate, sandbox, demo."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import click

from send_queue.cli.app import App, json_option
from send_queue.cli.output import as_json, printable
from send_queue.cli.whole import Whole
from send_queue.model import UserError


@click.command("migrate")
@click.option("--grant-worker", "work", multiple=True, metavar="ROLE", help="A role for runs alone. Repeatable.")
@click.option(
    "--grant-enqueue", "enqueue", multiple=True, metavar="ROLE", help="A role for send_enqueue alone. Repeatable."
)
@click.option("--grant-read", "read", multiple=True, metavar="ROLE", help="A role for reading the views. Repeatable.")
@click.option("--workspace", metavar="W", help="With --grant-enqueue: the roles' only workspace.")
@json_option
@click.pass_obj
def migrate_command(app: App, /, workspace: str | None, json_: bool, **roles: tuple[str, ...]) -> None:
    """Install or upgrade the tables, functions and views.

    Run it at any time. Each task may have a database role of its own, without other rights; later migrates keep it.
    Roles other than these and the owner get no rights, whatever the server's defaults.

    \b
    Example: send-queue migrate --grant-worker cron --grant-enqueue app --grant-read dashboard
    """
    from send_queue import store
    from send_queue.providers import installed
    from send_queue.store import schema

    grants = [(role, task, workspace) for task, granted in roles.items() for role in granted]
    if workspace is not None and not grants:
        raise UserError("--workspace has no grant to limit: give --grant-enqueue ROLE too.")
    with app.database() as conn, store.translate_errors():
        report = schema.migrate(conn, grants=grants, served=installed.served())
    if not json_:
        for role, task, _ in grants:
            of = f" in the workspace {printable(workspace)}" if workspace is not None else ""
            click.echo(f"The role {printable(role)} may {task}{of}.")
    if json_:
        click.echo(as_json({"applied": report.applied, "functions": report.functions, "dropped": report.dropped,
                            "views": report.views,
                            "grants": [{"role": r, "may": t, "workspace": w} for r, t, w in grants]}))  # fmt: skip
    elif report.applied or report.functions or report.dropped or report.views:
        click.echo(f"Migrated: {_some(len(report.applied), 'migration')}, {_some(len(report.functions), 'function')}"
                   + (", views." if report.views else "."))  # fmt: skip
    elif not grants:
        click.echo("Nothing to do: the database is up to date.")


def _some(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


@click.command("sandbox")
@click.option("--port", type=Whole(0, 65535), default=8765, show_default=True, help="0: any free port.")
@click.option("--journal", type=click.Path(path_type=Path, dir_okay=False), default=Path("sandbox-journal.jsonl"),
              show_default=True, help="The file for accepted sends.")  # fmt: skip
@click.option("--faults", type=click.Path(path_type=Path, dir_okay=False), help="A JSON list of initial faults.")
@click.pass_obj
def sandbox_command(app: App, /, port: int, journal: Path, faults: Path | None) -> None:
    """Run a local server that imitates the providers and sends nothing.

    \b
    Example: send-queue sandbox --port 8765   (then: UNIPILE_DSN=http://127.0.0.1:8765 UNIPILE_API_KEY=any)
    """
    from send_queue.sandbox import BadSettings, JournalDamaged, JournalInUse, Sandbox, read_faults, serve

    app.start_clock()
    try:
        ordered = read_faults(faults.read_bytes()) if faults else ()
        serve(Sandbox(journal, port, faults=ordered, clock=lambda: app.now() or datetime.now(UTC)))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise UserError(
            f"The sandbox cannot start ({error.strerror or error}{where}): name another --journal, --faults or --port."
        ) from error
    except (JournalInUse, JournalDamaged, BadSettings, ValueError) as error:
        raise UserError(f"The sandbox cannot start: {str(error).rstrip('.')}.") from error


@click.command("demo")
def demo_command() -> None:
    """Run a campaign through a week with a holiday, against the sandbox, and show its sends.

    \b
    Example: send-queue demo
    """
    from send_queue import demo

    demo.play(click.echo, _typed)


class _Rehearsal(App):
    """The surroundings of a command in the demo."""

    def __init__(self, url: str, at: datetime) -> None:
        super().__init__({"DATABASE_URL": url})
        self._at = at

    def now(self) -> datetime:
        return self._at


def _typed(args: Sequence[str], *, url: str, at: datetime) -> str:
    from send_queue.cli import cli

    command = cli.get_command(click.Context(cli), args[0])
    if command is None:
        raise ValueError(f"There is no command {args[0]}.")
    with redirect_stdout(StringIO()) as printed:
        command.main(args[1:], prog_name=f"send-queue {args[0]}", obj=_Rehearsal(url, at), standalone_mode=False)
    return printed.getvalue()
