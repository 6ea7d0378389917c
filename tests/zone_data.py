"""Zones of a test's own: files as Python reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

HOUR = 3600


def tzif(first: int, changes: Sequence[tuple[int, int]], footer: str) -> bytes:
    """A file of a zone (RFC 9636): its first offset in seconds, then changes as (moment, offset), and what holds after
    the last, as a POSIX rule."""
    offsets = sorted({first, *(offset for _, offset in changes)})
    kinds = [first, *(offset for offset in offsets if offset != first)]
    empty = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 0, 0)
    head = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, len(changes), len(kinds), 4)
    moments = b"".join(struct.pack(">q", at) for at, _ in changes)
    indexes = bytes(kinds.index(offset) for _, offset in changes)
    types = b"".join(struct.pack(">lBB", offset, 0, 0) for offset in kinds)
    return empty + head + moments + indexes + types + b"ZON\0" + f"\n{footer}\n".encode()


def lay(folder: Path, version: str, **zones: bytes) -> Path:
    """Lay zones into a folder, as that version of the time zone database; `__` in a name is a slash."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tzdata.zi").write_text(f"# version {version}\n")
    for name, data in zones.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
