"""Webhooks, from the first command to what the receiver has."""

from __future__ import annotations

import pytest

from acceptance.conftest import HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault
from send_queue.sandbox.webhook import SECRET


@pytest.fixture
def hooks(queue: Queue) -> Queue:
    """The account events, which may call the sandbox."""
    queue.env |= {"WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOW_HOSTS": "127.0.0.1"}
    queue.put("account", "events", provider="webhook")
    queue.campaign("fall", "events")
    return queue


def enqueued(queue: Queue, to: str | None = None, *more: str) -> str:
    to = to or f"{queue.sandbox.url}/webhooks/crm"
    words = ("enqueue", "--campaign", "fall", "--channel", "webhook", "--recipient", to, "--message", "Paid")
    return str(queue.json(*words, *more, now=MONDAY - HOUR)["id"])


def test_a_webhook_goes_from_the_command_to_the_receiver(hooks: Queue) -> None:
    send_id = enqueued(hooks, None, "--payload", '{"type": "invoice.paid", "data": {"id": 7}}')
    assert hooks.run_once()["sent"] == 1
    [entry] = hooks.sandbox.accepted()
    assert (entry["id"], entry["event"]["type"], entry["event"]["data"]) == (
        f"msg_{send_id}", "invoice.paid", {"id": 7},
    )  # fmt: skip
    assert hooks.row(send_id)["provider_message_id"] == f"msg_{send_id}"


@pytest.mark.parametrize("fault", [
    Fault(op="webhook", drop="after", times=1), Fault(op="webhook", drop="before", times=1),
    Fault(op="webhook", status=503, accept=True, times=1), Fault(op="webhook", status=500, times=1),
])  # fmt: skip
def test_invariant_3_what_came_twice_is_new_once(hooks: Queue, fault: Fault) -> None:
    """The receiver knows it by its id, and finds the same bytes."""
    hooks.sandbox.order(fault)
    send_id = enqueued(hooks)
    hooks.run_once()
    hooks.run_once(MONDAY + MINUTE)
    hooks.run_once(MONDAY + 8 * MINUTE)
    assert hooks.row(send_id)["status"] == "sent"
    entries = hooks.sandbox.accepted()
    assert [entry["channel"] for entry in entries].count("webhook") == 1
    assert len({(entry["id"], entry["body"]) for entry in entries}) == 1


def test_a_run_that_died_leaves_nothing_for_a_person_to_settle(hooks: Queue) -> None:
    send_id = enqueued(hooks)
    hooks.conn.execute("select send_claim('a run that died', at => %s, lease => '5 minutes')", (MONDAY,))
    hooks.run_once(MONDAY + 6 * MINUTE)
    hooks.run_once(MONDAY + 13 * MINUTE)
    assert hooks.row(send_id)["status"] == "sent"
    assert [outcome for outcome, _ in hooks.attempts(send_id)] == ["uncertain", "sent"]


def test_no_private_address_is_called_unless_it_is_allowed_by_name(hooks: Queue) -> None:
    send_id = enqueued(hooks, "https://169.254.169.254/latest/meta-data")
    other = enqueued(hooks)
    assert hooks.json("run", env={"WEBHOOK_ALLOW_HOSTS": ""})["failed"] == 2
    assert hooks.attempts(send_id) == [("failed", "address_refused")]
    assert hooks.attempts(other) == [("failed", "insecure_endpoint")]
    assert hooks.sandbox.accepted() == []
