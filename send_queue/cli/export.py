"""CSV for spreadsheets: RFC 4180, and no cell that a spreadsheet runs as a formula."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from send_queue.cli.output import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet run a text as a formula, which could send data away."""


def write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], to: IO[str] | None = None) -> None:
    """Write a header and the rows. Lines end in CR LF (RFC 4180)."""
    to = to or sys.stdout
    lines = csv.writer(to)
    lines.writerow(columns)
    lines.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    to.flush()


def _cell(value: Any) -> Any:
    """Make a value safe to show: name control characters except line ends, and put an apostrophe before a formula. A
    phone number needs none: as a formula it yields its digits."""
    if not isinstance(value, str):
        return value
    text = "\n".join(map(printable, value.split("\n")))
    harmless = re.fullmatch(r"\+[0-9]+", value) is not None
    return f"'{text}" if value.startswith(FORMULA) and not harmless else text
