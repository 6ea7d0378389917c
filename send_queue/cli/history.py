"""history: all steps of a send."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from send_queue.cli.app import App, ids_of, json_option, person_options
from send_queue.cli.output import as_json, printable, short
from send_queue.cli.values import ID

COLUMNS = ("at", "event", "attempt", "worker", "seconds", "http_status", "code", "detail")


@click.command("history")
@click.argument("id", type=ID, required=False, metavar="[ID]")
@person_options
@click.option("--csv", "csv_", is_flag=True, help="Print CSV.")
@json_option
@click.pass_obj
def history_command(
    app: App, /, id: UUID | None, recipient: str | None, name: str | None, csv_: bool, json_: bool
) -> None:
    """Print every step of a send, or of each send of a person, with its time and outcome.

    \b
    Example: send-queue history 01939c5e-…
    """
    from send_queue import store

    with app.database() as conn:
        ids = ids_of(conn, id, recipient, name)
        steps = [step if id else {"send_id": str(each), **step} for each in ids for step in store.history(conn, each)]
    if json_:
        click.echo(as_json(steps))
    elif csv_:
        from send_queue.cli.export import write_csv

        write_csv(steps, COLUMNS if id else ("send_id", *COLUMNS))
    else:
        before = id
        for step in steps:
            if not id and step["send_id"] != before:
                before = step["send_id"]
                click.echo(f"Send {before}:")
            click.echo(_line(step))


def _line(step: dict[str, Any]) -> str:
    words = [f"{short(step['at']):24}", f"{step['event']:13}"]
    if step["attempt"] is not None:
        words.append(f"attempt {step['attempt']}")
    if step["seconds"] is not None:
        words.append(f"after {step['seconds']} s")
    if step["worker"] is not None and step["event"] == "claimed":
        words.append(f"by {printable(step['worker'])}")
    if step["http_status"] is not None:
        words.append(f"HTTP {step['http_status']}")
    words += [printable(str(step[name])) for name in ("code", "detail") if step[name]]
    return " ".join(words).rstrip()
