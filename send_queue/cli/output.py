"""Format output for people and for programs."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    pass


def printable(text: str) -> str:
    """Replace control characters by their names: no name or message may move the cursor or colour the screen."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if c != "\n" else "⏎" for c in text)


def as_json(value: object) -> str:
    """Write JSON: moments in ISO 8601 in UTC, durations in seconds."""

    def plain(value: object) -> object:
        match value:
            case datetime():
                return value.astimezone(UTC).isoformat()
            case timedelta():
                return value.total_seconds()
            case UUID():
                return str(value)
        raise TypeError(f"{type(value).__name__} has no JSON form")

    text = json.dumps(value, default=plain, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    # JSON leaves C1 controls and direction marks, which a terminal may obey.
    return re.sub(r"[^\x20-\x7e\n]", lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)


MAX_CELL_CHARS = 60
"""The longest that a cell of a list gets."""


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    width: int | None = None,
    spare: Sequence[str] = (),
    zone: tzinfo = UTC,
    longest: int | None = MAX_CELL_CHARS,
) -> str:
    """Lay rows out in columns, with moments in `zone`; cut cells of more than `longest` characters.

    If they are wider than `width` characters: shorten moments, stack the words of headings, drop `spare` columns (the
    empty ones first, then in order), and cut the widest cells.
    """
    head = [[column.replace("_", " ")] for column in columns]
    lines = [[_cell(row.get(column), zone, longest=longest) for column in columns] for row in rows]
    if width is None or sum(_widths(head, lines)) + 2 * (len(columns) - 1) <= width:
        return _laid_out(head, lines, _widths(head, lines))

    shown = [c for c in columns if c not in spare or any(_cell(row.get(c), zone) != "-" for row in rows)]
    dropping = [c for c in spare if c in shown]
    while True:
        head = [column.split("_") for column in shown]
        lines = [[_cell(row.get(column), zone, narrow=True) for column in shown] for row in rows]
        widths = _widths(head, lines)
        room = width - 2 * (len(shown) - 1)
        # Ids and statuses get copied, and half a moment is useless: never cut them.
        whole = [column in ("id", "status") or column.endswith(("_at", "_for")) for column in shown]
        bare = [w if kept else min(w, MIN_COLUMN_CHARS) for w, kept in zip(widths, whole, strict=True)]
        least = [max(w, *map(len, words)) for w, words in zip(bare, head, strict=True)]
        if sum(least) <= room or not dropping:
            break
        shown.remove(dropping.pop(0))
    if sum(least) > room:
        least = bare
    while sum(widths) > room and widths != least:
        widest = max((i for i, w in enumerate(widths) if w > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    head = [[_cut(word, w) for word in words] for words, w in zip(head, widths, strict=True)]
    return _laid_out(head, [list(map(_cut, line, widths)) for line in lines], widths)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


MIN_COLUMN_CHARS = 8
"""The shortest that a cut cell gets."""


def terminal_width() -> int | None:
    """Return the terminal's columns; None, without a limit, if stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _widths(head: Sequence[Sequence[str]], lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, [*words, *(line[i] for line in lines)])) for i, words in enumerate(head)]


def _laid_out(head: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    high = max(map(len, head))
    stacked = [[words[row - high] if len(words) >= high - row else "" for words in head] for row in range(high)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [*stacked, *lines]
    )


def _cell(value: Any, zone: tzinfo, narrow: bool = False, longest: int | None = MAX_CELL_CHARS) -> str:
    match value:
        case None:
            return "-"
        case list():
            return ", ".join(_cell(part, zone, longest=longest) for part in value) or "-"
        case str():
            when = _moment_in_json(value)
            if when and narrow:
                when = when.astimezone(zone)
                return f"{when:%m-%d %H:%M %Z}".replace(" UTC", "Z")
            text = short(when, zone) if when else printable(value)
            return text if longest is None else _cut(text, longest)
        case _:
            return str(value)


def _moment_in_json(text: str) -> datetime | None:
    """Read a moment of Postgres's JSON; None for other text, such as a name that begins like one."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", text, re.ASCII):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def short(when: str | datetime | None, zone: tzinfo = UTC) -> str:
    """Write a moment to the minute, with the abbreviation of its zone."""
    if when is None:
        return "-"
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{when.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
