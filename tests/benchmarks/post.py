"""Sending over HTTP: the queue, its ledger and its leases against a thread pool that has none of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from . import queues
from .bed import BIN, RIVAL_CODE, Bed
from .measure import Line, in_turn, must

CONCURRENCY = 16
LANES = 8


def post(bed: Bed) -> list[Line]:
    """Messages a second, of whole processes: as fast as the sandbox answers, then with answers that take 50 ms."""
    bed.database(
        "to post",
        lambda url: queues.build(
            url, lanes=LANES, pending=bed.size.posted, channel="linkedin_message", provider="unipile"
        ),
    )
    with _sandbox(bed) as (url, journal):
        ours, rival = _against_bare(bed, url, journal, delay=0)
        ours_slow, rival_slow = _against_bare(bed, url, journal, delay=0.05)
    return [
        Line("HTTP / bare httpx pool", "sends/s", ours, rival, at_least=0.9),
        Line("HTTP, answers in 50 ms / the same", "sends/s", ours_slow, rival_slow),
    ]


def _against_bare(bed: Bed, url: str, journal: Path, delay: float) -> list[list[float]]:
    """Ours and the bare pool in turn, each to a sandbox that is empty and answers after `delay` seconds."""
    n = bed.size.posted

    def empty_sandbox() -> None:
        _ask(url, "restart-clean")
        if delay:
            _ask(url, "faults", [{"op": "chat", "answer_delay": delay}])

    def arrived() -> None:
        accepted = [json.loads(line) for line in journal.read_text().splitlines()]
        people = {entry["recipient"] for entry in accepted}
        must((len(accepted), len(people)) == (n, n), f"{len(accepted)} arrived, at {len(people)} people, not {n}")

    def run() -> float:
        empty_sandbox()
        env = {"UNIPILE_DSN": url, "UNIPILE_API_KEY": "any"}
        with bed.copy("to post") as database:
            done = bed.send_queue("run", "--concurrency", str(CONCURRENCY), "--json", url=database, env=env)
            must(queues.sent(database) == n, f"not all of {n} were sent: {done.out}")
        arrived()
        return n / done.seconds

    def bare() -> float:
        empty_sandbox()
        done = bed.run(sys.executable, RIVAL_CODE / "httpx_pool.py", url, *map(str, (n, CONCURRENCY, LANES)))
        must(int(done.out) == n, f"{done.out} of {n} posts were accepted")
        arrived()
        return n / done.seconds

    return in_turn(bed.size.rounds, run, bare)


@contextmanager
def _sandbox(bed: Bed) -> Iterator[tuple[str, Path]]:
    """`send-queue sandbox`; its URL and its journal."""
    journal = bed.folder / f"journal-{time.monotonic_ns()}.jsonl"
    command: list[str | Path] = [BIN / "send-queue", "sandbox", "--port", "0", "--journal", journal]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), journal
        finally:
            process.terminate()


def _ask(url: str, path: str, body: Any = None) -> None:
    data = json.dumps(body).encode() if body is not None else b""
    with urlopen(Request(f"{url}/sandbox/{path}", data, method="POST"), timeout=60) as answer:
        must(answer.status == 200, f"the sandbox answers {answer.status} to {path}")
