"""Text files that a person names: read and written as UTF-8, or refused in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from send_queue.model import UserError


@contextmanager
def opened(file: Path, kind: str) -> Iterator[TextIO]:
    """The file's text, line ends as they are; `kind` is what it should be, such as "a CSV file".

    Raises `UserError` where it is not there, is not text in UTF-8, or cannot be read to its end.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield text
    except FileNotFoundError:
        raise UserError(f"There is no file {file}: check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{file} is a folder: name {kind}.") from None
    except UnicodeDecodeError as error:
        wrong = f"{file} is not UTF-8 (there is a byte {error.object[error.start]:#04x})"
        raise UserError(f"{wrong}: save it as {'CSV UTF-8' if kind == 'a CSV file' else 'UTF-8'!r}.") from None
    except OSError as error:  # no leave to read it, a name too long, a disk that fails
        raise UserError(f"{str(file)[:200]} cannot be read ({error.strerror}): check the path.") from None


def write(file: Path, text: str, mode: int | None = None) -> None:
    """Write a file so that whoever reads it finds all of the old or all of the new.

    What is no file, such as /dev/stdout or a pipe, is written to and never replaced; a link stays one. `mode` is the
    file's; without it the umask decides. Raises `UserError` where it cannot be written.
    """
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
            return
        whole = file.resolve()
        making = whole.with_name(f".{whole.name}.{uuid4().hex}")  # not one that a collector of *.prom reads
        try:
            making.write_text(text, encoding="utf-8")
            if mode is not None:
                making.chmod(mode)
            making.replace(whole)
        finally:
            making.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{str(file)[:200]} cannot be written ({error.strerror}): name a file in a folder that is there and yours"
            " to write in."
        ) from None
