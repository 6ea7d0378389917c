"""Looking at a big queue: status, explain, doctor, each the whole process."""

from __future__ import annotations

import json

from . import queues
from .bed import Bed
from .claim import big
from .measure import Line, in_turn, must


def look(bed: Bed) -> list[Line]:
    """Seconds until a person has the answer. What is explained is the last row of a lane that is at its cap."""
    url = big(bed)
    waits = str(
        queues.value(
            url,
            """
            select q.id from send_queue q join send_lanes l using (account_id, channel)
            where q.status = 'pending' and l.next_at_reason = 'daily_cap' order by q.scheduled_for desc limit 1
            """,
        )
    )

    def asked(*args: str, key: str) -> float:
        done = bed.send_queue(*args, "--json", url=url, fine=(0, 1))  # doctor exits with 1 where something is wrong
        must(key in json.loads(done.out), f"{args[0]} does not say {key}")
        return done.seconds

    status, explain, doctor = in_turn(
        bed.size.rounds,
        lambda: asked("status", key="queue"),
        lambda: asked("explain", waits, key="next_at"),
        lambda: asked("doctor", key="findings"),
    )
    rows = f"{(bed.size.history + bed.size.pending) / 1e6:.3g} M rows"
    return [
        Line(f"status, {rows}", "s", status, at_most=1),
        Line(f"explain, {rows}", "s", explain, at_most=1),
        Line(f"doctor, {rows}", "s", doctor, at_most=1),
    ]
