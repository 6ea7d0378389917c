"""list, show, explain."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.app import App, filter_options, ids_of, json_option, person_options, warn
from send_queue.cli.output import as_json, printable, short, table, terminal_width
from send_queue.cli.values import ID, MOMENT
from send_queue.cli.whole import Whole
from send_queue.model import UserError

if TYPE_CHECKING:
    from send_queue.model import Explanation


EXPORTED = ("id", "status", "scheduled_for", "sent_at", "account", "channel", "campaign", "recipient", "priority",
            "attempts", "error_code", "error_message", "name")  # fmt: skip
"""The columns of a list as CSV."""


@click.command("list")
@click.option("--status", type=click.Choice(["pending", "sending", "sent", "failed", "skipped", "uncertain"]),
              help="Only sends in this state.")  # fmt: skip
@click.option("--limit", type=Whole(1), help="The most sends (default 50; all with --csv).")
@click.option("--since", type=MOMENT, metavar="T", help="From this time on: 2026-11-23T09:00:00+01:00.")
@click.option("--until", type=MOMENT, metavar="T", help="Up to this time.")
@click.option("--newest", is_flag=True, help="The latest first.")
@filter_options
@person_options
@click.option("--csv", "csv_", is_flag=True, help="Print CSV, for a spreadsheet.")
@json_option
@click.pass_obj
def list_command(
    app: App, /, status: str | None, limit: int | None, csv_: bool, json_: bool, recipient: str | None,
    name: str | None, since: datetime | None, until: datetime | None, newest: bool, **filters: str | None,
) -> None:  # fmt: skip
    """List sends: pending ones by due time, another --status by the time of its last change, without --status by the
    time of enqueueing; earliest first. --since and --until mean the same time.

    \b
    Example: send-queue list --status failed --campaign fall
    """
    from send_queue import store

    if since and until and until < since:
        raise UserError("--until is before --since: exchange them.")
    person, span = store.Person(recipient, name), store.Span(since, until, newest)
    if csv_ and not json_:
        from send_queue.cli.export import write_csv

        with app.database() as conn:
            write_csv(store.iter_sends(conn, store.Filters(**filters), status, limit, person, span), EXPORTED)
        return
    limit = limit or 50
    with app.database() as conn:
        # One more tells whether there are more.
        found = store.sends(conn, store.Filters(**filters), status, limit + 1, person, span)
    rows = found[:limit]
    if json_:
        if not person:  # the keys of a list of all sends are fixed
            rows = [{key: value for key, value in row.items() if key != "name"} for row in rows]
        click.echo(as_json(rows))
    elif rows:
        columns = ("id", "status", "scheduled_for", "account", "channel", "campaign", "recipient",
                   *(("name",) if person.name is not None else ()), "attempts", "error_code")  # fmt: skip
        click.echo(table(rows, columns, terminal_width(), ("attempts", "channel", "campaign", "error_code")))
        if len(found) > limit:
            order = "latest" if newest else "first"
            first = f"This is the {order}" if limit == 1 else f"These are the {order} {limit:,}"
            warn(f"{first}, by time, of more: raise --limit.")
    else:
        click.echo("There are none.")


@click.command("show")
@click.argument("id", type=ID, metavar="ID")
@json_option
@click.pass_obj
def show_command(app: App, /, id: UUID, json_: bool) -> None:
    """Show one send with its attempts.

    \b
    Example: send-queue show 01939c5e-…
    """
    from send_queue import store
    from send_queue.rules import sms

    with app.database() as conn:
        send = store.send(conn, id)
    if send["channel"] == "sms":
        counted = sms.segments(send["message"])
        send |= {"segments": counted.count, "encoding": counted.encoding}
    if json_:
        click.echo(as_json(send))
        return
    for name, value in send.items():
        if name != "tries" and value is not None:
            click.echo(f"{name + ':':22}{printable(str(value))}")
    for attempt in send["tries"]:
        click.echo(f"attempt {attempt['number']}: {short(attempt['started_at'])}  {attempt['outcome'] or 'in flight'}  "
                   + printable(" ".join(filter(None, (attempt["error_code"], attempt["error_message"])))))  # fmt: skip


@click.command("explain")
@click.argument("id", type=ID, required=False, metavar="[ID]")
@person_options
@json_option
@click.pass_obj
def explain_command(app: App, /, id: UUID | None, recipient: str | None, name: str | None, json_: bool) -> None:
    """Explain why a send, or each send of a person, has not gone, and name the exact earliest moment when it can.

    \b
    Example: send-queue explain 01939c5e-…
             send-queue explain --recipient ada@example.com
    """
    from send_queue.insight import forecast

    with app.database() as conn:
        found = [forecast.explained(conn, each, app.now()) for each in ids_of(conn, id, recipient, name)]
    if json_:
        objects = [_object(each) for each in found]
        click.echo(as_json(objects[0] if id else objects))
    else:
        click.echo("\n".join(line for each in found for line in lines(each)))


def _object(found: Explanation) -> dict[str, Any]:
    of_sms = {} if found.segments is None else {"segments": found.segments, "encoding": found.encoding}
    return {
        "send_id": found.send_id,
        "status": found.status,
        "verdict": found.verdict,
        "next_at": found.next_at,
        "holds": [{"rule": h.rule, "until": h.until, "detail": h.detail} for h in found.holds],
        **of_sms,
    }


def lines(found: Explanation) -> list[str]:
    """Write an explanation for people."""
    match found.verdict:
        case "due_now":
            head = "can go now"
        case "waiting" if found.next_at:
            words = {"exact": "at", "about": "at about", "after": "some time after"}[found.sure]
            next_at = found.next_at if found.sure == "exact" else found.next_at.replace(microsecond=0)
            head = f"waits; it can go {words} {next_at.isoformat()}"
        case "waiting":
            head = "waits"
        case "needs_person" if asked := next((h.until for h in found.holds if h.rule == "uncertain"), None):
            head = f"a run queries the provider at {short(asked)}: settle it only if that proves nothing"
        case "needs_person":
            head = "waits for a person"
        case _:
            head = "is over"
    text = [f"Send {found.send_id} is {found.status} and {head}."]
    text += [
        f"  {h.rule:14} {'until ' + short(h.until) if h.until else 'until somebody acts':32} {printable(h.detail)}"
        for h in found.holds
    ]
    if found.segments is not None:
        text.append(f"  Its text is {found.segments} segment{'s' * (found.segments != 1)} of SMS ({found.encoding}).")
    return text + [f"  {printable(sentence)}" for sentence in found.epilogue]
