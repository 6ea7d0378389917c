"""Looking at a big queue, or ahead: status, explain, doctor, report, metrics, forecast, each the whole process."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

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

    page, figures = str(bed.folder / "report.html"), str(bed.folder / "send_queue.prom")
    status, explain, doctor, report, metrics = in_turn(
        bed.size.rounds,
        lambda: asked("status", key="queue"),
        lambda: asked("explain", waits, key="next_at"),
        lambda: asked("doctor", key="findings"),
        lambda: bed.send_queue("report", "-o", page, url=url).seconds,
        lambda: bed.send_queue("metrics", "-o", figures, url=url).seconds,
    )
    must(Path(page).stat().st_size < 1_000_000, "the report is larger than 1 MB")
    must("send_queue_" in Path(figures).read_text(), "there are no metrics")
    rows = f"{(bed.size.history + bed.size.pending) / 1e6:.3g} M rows"
    return [
        Line(f"status, {rows}", "s", status, at_most=1),
        Line(f"explain, {rows}", "s", explain, at_most=1),
        Line(f"doctor, {rows}", "s", doctor, at_most=1),
        Line(f"report, {rows}", "s", report, at_most=2),
        Line(f"metrics, {rows}", "s", metrics, at_most=2),
    ]


def forecast(bed: Bed) -> list[Line]:
    """Seconds until it is known when 100,000 rows of 200 accounts have gone, with caps and gaps."""
    n = min(100_000, bed.size.pending)

    def build(url: str) -> None:
        queues.build(url, lanes=200, pending=n, cap=20, max_in_flight=1, channel="linkedin_message")
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("update send_lanes set min_gap_seconds = 600, weekly_cap = 100")

    url = bed.database("to forecast", build)

    def asked() -> float:
        done = bed.send_queue("forecast", "--drain", "--json", url=url)
        must(json.loads(done.out)["finishes_at"] is not None, "it does not say when it is done")
        return done.seconds

    [seconds] = in_turn(bed.size.rounds, asked)
    return [Line(f"forecast, {n:,} rows", "s", seconds, at_most=5)]
