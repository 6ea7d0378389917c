"""enqueue, import."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable
from send_queue.cli.values import DURATION, FIELD, MOMENT
from send_queue.cli.whole import Whole
from send_queue.model import ConfigurationError, UserError

if TYPE_CHECKING:
    from uuid import UUID

    from send_queue.intake.wording import Wording
    from send_queue.store import Connection

FILE = click.Path(path_type=Path)


literal_option = click.option("--literal", is_flag=True, help="Send text that looks like a placeholder and is none "
                              "unchanged.")  # fmt: skip


@click.command("enqueue")
@click.option("--campaign", metavar="C", required=True, help="Its campaign.")
@click.option("--channel", metavar="CH", required=True, help="linkedin_invite, linkedin_message, log, …")
@click.option("--recipient", metavar="R", required=True, help="An address, or the person's id at the provider.")
@click.option("--message", metavar="M", help="The text, unchanged.")
@click.option("--template", metavar="FILE", type=FILE, help="Instead of --message: a Jinja template of the text.")
@click.option("--html", metavar="FILE", type=FILE, help="A Jinja template of the same in HTML, for email.")
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", type=FIELD, help="A field for the "
              "templates, besides the recipient's own. Repeatable.")  # fmt: skip
@click.option(
    "--account",
    metavar="A",
    help="The sending account, in the campaign's pool or not (default: the pool's least loaded).",
)
@click.option("--subject", metavar="S", help="The subject, if the channel has one; with --template, a template too.")
@click.option("--at", "scheduled_for", type=MOMENT, metavar="T", help="Not before: 2026-11-23T09:00:00+01:00.")
@click.option("--priority", type=Whole(-32768, 32767), help="Lower goes first (default 100).")
@click.option("--dedupe-key", metavar="K", help="Unique in the workspace: a second send with the key is not stored.")
@click.option("--expires", "expires_at", type=MOMENT, metavar="T", help="Skip it after this moment.")
@click.option("--payload", metavar="JSON", help="Further data for the provider, as a JSON object.")
@literal_option
@workspace_option
@json_option
@click.pass_obj
def enqueue_command(
    app: App, /, payload: str | None, template: Path | None, html: Path | None, fields: tuple[tuple[str, str], ...],
    literal: bool, json_: bool, **message: Any,
) -> None:  # fmt: skip
    """Put one message into the queue.

    Give each message a --dedupe-key: without one, a repeated command sends twice.

    \b
    Example: send-queue enqueue --campaign fall --channel linkedin_invite --recipient ACoAAB… \\
               --message 'Hi Ada' --dedupe-key lead:4711
    """
    from send_queue.intake import enqueue, wording

    if (message["message"] is None) == (template is None):
        raise UserError("The text is missing or given twice: give --message TEXT or --template FILE.")
    if fields and not (template or html):
        raise UserError("--field has no template: give --template or --html, or leave it out.")
    words = _wording(None, template, html, message["subject"] if template else None, literal)
    message["payload"] = _object(payload)
    with app.database() as conn:
        campaign, channel, workspace = message["campaign"], message["channel"], message["workspace"]
        message["recipient"] = enqueue.recipient_of(conn, channel, message["recipient"], campaign, workspace)
        known = wording.fields_of(conn, campaign, channel, message["recipient"], workspace) | dict(fields)
        if not (template or literal):
            wording.check_standing(message["message"], message["subject"], known)
        if template or html:
            message |= wording.worded(words, channel, known, message["payload"])
        send_id, created = enqueue.enqueue(conn, **message, at=app.now())
        skipped = None if json_ else _skipped(conn, send_id)
    if json_:
        click.echo(as_json({"id": send_id, "created": created}))
    elif created:
        click.echo(f"{send_id} {f'stored as skipped ({skipped}): nothing goes out' if skipped else 'enqueued'}.")
    else:
        was = f", skipped ({skipped})" if skipped else ""
        click.echo(f"{send_id} is there already{was}: nothing was stored.")


def _skipped(conn: Connection, send_id: UUID) -> str | None:
    """Return the reason of a skipped send; None: it is not skipped, or the role may not read the queue."""
    from send_queue import store

    try:
        send = store.send(conn, send_id)
    except ConfigurationError:
        return None
    return printable(send["error_code"]) if send["status"] == "skipped" else None


def _wording(
    message: str | None, template: Path | None, html: Path | None, subject: str | None, literal: bool
) -> Wording:
    """Read the templates that the options name; --subject is a template if the text is one."""
    from send_queue.intake.wording import Wording

    if not (template or html):
        return Wording(message, subject, literal=literal)
    from send_queue.intake import files
    from send_queue.rules.templates import MAX_TEMPLATE_CHARS, Template  # late: it imports jinja2

    def read(file: Path, *, html: bool) -> Template:
        with files.opened(file, "a text file") as text:
            return Template(text.read(MAX_TEMPLATE_CHARS + 1), file.name, html=html)

    return Wording(
        message=read(template, html=False) if template else message,
        subject=Template(subject, "--subject") if template and subject is not None else subject,
        html=read(html, html=True) if html else None,
        literal=literal,
    )


def _object(text: str | None) -> dict[str, Any] | None:
    import json

    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UserError('The payload is not a JSON object: write it as {"key": "value"}.')
    return value


MAX_NAMED_LINES = 20
"""Lines named on stderr; the rest are counted."""


map_option = click.option("--map", "mapped", metavar="'COLUMN=FIELD'", multiple=True, help="The column holds this "
                          "field: --map 'Person Linkedin Url=linkedin_user_id'.")  # fmt: skip


def mapping(mapped: tuple[str, ...]) -> dict[str, str]:
    """Read the values of --map, {column: field}."""
    columns: dict[str, str] = {}
    for each in mapped:
        column, equals, name = each.rpartition("=")
        if not equals or not column.strip() or not name.strip():
            raise UserError(f"--map {each!r} is not COLUMN=FIELD: write it as --map 'Work Email=email'.")
        columns[column] = name.strip()
    return columns


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--campaign", metavar="C", required=True, help="Their campaign.")
@click.option("--channel", metavar="CH", required=True, help="linkedin_invite, linkedin_message, log, …")
@click.option("--message", metavar="M", help="The text, with {fields} filled in from the columns.")
@click.option("--template", metavar="FILE", type=FILE, help="Instead of --message: a Jinja template of the text.")
@click.option("--html", metavar="FILE", type=FILE, help="A Jinja template of the same in HTML, for email.")
@click.option("--subject", metavar="S", help="The subject, filled in like the text (default: the column subject).")
@click.option("--skip-contacted", type=DURATION, metavar="D", help="Leave out recipients to whom another campaign of "
              "the workspace wrote within this time: 90d (default: the campaign's or workspace's rule).")  # fmt: skip
@map_option
@click.option("--skip-incomplete", is_flag=True, help="Leave out lines without an address, instead of refusing them.")
@click.option("--again", is_flag=True, help="Enqueue lines again whose sends were cancelled.")
@click.option("--dry-run", is_flag=True, help="Check the whole file, show three texts, store nothing.")
@literal_option
@workspace_option
@json_option
@click.pass_obj
def import_command(
    app: App, /, file: Path, campaign: str, channel: str, message: str | None, template: Path | None,
    html: Path | None, subject: str | None, skip_contacted: timedelta | None, mapped: tuple[str, ...],
    skip_incomplete: bool, again: bool, dry_run: bool, literal: bool, workspace: str | None, json_: bool,
) -> int:  # fmt: skip
    """Put a list into the queue, CSV or Excel: all of it, or nothing if a line is wrong.

    The first line names the columns: recipient (or linkedin_user_id, email, phone), message, subject, name,
    first_name, last_name, company, timezone, priority, scheduled_for, expires_at, account, dedupe_key, payload; any
    other is kept with the prospect. The usual names in exports of other tools count too; --map names any
    other. A line already in the queue (same campaign, channel and recipient) is left alone: a file may be imported
    again.

    The fields of templates are the columns, by name, in any case and with blanks or underscores, and `attributes` with
    the unknown columns. Text that looks like a placeholder and is none is refused.

    It counts recipients of the workspace's other campaigns; --skip-contacted leaves out those they wrote to.

    \b
    Example: send-queue import people.csv --campaign fall --channel linkedin_invite \\
               --message 'Hi {first_name}'
    """
    from send_queue.intake import csv_file

    if message is not None and template is not None:
        raise UserError("The text is given twice: leave out --message or --template.")
    words = _wording(message, template, html, subject, literal)
    columns = mapping(mapped)
    size = 0
    with suppress(OSError):  # reading it reports the error
        size = file.stat().st_size
    bar: Any = nullcontext()
    if sys.stderr.isatty() and size:
        bar = click.progressbar(length=size, label="Reading", file=sys.stderr)
    with app.database() as conn, bar as shown:
        at: datetime | None = app.now()
        read = 0

        def progress(position: int) -> None:
            nonlocal read
            if shown is not None:
                shown.update(position - read)
                read = position

        result = csv_file.import_file(
            conn, file, campaign, channel, words, workspace, at, dry_run, progress, skip_contacted, columns,
            skip_incomplete, again,
        )  # fmt: skip
    for number, reason in result.wrong[:MAX_NAMED_LINES]:
        warn(f"{file.name}, line {number}: {reason}")
    if result.differing:
        lines = ", ".join(map(str, result.differing[:MAX_NAMED_LINES])) + (
            ", …" if len(result.differing) > MAX_NAMED_LINES else ""
        )
        warn(
            f"Left unchanged, since the queue (or an earlier line) has them with another message or recipient:"
            f" {file.name}, line {lines}."
        )
    for remark in result.remarks:
        warn(remark)
    if json_:
        click.echo(as_json({
            "created": result.created, "there": result.there, "differing": result.differing,
            "elsewhere": result.elsewhere, "contacted": result.contacted,
            "twice": [{"line": line, "first": first} for line, first in result.twice],
            "wrong": [{"line": number, "reason": reason} for number, reason in result.wrong], "dry_run": dry_run,
            **({"cancelled": result.cancelled} if again or result.cancelled else {}),
            **({"incomplete": result.incomplete} if skip_incomplete else {}),
            **({"examples": result.examples} if dry_run else {}),
        }))  # fmt: skip
    elif dry_run:
        for example in result.examples:
            click.echo(f"{file.name}, line {example['line']}, to {printable(example['recipient'])}:")
            for text in filter(None, (example["subject"], example["message"])):
                click.echo("\n".join(f"    {printable(line)}" for line in text.splitlines()))
    if result.wrong:
        n = len(result.wrong)
        if n > MAX_NAMED_LINES:
            warn(f"{file.name}: … and {n - MAX_NAMED_LINES:,} more lines are wrong; --json names them all.")
        which = "the line above" if n == 1 else f"the {n:,} lines{' above' if n <= MAX_NAMED_LINES else ''}"
        skip = ""
        if all(reason.startswith("the recipient is missing") for _, reason in result.wrong):
            skip = ", or leave out lines without an address with --skip-incomplete"
        warn(f"Nothing was stored: mend {which} and import the file again{skip}.")
        return 2
    if not (result.created or result.there or result.contacted or result.incomplete):
        warn(f"{file.name} has no lines below its header: nothing was stored.")
    if not json_:
        verb = "would be enqueued" if dry_run else "enqueued"
        click.echo(f"{result.created:,} {verb}, {result.there:,} there already.")
    return 0
