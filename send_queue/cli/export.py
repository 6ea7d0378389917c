"""CSV for the people who live in spreadsheets: RFC 4180, and no cell that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from send_queue.cli.output import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text must not begin with: a spreadsheet would work it out, and what others wrote could send data away."""


def write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], to: IO[str] | None = None) -> None:
    """Write a header and the rows, as they come. Lines end in CR LF, as RFC 4180 has it."""
    to = to or sys.stdout
    lines = csv.writer(to)
    lines.writerow(columns)
    lines.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    to.flush()


def _cell(value: Any) -> Any:
    """A value as it is safely shown: of a text, control characters are named, but for the ends of its lines; one that
    begins like a formula has an apostrophe before it, but for a phone number, which works out to its digits."""
    if not isinstance(value, str):
        return value
    text = "\n".join(map(printable, value.split("\n")))
    harmless = re.fullmatch(r"\+[0-9]+", value) is not None
    return f"'{text}" if value.startswith(FORMULA) and not harmless else text
