"""Programs enqueue on their own connection: any row factory, asynchronous ones too."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.rows import class_row, dict_row, namedtuple_row, tuple_row
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

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
            stored: tuple[Any, bool] = await send_queue.enqueue(conn, *MESSAGE)
            return stored

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


def test_sqlalchemys_connection_and_session_commit_it(ready: Queue, database: str) -> None:
    """It commits and rolls back with what they do, also where it is all they do."""
    engine = sqlalchemy.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as conn:
        send_queue.enqueue(conn, *MESSAGE)
        conn.rollback()
        first, _ = send_queue.enqueue(conn, *MESSAGE)
        conn.commit()
    with Session(engine) as session:
        send_queue.enqueue(session, *MESSAGE)
        session.rollback()
        second, _ = send_queue.enqueue(session, *MESSAGE)
        assert session.scalar(sqlalchemy.text("select count(*) from send_queue")) == 2
        session.commit()
    with engine.begin() as conn, conn.begin_nested() as savepoint:
        send_queue.enqueue(conn, *MESSAGE)
        savepoint.rollback()
    engine.dispose()
    assert {row[0] for row in ready.conn.execute("select id from send_queue")} == {first, second}


def test_sqlalchemys_asynchronous_ones_do_too(ready: Queue, database: str) -> None:
    async def program() -> set[Any]:
        engine = create_async_engine(database.replace("postgresql:", "postgresql+psycopg:"))
        async with engine.connect() as conn:
            await send_queue.enqueue(conn, *MESSAGE)
            await conn.rollback()
            first, _ = await send_queue.enqueue(conn, *MESSAGE)
            await conn.commit()
        async with AsyncSession(engine) as session:
            second, _ = await send_queue.enqueue(session, *MESSAGE)
            await session.commit()
        await engine.dispose()
        return {first, second}

    stored = asyncio.run(program())
    assert {row[0] for row in ready.conn.execute("select id from send_queue")} == stored


def test_djangos_connection_is_in_its_transaction(ready: Queue, database: str) -> None:
    """A connection that Django opens late and that reads no JSON: what it is, without Django."""
    conn = psycopg.connect(database)
    conn.adapters.register_loader("jsonb", psycopg.types.string.TextLoader)

    class Wrapper:
        __module__ = "django.db.backends.postgresql.base"
        connection: Any = None

        def ensure_connection(self) -> None:
            self.connection = conn

    ready("account", "add", "phone", "--provider", "twilio", "--schedule", "always")
    ready("campaign", "add", "calls", "--account", "phone", "--country", "GB")
    send_id, _ = send_queue.enqueue(Wrapper(), "calls", "sms", "020 7946 0958", "Hi")
    conn.commit()
    conn.close()
    assert ready.conn.execute("select id from send_queue").fetchall() == [(send_id,)]


def test_another_object_is_refused_with_what_to_give(database: str) -> None:
    """Before anything is stored: an engine, another driver, anything else."""
    engine = sqlalchemy.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    for other in (engine, object()):
        with pytest.raises(
            send_queue.UserError, match=r"is no connection of psycopg 3, .* execute `select \* from send_"
        ):
            send_queue.enqueue(other, *MESSAGE)
    with (
        sqlalchemy.create_engine("sqlite://").connect() as conn,
        pytest.raises(send_queue.UserError, match=r"one of sqlite3, not of psycopg 3: make .* postgresql\+psycopg"),
    ):
        send_queue.enqueue(conn, *MESSAGE)
