"""Time zones from the newest data: the machine's or the package tzdata's.

Either may be years old, so the version decides: `2026f` over `2025b`. Other code in the process keeps its own data.

`first_difference` compares two lists of a zone's changes, and tells the older.
"""

from __future__ import annotations

import io
import zoneinfo
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, TypeAlias

Change: TypeAlias = tuple[int, int]
"""The moment of a change (seconds since 1970) and the offset from then on (seconds east of UTC)."""

DAY = 24 * 60 * 60
YEAR = 365 * DAY
STEP = 15 * 60
"""Seconds between two probes for a change: clocks change at full quarters of an hour."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of zones, and its version of the time zone database; `""`: unknown."""

    version: str
    folder: Traversable


@cache
def sources() -> tuple[Source, ...]:
    """List the installed zone data, newest first; at equal versions the machine's first."""
    machine = [Source(_version(folder), folder) for folder in map(Path, zoneinfo.TZPATH) if folder.is_dir()]
    package = import_module("tzdata")
    found = [*machine, Source(package.IANA_VERSION, resources.files(package) / "zoneinfo")]
    return tuple(sorted(found, key=lambda source: source.version, reverse=True))


def read(name: str) -> io.BytesIO:
    """Return the newest data of a zone, a TZif file (RFC 9636). Raises LookupError for an unknown zone."""
    parts = name.split("/")
    if all(part.strip(".") for part in parts):
        for source in sources():
            try:
                data = source.folder.joinpath(*parts).read_bytes()
            except (OSError, ValueError):
                continue
            if data.startswith(b"TZif"):
                return io.BytesIO(data)
    raise LookupError(name)


@cache
def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone, for showing moments. Raises LookupError for an unknown zone."""
    return zoneinfo.ZoneInfo.from_file(read(name), key=name)


def _version(folder: Path) -> str:
    """Read the version from the first line of `tzdata.zi`, `# version 2026f`, or from `+VERSION`, as on macOS."""
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (folder / name).open(encoding="utf-8") as lines:
                line = lines.readline().removeprefix("# version ").strip()
        except (OSError, UnicodeError):
            continue
        if line[:4].isdigit():
            return line
    return ""


# --- comparison -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """The first moment of a difference, both sides' offsets (seconds), and the older side."""

    at: datetime
    ours: int
    theirs: int
    older: Literal["ours", "theirs"] | None


def changes(name: str, since: datetime, until: datetime) -> list[Change]:
    """List a zone's offset at `since` and its changes up to `until`, like send_zone_changes."""
    known = zone(name)

    def offset(second: int) -> int:
        shift = datetime.fromtimestamp(second, UTC).astimezone(known).utcoffset()
        return int(shift.total_seconds()) if shift is not None else 0

    first, last = int(since.timestamp()), int(until.timestamp())
    found = [(first, offset(first))]
    for day in range(first, last - DAY + 1, DAY):
        before = found[-1][1]
        if offset(day + DAY) != before:
            steps = range(day, day + DAY + 1, STEP)
            at = steps[bisect_left([offset(step) != before for step in steps], True)]
            found.append((at, offset(at)))
    return found


def first_difference(ours: Sequence[Change], theirs: Sequence[Change], since: datetime) -> Difference | None:
    """Find the first moment from `since` on with different offsets; None: there is none.

    Both lists begin at the same moment; an earlier one makes the verdict surer. The older side is the one that
    continues, at the first difference, as both sides did a year earlier: it does not know the new law.
    """
    now = int(since.timestamp())
    differing = [at for at in _moments(ours, theirs) if _offset(ours, at) != _offset(theirs, at)]
    later = [at for at in differing if _until(ours, theirs, at) > now]
    if not later:
        return None
    first = max(later[0], now)
    return Difference(
        datetime.fromtimestamp(first, UTC), _offset(ours, first), _offset(theirs, first),
        _older(ours, theirs, differing[0]),
    )  # fmt: skip


def _older(ours: Sequence[Change], theirs: Sequence[Change], first: int) -> Literal["ours", "theirs"] | None:
    # Compare amid the difference, or a month after its start.
    within = first + min((_until(ours, theirs, first) - first) // 2, 30 * DAY)
    earlier = within - YEAR
    if earlier < ours[0][0] or _offset(ours, earlier) != _offset(theirs, earlier):
        return None
    as_before = _offset(ours, earlier)
    same = _offset(ours, within) == as_before, _offset(theirs, within) == as_before
    return {(True, False): "ours", (False, True): "theirs"}.get(same)  # type: ignore[return-value]  # of a dict, mypy knows str only


def _moments(ours: Sequence[Change], theirs: Sequence[Change]) -> Iterator[int]:
    yield from sorted({at for at, _ in (*ours, *theirs)})


def _offset(changes: Sequence[Change], at: int) -> int:
    return changes[bisect_right(changes, at, key=lambda change: change[0]) - 1][1]


def _until(ours: Sequence[Change], theirs: Sequence[Change], at: int) -> int:
    """Return the next change of either side after `at`, else a year later."""
    return next((moment for moment in _moments(ours, theirs) if moment > at), at + YEAR)
