"""Connections, translated errors, transactions, and calls of SQL functions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from threading import Event
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from send_queue.model import (
    ConfigurationError,
    DatabaseBusy,
    DatabaseUnreachable,
    UserError,
    clock,
)
from send_queue.store import schema, signatures

T = TypeVar("T")

Connection: TypeAlias = psycopg.Connection[Any]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[Any]


# --- the connection ---------------------------------------------------------------------------------------

TIMEOUT_SETTINGS: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000, "application_name": "send-queue",
}  # fmt: skip
"""Defaults of a connection: give up a silent server within half a minute, long before a lease ends (the systems' own
time-outs are hours). Seconds, but the last in milliseconds."""


def connect(url: str, warn: Callable[[str], None] = lambda _: None) -> Connection:
    """Connect in autocommit, so that each statement is a transaction.

    `warn` gets the warnings of our SQL functions; the server's own notices are dropped.

    Prepare no statement and set nothing for the session: a pooler may give each transaction another connection. Poolers
    keep the encoding, a parameter of the connection's start.
    Raises `DatabaseUnreachable`, and `ConfigurationError` if the database cannot store every text.
    """
    with translate_errors(hide=_secrets(url)):
        given = TIMEOUT_SETTINGS | psycopg.conninfo.conninfo_to_dict(url) | {"client_encoding": "UTF8"}
        conn = psycopg.connect(autocommit=True, prepare_threshold=None, **given)
    if (encoding := conn.info.parameter_status("server_encoding")) not in ("UTF8", None):
        conn.close()
        raise ConfigurationError(
            f"The database's encoding {encoding} cannot hold every text: make a database with `create database"
            " NAME encoding 'UTF8' template template0`, and name it in DATABASE_URL."
        )

    warned: set[str] = set()

    def passed_on(notice: psycopg.errors.Diagnostic) -> None:
        sentence = notice.message_primary or ""
        if notice.severity_nonlocalized == "WARNING" and notice.sqlstate == "SQ006":  # each claim of a run says it
            if sentence in warned:
                return
            warned.add(sentence)
        if notice.severity_nonlocalized == "WARNING" or notice.sqlstate == "SQ003":
            warn(sentence)

    conn.add_notice_handler(passed_on)
    return conn


@contextmanager
def connected(url: str, warn: Callable[[str], None] = lambda _: None) -> Iterator[Connection]:
    """Connect for the length of a command."""
    conn = connect(url, warn)
    try:
        yield conn
    finally:
        conn.close()


RETRY_PAUSE_SECONDS = 0.1
"""Seconds between tries while the database is away."""

MAX_RETRY_SECONDS = 600.0
"""The longest time of tries: no lease lasts longer."""

STOP_RETRY_SECONDS = 2.0
"""The longest time of tries after a stop signal."""


@dataclass(slots=True)
class Database:
    """A connection in autocommit, replaced after a loss, and the clock for our functions.

    `now` returns None for the database's clock. Without `reconnect` a lost connection stays lost.
    """

    conn: Connection
    now: Callable[[], datetime | None] = lambda: None
    reconnect: Callable[[], Connection] | None = None

    def call(
        self, function: Callable[[Connection, datetime | None], T], seconds: float, stop: Event | None = None
    ) -> T:
        """Call `function` with the connection and the moment; retry for `seconds` while the database is away.

        Raises `DatabaseUnreachable` afterwards. A try with a lost answer may have committed: a result is recorded
        once, and a lease's end returns a claim.
        """
        seconds = max(0.0, min(seconds, MAX_RETRY_SECONDS))
        until = clock() + seconds
        stopped = False
        for tries_left in reversed(range(1 + ceil(seconds / RETRY_PAUSE_SECONDS))):
            try:
                return function(self.conn, self.now())
            except DatabaseUnreachable as error:
                if stop and stop.is_set() and not stopped:
                    stopped, until = True, min(until, clock() + STOP_RETRY_SECONDS)
                if self.reconnect is None or not tries_left or clock() > until:
                    raise
                time.sleep(RETRY_PAUSE_SECONDS)  # a server that restarts tells nobody when it is back
                if not isinstance(error, DatabaseBusy):
                    with suppress(DatabaseUnreachable):
                        self.renew()
        raise AssertionError("the last try returns or raises")

    def renew(self) -> None:
        """Connect anew, with the lost connection's isolation level."""
        if self.reconnect:
            level = self.conn.isolation_level
            self.conn = self.reconnect()
            self.conn.isolation_level = level


def _secrets(url: str) -> list[str]:
    """List possible passwords in a connection string, in the pieces that libpq may quote from a malformed string."""
    _, _, rest = url.rpartition("://")
    before, at, _ = rest.rpartition("@")
    quoted = re.findall(r"password\s*=\s*('(?:[^'\\]|\\.)*'?|[^\s&]*)", url)
    found = [before.partition(":")[2] if at else "", *(part.strip("'") for part in quoted)]
    pieces = {piece for part in found for piece in [part, unquote(part), *re.split(r"\W+", part)]}
    return sorted(filter(None, pieces), key=len, reverse=True)


@contextmanager
def translate_errors(hide: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors of the database into one sentence with the remedy.

    Keep only the error's first line, also in a traceback: the rest may quote the row and its message. Omit `hide`.
    """
    try:
        yield
    except psycopg.Error as error:
        said = (error.diag.message_primary or str(error).strip().split("\n")[0]).strip()
        if any(secret in said for secret in hide):
            said = "details omitted, since they quote the password"
        error.args = (said,)
        worded = _in_words(error, said)
        if isinstance(worded, UserError):
            worded.sqlstate = error.sqlstate
        raise worded from error


def _in_words(error: psycopg.Error, said: str) -> Exception:
    if error.sqlstate in REFUSED:
        return UserError(said)
    if error.sqlstate in ("SQ007", "SQ008"):  # a copy, a missing right
        return ConfigurationError(said)
    if refused := _foreign_refusal(error, said):
        return refused
    if absent := schema.missing(error):
        return absent
    match error:
        case errors.InsufficientPrivilege():
            return ConfigurationError(
                f"The database role may not do this ({said}): run it as the owner of the tables, or give the role"
                " its task with `send-queue migrate --grant-worker`, `--grant-enqueue` or `--grant-read`."
            )
        case errors.CheckViolation() | errors.ForeignKeyViolation() | errors.NotNullViolation():
            rule = (error.diag.constraint_name or said).replace("_", " ")
            return UserError(f"Refused, nothing was stored: the rule is that {rule}; mend the value and retry.")
        case psycopg.DataError() | errors.UniqueViolation() | errors.ProgramLimitExceeded():
            return UserError(f"Refused, nothing was stored: {said}; mend the value and retry.")
        case psycopg.Error() if error.sqlstate == "25006":
            return DatabaseUnreachable(
                f"The database is read-only ({said}): name the primary in DATABASE_URL, or make it writable."
            )
        case psycopg.Error() if error.sqlstate in BUSY:
            return DatabaseBusy(
                f"Another session blocks the database ({said}): find it, or a too short time-out, with"
                " `send-queue doctor`."
            )
        case psycopg.Error() if error.sqlstate in TIMED_OUT:
            return DatabaseUnreachable(
                f"The server ended the connection ({said}): raise the role's time-out that `send-queue doctor` names."
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() | psycopg.InternalError() if _is_lost(error):
            return DatabaseUnreachable(
                f"The database cannot be reached ({said}): check DATABASE_URL and that the server is up."
            )
        case psycopg.ProgrammingError() if error.sqlstate is None:
            return ConfigurationError(
                f"DATABASE_URL cannot be read ({said}): write it as postgresql://user@host/name, and an @ or a / in a"
                " password as %40 or %2F."
            )
    return error


def _foreign_refusal(error: psycopg.Error, said: str) -> UserError | None:
    from send_queue.store import foreign  # late: only errors need it

    return foreign.refusal(error, said)


REFUSED = ("SQ002", "SQ005", "SQ006")
"""SQLSTATEs of our functions: invalid, not found, wrong state; each message is a whole sentence."""

BUSY = ("40001", "40P01", "55006", "55P03", "57014")
"""SQLSTATEs that may succeed on a retry over the same connection: serialization, deadlock, object in use, lock not
available, statement time-out."""

TIMED_OUT = ("25P03", "25P04", "57P05")
"""SQLSTATEs that end a connection: time-outs of an idle transaction, a transaction, an idle session."""


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the server is away, instead of refusing a statement: no SQLSTATE; a class 08 connection, 28
    authorization, 3D catalog name, 40 rolled back, 53 resources, 57 operator intervention, 58 system; or 25006, a new
    standby."""
    state = error.sqlstate
    return state is None or state == "25006" or state[:2] in ("08", "28", "3D", "40", "53", "57", "58")


def fetch_value(conn: Connection, function: str, **named: Any) -> Any:
    """Call a function by name and return its value."""
    row = fetch_rows(conn, function, named).fetchone()
    return row[0] if row else None


def change(conn: Connection, function: str, **named: Any) -> Any:
    """Like `fetch_value`, for an operator's change, in an explicit transaction with a sure isolation level.

    It takes three round trips. A run saves them: its claim refuses another level.
    """
    row = fetch_rows(conn, function, named, explicit=True).fetchone()
    return row[0] if row else None


RETRIES = 5
"""Retries of a deadlock's victim, which has changed nothing."""


def fetch_rows(
    conn: Connection, function: str, named: Mapping[str, Any], explicit: bool = False
) -> psycopg.Cursor[Any]:
    query, given = function_call(function, named)
    alone = conn.autocommit and conn.info.transaction_status is TransactionStatus.IDLE
    with translate_errors():
        for tries in range(RETRIES + 1):
            try:
                cursor = conn.cursor(row_factory=tuple_row)  # a caller's own makes rows of another kind
                if alone and (explicit or conn.isolation_level):
                    with in_transaction(conn):
                        return cursor.execute(query, given)
                return cursor.execute(query, given)
            except (errors.DeadlockDetected, errors.SerializationFailure) as error:
                if not alone or tries == RETRIES:
                    raise  # the caller's transaction is lost too
                if isinstance(error, errors.SerializationFailure):
                    # The server's default is another level: name ours in each transaction from now on.
                    conn.isolation_level = LEVEL
    raise AssertionError("the last try returns or raises")


LEVEL = psycopg.IsolationLevel.READ_COMMITTED
"""Locking and then counting in a later statement needs it."""


@contextmanager
def in_transaction(
    conn: Connection, level: psycopg.IsolationLevel = LEVEL, force_rollback: bool = False
) -> Iterator[None]:
    """Run in a transaction of this level, or as a part of the open one."""
    if conn.info.transaction_status is TransactionStatus.IDLE:
        before, conn.isolation_level = conn.isolation_level, level
        try:
            with conn.transaction(force_rollback=force_rollback):
                yield
        finally:
            if not conn.closed:
                conn.isolation_level = before
    else:
        with conn.transaction(force_rollback=force_rollback):
            yield


def function_call(function: str, named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the text of a call by names, and its values; None leaves a parameter at its default."""
    given = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in named.items() if v is not None}
    return signatures.query(schema.sql_dir(), function, frozenset(given)), given


def is_blank(conn: Connection) -> bool:
    with translate_errors():
        return schema.is_blank(conn)


@contextmanager
def transaction(conn: Connection) -> Iterator[None]:
    """Run the block in one transaction, or a part of the open one; an exception rolls it back."""
    with translate_errors(), in_transaction(conn):
        yield


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """Run the block on one snapshot of the queue, and roll back."""
    with translate_errors(), in_transaction(conn, psycopg.IsolationLevel.REPEATABLE_READ, force_rollback=True):
        yield


@contextmanager
def rolled_back(conn: Connection) -> Iterator[None]:
    """Run the block in one transaction and roll back, for a dry run."""
    with translate_errors(), in_transaction(conn, force_rollback=True):
        yield
