"""How the queue stands, as Prometheus reads it: which figures there are, as data, and their text.

Names follow Prometheus's conventions: base units (seconds, sends), `_total` for what only goes up. Source of the text
format: prometheus.io, Exposition formats, version 0.0.4.
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
    """One figure: of each row of the list `rows` of send_metrics the field `value`, under the labels.

    A row in which the value is null has no such figure.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    rows: str
    value: str
    labels: Sequence[str]


FAMILIES = (
    Family("sends_total", "counter", "Tries to send that are over, by what they came to when they ended.",
           "attempts", "attempts", (*LANE, "outcome")),
    Family("waiting_sends", "gauge", "Pending sends by what holds them; due: nothing does.",
           "waiting", "sends", ("workspace", "channel", "reason")),
    Family("oldest_due_seconds", "gauge", "For how long the oldest send that is due has been so, by what holds it.",
           "waiting", "oldest", ("workspace", "channel", "reason")),
    Family("ready_seconds", "gauge", "For how long a run could have taken a send that nothing holds.",
           "waiting", "ready", ("workspace", "channel")),
    Family("in_flight_sends", "gauge", "Sends that a run has in hand.",
           "sending", "sends", ("workspace", "channel")),
    Family("failed_sends", "gauge", "Sends that did not go out and will not by themselves.",
           "failed", "sends", ("workspace", "channel")),
    Family("uncertain_sends", "gauge", "Sends that may have gone out, and are not settled.",
           "uncertain", "sends", ("workspace", "channel")),
    Family("lane_cap_sends", "gauge", "How many a lane may send today.", "lanes", "cap", LANE),
    Family("lane_used_sends", "gauge", "How many of today's a lane has used.", "lanes", "used_today", LANE),
    Family("lane_weekly_cap_sends", "gauge", "How many a lane may send in seven days.", "lanes", "weekly_cap", LANE),
    Family("lane_weekly_used_sends", "gauge", "How many a lane has used in the last seven days.",
           "lanes", "used_week", LANE),
    Family("lane_held", "gauge", "1 for a lane that may not send now, with the reason.",
           "held", "one", (*LANE, "reason")),
    Family("account_connected", "gauge", "0 for an account that its provider refuses, until a person acts.",
           "accounts", "connected", ("workspace", "account", "provider")),
    Family("schedule_open", "gauge", "Whether a schedule is open now.", "schedules", "open", ("schedule",)),
    Family("runs_total", "counter", "Runs that have ended well.", "runs", "runs", RUN),
    Family("run_seconds_total", "counter", "How long the runs that have ended well took, all together.",
           "runs", "seconds", RUN),
    Family("last_run_timestamp_seconds", "gauge", "When the last run ended that ended well.", "runs", "finished", RUN),
    Family("last_run_duration_seconds", "gauge", "How long the last run took that ended well.", "runs", "last", RUN),
    Family("last_run_sent_sends", "gauge", "How many the last run sent that ended well.", "runs", "sent", RUN),
)  # fmt: skip
"""All figures, in the order in which they are written; each name begins with `send_queue_`."""


def text(conn: Connection, at: datetime | None) -> str:
    """All figures of the queue at a moment, as Prometheus reads them. Counts what has ended since the last call."""
    store.meter_attempts(conn)
    return rendered(store.metrics(conn, at))


def rendered(found: Json) -> str:
    """What send_metrics answers, as text."""
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
    """A label's value: a name may hold anything.

    >>> print(_escaped('a "b"'))
    a \\"b\\"
    """
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
