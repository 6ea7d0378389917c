"""The claim: does it cost more where there is more?"""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

import psycopg

from . import queues
from .bed import Bed, Connection
from .measure import Line, in_turn, must

BLOCKS = 10
"""Rounds, of `Size.claims` claims each."""


def at_size(bed: Bed) -> list[Line]:
    """A long history, much that waits, and 99 of 100 lanes blocked, against a small queue with nothing blocked."""
    small = bed.database("small", lambda url: _build(bed, url, lanes=100, history=9_000, pending=1_000, open_every=1))
    size = bed.size
    idle = bed.database("idle lanes", lambda url: _build(bed, url, lanes=size.lanes, history=9_000, pending=size.lanes,
                                                         open_every=100, idle=True))  # fmt: skip
    ours, with_idle, rival = _claims(bed, big(bed), idle, small)
    return [
        Line("claim at size / on 10,000 rows", "ms", ours, rival, at_most=1.3),
        Line("claim, 1/5 of lanes idle / no lane", "ms", with_idle, rival, at_most=1.3),
    ]


def beside_paused(bed: Bed) -> list[Line]:
    """One lane holds very many rows of a paused campaign, all older than the one that is open."""
    alone = bed.database("alone", lambda url: queues.build(url, lanes=1, pending=10_000))

    def build(url: str) -> None:
        queues.build(url, lanes=1, pending=10_000)
        queues.pause_beside(url, bed.size.heap)

    ours, rival = _claims(bed, bed.database("beside paused", build), alone)
    return [Line("claim beside paused campaign / alone", "ms", ours, rival, at_most=1.3)]


def big(bed: Bed) -> str:
    """The queue with the long history."""
    size = bed.size
    return bed.database(
        "big",
        lambda url: _build(bed, url, lanes=size.lanes, history=size.history, pending=size.pending, open_every=100),
    )


def _build(bed: Bed, url: str, *, lanes: int, history: int, pending: int, open_every: int, idle: bool = False) -> None:
    queues.build(
        url, lanes=lanes, history=history, pending=pending, open_every=open_every, with_future=True, cap=100,
        max_in_flight=1, channel="linkedin_message", idle=idle,
    )  # fmt: skip
    # A lane that was looked at in vain is told so by the claim that did, some hundreds a claim.
    for _ in range(1 + lanes // 2_000 if idle else 1):
        before = queues.sent(url)
        bed.send_queue("run-once", url=url)
        must(queues.sent(url) == before + 1, "one row should go out, and one only")


def _claims(bed: Bed, *urls: str) -> list[list[float]]:
    """The medians, in milliseconds, of blocks of claims in turn, each on a warm connection of its own."""
    with ExitStack() as stack:
        conns = [stack.enter_context(psycopg.connect(url, autocommit=True)) for url in urls]
        for conn in conns:
            for _ in range(20):
                claim_one(conn)
        blocks = [lambda conn=conn: median(claim_one(conn) for _ in range(bed.size.claims)) for conn in conns]
        return in_turn(BLOCKS, *blocks)


def claim_one(conn: Connection) -> float:
    """Claim one row, see that it was claimed, and take it back; returns milliseconds."""
    with conn.transaction(force_rollback=True):
        began = time.perf_counter()
        conn.execute("select send_claim(worker => 'bench', max_rows => 1)", prepare=False).fetchone()
        seconds = time.perf_counter() - began
        taken = queues.value(
            conn,
            "select count(*) from send_queue q join send_attempts b on b.id = q.attempt_id"
            " where q.status = 'sending' and q.claimed_by = 'bench' and b.outcome is null",
        )
    must(taken == 1, f"a claim took {taken} rows, not one")
    return seconds * 1000
