"""Print for people and for programs."""

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
    """Text of others as a terminal may safely show it: control characters as their names, so that no name or message
    can move the cursor or colour the screen."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if c != "\n" else "⏎" for c in text)


def as_json(value: object) -> str:
    """JSON as the commands print it: moments in ISO 8601 in UTC, durations in seconds."""

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
    # What JSON lets through and a terminal may obey: C1 controls, marks that turn the direction of writing.
    return re.sub(r"[^\x20-\x7e\n]", lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    width: int | None = None,
    spare: Sequence[str] = (),
    zone: tzinfo = UTC,
) -> str:
    """Rows as text in columns, for people, with moments in `zone`.

    Where it is wider than `width`, moments become short, the words of a heading stand below each other, columns in
    `spare` are left out (first those that are empty, then in their order), and the widest cells are cut.
    """
    head = [[column.replace("_", " ")] for column in columns]
    lines = [[_cell(row.get(column), zone) for column in columns] for row in rows]
    if width is None or sum(_widths(head, lines)) + 2 * (len(columns) - 1) <= width:
        return _laid_out(head, lines, _widths(head, lines))

    shown = [c for c in columns if c not in spare or any(_cell(row.get(c), zone) != "-" for row in rows)]
    dropping = [c for c in spare if c in shown]
    while True:
        head = [column.split("_") for column in shown]
        lines = [[_cell(row.get(column), zone, narrow=True) for column in shown] for row in rows]
        widths = _widths(head, lines)
        room = width - 2 * (len(shown) - 1)
        # An id is copied, a status asked for, and a moment cut in two says nothing.
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
"""Letters that a cut cell has at the least."""


def terminal_width() -> int | None:
    """How many columns there are to print to; None: as many as it takes, for nobody looks."""
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


def _cell(value: Any, zone: tzinfo, narrow: bool = False) -> str:
    match value:
        case None:
            return "-"
        case list():
            return ", ".join(_cell(part, zone) for part in value) or "-"
        case str():
            when = _moment_in_json(value)
            if when and narrow:
                when = when.astimezone(zone)
                return f"{when:%m-%d %H:%M %Z}".replace(" UTC", "Z")
            text = short(when, zone) if when else printable(value)
            return text if len(text) <= 60 else text[:59] + "…"
        case _:
            return str(value)


def _moment_in_json(text: str) -> datetime | None:
    """The moment, if this is one as Postgres writes it in JSON; a name may begin like one."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", text, re.ASCII):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def short(when: str | datetime | None, zone: tzinfo = UTC) -> str:
    """A moment for people, to the minute, with the name that its zone has then."""
    if when is None:
        return "-"
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{when.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
