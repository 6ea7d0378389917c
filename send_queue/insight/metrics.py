"""The queue's metrics in Prometheus's text format.

Names follow Prometheus's conventions: base units (seconds, sends), `_total` for counters. Source of the format:
prometheus.io, Exposition formats, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from send_queue import store
from send_queue.model import Json
from send_queue.store import Connection

LANE = ("workspace", "account", "channel")
RUN = ("command", "filters")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: the field `value` of each row in the list `rows` of send_metrics, under the labels.

    A row with a null value is left out.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    rows: str
    value: str
    labels: Sequence[str]


FAMILIES = (
    Family("sends_total", "counter", "Finished tries, by outcome.",
           "attempts", "attempts", (*LANE, "outcome")),
    Family("waiting_sends", "gauge", "Pending sends by the rule that holds them; due: none.",
           "waiting", "sends", ("workspace", "channel", "reason")),
    Family("oldest_due_seconds", "gauge", "Seconds since the oldest due send became due, by the rule that holds it.",
           "waiting", "oldest", ("workspace", "channel", "reason")),
    Family("ready_seconds", "gauge", "Seconds for which a run could have claimed a send that no rule holds.",
           "waiting", "ready", ("workspace", "channel")),
    Family("in_flight_sends", "gauge", "Sends that a run is sending.",
           "sending", "sends", ("workspace", "channel")),
    Family("failed_sends", "gauge", "Sends that did not go out and are not retried.",
           "failed", "sends", ("workspace", "channel")),
    Family("uncertain_sends", "gauge", "Sends that may have gone out and are not settled.",
           "uncertain", "sends", ("workspace", "channel")),
    Family("lane_cap_sends", "gauge", "A lane's cap for today.", "lanes", "cap", LANE),
    Family("lane_used_sends", "gauge", "Today's sends against a lane's cap.", "lanes", "used_today", LANE),
    Family("lane_weekly_cap_sends", "gauge", "A lane's cap for seven days.", "lanes", "weekly_cap", LANE),
    Family("lane_weekly_used_sends", "gauge", "The last seven days' sends against a lane's cap.",
           "lanes", "used_week", LANE),
    Family("lane_held", "gauge", "1 for a lane that may not send now, with the reason.",
           "held", "one", (*LANE, "reason")),
    Family("account_connected", "gauge", "0 for an account that its provider refuses until a person acts.",
           "accounts", "connected", ("workspace", "account", "provider")),
    Family("schedule_open", "gauge", "1 for a schedule that is open now.", "schedules", "open", ("schedule",)),
    Family("runs_total", "counter", "Successful runs.", "runs", "runs", RUN),
    Family("run_seconds_total", "counter", "Seconds that all successful runs took together.",
           "runs", "seconds", RUN),
    Family("last_run_timestamp_seconds", "gauge", "The end of the last successful run.", "runs", "finished", RUN),
    Family("last_run_duration_seconds", "gauge", "Seconds that the last successful run took.", "runs", "last", RUN),
    Family("last_run_sent_sends", "gauge", "Sends of the last successful run.", "runs", "sent", RUN),
)  # fmt: skip
"""All metrics, in their order in the text; each name begins with `send_queue_`."""


def text(conn: Connection, at: datetime | None) -> str:
    """Write all metrics at a moment; None: now. Adds tries finished since the last call to the counters."""
    store.meter_attempts(conn)
    return rendered(store.metrics(conn, at))


def rendered(found: Json) -> str:
    """Write an answer of send_metrics as text."""
    rows = {**found, **_by_status(found["trouble"]), "held": _held(found["lanes"])}
    return "".join(line + "\n" for family in FAMILIES for line in _lines(family, rows[family.rows]))


def _by_status(trouble: Sequence[Json]) -> Mapping[str, Sequence[Json]]:
    return {
        status: [row for row in trouble if row["status"] == status] for status in ("sending", "failed", "uncertain")
    }


def _held(lanes: Sequence[Json]) -> Sequence[Json]:
    return [{**lane, "reason": lane["held"], "one": 1} for lane in lanes if lane["held"] is not None]


def _lines(family: Family, rows: Sequence[Json]) -> Iterator[str]:
    name = f"send_queue_{family.name}"
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind}"
    for row in rows:
        if (value := row[family.value]) is not None:
            labels = ",".join(f'{label}="{_escaped(row[label])}"' for label in family.labels)
            yield f"{name}{{{labels}}} {value}"


def _escaped(value: Any) -> str:
    """Escape a label's value: a name may hold any character.

    >>> print(_escaped('a "b"'))
    a \\"b\\"
    """
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
