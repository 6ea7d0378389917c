"""Time zones as Python reads them: from the newest data that there are, those of the machine or of the package tzdata.

A machine's data may be old for years (a distribution that is not updated any more), and so may a package's: the version
decides, `2026f` before `2025b`. Only our own zones are read so; the rest of a process keeps what it has.

`first_difference` finds where two sides, which both give a zone's offsets as a list of changes, differ, and which of
them is the older.
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
"""From this moment on (seconds since 1970) this offset from UTC (seconds east of it)."""

DAY = 24 * 60 * 60
YEAR = 365 * DAY
STEP = 15 * 60
"""Seconds: how exactly a change is looked for; clocks change at full quarters of an hour."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of zones, and the version of the time zone database that is in it; `""` where it does not say."""

    version: str
    folder: Traversable


@cache
def sources() -> tuple[Source, ...]:
    """List the zone data that there are, the newest first; of the same version the machine's."""
    machine = [Source(_version(folder), folder) for folder in map(Path, zoneinfo.TZPATH) if folder.is_dir()]
    package = import_module("tzdata")
    found = [*machine, Source(package.IANA_VERSION, resources.files(package) / "zoneinfo")]
    return tuple(sorted(found, key=lambda source: source.version, reverse=True))


def read(name: str) -> io.BytesIO:
    """Return the newest data of a zone, a TZif file (RFC 9636). Raises LookupError where nobody knows it."""
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
    """Return a zone, for moments to be shown in. Raises LookupError where nobody knows it."""
    return zoneinfo.ZoneInfo.from_file(read(name), key=name)


def _version(folder: Path) -> str:
    """Read it from `tzdata.zi`, whose first line is `# version 2026f`, or from `+VERSION`, as on macOS."""
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (folder / name).open(encoding="utf-8") as lines:
                line = lines.readline().removeprefix("# version ").strip()
        except (OSError, UnicodeError):
            continue
        if line[:4].isdigit():
            return line
    return ""


# --- do two sides agree? ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """The first moment at which two sides differ, the offsets of each then (seconds), and which side is older."""

    at: datetime
    ours: int
    theirs: int
    older: Literal["ours", "theirs"] | None


def changes(name: str, since: datetime, until: datetime) -> list[Change]:
    """List the offset of a zone at `since`, and each change of it up to `until`, as send_zone_changes does."""
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
    """Find the first moment from `since` on at which the offsets differ; None where there is none.

    Both lists begin at the same moment; the earlier that is, the surer is which side is older. Laws change clocks, and
    data that do not know the new law go on as the year before. So of the first difference that there is, the side that
    does as both sides did a year earlier is the older.
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
    # In the midst of the time in which they differ, or a month after its beginning.
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
    """When either side changes next after `at`; a year later where none does."""
    return next((moment for moment in _moments(ours, theirs) if moment > at), at + YEAR)
