"""Programs enqueue on their own connection: any row factory, asynchronous ones too."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row, dict_row, namedtuple_row, tuple_row

import send_queue

from .conftest import Queue

MESSAGE = ("fall", "linkedin_invite", "ada-l", "Hi Ada")


@pytest.fixture
def ready(queue: Queue) -> Queue:
    queue.ready(rows=0)
    return queue


class Row:
    def __init__(self, **columns: Any) -> None:
        self.columns = columns


@pytest.mark.parametrize("factory", [tuple_row, dict_row, namedtuple_row, class_row(Row)])
@pytest.mark.parametrize("autocommit", [True, False])
def test_any_row_factory_will_do(ready: Queue, database: str, factory: Any, autocommit: bool) -> None:
    """One row is stored, and its id is told; the caller's connection keeps its own factory."""
    with psycopg.connect(database, row_factory=factory, autocommit=autocommit) as conn:
        send_id, created = send_queue.enqueue(conn, *MESSAGE, dedupe_key="k")
        assert (send_queue.enqueue(conn, *MESSAGE, dedupe_key="k"), created) == ((send_id, False), True)
        assert conn.row_factory is factory
    assert [row[0] for row in ready.conn.execute("select id from send_queue")] == [send_id]


@pytest.mark.parametrize("factory", [tuple_row, dict_row])
def test_an_asynchronous_connection_is_awaited(ready: Queue, database: str, factory: Any) -> None:
    """It commits and rolls back with the caller's data, as on any connection."""

    async def program() -> tuple[Any, bool]:
        async with await psycopg.AsyncConnection.connect(database, row_factory=factory) as conn:
            await send_queue.enqueue(conn, *MESSAGE)
            await conn.rollback()
            return await send_queue.enqueue(conn, *MESSAGE)

    send_id, created = asyncio.run(program())
    assert created
    assert [row[0] for row in ready.conn.execute("select id from send_queue")] == [send_id]


def test_a_number_gets_its_campaigns_country_there_too(ready: Queue, database: str) -> None:
    ready("account", "add", "phone", "--provider", "twilio", "--schedule", "always")
    ready("campaign", "add", "calls", "--account", "phone", "--country", "GB")

    async def program() -> None:
        async with await psycopg.AsyncConnection.connect(database, row_factory=dict_row) as conn:
            await send_queue.enqueue(conn, "calls", "sms", "020 7946 0958", "Hi")

    asyncio.run(program())
    assert ready.conn.execute("select recipient from send_queue").fetchall() == [("+442079460958",)]


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (("nope", "linkedin_invite", "ada-l", "Hi"), "SQ005"),
        (("fall", "linkedin_invite", "ada-l", "x" * 301), "SQ002"),
        (("fall", "email", "no address", "Hi"), "SQ002"),
    ],
    ids=["no campaign", "too long", "no address"],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_refusal_has_its_sqlstate(
    ready: Queue, database: str, message: tuple[str, str, str, str], state: str, asynchronous: bool
) -> None:
    """So that a program can tell refusals apart without reading sentences."""

    async def program() -> None:
        async with await psycopg.AsyncConnection.connect(database) as conn:
            await send_queue.enqueue(conn, *message)

    def call() -> object:
        return asyncio.run(program()) if asynchronous else send_queue.enqueue(ready.conn, *message)

    with pytest.raises(send_queue.UserError) as refused:
        call()
    assert refused.value.sqlstate == state


def test_another_object_is_refused_with_what_to_give() -> None:
    """An engine's own connection holds the one that is needed."""
    kind = type("Connection", (), {"__module__": "sqlalchemy.engine.base"})
    with pytest.raises(send_queue.UserError, match=r"give `connection\.connection\.driver_connection`"):
        send_queue.enqueue(kind(), *MESSAGE)
    with pytest.raises(send_queue.UserError, match="give a psycopg 3 Connection or AsyncConnection"):
        send_queue.enqueue(object(), *MESSAGE)  # type: ignore[call-overload]
