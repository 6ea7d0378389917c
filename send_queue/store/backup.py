"""Dump and restore the embedded Postgres, with its wheel's programs: those of other versions may not read its data.

    dump     pg_dump into a new file beside the target, then rename: nobody sees half a dump
    restore  pg_restore into a new database, then rename, or change nothing

A restored database is a copy: it sends nothing until a person adopts it (send_is_copy).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from send_queue.model import ConfigurationError, UserError
from send_queue.store import embedded

MAGIC = b"PGDMP"
"""The first bytes of pg_dump's custom format."""

NEW, OLD = "send_queue_restored", "send_queue_replaced"
"""A restore's temporary databases; the next restore drops a killed one's."""


def dump(data_dir: Path, file: Path) -> int:
    """Write a dump into a file, readable by its owner alone; return its bytes.

    Raises UserError for an unwritable file, ConfigurationError without a database.
    """
    if not (data_dir / "postgres" / "PG_VERSION").exists():
        raise ConfigurationError(
            f"There is no embedded Postgres in {data_dir}: dump your own database with pg_dump, or name the data"
            " folder in SEND_QUEUE_DATA_DIR."
        )
    if file.exists() and not file.is_file():
        raise UserError(f"{file} is not a file: name a file for the dump.")
    url = embedded.url(data_dir)
    file = file.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # with mode 0600
    except OSError as error:
        raise _not_written(file, error) from error
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            _run("pg_dump", "--format=custom", f"--dbname={url}", stdout=out.fileno())
            out.flush()
            os.fsync(out.fileno())
            size = os.fstat(out.fileno()).st_size
        new.replace(file)
        _sync(file.parent)
    except OSError as error:
        raise _not_written(file, error) from error
    finally:
        new.unlink(missing_ok=True)
    return size


def _not_written(file: Path, error: OSError) -> UserError:
    return UserError(f"The dump cannot be written ({error.strerror or error}): name a file that you may write: {file}.")


def _sync(folder: Path) -> None:
    """Sync the folder, so that the new name survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(file: Path) -> None:
    """Raise UserError unless `restore` can read the file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(len(MAGIC))
    except OSError as error:
        raise UserError(f"The dump cannot be read ({error.strerror or error}): check its name: {file}.") from error
    if head != MAGIC:
        raise UserError(
            f"{file} is not a dump of `send-queue embedded dump`: restore a plain one with"
            ' `psql "$(send-queue embedded url)" -f` and its name.'
        )


def restore(data_dir: Path, file: Path) -> None:
    """Replace the embedded database by the dump, whole or not at all.

    Raises UserError with the reason; the database is then unchanged.
    """
    check(file)
    embedded.url(data_dir)
    beside = embedded.url(data_dir).replace("@/postgres?", "@/template1?")
    new = beside.replace("@/template1?", f"@/{NEW}?")
    _statements(beside, *(f"drop database if exists {name} with (force)" for name in (NEW, OLD)))
    _statements(beside, f"create database {NEW} template template0")
    try:
        _run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={new}", str(file))
        _statements(beside, f"alter database postgres rename to {OLD}; alter database {NEW} rename to postgres")
    except UserError:
        with suppress(UserError):
            _statements(beside, f"drop database if exists {NEW} with (force)")
        raise
    _statements(beside, f"drop database if exists {OLD} with (force)")


def _statements(url: str, *statements: str) -> None:
    """Run each string in a transaction of its own, which `create database` needs."""
    commands = [part for statement in statements for part in ("--command", statement)]
    _run("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}", *commands)


def _run(program: str, *args: str, stdout: int = subprocess.DEVNULL) -> None:
    """Run one of the wheel's clients without the environment: PGOPTIONS and the like are for other servers."""
    done = subprocess.run(
        [embedded.bin_dir() / program, *args],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C"},
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        errors = [line.partition("rror: ")[2] or line.partition("ERROR:")[2] for line in said.splitlines()]
        first = next(filter(None, errors), said.strip() or f"it ended with {done.returncode}").strip().rstrip(".")
        raise UserError(f"{program} failed and changed nothing ({first}): mend that and retry.")
