"""suppress: recipients who get no messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.app import COUNTRY, App, json_option, warn, workspace_option
from send_queue.cli.intake import MAX_NAMED_LINES, map_option, mapping
from send_queue.cli.output import as_json, printable, table, terminal_width
from send_queue.cli.whole import Whole
from send_queue.model import CHANNELS, Json, UserError

if TYPE_CHECKING:
    from send_queue.intake.suppression import Entry
    from send_queue.store import Connection

channel_option = click.option("--channel", metavar="CH", help="This channel only (default: all).")
country_option = click.option("--country", metavar="CC", type=COUNTRY, help="The country of phone numbers without one: "
                              "GB (default: such numbers are refused).")  # fmt: skip
reason_option = click.option("--reason", metavar="R", help="The reason, for your colleagues.")


@click.group("suppress")
def suppress_command() -> None:
    """Suppressed recipients get no messages: their sends are skipped, now and later."""


@suppress_command.command("add")
@click.argument("recipient", required=False)
@channel_option
@country_option
@reason_option
@click.option("--token", metavar="TOKEN", help="The token of an unsubscribe link, instead of a recipient.")
@workspace_option
@json_option
@click.pass_obj
def suppress_add(
    app: App, /, recipient: str | None, channel: str | None, country: str | None, reason: str | None,
    token: str | None, workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Suppress one recipient. Waiting sends are skipped at once; sends in flight still go out.

    Without --channel this covers all channels, and all known addresses of the same person.

    \b
    Example: send-queue suppress add ada@example.com --channel email --reason 'asked on the phone'
    """
    from send_queue.intake.suppression import Entry
    from send_queue.rules import recipients

    if (recipient is None) == (token is None):
        raise UserError("The recipient is missing or given twice: give a recipient or --token.")
    if token is not None and (channel or workspace or country):
        raise UserError(
            "A token names its channel and workspace itself: leave out --channel, --country and --workspace."
        )
    place: UUID | None = None
    if token is not None:
        from send_queue.rules import unsubscribe  # late: it imports cryptography

        place, channel, recipient = unsubscribe.open(app.env, token)
    whom = (recipient or "").strip()
    if not whom:
        raise UserError("The recipient is missing: give an address.")
    if token is None:
        if channel is not None and channel not in CHANNELS:
            raise UserError(f"There is no channel {channel!r}: use one of {', '.join(CHANNELS)}.")
        try:
            whom = recipients.suppressed(channel, whom, country)
        except ValueError as error:
            raise UserError(f"Nobody was suppressed: {error}.") from None
    entry = Entry(whom, channel, reason or ("unsubscribed" if token else None))
    with app.database() as conn:
        done = _suppress(app, conn, [entry], place, workspace)
    if json_:
        click.echo(as_json(done))
    else:
        click.echo(f"{printable(whom)} {'is suppressed' if done['added'] else 'was suppressed already'}.")
        _say_effect(done)


@suppress_command.command("remove")
@click.argument("recipient")
@click.option("--channel", metavar="CH", help="This channel only (default: all).")
@workspace_option
@json_option
@click.pass_obj
def suppress_remove(app: App, /, recipient: str, channel: str | None, workspace: str | None, json_: bool) -> None:
    """End a suppression; sends skipped meanwhile stay skipped.

    \b
    Example: send-queue suppress remove ada@example.com
    """
    from send_queue import store

    with app.database() as conn:
        removed = store.unsuppress(conn, _place(conn, workspace), recipient, channel)
    click.echo(as_json({"removed": removed}) if json_ else f"{printable(recipient)} may be written to again.")


@suppress_command.command("list")
@click.option("--recipient", metavar="R", help="Only this recipient, in any spelling.")
@click.option("--channel", metavar="CH", help="Only suppressions of this one channel.")
@click.option("--limit", type=Whole(1), default=100, help="The most suppressions (default 100).")
@workspace_option
@json_option
@click.pass_obj
def suppress_list(
    app: App, /, recipient: str | None, channel: str | None, limit: int, workspace: str | None, json_: bool
) -> None:
    """List suppressions, newest first.

    \b
    Example: send-queue suppress list --recipient ada@example.com
    """
    from send_queue import store

    with app.database() as conn:
        found = store.suppressions(
            conn, workspace, recipient, channel, limit + 1
        )  # one more, to know whether there are more
    rows = found[:limit]
    if json_:
        click.echo(as_json(rows))
    elif rows:
        columns = ("workspace", "recipient", "channel", "reason", "since")
        click.echo(table(rows, columns, terminal_width(), ("workspace", "channel")))
        if len(found) > limit:
            newest = "This is the newest" if limit == 1 else f"These are the newest {limit:,}"
            warn(f"{newest} of more: raise --limit.")
    else:
        click.echo("There are none.")


@suppress_command.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--channel", metavar="CH", help="The channel of lines without one (default: all channels).")
@country_option
@click.option("--reason", metavar="R", help="The reason of lines without one.")
@map_option
@workspace_option
@json_option
@click.pass_obj
def suppress_import(
    app: App, /, file: Path, channel: str | None, country: str | None, reason: str | None, mapped: tuple[str, ...],
    workspace: str | None, json_: bool,
) -> int:  # fmt: skip
    """Suppress all recipients of a file: all of it, or nothing if a line is wrong.

    The file has one recipient a line; or it is a list as `import` takes it, with the column recipient (or email, phone,
    linkedin_user_id, or a usual name of these) and perhaps channel and reason.

    \b
    Example: send-queue suppress import unsubscribed.csv --channel email --reason unsubscribed
    """
    from send_queue.intake import suppression

    entries, wrong, remarks = suppression.read(file, channel, reason, country, mapping(mapped))
    for remark in remarks:
        warn(remark)
    for number, why in wrong[:MAX_NAMED_LINES]:
        warn(f"{file.name}, line {number}: {why}.")
    done: dict[str, Any] = {"added": 0, "skipped": 0, "others": []}
    if not wrong:
        with app.database() as conn:
            done = _suppress(app, conn, entries, None, workspace)
    there = 0 if wrong else len(entries) - done["added"]
    if json_:
        click.echo(as_json({**done, "there": there,
                            "wrong": [{"line": number, "reason": why} for number, why in wrong]}))  # fmt: skip
    if wrong:
        warn(f"Nothing was stored: mend {len(wrong):,} {'line' if len(wrong) == 1 else 'lines'} and import again.")
        return 2
    if not json_:
        click.echo(f"{done['added']:,} suppressed, {there:,} there already.")
        _say_effect(done)
    return 0


def _suppress(app: App, conn: Connection, entries: list[Entry], place: UUID | None, workspace: str | None) -> Json:
    """Suppress entries. Returns the counts `added` and `skipped`, and `others`, the same people's other addresses."""
    from dataclasses import asdict

    from send_queue import store

    rows, where = [asdict(entry) for entry in entries], place or _place(conn, workspace)
    effect = store.suppression_effect(conn, where, rows)
    added = store.suppress(conn, where, rows, app.now())
    if place is None and workspace is None:
        others = [row["name"] for row in store.listed(conn, "workspace") if row["name"] != "default"]
        if others:
            warn(f"This changed the workspace default: for another ({', '.join(others[:5])}), give --workspace NAME.")
    return {"added": added, "skipped": effect["waiting"], "others": effect["others"]}


def _say_effect(done: Json) -> None:
    """Print the effects: other addresses of the same people, skipped sends."""
    if others := done["others"]:
        named = ", ".join(map(printable, others[:MAX_NAMED_LINES])) + (", …" if len(others) > MAX_NAMED_LINES else "")
        which = "is another address of theirs" if len(others) == 1 else f"are {len(others):,} other addresses of theirs"
        click.echo(f"So {which}: {named}.")
    if n := done["skipped"]:
        click.echo("One waiting send is skipped." if n == 1 else f"{n:,} waiting sends are skipped.")


def _place(conn: Connection, workspace: str | None) -> UUID:
    from send_queue import store

    return store.find(conn, "workspace", workspace or "default")
