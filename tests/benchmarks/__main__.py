"""`python -m tests.benchmarks --size default --only idle,claim`: measure, print a table, write JSON.

A figure that misses its bar does not fail the program, except with --strict; one that cannot be measured does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from . import claim, crowd, drain, look, post, servers, tick, volume
from .bed import SIZES, Bed
from .measure import HEADER, Absent, Line
from .queues import value

FIGURES: dict[str, Callable[[Bed], list[Line]]] = {
    "idle": tick.idle,
    "trips": tick.round_trips,
    "claim": claim.at_size,
    "paused": claim.beside_paused,
    "log": drain.log,
    "graphile": drain.graphile,
    "http": post.post,
    "crowd": crowd.crowd,
    "snapshot": drain.beside_snapshot,
    "memory": drain.memory,
    "import": volume.import_,
    "look": look.look,
    "forecast": look.forecast,
    **servers.FIGURES,
}


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    began = time.monotonic()
    # Short, for the path of the server's socket; on a disk, for fsync is to be paid.
    folder = Path(tempfile.mkdtemp(prefix="sq-bench-", dir=given.folder))
    lines: list[dict[str, Any]] = []
    errors = missed = 0
    bed = Bed(folder, SIZES[given.size], given.rivals, _say)
    try:
        with bed.up():
            about = _about(bed, given.size)
            _print(HEADER)
            for name in given.only:
                bed.say(name)
                try:
                    measured = FIGURES[name](bed)
                except Absent as error:
                    lines.append({"figure": name, "skipped": str(error)})
                    _print(f"{name}: skipped: {error}")
                    continue
                except Exception as error:  # whatever it was, the other figures can still be measured
                    errors += 1
                    lines.append({"figure": name, "error": str(error)})
                    _print(f"{name}: NOT MEASURED: {error}")
                    if given.debug:
                        traceback.print_exc()
                    continue
                for line in measured:
                    _print(line)
                    missed += line.passed is False
                    lines.append({"name": name, **line.as_json(), "load_average": os.getloadavg()[0]})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - began
    report = {**about, "seconds": seconds, "lines": lines}
    given.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(f"{missed} missed, {errors} not measured, in {seconds:.0f} s; {given.json} has it as JSON")
    return 1 if errors or (given.strict and missed) else 0


def _arguments() -> argparse.Namespace:
    def figures(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        if unknown := set(names) - set(FIGURES):
            raise argparse.ArgumentTypeError(f"{min(unknown)} is none of {', '.join(FIGURES)}")
        return names or list(FIGURES)

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="default")
    parser.add_argument("--only", type=figures, default=list(FIGURES), help=f"some of {','.join(FIGURES)}")
    parser.add_argument("--rivals", type=Path, default=Path(".venv-rivals/bin"), help="the bin folder of their venv")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), help="where the server and its data are made")
    parser.add_argument("--strict", action="store_true", help="fail where a bar is missed")
    parser.add_argument("--debug", action="store_true", help="show the traceback of what could not be measured")
    return parser.parse_args()


def _say(what: str) -> None:
    """Say what is being done: on a terminal in a line that goes away again."""
    begin, end = ("\r\033[K", "") if sys.stderr.isatty() else ("", "\n")
    print(f"{begin}… {what}", end=end, file=sys.stderr, flush=True)


def _print(line: object) -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(line, flush=True)


def _about(bed: Bed, size: str) -> dict[str, Any]:
    """What was measured where: no more of the machine than what the figures depend on."""
    asked = "import importlib.metadata as m; print(*[n + ' ' + m.version(n) for n in ('procrastinate', 'pgqueuer')])"
    rivals = bed.run(bed.rivals / "python", "-c", asked).out.split() if (bed.rivals / "python").exists() else []
    with psycopg.connect(bed.server) as conn:
        server = value(conn, "show server_version")
    return {
        "size": size,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "postgres": server,
        "rivals": dict(zip(rivals[::2], rivals[1::2], strict=True)),
    }


if __name__ == "__main__":
    sys.exit(main())
