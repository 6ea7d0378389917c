"""The connections that programs give: psycopg's own, and those of SQLAlchemy and Django, which hold one.

Neither is imported: an object of theirs is known by the modules of its class and the class's bases.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import psycopg

from send_queue.model import UserError

from .connection import AsyncConnection, Connection

T = TypeVar("T")
Kind = Literal["sync", "async"]

_CALL = "select * from send_enqueue(campaign => …, channel => …, recipient => …, message => …)"


def kind_of(conn: Any) -> Kind:
    """Tell whether a call on `conn` is awaited. Raises `UserError` where it is no connection that we know."""
    if isinstance(conn, psycopg.Connection):
        return "sync"
    if isinstance(conn, psycopg.AsyncConnection):
        return "async"
    if _is_of(conn, "sqlalchemy") and any(hasattr(conn, name) for name in ("get_bind", "get_isolation_level")):
        return "async" if _is_of(conn, "sqlalchemy.ext.asyncio") else "sync"
    if _is_of(conn, "django") and hasattr(conn, "ensure_connection"):
        return "sync"
    raise _no_connection(conn)


def driver_connection(conn: Any) -> Connection:
    """Return psycopg's connection, in whose transaction the program's own statements run.

    SQLAlchemy commits only a transaction that it began: it begins one here, as at its first statement.
    """
    if isinstance(conn, psycopg.Connection):
        return conn
    if _is_of(conn, "django"):
        conn.ensure_connection()
        return _checked(conn.connection, psycopg.Connection, "install psycopg 3 for Django")
    if hasattr(conn, "get_bind"):  # a session
        conn = conn.connection()
    if not conn.in_transaction():
        conn.begin()
    return _checked(conn.connection.driver_connection, psycopg.Connection, ENGINE)


async def async_driver_connection(conn: Any) -> AsyncConnection:
    """Return psycopg's asynchronous connection, as `driver_connection` does."""
    if isinstance(conn, psycopg.AsyncConnection):
        return conn
    if hasattr(conn, "get_bind"):
        conn = await conn.connection()
    if not conn.in_transaction():
        await conn.begin()
    return _checked((await conn.get_raw_connection()).driver_connection, psycopg.AsyncConnection, ENGINE)


ENGINE = "make SQLAlchemy's engine with postgresql+psycopg://"


def _is_of(conn: Any, package: str) -> bool:
    return any(f"{base.__module__}.".startswith(f"{package}.") for base in type(conn).__mro__)


def _checked(driver: Any, kind: type[T], remedy: str) -> T:
    if not isinstance(driver, kind):
        raise UserError(
            f"The connection is one of {type(driver).__module__.partition('.')[0]}, not of psycopg 3: {remedy}, or"
            f" execute `{_CALL}` on it."
        )
    return driver


def _no_connection(conn: Any) -> UserError:
    name = f"{type(conn).__module__}.{type(conn).__qualname__}"
    return UserError(
        f"{name} is no connection of psycopg 3, SQLAlchemy or Django: give one, or execute `{_CALL}` with your driver."
    )
