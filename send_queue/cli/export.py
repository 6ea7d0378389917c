"""CSV for the people who live in spreadsheets: RFC 4180, and no cell that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from send_queue.cli.app import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text must not begin with: a spreadsheet would work it out, and what others wrote could send data away."""


def write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], to: IO[str] | None = None) -> int:
    """Write a header and the rows, as they come; returns how many rows. Lines end in CR LF, as RFC 4180 has it."""
    to = to or sys.stdout
    for_terminal = to.isatty()
    lines = csv.writer(to)
    lines.writerow(columns)
    count = 0
    for row in rows:
        lines.writerow([_cell(row.get(column), for_terminal=for_terminal) for column in columns])
        count += 1
    to.flush()
    return count


def _cell(value: Any, *, for_terminal: bool) -> Any:
    """A value as it is safely shown: a text that begins like a formula has an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = printable(value) if for_terminal else value
    return f"'{text}" if text.startswith(FORMULA) else text
