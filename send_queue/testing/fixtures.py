"""Fixtures for pytest: a queue of each test's own, whose messages arrive in the sandbox.

    # conftest.py
    pytest_plugins = ["send_queue.testing.fixtures"]

    # test_app.py
    def test_a_signup_is_welcomed(sandbox_queue):
        sandbox_queue.add("welcome", "email")
        my_app(sandbox_queue.url).sign_up("ada@example.com")
        sandbox_queue.run()
        assert [message["recipient"] for message in sandbox_queue.messages] == ["ada@example.com"]

Override `send_queue_setup` to make your own tables beside ours, and `send_queue_server` to name your server. Each test
and each worker of pytest-xdist has a database of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from send_queue import store
from send_queue.providers import installed
from send_queue.store import embedded, schema, scratch
from send_queue.testing.sandbox_queue import SandboxQueue, sandboxed

SERVER_URL = "SEND_QUEUE_TEST_DATABASE_URL"


@pytest.fixture(scope="session")
def send_queue_server() -> Iterator[str]:
    """The URL of a database whose role may create others: SEND_QUEUE_TEST_DATABASE_URL, else an embedded Postgres."""
    if url := os.environ.get(SERVER_URL):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="send-queue-test-", dir="/tmp") as folder:  # short, for the socket's path
        try:
            yield embedded.url(Path(folder))
        finally:
            embedded.stop(Path(folder))


@pytest.fixture(scope="session")
def send_queue_setup() -> Callable[[str], None]:
    """Prepare, once, the database from which each test's is copied, given its URL: make your own tables."""
    return lambda _url: None


@pytest.fixture(scope="session")
def send_queue_template(send_queue_server: str, send_queue_setup: Callable[[str], None]) -> Iterator[str]:
    """The URL of the database that each test's is copied from. Nothing may stay connected to it."""
    url = scratch.create_database(send_queue_server)
    try:
        with store.connected(url) as conn:
            schema.migrate(conn, served=installed.served())
        send_queue_setup(url)
        yield url
    finally:
        scratch.drop_database(send_queue_server, url)


@pytest.fixture
def sandbox_queue(send_queue_server: str, send_queue_template: str) -> Iterator[SandboxQueue]:
    """An empty queue in a database of this test's own, and a sandbox in which its messages arrive."""
    url = scratch.create_database(send_queue_server, send_queue_template)
    try:
        with store.connected(url) as conn:
            store.adopt(conn, None, None)
        with sandboxed(url) as queue:
            yield queue
    finally:
        scratch.drop_database(send_queue_server, url)
