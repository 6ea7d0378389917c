"""Metrics: figures that are so, in a form that Prometheus reads, with counters that never go down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from builders import AT, DAY, HOUR, MINUTE, Connection, Queue
from prometheus_client.parser import text_string_to_metric_families

from send_queue import store
from send_queue.insight import metrics

NOW = timedelta(0)
"""The margin of a meter when nothing is being claimed beside it."""

Figures = Mapping[tuple[str, ...], float]


def figures(queue: Queue, at: object = AT) -> dict[str, Figures]:
    """Each figure without its `send_queue_`, by the values of its labels in their order."""
    text = metrics.rendered(queue.call("send_metrics", at=at))
    return {
        family.name.removeprefix("send_queue_"): {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
    }


def metered(queue: Queue) -> dict[str, int]:
    queue.call("send_meter_attempts", margin=NOW)
    return dict(queue.all("select outcome, sum(attempts)::int from send_meter group by 1"))


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


# --- form -------------------------------------------------------------------------------------------------


def test_prometheus_reads_it(queue: Queue) -> None:
    """Each figure has its help and type; counters end in _total, and names in their unit; any name can be a label."""
    queue.account('a "quoted" \\ name\nof two lines')
    queue.lane('a "quoted" \\ name\nof two lines', daily_cap=3)
    text = metrics.text(queue.conn, AT)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == len(metrics.FAMILIES)
    for family in metrics.FAMILIES:
        name = f"send_queue_{family.name}"
        found = families[name.removesuffix("_total")]
        assert (found.type, found.documentation) == (family.kind, family.help)
        assert (family.kind == "counter") == name.endswith("_total")
        assert name.removesuffix("_total").endswith(("_sends", "_seconds", "_held", "_connected", "_open", "_runs"))
    [cap] = families["send_queue_lane_cap_sends"].samples
    assert (cap.labels["account"], cap.value) == ('a "quoted" \\ name\nof two lines', 3)


def test_an_empty_queue_has_figures_too(queue: Queue) -> None:
    """Their names are there from the start, without a sample."""
    assert set(figures(queue)) == {family.name.removesuffix("_total") for family in metrics.FAMILIES}


# --- what waits -------------------------------------------------------------------------------------------


def test_what_waits_is_told_apart_by_what_holds_it(queue: Queue) -> None:
    """Every pending row is in one of these, and the oldest says how long it has been due."""
    queue.ready(3)
    queue.fill(2, scheduled_for=AT + HOUR)
    queue.lane("ada", "sms", daily_cap=0)
    queue.fill(4, channel="sms", scheduled_for=AT - 2 * HOUR)
    queue.campaign("autumn")
    queue.fill(5, campaign="autumn")
    queue.call("send_pause", paused=True, kind="campaign", name="autumn")
    found = figures(queue)
    assert found["waiting_sends"] == {
        ("default", "email", "due"): 3, ("default", "email", "scheduled_for"): 2, ("default", "email", "paused"): 5,
        ("default", "sms", "daily_cap"): 4,
    }  # fmt: skip
    assert found["oldest_due_seconds"][("default", "sms", "daily_cap")] == 7200
    assert sum(found["waiting_sends"].values()) == queue.statuses()["pending"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update send_accounts set status = 'paused'", "paused"),
        ("update send_accounts set status = 'disconnected', status_reason = 'account_restricted: x'", "disconnected"),
        ("update send_workspaces set paused_at = now()", "paused"),
        ("update send_lanes set paused_at = now()", "paused"),
        ("update send_lanes set next_at = '2026-03-02 10:00+00', next_at_reason = 'provider_hold'", "provider_hold"),
        ("update send_lanes set next_at = '2026-03-02 10:00+00', next_at_reason = 'rate_limit'", "rate_limit"),
    ],
)
def test_what_holds_a_lane_holds_its_rows(queue: Queue, statement: str, reason: str) -> None:
    """A lane that is held says why, and so do its rows."""
    queue.ready(2)
    queue.do(statement)
    found = figures(queue)
    assert found["waiting_sends"] == {("default", "email", reason): 2}
    assert found["lane_held"] == {("default", "ada", "email", reason): 1}
    assert found["ready_seconds"] == {}
    assert found["account_connected"] == {("default", "ada", "log"): float(reason != "disconnected")}


def test_ready_is_since_when_a_run_could_have_taken_it(queue: Queue) -> None:
    """From the latest of: it is due, its lane may send, its schedule opens; in hours that are closed it is held."""
    queue.schedule("office", AT - HOUR, AT + HOUR, since=AT - DAY)
    queue.ready(2)
    queue.put("account", "ada", schedule="office")
    queue.window("office", AT - HOUR, AT + HOUR, since=AT - DAY)
    queue.do("update send_queue set scheduled_for = %s", AT - DAY)
    assert figures(queue)["ready_seconds"] == {("default", "email"): 3600}
    assert figures(queue)["oldest_due_seconds"] == {("default", "email", "due"): 86400}
    assert figures(queue)["schedule_open"] == {("office",): 1}
    queue.do("update send_lanes set next_at = %s, next_at_reason = 'min_gap'", AT - 5 * MINUTE)
    assert figures(queue)["ready_seconds"] == {("default", "email"): 300}
    closed = figures(queue, AT + HOUR)
    assert closed["waiting_sends"] == {("default", "email", "schedule"): 2}
    assert (closed["ready_seconds"], closed["schedule_open"]) == ({}, {("office",): 0})


def test_a_campaigns_own_schedule_decides_for_its_rows(queue: Queue) -> None:
    """The account's is closed, the campaign's is open: they can go."""
    queue.ready(2)
    queue.schedule("closed", AT + HOUR, AT + 2 * HOUR)
    queue.schedule("open", AT - HOUR, AT + HOUR, since=AT - DAY)
    queue.put("account", "ada", schedule="closed")
    queue.put("campaign", "spring", schedule="open")
    queue.window("closed", AT + HOUR, AT + 2 * HOUR)
    queue.window("open", AT - HOUR, AT + HOUR, since=AT - DAY)
    assert figures(queue)["waiting_sends"] == {("default", "email", "due"): 2}


def test_lanes_and_trouble(queue: Queue) -> None:
    """Caps and what is used of them; what is in flight, failed and in doubt."""
    queue.ready(9, max_in_flight=9, daily_cap=7, weekly_cap=30)
    for outcome in ("sent", "sent", "failed", "failed", "uncertain"):
        queue.send(outcome)
    queue.taken()
    found = figures(queue)
    lane, channel = ("default", "ada", "email"), ("default", "email")
    assert (found["lane_cap_sends"][lane], found["lane_used_sends"][lane]) == (7, 4)
    assert (found["lane_weekly_cap_sends"][lane], found["lane_weekly_used_sends"][lane]) == (30, 4)
    assert [found[f"{name}_sends"][channel] for name in ("in_flight", "failed", "uncertain")] == [1, 2, 1]


# --- counters ---------------------------------------------------------------------------------------------


def test_the_meter_counts_each_attempt_once_by_how_it_ended(queue: Queue) -> None:
    """However often it is read; what is in flight is counted when it has ended."""
    queue.ready(9, max_in_flight=9)
    for outcome in ("sent", "sent", "failed", "retry"):
        queue.send(outcome)
    flying = queue.taken()[0]
    queue.send("sent")
    assert [metered(queue) for _ in range(2)] == [{"sent": 2, "failed": 1, "retry": 1}] * 2
    queue.record(flying, "uncertain")
    assert metered(queue) == {"sent": 3, "failed": 1, "retry": 1, "uncertain": 1}
    assert figures(queue)["sends"][("default", "ada", "email", "sent")] == 3


def test_the_meter_never_goes_down(queue: Queue) -> None:
    """Not when a doubt is settled, and not when rows are pruned."""
    queue.ready(2, max_in_flight=9)
    queue.send("sent")
    doubt = queue.send("uncertain")
    before = metered(queue)
    queue.call("send_settle", id=doubt, sent=True, at=AT)
    queue.call("send_prune", before=AT + DAY, at=AT + 60 * DAY)
    assert queue.how_many() == 0
    assert metered(queue) == before == {"sent": 1, "uncertain": 1}


def test_the_meter_waits_for_claims_that_have_not_committed(queue: Queue) -> None:
    """What has begun less than a minute ago may not be seen yet, and would be passed by for ever."""
    queue.ready(1)
    queue.send("sent")
    store.meter_attempts(queue.conn)
    assert queue.all("select * from send_meter") == []


# --- runs -------------------------------------------------------------------------------------------------


def test_the_last_run_of_each_kind_is_known(queue: Queue) -> None:
    """By command and filters; the counters add up."""
    for n, seconds in enumerate((2.5, 1.0)):
        queue.call("send_end_run", command="run", worker="w", seconds=seconds, sent=n, processed=5,
                   at=AT + n * HOUR)  # fmt: skip
    queue.call("send_end_run", command="run", account="ada", worker="w", seconds=9.0, at=AT)
    found = figures(queue)
    assert found["runs"] == {("run", ""): 2, ("run", "account=ada"): 1}
    assert found["run_seconds"][("run", "")] == 3.5
    assert found["last_run_timestamp_seconds"][("run", "")] == (AT + HOUR).timestamp()
    assert (found["last_run_duration_seconds"][("run", "")], found["last_run_sent_sends"][("run", "")]) == (1, 1)
