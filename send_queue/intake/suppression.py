"""Read lists of suppressed recipients: an exported list, as `import` reads it, or one recipient a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from send_queue.intake import columns, tables
from send_queue.intake.columns import ADDRESS
from send_queue.intake.tables import Table
from send_queue.model import CHANNELS, UserError
from send_queue.rules import recipients

ADDRESSES = ("recipient", "email", "phone", "linkedin_user_id")
"""Columns for the recipient, in order; that of the channel precedes all but the first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A suppression: recipient, channel (None: all), reason (None: unknown)."""

    recipient: str
    channel: str | None = None
    reason: str | None = None


def read(
    file: Path,
    channel: str | None = None,
    reason: str | None = None,
    country: str | None = None,
    mapped: Mapping[str, str] = MappingProxyType({}),
) -> tuple[list[Entry], list[tuple[int, str]], list[str]]:
    """Read the entries of a file, its errors (line number, reason), and remarks on the reading.

    A header makes it a list with columns, which match as in an import (`mapped`: {column: field}), and optional columns
    `channel` and `reason`; any other file has one recipient a line. `channel` and `reason` are defaults of lines
    without them, `country` that of phone numbers without one.
    Raises `UserError` for an unreadable file, or a header without a recipient.
    """
    entries: list[Entry] = []
    wrong: list[tuple[int, str]] = []
    scored = partial(columns.score, channel=channel or "email", mapped=mapped)
    with tables.opened(file, scored, lambda _: None) as table:
        names, lines = _columns(table, channel, mapped, headed=scored(table.header) > 0)
        places = [
            name for name in dict.fromkeys(("recipient", ADDRESS.get(channel or "", ""), *ADDRESSES)) if name in names
        ]
        for number, cells in lines:
            if isinstance(cells, str):
                wrong.append((number, f"{cells}: name the columns in the first line"))
                continue
            row = dict(zip(names, (cell.strip() for cell in cells), strict=True))
            recipient = next(filter(None, (row[name] for name in places)), "")
            own = row.get("channel") or channel
            if not recipient:
                wrong.append((number, "the recipient is missing"))
            elif "\0" in "".join(cells):
                wrong.append((number, "it holds a NUL character, which no text may"))
            elif own is not None and own not in CHANNELS:
                wrong.append((number, f"there is no channel {own!r}: use one of {', '.join(CHANNELS)}"))
            else:
                try:
                    whom = recipients.suppressed(own, recipient, country)
                except ValueError as error:
                    wrong.append((number, str(error)))
                else:
                    entries.append(Entry(whom, own, row.get("reason") or reason))
    return entries, wrong, table.remarks


def _columns(
    table: Table, channel: str | None, mapped: Mapping[str, str], headed: bool
) -> tuple[Sequence[str], Iterator[tuple[int, list[str] | str]]]:
    """Return the field of each column, and the lines; a first line that names no column is a line too."""
    if not headed:
        return ["recipient", *(f"column {n}" for n in range(2, len(table.header) + 1))], chain(
            [(1, table.header)] if any(cell.strip() for cell in table.header) else [], table.rows
        )
    for kind in filter(None, (channel, "email", "sms", "linkedin_invite")):
        names = columns.match(table.header, kind, mapped).names
        if set(ADDRESSES) & set(names):
            return names, table.rows
    add = columns.hint(table.header, channel or "email")
    raise UserError(
        f"The file has no column {' or '.join(ADDRESSES)}: "
        + (f"add {add}." if add else 'say which has it with --map "Column=email".')
    )
