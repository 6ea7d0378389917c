"""Tests of the application, with a database of their own and the sandbox as the mail provider."""

from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from signup import application

pytest_plugins = ["send_queue.testing.fixtures"]  # in your conftest.py

TABLES = """
    create table signups (email text primary key, status text default 'pending',
        send_id uuid references send_queue on delete set null);
    create table orders (send_id uuid references send_queue on delete set null, goods text check (goods <> 'nothing'));
"""


@pytest.fixture(scope="session")
def send_queue_setup():
    def make(url):
        with psycopg.connect(url) as conn:
            conn.execute(TABLES + (Path(__file__).parent / "status_back.sql").read_text())

    return make


@pytest.fixture
def client(sandbox_queue):
    sandbox_queue.add("welcome", "email")
    sandbox_queue.add("orders", "email")
    return TestClient(application(sandbox_queue.url), raise_server_exceptions=False)


def test_a_signup_is_welcomed_once(client, sandbox_queue):
    assert client.post("/signups?email=ada@example.com").status_code == 200
    assert client.post("/signups?email=ada@example.com").status_code == 500  # rolled back, message and all
    assert client.get("/signups/ada@example.com").json() == {"welcome": "pending"}
    assert sandbox_queue.run().sent == 1
    assert client.get("/signups/ada@example.com").json() == {"welcome": "sent"}
    assert [message["recipient"] for message in sandbox_queue.messages] == ["ada@example.com"]


def test_an_order_that_fails_writes_to_nobody(client, sandbox_queue):
    assert client.post("/orders?email=ada@example.com&goods=nothing").status_code == 500
    assert client.post("/orders?email=ada@example.com&goods=books").status_code == 200
    assert sandbox_queue.run().sent == 1
    assert [message["text"] for message in sandbox_queue.messages] == ["You get books."]
