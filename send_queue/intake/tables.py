"""Read an exported list: CSV in any usual encoding and separator, or an Excel workbook.

It skips lines before the header, a line `sep=;`, blank rows and empty last columns. A byte order mark gives the
encoding; else it is UTF-8 if the whole file is valid, else Windows-1252, with a remark.
"""

from __future__ import annotations

import codecs
import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, TextIO

from send_queue.model import UserError

SEPARATORS = ",;\t|"
MAX_LINES_BEFORE_HEADER = 20
XLSX = b"PK\x03\x04"
XLS = b"\xd0\xcf\x11\xe0"


@dataclass(slots=True)
class Table:
    """`header`: the columns' names as written. `rows`: (line number, cells), with a cell for each column, or a sentence
    about a line with other cells. `remarks`: sentences about the reading."""

    header: list[str]
    rows: Iterator[tuple[int, list[str] | str]]
    remarks: list[str] = field(default_factory=list)


@contextmanager
def opened(file: Path, score: Callable[[list[str]], int], progress: Callable[[int], None]) -> Iterator[Table]:
    """Open a list. `score` counts the columns that a header matches; `progress` gets the bytes read so far.

    Raises `UserError` if it is missing, neither text nor a workbook, or unreadable at any point.
    """
    try:
        with file.open("rb") as raw, _seekable(raw) as source:
            start = source.read(4)
            source.seek(0)
            if start in (XLSX, XLS):
                yield _workbook(file, source, score)
                return
            remarks: list[str] = []
            encoding = _encoding(file, source, remarks)
            with io.TextIOWrapper(source, encoding=encoding, newline="") as text:
                yield _text(text, score, progress, remarks)
    except FileNotFoundError:
        raise UserError(f"There is no file {file}: check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{file} is a folder: name a CSV or Excel file.") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not text in {error.encoding} (byte {error.object[error.start]:#04x}): save it as CSV UTF-8."
        ) from None
    except OSError as error:  # no permission, a name too long, a failing disk
        raise UserError(f"{str(file)[:200]} cannot be read ({error.strerror}): check the path.") from None


@contextmanager
def _seekable(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """Copy a pipe to a temporary file: finding the encoding needs all of it."""
    if raw.seekable():
        yield raw
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(raw, copy)
        copy.seek(0)
        yield copy


# --- text -------------------------------------------------------------------------------------------------


def _encoding(file: Path, source: IO[bytes], remarks: list[str]) -> str:
    start = source.read(64)
    source.seek(0)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        remarks.append(f"{file.name} was read as UTF-16.")
        return "utf-16"
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(start) >= 8 and zeros.count(0) > len(zeros) * 0.9:
            remarks.append(f"{file.name} was read as UTF-16.")
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    wide = False
    try:
        while block := source.read(1 << 20):
            wide = not decoder.decode(block).isascii() or wide
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        after = error.object[error.start + 1 : error.start + 2]
        if wide or not error.object[: error.start].isascii() or b"\x80" <= after < b"\xc0":
            raise  # UTF-8 with something else in it
        remarks.append(f"{file.name} is not UTF-8 and was read as Windows-1252: check a name with an accent.")
        source.seek(0)
        return "cp1252"
    source.seek(0)
    return "utf-8-sig"


def _text(
    text: TextIO, score: Callable[[list[str]], int], progress: Callable[[int], None], remarks: list[str]
) -> Table:
    head = list(islice(text, MAX_LINES_BEFORE_HEADER + 5))
    skipped = 0
    separator = None
    if head and head[0].strip().lower().startswith("sep=") and len(head[0].strip()) <= 5:
        separator = head[0].strip()[4:] or "\t"
        skipped = 1
    if separator is None:
        separator = max(SEPARATORS, key=lambda sign: (_best(head, sign, score)[0], head[0].count(sign) if head else 0))
    _, before = _best(head[skipped:], separator, score)
    skipped += before
    if before:
        remarks.append(_skipped(before, "line"))
    reader = csv.reader(chain(head[skipped:], text), delimiter=separator, strict=True)
    header = _next(reader, skipped + 1) or []
    return Table(header, _rows(reader, header, skipped, text, progress), remarks)


def _skipped(n: int, noun: str) -> str:
    if n == 1:
        return f"The first {noun} is not the header, and was skipped."
    return f"The first {n} {noun}s are not the header, and were skipped."


def _best(head: list[str], separator: str, score: Callable[[list[str]], int]) -> tuple[int, int]:
    """Return the best score among the first lines, and the number of lines before it; lines inside a record score
    nothing. Without any score, the first line is the header."""
    best, before = 0, 0
    for n, line in enumerate(head[:MAX_LINES_BEFORE_HEADER]):
        try:
            cells = next(csv.reader([line], delimiter=separator), [])
        except csv.Error:
            continue
        if (found := score(cells)) > best:
            best, before = found, n
        if n == 0 and best:
            break  # a first line with columns is the header
    return best, before


def _rows(
    reader: Any, header: list[str], skipped: int, text: TextIO, progress: Callable[[int], None]
) -> Iterator[tuple[int, list[str] | str]]:
    began = skipped + reader.line_num + 1
    while (cells := _next(reader, began)) is not None:
        number, began = began, skipped + reader.line_num + 1
        if number % 1000 < 2:
            progress(text.buffer.tell())
        if not any(cells) or not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and not any(cell.strip() for cell in cells[len(header) :]):
            del cells[len(header) :]
        elif len(cells) < len(header) and not any(name.strip() for name in header[len(cells) :]):
            cells += [""] * (len(header) - len(cells))
        if len(cells) == len(header):
            yield number, cells
        else:
            n = len(cells)
            yield number, f"it has {n} {'field' if n == 1 else 'fields'}, the header has {len(header)}"


def _next(reader: Iterator[list[str]], number: int) -> list[str] | None:
    """Return the record from line `number` on; None: the end."""
    try:
        return next(reader, None)
    except csv.Error as error:
        reason = str(error)
        if "unexpected end" in reason:
            reason = "a quote is opened and not closed"
        elif "field larger" in reason:
            reason = f"field larger than {csv.field_size_limit():,} characters; is a quote not closed?"
        raise UserError(
            f"The file cannot be read as CSV from line {number} on ({reason}): mend it and import again."
        ) from None


# --- workbooks --------------------------------------------------------------------------------------------


def _workbook(file: Path, source: IO[bytes], score: Callable[[list[str]], int]) -> Table:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise UserError(
            f"{file.name} is an Excel workbook: install send-queue with the extra xlsx, or save it as CSV UTF-8."
        ) from None
    try:
        workbook = CalamineWorkbook.from_filelike(source)
        sheets = {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
    except CalamineError as error:
        raise UserError(f"{file.name} cannot be read as an Excel workbook ({error}): save it as CSV UTF-8.") from None
    filled = [name for name, rows in sheets.items() if any(any(map(_cell, row)) for row in rows)]
    if not filled:
        return Table([], iter(()))
    remarks = []
    if len(filled) > 1:
        remarks.append(f"{file.name} has {len(filled)} sheets: only {filled[0]!r} was read.")
    rows = [[_cell(cell) for cell in row] for row in sheets[filled[0]]]
    scores = [score(row) for row in rows[:MAX_LINES_BEFORE_HEADER]]
    first = scores.index(max(scores)) if max(scores) else next(n for n, row in enumerate(rows) if any(row))
    if any(any(row) for row in rows[:first]):
        remarks.append(_skipped(first, "row"))
    header = rows[first]  # a sheet is a rectangle
    below = ((n, row) for n, row in enumerate(rows[first + 1 :], first + 2) if any(row))
    return Table(header, below, remarks)


def _cell(value: object) -> str:
    """Write a cell as a person would: a whole number without a point, a date as ISO 8601."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).strip()
