"""The journal of accepted sends: JSON lines on disk, each written before its answer leaves.

    append   one write at the end of the file: killing the process cannot lose the line now
    sync     wait for the disk; one fdatasync serves all waiting threads (group commit)
    answer   the client learns of it only now

A line may lack its answer (the client was cut off), but no answer lacks its line. A line torn by a power cut was not
answered: opening the file drops it. Other damage is an error: a reader that skipped it would prove nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any, TypeAlias

Entry: TypeAlias = dict[str, Any]


class JournalClosed(Exception):
    """The journal accepts no more: the sandbox is stopping, or its disk failed."""


class JournalInUse(Exception):
    """Another sandbox writes this file; each would accept sends that the other has accepted."""


class JournalDamaged(Exception):
    """A line before the last is unreadable."""


def read(path: Path) -> list[Entry]:
    """Read the accepted sends, oldest first, even while a sandbox writes; omit a torn last line.

    Raises `FileNotFoundError` (a missing journal does not prove that nothing was sent) and `JournalDamaged`.
    """
    entries, _torn = _parse(path, path.read_bytes())
    return entries


class Journal:
    """The file, open for this process alone.

    `sync=False` leaves the write to the operating system: safe against `kill -9`, not against a power cut. For
    benchmarks, which would otherwise measure fsync.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self.path = path
        self._sync = sync
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = _mend(path, self._fd)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalInUse(f"{path} is another sandbox's journal: stop that sandbox or name another file") from None
        except JournalDamaged:
            os.close(self._fd)
            raise
        _sync_folder(path)
        self._open = True
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._syncing = False
        self._appended = 0  # bytes since the start; it only grows, so it serves as a ticket
        self._on_disk = 0

    def entries(self) -> list[Entry]:
        """Read the whole file, oldest entry first."""
        return read(self.path)

    def append(self, entry: Entry) -> int:
        """Write one line, whole or not at all; return the ticket for `sync`."""
        line = json.dumps(entry).encode() + b"\n"
        with self._lock:
            if not self._open:
                raise JournalClosed
            try:
                _write_whole(self._fd, line)
            except OSError:
                os.ftruncate(self._fd, self._size)
                raise
            self._size += len(line)
            self._appended += len(line)
            return self._appended

    def sync(self, ticket: int) -> None:
        """Wait until the disk has everything up to `ticket`. The first thread syncs for all waiting ones."""
        if not self._sync:
            return
        with self._lock:
            while self._on_disk < ticket and self._syncing:
                self._turn.wait()
            if self._on_disk >= ticket:
                return
            if not self._open:
                raise JournalClosed
            self._syncing = True
            reached = self._appended
        try:
            os.fdatasync(self._fd)
        except OSError:
            # The kernel reports a failed write-back only once: a second try would prove nothing.
            self._finish_sync(self._on_disk, still_open=False)
            raise
        self._finish_sync(reached, still_open=self._open)

    def _finish_sync(self, reached: int, *, still_open: bool) -> None:
        with self._lock:
            self._on_disk = reached
            self._open = still_open and self._open
            self._syncing = False
            self._turn.notify_all()

    def clear(self) -> None:
        """Empty the file."""
        with self._lock:
            if not self._open:
                raise JournalClosed
            os.ftruncate(self._fd, 0)
            self._size = 0

    def close(self) -> None:
        """Finish the running sync, sync the rest, close the file."""
        with self._lock:
            self._open = False
            while self._syncing:
                self._turn.wait()
            if self._fd == -1:
                return
            if self._sync:
                os.fdatasync(self._fd)
            self._on_disk = self._appended
            self._turn.notify_all()
            os.close(self._fd)
            self._fd = -1


def _parse(path: Path, data: bytes) -> tuple[list[Entry], bytes]:
    """Split into entries and the torn rest: an object without its end never parses."""
    *lines, last = data.split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        entry = _object(line)
        if entry is None:
            raise JournalDamaged(f"{path}, line {number}, is not a JSON object: repair or move the file")
        entries.append(entry)
    if last:
        entry = _object(last)
        if entry is None:
            return entries, last
        entries.append(entry)
    return entries, b""


def _object(line: bytes) -> Entry | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _mend(path: Path, fd: int) -> int:
    """Cut the file to whole lines; return its size in bytes."""
    data = path.read_bytes()
    _entries, torn = _parse(path, data)
    if torn:
        os.ftruncate(fd, len(data) - len(torn))
        return len(data) - len(torn)
    if data and not data.endswith(b"\n"):
        os.write(fd, b"\n")
        return len(data) + 1
    return len(data)


def _write_whole(fd: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(path: Path) -> None:
    """Sync the folder: only then is a new file's name on disk."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
