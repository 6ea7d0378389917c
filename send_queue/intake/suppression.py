"""Read lists of suppressed recipients: a CSV file, or one recipient a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from send_queue.intake import files
from send_queue.model import CHANNELS, UserError
from send_queue.rules import recipients

ADDRESSES = ("recipient", "email", "phone", "linkedin_user_id")
"""Columns for the recipient; the first that a file has counts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A suppression: recipient, channel (None: all), reason (None: unknown)."""

    recipient: str
    channel: str | None = None
    reason: str | None = None


def read(
    file: Path, channel: str | None = None, reason: str | None = None, country: str | None = None
) -> tuple[list[Entry], list[tuple[int, str]]]:
    """Read the entries of a file, and its errors (line number, reason).

    A first line with one of the columns `ADDRESSES` makes it CSV, with optional columns `channel` and `reason`; any
    other file has one recipient a line. `channel` and `reason` are defaults of lines without them, `country` that of
    phone numbers without one. Raises `UserError` for an unreadable file.
    """
    with files.opened(file, "a CSV file") as text:
        try:
            lines = list(_lines(csv.reader(text.read().splitlines(), strict=True)))
        except csv.Error as error:
            raise UserError(f"{file.name} cannot be read as CSV ({error}): mend it and import again.") from None
    header = [cell.lower() for cell in lines[0][1]] if lines else []
    address = next((name for name in ADDRESSES if name in header), None)
    names = header if address else ["recipient"]
    entries, wrong = [], []
    for number, cells in lines[1:] if address else lines:
        row = dict(zip(names, cells, strict=False))
        recipient, own = row.get(address or "recipient", ""), row.get("channel") or channel
        if len(cells) > len(names):
            wrong.append(
                (number, f"it has {len(cells)} fields instead of {len(names)}: name the columns in the first line")
            )
        elif not recipient:
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
    return entries, wrong


def _lines(reader: Iterator[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield the non-empty lines with their numbers."""
    for number, cells in enumerate(reader, 1):
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield number, stripped
