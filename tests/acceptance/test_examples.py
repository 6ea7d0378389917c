"""The example application tests itself, and what its tests use keeps its promises."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import send_queue
from send_queue.model import UserError
from send_queue.testing.sandbox_queue import PROVIDERS, sandboxed

EXAMPLES = Path(__file__).parents[2] / "examples"

RECIPIENTS = {
    "email": "ada@example.com", "sms": "+14155552671", "linkedin_invite": "ada-l", "linkedin_message": "ACoAAGrace",
}  # fmt: skip


def test_the_example_application_tests_itself(server: str) -> None:
    """In a process without this project's fixtures, on a server that is named in the environment."""
    env = os.environ | {"SEND_QUEUE_TEST_DATABASE_URL": server}
    words = ("-q", "-n", "0", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "test_signup.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=EXAMPLES, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    with psycopg.connect(server) as conn:
        left = conn.execute("select datname from pg_database where datname ^@ 'send_queue_test_'").fetchall()
    assert left == []


def test_each_channel_arrives_at_the_moment_that_is_given(database: str) -> None:
    """At any hour, without gaps; what is scheduled for later waits for its moment, also years ahead."""
    monday = datetime(2031, 1, 6, 3, tzinfo=UTC)
    with sandboxed(database) as queue, psycopg.connect(database, autocommit=True) as conn:
        for channel in PROVIDERS:
            recipient = RECIPIENTS.get(channel, f"{queue.sandbox.url}/webhooks/any")
            queue.add(channel, channel)
            subject = "Hi" if channel == "email" else None
            send_queue.enqueue(conn, channel, channel, recipient, "Hi", scheduled_for=monday, subject=subject)
        assert queue.run(at=monday - timedelta(seconds=1)).reason == "no_messages_due"
        assert queue.run(at=monday, limit=1).sent == 1
        assert queue.run(at=monday).sent == len(PROVIDERS) - 1
        assert sorted(message["channel"] for message in queue.messages) == sorted(PROVIDERS)
        with pytest.raises(UserError, match="email"):
            queue.add("email", "email")
