"""PgQueuer, run by the Python of the rivals' venv: `pgqueuer_drain.py URL fill N` or `pgqueuer_drain.py URL drain`.

Its fastest sensible way: a pool of asyncpg's connections (mostly faster than one), uvloop, batches of 100, an
entrypoint that does nothing, and its drain mode. `drain` prints {"jobs", "seconds"}; the seconds are those of the drain
alone, without imports and connecting.
"""

from __future__ import annotations

import json
import sys
import time

import asyncpg  # type: ignore[import-not-found]  # in the rivals' venv only, as is what follows
import uvloop  # type: ignore[import-not-found]
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver  # type: ignore[import-not-found]
from pgqueuer.models import Job  # type: ignore[import-not-found]
from pgqueuer.qm import QueueManager  # type: ignore[import-not-found]
from pgqueuer.queries import Queries  # type: ignore[import-not-found]
from pgqueuer.types import QueueExecutionMode  # type: ignore[import-not-found]

BATCH = 100
FILL = 10_000
"""Jobs put in at once."""


async def fill(url: str, n: int) -> None:
    conn = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(conn))
    await queries.install()
    for done in range(0, n, FILL):
        some = min(FILL, n - done)
        await queries.enqueue(["noop"] * some, [b"Hello"] * some, [0] * some)
    await conn.execute("vacuum analyze")
    await conn.close()


async def drain(url: str) -> None:
    pool = await asyncpg.create_pool(url, min_size=4, max_size=4)
    manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))
    done = 0

    async def noop(_: Job) -> None:
        nonlocal done
        done += 1

    manager.entrypoint("noop", accepts_context=False)(noop)
    began = time.perf_counter()
    await manager.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
    print(json.dumps({"jobs": done, "seconds": time.perf_counter() - began}))
    await pool.close()


if __name__ == "__main__":
    url, what, *n = sys.argv[1:]
    uvloop.run(fill(url, int(n[0])) if what == "fill" else drain(url))
