"""`python -m tests.mutants [WORDS …]`: put one fault at a time into a copy of the tree, and run its tests.

WORDS choose the faults whose name or file has one of them. A fault is `killed` when a test fails, `SURVIVED` when none
does, `STALE` when its text is not in the file exactly once, `BROKEN` when the code does not even load with it, and
`SLOW` when its tests take longer than they may. The tests must pass without a fault: run them first.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from send_queue.store import embedded

from .places import MUTANTS, TESTS, Mutant

ROOT = Path(__file__).parents[2]
SERVER_URL = "SEND_QUEUE_TEST_DATABASE_URL"
MAX_SECONDS = 900


def main(words: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and no server stays
    folder = Path(tempfile.mkdtemp(prefix="sq-mutants-", dir="/tmp"))
    came_to: Counter[str] = Counter()
    try:
        tree = folder / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build"))
        url = embedded.url(folder / "server")
        for mutant in MUTANTS:
            if words and not any(word in f"{mutant.name} {mutant.file}" for word in words):
                continue
            began = time.monotonic()
            result, by = tried(tree, mutant, url)
            came_to[result] += 1
            print(f"{result:8} {time.monotonic() - began:4.0f} s  {Path(mutant.file).name}: {mutant.name}"
                  f"{f'  ({by})' if by else ''}", flush=True)  # fmt: skip
    finally:
        embedded.stop(folder / "server")
        shutil.rmtree(folder)
    print(", ".join(f"{count} {result}" for result, count in came_to.items()))
    return int(set(came_to) != {"killed"})


def tried(tree: Path, mutant: Mutant, url: str) -> tuple[str, str]:
    """Say what came of a mutant, and the test or the error that decided it."""
    if (tree / mutant.file).read_text().count(mutant.old) != 1:
        return "STALE", ""
    with put_into(tree / mutant.file, mutant):
        process = subprocess.Popen(
            ["nice", sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=line",
             *(path_of(name) for name in TESTS[mutant.file])],
            cwd=tree, env=os.environ | {SERVER_URL: url}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return "SLOW", ""
    if process.returncode == 0:
        return "SURVIVED", ""
    if failed := re.search(r"^FAILED \S*?(\w+\.py::\S+)", said, re.MULTILINE):
        return "killed", failed[1]
    return "BROKEN", said[-1000:]


@contextmanager
def put_into(file: Path, mutant: Mutant) -> Iterator[None]:
    before = file.read_text()
    try:
        write(file, before.replace(mutant.old, mutant.new))
        yield
    finally:
        write(file, before)


def write(file: Path, text: str) -> None:
    """Write code, and forget the compiled form of it: times of whole seconds could take the old one for it."""
    file.write_text(text)
    for compiled in file.parent.glob(f"__pycache__/{file.stem}.*"):
        compiled.unlink()


def path_of(name: str) -> str:
    folder, _, name = name.rpartition("/")
    return f"tests/{folder or 'integration'}/test_{name}.py"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
