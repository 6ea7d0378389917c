"""Read and write the user's text files as UTF-8, or refuse them with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from send_queue.model import UserError

OPEN_FILE = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")


@contextmanager
def opened(file: Path, kind: str) -> Iterator[TextIO]:
    """Open the file's text with unchanged line ends; `kind` is the expected kind, such as "a CSV file".

    Raises `UserError` if it is missing, not UTF-8, or unreadable at any point.
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
    except OSError as error:  # no permission, a name too long, a failing disk
        raise UserError(f"{str(file)[:200]} cannot be read ({error.strerror}): check the path.") from None


def write(file: Path, text: str, mode: int | None = None) -> None:
    """Write a file whole: readers find all of the old or all of the new.

    Devices, pipes and open files (/dev/stdout) are written to, never replaced; a link stays a link. `mode` None: the
    umask decides.
    Raises `UserError` if it cannot be written.
    """
    try:
        if OPEN_FILE.fullmatch(str(file)) or (file.exists() and not file.is_file()):
            with file.open("a", encoding="utf-8") as there:  # append: /dev/stdout may be a log
                there.write(text)
            return
        whole = file.resolve()
        making = whole.with_name(f".{whole.name}.{uuid4().hex}")  # collectors of *.prom skip this name
        try:
            making.write_text(text, encoding="utf-8")
            if mode is not None:
                making.chmod(mode)
            making.replace(whole)
        finally:
            making.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{str(file)[:200]} cannot be written ({error.strerror}): name a file in an existing folder with write"
            " permission."
        ) from None
