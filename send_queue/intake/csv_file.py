"""Import a list of people, and report all its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from send_queue import store
from send_queue.intake import columns, tables
from send_queue.intake.columns import ADDRESS, KNOWN, PERSON, Columns
from send_queue.intake.enqueue import NAMED, country_of
from send_queue.intake.tables import Table
from send_queue.intake.wording import (
    EXAMPLES,
    SHOWN,
    Wording,
    check_fields,
    check_placeholders,
    check_texts,
    check_wording,
    filled,
    one_line,
)
from send_queue.model import CHANNELS, Json, UserError
from send_queue.rules import placeholders, recipients
from send_queue.store import STAGED, Connection


@dataclass(slots=True)
class Imported:
    """The result of an import. If `wrong` is not empty, nothing was stored. `examples`: the first good lines, as
    stored. `twice`: lines that repeat earlier ones, with these. `elsewhere` counts new recipients whom another campaign
    of the workspace has too, `contacted` those left out. `cancelled`: lines of `there` that `again` would enqueue.
    `incomplete`: lines left out for lack of an address. `remarks`: sentences about possible mistakes."""

    created: int = 0
    there: int = 0
    cancelled: int = 0
    differing: list[int] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    twice: list[tuple[int, int]] = field(default_factory=list)
    elsewhere: int = 0
    contacted: int = 0
    incomplete: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    examples: list[Json] = field(default_factory=list)


NAMES = (*(name for name in PERSON if name != "timezone"), "subject")
"""Columns in which a spreadsheet's words for nothing count as empty; a wrong zone is refused."""

EACH_ITS_OWN = Wording()
"""Each line has its own text."""


def import_file(
    conn: Connection,
    file: Path,
    campaign: str,
    channel: str,
    wording: Wording = EACH_ITS_OWN,
    workspace: str | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    skip_contacted: timedelta | None = None,
    mapped: Mapping[str, str] = MappingProxyType({}),
    skip_incomplete: bool = False,
    again: bool = False,
) -> Imported:
    """Enqueue a list (CSV or Excel): all of it, or nothing if a line is wrong or on a dry run.

    The fields of `wording` are the columns, `recipient`, and `attributes` with the unknown columns.
    `mapped` gives columns their fields, {column: field}. `skip_incomplete` leaves out lines without an address.
    `again` takes lines whose sends were cancelled as new ones.
    `progress` gets the bytes read so far. `skip_contacted` replaces the rule of the campaign and its workspace: leave
    out recipients to whom another campaign wrote within this time.
    Raises `UserError` for an unreadable file.
    """
    if channel not in CHANNELS:
        raise UserError(f"There is no channel {channel!r}: use one of {', '.join(CHANNELS)}.")
    check_wording(wording, channel)
    result = Imported()

    def keep(_: Json) -> bool:
        return not (dry_run or result.wrong)

    with tables.opened(file, partial(columns.score, channel=channel, mapped=mapped), progress) as table:
        result.remarks += table.remarks
        matched = columns.match(table.header, channel, mapped)
        _check_header(table.header, matched, channel, wording)
        country = country_of(conn, channel, campaign, workspace)
        lines = _lines(table, matched, campaign, channel, wording, result, country, skip_incomplete)
        answer = store.import_lines(conn, lines, campaign, channel, workspace, at, keep, skip_contacted, again)
    result.wrong = sorted(result.wrong + [(w["line"], w["reason"]) for w in answer["wrong"]])
    result.created, result.there, result.differing = answer["created"], answer["there"], answer["differing"]
    result.cancelled = answer["cancelled"]
    result.twice, result.elsewhere, result.contacted = answer["twice"], answer["elsewhere"], answer["contacted"]
    wrong = {number for number, _ in result.wrong}
    result.examples = [example for example in result.examples if example["line"] not in wrong]
    if result.twice:
        repeats = "; ".join(f"line {line} is line {first} again" for line, first in result.twice[:NAMED])
        more = f"; … and {len(result.twice) - NAMED:,} more" if len(result.twice) > NAMED else ""
        result.remarks.append(f"{file.name} has the same recipient twice, stored once: {repeats}{more}.")
    if result.elsewhere:
        names = ", ".join(f"{name} ({n:,})" for name, n in answer["campaigns"].items())
        verb = "is" if result.elsewhere == 1 else "are"
        result.remarks.append(
            f"{result.elsewhere:,} of {result.created:,} {verb} in another campaign of this workspace too: {names}."
        )
    if result.contacted:
        which = "One recipient was" if result.contacted == 1 else f"{result.contacted:,} recipients were"
        result.remarks.append(f"{which} left out: another campaign of this workspace wrote to them recently.")
    if result.cancelled:
        which = "One line there was" if result.cancelled == 1 else f"{result.cancelled:,} lines there were"
        result.remarks.append(f"{which} cancelled: add --again to enqueue such lines again.")
    if result.incomplete:
        which = (
            "One line has no {} and was"
            if len(result.incomplete) == 1
            else f"{len(result.incomplete):,} lines have no {{}} and were"
        )
        named = ", ".join(map(str, result.incomplete[:NAMED])) + (", …" if len(result.incomplete) > NAMED else "")
        result.remarks.append(f"{which.format(ADDRESS.get(channel, 'recipient'))} left out: line {named}.")
    if suppressed := answer["suppressed"]:
        which = "One recipient is" if suppressed == 1 else f"{suppressed:,} recipients are"
        result.remarks.append(f"{which} suppressed, and nothing goes to them: see `send-queue suppress list`.")
    if result.wrong:
        result.created = 0
    return result


def _lines(
    table: Table,
    columns: Columns,
    campaign: str,
    channel: str,
    wording: Wording,
    result: Imported,
    country: str | None = None,
    skip_incomplete: bool = False,
) -> Iterator[Sequence[Any]]:
    """Yield the good lines in the order of `STAGED`; add the others to the wrong or incomplete ones."""
    for number, cells in table.rows:
        if isinstance(cells, str):
            result.wrong.append((number, cells))
            continue
        row = {name: cell.strip() for name, cell in zip(columns.names, cells, strict=True)}
        if not (row.get("recipient") or row.get(ADDRESS.get(channel, ""))) and skip_incomplete:
            result.incomplete.append(number)
            continue
        try:
            staged = _staged(number, row, campaign, channel, country, wording, columns.renamed)
        except ValueError as error:
            result.wrong.append((number, str(error)))
            continue
        if len(result.examples) < EXAMPLES:
            result.examples.append({name: staged[STAGED.index(name)] for name in SHOWN})
        yield staged


def _check_header(written: Sequence[str], matched: Columns, channel: str, wording: Wording) -> None:
    header = [*filter(None, matched.names), *matched.renamed]
    address = ADDRESS.get(channel)
    there = ", ".join(cell.strip() for cell in written if cell.strip())
    if "recipient" not in header and address not in header:
        names = " or ".join(filter(None, ("recipient", address)))
        if not there:
            raise UserError(f"The file is empty, so it has no column {names}: its first line must name the columns.")
        options = columns.hint(written, channel)
        add = f" Add {options}." if options else f' Say which has it with --map "Column={address or "recipient"}".'
        raise UserError(
            f"The file has no column {names}: its first line must name the columns, and it has {there}.{add}"
        )
    if wording.message is None and "message" not in header:
        raise UserError("The file has no column message: add it, or give the message with --message or --template.")
    if channel == "email" and wording.subject is None and "subject" not in header:
        raise UserError(
            "The file has no column subject, and mails need one: add it, or give the subject with --subject."
        )
    check_fields(wording, {*header, "recipient"}, "the file has no such column", mappable=True)
    check_placeholders(wording, {*header, "recipient"})


def _staged(
    number: int, row: dict[str, str], campaign: str, channel: str, country: str | None, wording: Wording,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Sequence[Any]:  # fmt: skip
    """Return a line in the order of `STAGED`. Raises `ValueError` with the reason if it is wrong."""
    recipient = row.get("recipient") or row.get(ADDRESS.get(channel, ""))
    if not recipient:
        raise ValueError(f"the recipient is missing{': it has no ' + ADDRESS[channel] if channel in ADDRESS else ''}")
    if "\0" in "".join(row.values()):
        raise ValueError("it holds a NUL character, which no text may")
    recipient = recipients.checked(channel, recipient, country)
    others = {name: cell for name, cell in row.items() if name and name not in KNOWN}
    spelled = {own: row[name] for own, name in renamed.items()}
    fields = {"attributes": others, **spelled, **row, "recipient": recipient}
    payload = _payload(row.get("payload"), wording, fields)
    values: dict[str, Any] = {name: row.get(name) or None for name in (*PERSON, "subject", "account")}
    if not wording.literal:  # nobody is called '#N/A', and such an address would merge all people who have it
        values |= dict.fromkeys(name for name in NAMES if values[name] and placeholders.is_nothing(values[name]))
        others = {name: cell for name, cell in others.items() if not placeholders.is_nothing(cell)}
    if wording.subject is not None:
        values["subject"] = one_line(filled(wording.subject, fields, wording.literal))
    if values["timezone"]:
        from send_queue.rules import schedule_text  # late: it imports pendulum

        schedule_text.check_zone(values["timezone"])
    values |= {
        "line": number,
        "recipient": recipient,
        "message": row["message"] if wording.message is None else filled(wording.message, fields, wording.literal),
        "attributes": json.dumps({name: cell for name, cell in others.items() if cell}) if others else "{}",
        "payload": payload,
        "priority": _priority(row.get("priority")),
        "scheduled_for": _moment("scheduled_for", row.get("scheduled_for")),
        "expires_at": _moment("expires_at", row.get("expires_at")),
        "dedupe_key": row.get("dedupe_key") or f"{campaign}:{channel}:{recipients.same(channel, recipient)}",
    }
    check_texts(channel, values["subject"], values["message"])
    if not wording.literal:
        if placeholders.is_nothing(values["message"]):
            raise ValueError(f"the message is {values['message']!r}, a word for nothing")
        _check_cells(row, wording)
    return [values[name] for name in STAGED]


def _check_cells(row: Mapping[str, str], wording: Wording) -> None:
    """Raise `ValueError` if a text in the file looks like a placeholder."""
    for text, what in ((wording.message, "message"), (wording.subject, "subject")):
        if text is None and (cell := row.get(what)):
            write = f"give the {what} with --{what} '… {{first_name}} …'"
            if why := placeholders.why_not(cell, {*row, "recipient"}, write):
                raise ValueError(f"the {what} {why}")


def _payload(text: str | None, wording: Wording, fields: Mapping[str, Any]) -> str:
    """Write further data for the provider as JSON, with the HTML text if there is one."""
    if not text and wording.html is None:
        return "{}"
    try:
        payload = json.loads(text or "{}")
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise ValueError('the payload is not a JSON object: write it as {"key": "value"}')
    if wording.html is None:
        return text or "{}"
    return json.dumps(payload | {"html": filled(wording.html, fields)})


def _priority(text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,5}", text) or not -32768 <= int(text) <= 32767:
        raise ValueError(f"the priority {text!r} is not a whole number from -32768 to 32767")
    return int(text)


def _moment(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a time: write it as 2026-11-23T09:00:00+01:00") from None
    if moment.tzinfo is None:
        iso = moment.isoformat()
        raise ValueError(f"{name} {text!r} has no time zone: write it as {iso}+01:00 or {iso}Z")
    return moment
