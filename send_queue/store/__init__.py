"""The database, as Python sees it: one function here for each SQL function that the program calls, and no other SQL.

What each does, what it locks and what it returns is said where it is written, in sql/functions. Every call is one
statement in autocommit, so one short transaction and one round trip. `at` is the moment that it is believed to be;
None lets the database's clock decide. Moments in JSON answers are ISO 8601 in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from operator import itemgetter
from typing import Any, TypeAlias, cast
from urllib.parse import unquote
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange

from send_queue.model import (
    Claimed,
    ConfigurationError,
    DatabaseBusy,
    DatabaseUnreachable,
    Sent,
    UserError,
    Window,
    clock,
)
from send_queue.store import schema, signatures

Connection: TypeAlias = psycopg.Connection[Any]
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """What a run, or a question about it, is about; None: everything."""

    account: str | None = None
    channel: str | None = None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What send_claim answers."""

    sends: tuple[Claimed, ...]
    expired: int
    busy: bool
    in_flight: str | None
    left: bool
    in_doubt: bool
    stale: tuple[Json, ...]
    at: datetime
    refused: Json | None
    """A secret that was refused while due rows wait for it: its `provider`, `account`, `secret` (variable), `code`."""
    lacking: str | None
    """A sentence on a lane or row that waits, since the server does not know its time zone."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A send that may have gone out, to be asked about: how often the provider could not tell, since when it has been
    saying that the send is not there, the moment that it is, and until when nobody else asks."""

    send: Claimed
    look_ups: int
    absent_since: datetime | None
    at: datetime
    until: datetime


# --- the connection ---------------------------------------------------------------------------------------

TIMEOUT_SETTINGS: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000, "application_name": "send-queue",
}  # fmt: skip
"""How a connection is made where its string says nothing else: a server that is silent is given up within half a minute
(the systems' own time-outs are hours), long before a lease is over. Seconds, but the last of them milliseconds."""


def connect(url: str, warn: Callable[[str], None] = lambda _: None) -> Connection:
    """Connect, in autocommit: a transaction is only ever one statement long.

    `warn` is told what our SQL functions warn of; the server's own remarks are not for the user.

    No statement is prepared on the server, and nothing is set for the session, so that a pooler may hand each
    transaction to another connection. The encoding is asked for as the connection begins, which poolers keep to.
    Raises `DatabaseUnreachable`, and `ConfigurationError` where the database cannot store every text.
    """
    with translate_errors(hide=_secrets(url)):
        given = TIMEOUT_SETTINGS | psycopg.conninfo.conninfo_to_dict(url) | {"client_encoding": "UTF8"}
        conn = psycopg.connect(autocommit=True, prepare_threshold=None, **given)
    if (encoding := conn.info.parameter_status("server_encoding")) not in ("UTF8", None):
        conn.close()
        raise ConfigurationError(
            f"The encoding of the database is {encoding}, which cannot hold every text: make one with `create database"
            " NAME encoding 'UTF8' template template0`, and name it in DATABASE_URL."
        )

    def passed_on(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING" or notice.sqlstate == "SQ003":
            warn(notice.message_primary or "")

    conn.add_notice_handler(passed_on)
    return conn


@contextmanager
def connected(url: str, warn: Callable[[str], None] = lambda _: None) -> Iterator[Connection]:
    """`connect` for the length of a command."""
    conn = connect(url, warn)
    try:
        yield conn
    finally:
        conn.close()


def _secrets(url: str) -> list[str]:
    """What may be a password in a connection string, in the pieces in which libpq may quote it where the string is
    written wrongly."""
    _, _, rest = url.rpartition("://")
    before, at, _ = rest.rpartition("@")
    quoted = re.findall(r"password\s*=\s*('(?:[^'\\]|\\.)*'?|[^\s&]*)", url)
    found = [before.partition(":")[2] if at else "", *(part.strip("'") for part in quoted)]
    pieces = {piece for part in found for piece in [part, unquote(part), *re.split(r"\W+", part)]}
    return sorted(filter(None, pieces), key=len, reverse=True)


@contextmanager
def translate_errors(hide: Sequence[str] = ()) -> Iterator[None]:
    """Turn what the database refuses into one sentence that says what to do next.

    Of the error only its first line is kept, also for a traceback: what follows it may quote the row, message and all.
    What is to hide is not in it.
    """
    try:
        yield
    except psycopg.Error as error:
        said = (error.diag.message_primary or str(error).strip().split("\n")[0]).strip()
        if any(secret in said for secret in hide):
            said = "its words are left out, since they quote the password"
        error.args = (said,)
        raise _in_words(error, said) from error


def _in_words(error: psycopg.Error, said: str) -> Exception:
    if error.sqlstate in REFUSED:
        return UserError(said)
    if error.sqlstate in ("SQ007", "SQ008"):  # a copy, a right that it lacks
        return ConfigurationError(said)
    if absent := schema.missing(error):
        return absent
    match error:
        case errors.InsufficientPrivilege():
            return ConfigurationError(
                f"The database role may not do this ({said}): run it as the owner of the tables, who may also give"
                " a role its task with `send-queue migrate --grant-worker`, `--grant-enqueue` or `--grant-read`."
            )
        case errors.CheckViolation() | errors.ForeignKeyViolation() | errors.NotNullViolation():
            rule = (error.diag.constraint_name or said).replace("_", " ")
            return UserError(f"Refused, nothing was stored: the rule is that {rule}; mend the value and try again.")
        case psycopg.DataError() | errors.UniqueViolation() | errors.ProgramLimitExceeded():
            return UserError(f"Refused, nothing was stored: {said}; mend the value and try again.")
        case psycopg.Error() if error.sqlstate == "25006":
            return DatabaseUnreachable(
                f"The database is read-only ({said}): name the primary in DATABASE_URL, or end what makes it read-only."
            )
        case psycopg.Error() if error.sqlstate in BUSY:
            return DatabaseBusy(
                f"The database is held up ({said}): look for who holds it up, or for a time-out that is too short, with"
                " `send-queue doctor`."
            )
        case psycopg.Error() if error.sqlstate in TIMED_OUT:
            return DatabaseUnreachable(
                f"The server has ended the connection ({said}): raise that time-out for this role; `send-queue doctor`"
                " names it."
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


REFUSED = ("SQ002", "SQ005", "SQ006")
"""The SQLSTATEs of our functions: invalid, no such thing, not in a state for that; each with a whole sentence."""

BUSY = ("40001", "40P01", "55006", "55P03", "57014")
"""The SQLSTATEs of what may well go through the next time, on the same connection: serialization, deadlock, object in
use, lock not available, a statement that ran into a time-out."""

TIMED_OUT = ("25P03", "25P04", "57P05")
"""The SQLSTATEs of what ends a connection: idle in a transaction, a transaction, or idle for longer than allowed."""


def _is_lost(error: psycopg.Error) -> bool:
    """Whether the server is away, rather than a statement refused: no SQLSTATE at all; one of the classes 08
    connection, 28 authorization, 3D catalog name, 40 rolled back, 53 resources, 57 operator intervention, 58 system;
    or 25006, a server that has become a standby."""
    state = error.sqlstate
    return state is None or state == "25006" or state[:2] in ("08", "28", "3D", "40", "53", "57", "58")


def _value(conn: Connection, function: str, **named: Any) -> Any:
    """Call a function by name and return its one value."""
    row = _rows(conn, function, named).fetchone()
    return row[0] if row else None


def _change(conn: Connection, function: str, **named: Any) -> Any:
    """As `_value`, for what an operator changes: in an explicit transaction, so that its level is sure from the first
    try. Three round trips, which a run does not spend: its claim refuses another level, and the run learns it so."""
    row = _rows(conn, function, named, explicit=True).fetchone()
    return row[0] if row else None


RETRIES = 5
"""How often a statement that was picked to end a deadlock is tried again: nothing of it has happened."""


def _rows(conn: Connection, function: str, named: Mapping[str, Any], explicit: bool = False) -> psycopg.Cursor[Any]:
    query, given = _call(function, named)
    alone = conn.autocommit and conn.info.transaction_status is TransactionStatus.IDLE
    with translate_errors():
        for tries in range(RETRIES + 1):
            try:
                if alone and (explicit or conn.isolation_level):
                    with _transaction(conn):
                        return conn.execute(query, given)
                return conn.execute(query, given)
            except (errors.DeadlockDetected, errors.SerializationFailure) as error:
                if not alone or tries == RETRIES:
                    raise  # a part of somebody's transaction is gone with it
                if isinstance(error, errors.SerializationFailure):
                    # Only where the server's default is another level: from here on each transaction names its own.
                    conn.isolation_level = LEVEL
    raise AssertionError("the last try returns or raises")


LEVEL = psycopg.IsolationLevel.READ_COMMITTED
"""All that locks, and counts in a later statement, needs it."""


@contextmanager
def _transaction(
    conn: Connection, level: psycopg.IsolationLevel = LEVEL, force_rollback: bool = False
) -> Iterator[None]:
    """A transaction of this level, whatever the server's default is; a part of the one that is open, where one is."""
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


def _call(function: str, named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The text of a call by names, and its values; None leaves a parameter at its default."""
    given = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in named.items() if v is not None}
    return signatures.query(schema.sql_dir(), function, frozenset(given)), given


def is_blank(conn: Connection) -> bool:
    with translate_errors():
        return schema.is_blank(conn)


# --- the run ----------------------------------------------------------------------------------------------


def claim(
    conn: Connection,
    worker: str,
    max_rows: int,
    lease: timedelta,
    filters: Filters,
    at: datetime | None,
    batches: Mapping[str, int],
    without: Sequence[UUID],
    keeping: bool = True,
) -> Claim:
    """Take due rows in hand. `keeping` False: in a transaction that is going to be taken back."""
    leave_by = clock() + lease.total_seconds()
    answer = _value(
        conn, "send_claim", worker=worker, max_rows=max_rows, lease=lease, at=at,
        account=filters.account, channel=filters.channel, campaign=filters.campaign,
        batches=dict(batches) or None, without=list(without) or None, keeping=None if keeping else False,
    )  # fmt: skip
    return Claim(
        sends=_in_hand(answer["in_hand"], leave_by),
        expired=answer["expired"],
        busy=answer["busy"],
        in_flight=answer["in_flight"],
        left=answer["left"],
        in_doubt=answer["in_doubt"],
        stale=tuple(answer["stale"]),
        at=datetime.fromisoformat(answer["at"]),
        lacking=answer["lacking"],
        refused=answer["refused"],
    )


def destinations(conn: Connection, filters: Filters) -> tuple[Claimed, ...]:
    """A send for each place that a run could call."""
    named = {"account": filters.account, "channel": filters.channel, "campaign": filters.campaign}
    return _in_hand([row[0] for row in _rows(conn, "send_destinations", named)])


def secret_works(conn: Connection, account_id: UUID) -> None:
    _value(conn, "send_secret_works", account_id=account_id)


def _in_hand(groups: Sequence[Json], leave_by: float = inf) -> tuple[Claimed, ...]:
    """Sends as send_in_hand says them, in the order in which they were asked for."""
    sends: list[tuple[int, Claimed]] = []
    for group in groups:
        rows = group.pop("sends")
        group["account_id"] = UUID(group["account_id"])
        group["workspace_id"] = UUID(group["workspace_id"])
        group["started_at"] = datetime.fromisoformat(group["started_at"])
        group["finished_at"] = datetime.fromisoformat(group["finished_at"]) if group["finished_at"] else None
        group["backoff_seconds"] = tuple(group["backoff_seconds"])
        for nth, send_id, attempt_id, number, recipient, subject, message, payload, attempts, made, repeat in rows:
            send = Claimed(
                send_id=UUID(send_id), attempt_id=UUID(attempt_id), attempt_number=number, recipient=recipient,
                subject=subject, message=message, payload=payload, attempts=attempts, leave_by=leave_by,
                created_at=datetime.fromisoformat(made), repeat_by=datetime.fromisoformat(repeat) if repeat else None,
                **group,
            )  # fmt: skip
            sends.append((nth, send))
    sends.sort(key=itemgetter(0))
    return tuple(send for _, send in sends)


def record_sent(conn: Connection, went_out: Sequence[tuple[Claimed, Sent]], at: datetime | None) -> set[UUID]:
    """Write down sends that went out; return the attempts that are for `record`, since more is known of them."""
    rows = _rows(conn, "send_record_sent", {
        "send_ids": [send.send_id for send, _ in went_out],
        "attempt_ids": [send.attempt_id for send, _ in went_out],
        "told": {str(send.attempt_id): [sent.http_status, sent.provider_message_id] for send, sent in went_out
                 if sent.http_status is not None or sent.provider_message_id is not None} or None,
        "at": at,
    })  # fmt: skip
    return {attempt_id for (attempt_id,) in rows}


def record(conn: Connection, results: Sequence[Json], at: datetime | None) -> dict[UUID, str]:
    """Write down results; return the status that each send has now."""
    rows = _rows(conn, "send_record", {"results": Jsonb(list(results)), "at": at})
    return {send_id: status for send_id, _, status in rows}


def recover(conn: Connection, at: datetime | None) -> list[UUID]:
    return [row[0] for row in _rows(conn, "send_recover", {"at": at})]


def look_ups(conn: Connection, max_rows: int, lease: timedelta, at: datetime | None) -> list[InDoubt]:
    found = []
    for (row,) in _rows(conn, "send_look_ups", {"max_rows": max_rows, "lease": lease, "at": at}):
        names = ("absent_since", "look_ups", "at", "until")
        absent_since, look_ups, moment, until = (row.pop(name) for name in names)
        absent = datetime.fromisoformat(absent_since) if absent_since else None
        asked = (datetime.fromisoformat(moment), datetime.fromisoformat(until))
        [send] = _in_hand([row])
        found.append(InDoubt(send, look_ups, absent, *asked))
    return found


def looked_up(
    conn: Connection,
    attempt_id: UUID,
    until: datetime,
    verdict: str,
    provider_message_id: str | None,
    again: timedelta | None,
    repeat_by: datetime | None,
    at: datetime | None,
) -> str | None:
    """Write down what a provider said of a send; return its status, None where somebody has deleted it."""
    status: str | None = _value(
        conn, "send_looked_up", attempt_id=attempt_id, until=until, verdict=verdict,
        provider_message_id=provider_message_id, again=again, repeat_by=repeat_by, at=at,
    )  # fmt: skip
    return status


def set_windows(conn: Connection, windows: Sequence[Json]) -> int:
    """Cache windows; return how many are stored: not those of schedules that somebody has changed, or holds."""
    stored: int = _value(conn, "send_set_windows", windows=Jsonb(list(windows)))
    return stored


def end_run(
    conn: Connection,
    command: str,
    filters: Filters,
    worker: str,
    seconds: float,
    sent: int,
    processed: int,
    at: datetime | None,
    counting: bool,
) -> int | None:
    remaining: int | None = _value(
        conn, "send_end_run", command=command, worker=worker, seconds=seconds, sent=sent, processed=processed, at=at,
        account=filters.account, channel=filters.channel, campaign=filters.campaign, counting=counting,
    )  # fmt: skip
    return remaining


# --- questions --------------------------------------------------------------------------------------------


def explain_idle(conn: Connection, filters: Filters, at: datetime | None, counting: bool) -> Json:
    answer: Json = _value(
        conn, "send_why", at=at, counting=counting,
        account=filters.account, channel=filters.channel, campaign=filters.campaign,
    )  # fmt: skip
    return answer


def open_transactions(conn: Connection) -> int:
    count: int = _value(conn, "send_open_transactions")
    return count


def remaining(conn: Connection, filters: Filters) -> int:
    count: int = _value(
        conn, "send_remaining", account=filters.account, channel=filters.channel, campaign=filters.campaign
    )
    return count


def explain(conn: Connection, send_id: UUID, at: datetime | None, windows: Sequence[Window] | None = None) -> Json:
    ranges = [TimestamptzRange(w.opens_at, w.closes_at) for w in windows] if windows is not None else None
    answer: Json = _value(conn, "send_explain", id=send_id, at=at, windows=ranges)
    return answer


def status(conn: Connection, at: datetime | None) -> Json:
    answer: Json = _value(conn, "send_status", at=at)
    return answer


def report(conn: Connection, at: datetime | None, days: int) -> Json:
    answer: Json = _value(conn, "send_report", at=at, days=days)
    return answer


def doctor(conn: Connection, at: datetime | None) -> Json:
    answer: Json = _value(conn, "send_doctor", at=at)
    return answer


def quiet_doctor(conn: Connection) -> list[Json]:
    answer: list[Json] = _value(conn, "send_quiet_doctor")
    return answer


def zones_doctor(conn: Connection) -> Json:
    answer: Json = _value(conn, "send_zones_doctor")
    return answer


def zone_changes(
    conn: Connection, names: Sequence[str], since: datetime, until: datetime
) -> dict[str, list[tuple[int, int]]]:
    """The offsets of zones as the server knows them: from which moment on (seconds since 1970) which (seconds)."""
    answer: Json = _value(conn, "send_zone_changes", zones=list(names), since=since, until=until)
    return {name: [(at, shift) for at, shift in changes] for name, changes in answer.items()}


def sends(conn: Connection, filters: Filters, status: str | None, max_rows: int) -> list[Json]:
    rows = _rows(conn, "send_sends", {
        "status": status, "account": filters.account, "channel": filters.channel,
        "campaign": filters.campaign, "max_rows": max_rows,
    })  # fmt: skip
    return [row[0] for row in rows]


def iter_sends(conn: Connection, filters: Filters, status: str | None, max_rows: int | None) -> Iterator[Json]:
    """As `sends`, one after the other as they come, however many there are; `max_rows` None: all."""
    named = {
        "status": status, "account": filters.account, "channel": filters.channel, "campaign": filters.campaign,
        "max_rows": ALL if max_rows is None else max_rows,
    }  # fmt: skip
    query, given = _call("send_sends", named)
    with translate_errors(), conn.cursor() as cursor:
        for (row,) in cursor.stream(query, given):
            yield row


ALL = 2**31 - 1
"""More rows than any table of ours has: the greatest number that an int takes."""


def history(conn: Connection, send_id: UUID) -> list[Json]:
    return [row[0] for row in _rows(conn, "send_history", {"id": send_id})]


def meter_attempts(conn: Connection) -> None:
    _value(conn, "send_meter_attempts")


def metrics(conn: Connection, at: datetime | None) -> Json:
    answer: Json = _value(conn, "send_metrics", at=at)
    return answer


def send(conn: Connection, send_id: UUID) -> Json:
    answer: Json = _value(conn, "send_sends", id=send_id)
    return answer


# --- what an operator steers ------------------------------------------------------------------------------


def find(conn: Connection, kind: str, name: str, workspace: str | None = None) -> UUID:
    found: UUID = _value(conn, "send_find", kind=kind, name=name, workspace=workspace)
    return found


def campaign_named(conn: Connection, campaign: str, workspace: str | None) -> UUID:
    """The campaign that a message is for."""
    found: UUID = _value(conn, "send_campaign_named", campaign=campaign, workspace=workspace)
    return found


def listed(conn: Connection, kind: str, id: UUID | None = None, channel: str | None = None) -> list[Json]:
    return [row[0] for row in _rows(conn, "send_list", {"kind": kind, "id": id, "channel": channel})]


def upsert(
    conn: Connection,
    kind: str,
    name: str,
    fields: Json,
    *,
    adding: bool = False,
    workspace: str | None = None,
    at: datetime | None = None,
) -> Json:
    answer: Json = _change(
        conn, "send_set", kind=kind, name=name, fields=fields, adding=adding, workspace=workspace, at=at
    )
    return answer


def staying(conn: Connection, account_id: UUID, campaign_id: UUID | None, channel: str | None) -> dict[str, int]:
    """What of an account's sends could move to another, and what stays: counts by why, as `send_staying` says them."""
    answer: dict[str, int] = _value(
        conn, "send_staying", account_id=account_id, campaign_id=campaign_id, channel=channel
    )
    return answer


def reassign(
    conn: Connection,
    account: str,
    target: str,
    campaign: str | None,
    channel: str | None,
    workspace: str | None,
    dry_run: bool,
) -> Json:
    """Let an account take another's place; what waits is moved by `reassign_rows`."""
    answer: Json = _change(
        conn, "send_reassign", account=account, target=target, campaign=campaign, channel=channel,
        workspace=workspace, dry_run=dry_run,
    )  # fmt: skip
    return answer


def reassign_rows(conn: Connection, place: Json, channel: str | None, max_rows: int, at: datetime | None) -> int:
    """Move a batch of what waits; `place` is what `reassign` returned. Returns how many were moved."""
    moved: int = _change(
        conn, "send_reassign_rows", account_id=place["account_id"], target_id=place["target_id"],
        campaign_id=place["campaign_id"], channel=channel, max_rows=max_rows, at=at,
    )  # fmt: skip
    return moved


def note_providers(conn: Connection, served: Mapping[str, Sequence[str]]) -> None:
    """Note which channels providers serve; one that names none is left as it was noted."""
    _change(conn, "send_note_providers", served={name: list(channels) for name, channels in served.items() if channels})


def put_limit(
    conn: Connection,
    max_sends: int | None,
    per: timedelta,
    account: str | None = None,
    channel: str | None = None,
    workspace: str | None = None,
) -> Json | None:
    """Add or change a limit; `max_sends` None removes it."""
    named = {"per": per, "account": account, "channel": channel, "workspace": workspace}
    if max_sends is not None:
        answer: Json = _change(conn, "send_set_limit", max_sends=max_sends, **named)
        return answer
    _change(conn, "send_remove_limit", **named)
    return None


def pause(
    conn: Connection,
    paused: bool,
    kind: str,
    name: str | None,
    channel: str | None,
    reason: str | None,
    workspace: str | None,
    at: datetime | None,
) -> int:
    changed: int = _change(
        conn, "send_pause", paused=paused, kind=kind, name=name, channel=channel, reason=reason,
        workspace=workspace, at=at,
    )  # fmt: skip
    return changed


def set_notification(
    conn: Connection,
    events: Sequence[str],
    provider: str,
    recipient: str,
    secret_env: str | None,
    every: timedelta,
    workspace: str | None,
    at: datetime | None,
) -> list[Json]:
    named = {
        "events": list(events), "provider": provider, "recipient": recipient, "secret_env": secret_env,
        "every": every, "workspace": workspace, "at": at,
    }  # fmt: skip
    return [row[0] for row in _rows(conn, "send_set_notification", named)]


def notifications(conn: Connection) -> list[Json]:
    return [row[0] for row in _rows(conn, "send_list_notifications", {})]


def remove_notification(conn: Connection, id: UUID) -> None:
    _value(conn, "send_remove_notification", id=id)


def retry(
    conn: Connection,
    ids: Sequence[UUID] | None,
    campaign: str | None,
    workspace: str | None,
    at: datetime | None,
) -> int:
    named = {"ids": list(ids) if ids else None, "campaign": campaign, "workspace": workspace, "at": at}
    changed: int = _change(conn, "send_retry", **named)
    return changed


def cancel(
    conn: Connection,
    ids: Sequence[UUID] | None,
    campaign: str | None,
    workspace: str | None,
    at: datetime | None,
) -> int:
    named = {"ids": list(ids) if ids else None, "campaign": campaign, "workspace": workspace, "at": at}
    changed: int = _change(conn, "send_cancel", **named)
    return changed


def settle(conn: Connection, send_id: UUID, sent: bool, provider_message_id: str | None, at: datetime | None) -> str:
    status: str = _change(conn, "send_settle", id=send_id, sent=sent, provider_message_id=provider_message_id, at=at)
    return status


def adopt(conn: Connection, since: datetime | None, at: datetime | None) -> Json:
    answer: Json = _change(conn, "send_adopt", since=since, at=at)
    return answer


def settle_campaign(conn: Connection, campaign: str, workspace: str | None, at: datetime | None) -> int:
    changed: int = _change(conn, "send_settle_campaign", campaign=campaign, workspace=workspace, at=at)
    return changed


def prune(conn: Connection, before: datetime, keep_last: int, batch: int, at: datetime | None) -> int:
    deleted: int = _change(conn, "send_prune", before=before, keep_last=keep_last, batch=batch, at=at)
    return deleted


# --- tokens -----------------------------------------------------------------------------------------------


def set_token(
    conn: Connection,
    account: str,
    access_token: str,
    refresh_token: str | None,
    expires_at: datetime | None,
    refresh_expires_at: datetime | None,
    renewable: bool,
    workspace: str | None,
    at: datetime | None,
) -> Json:
    """Both tokens are sealed."""
    answer: Json = _value(
        conn, "send_token_set", account=account, access_token=access_token, refresh_token=refresh_token,
        expires_at=expires_at, refresh_expires_at=refresh_expires_at, renewable=renewable, workspace=workspace, at=at,
    )  # fmt: skip
    return answer


def take_token(
    conn: Connection,
    lease: timedelta,
    within: timedelta | None,
    account: str | None,
    workspace: str | None,
    without: Sequence[UUID],
    away: Sequence[str],
    at: datetime | None,
) -> Json | None:
    answer: Json | None = _value(
        conn, "send_token_take", lease=lease, within=within, account=account, workspace=workspace,
        without=list(without) or None, away=list(away) or None, at=at,
    )  # fmt: skip
    return answer


def store_token(
    conn: Connection,
    account_id: UUID,
    refreshed_at: datetime,
    access_token: str,
    refresh_token: str | None,
    lasts: timedelta | None,
    refresh_lasts: timedelta | None,
    renewable: bool,
    at: datetime | None,
) -> bool:
    """Both tokens are sealed."""
    kept: bool = _value(
        conn, "send_token_keep", account_id=account_id, refreshed_at=refreshed_at, access_token=access_token,
        refresh_token=refresh_token, lasts=lasts, refresh_lasts=refresh_lasts, renewable=renewable, at=at,
    )  # fmt: skip
    return kept


def defer_token(
    conn: Connection,
    account_id: UUID,
    renewing_since: datetime,
    code: str,
    message: str,
    after: timedelta,
    doubtful: bool,
    at: datetime | None,
) -> bool:
    ours: bool = _value(
        conn, "send_token_put_off", account_id=account_id, renewing_since=renewing_since, code=code, message=message,
        after=after, doubtful=doubtful, at=at,
    )  # fmt: skip
    return ours


def token_refused(conn: Connection, account_id: UUID, renewing_since: datetime, code: str, message: str) -> bool:
    ours: bool = _value(
        conn, "send_token_refused", account_id=account_id, renewing_since=renewing_since, code=code, message=message
    )
    return ours


def end_tokens(conn: Connection, at: datetime | None) -> list[Json]:
    return [row[0] for row in _rows(conn, "send_tokens_end", {"at": at})]


def tokens(conn: Connection, at: datetime | None) -> list[Json]:
    return [row[0] for row in _rows(conn, "send_tokens_list", {"at": at})]


def sealed_tokens(conn: Connection) -> list[tuple[UUID, str, str | None]]:
    return _rows(conn, "send_tokens_sealed", {}).fetchall()


def reseal_token(conn: Connection, account_id: UUID, was: str, access_token: str, refresh_token: str | None) -> bool:
    done: bool = _value(
        conn, "send_token_reseal", account_id=account_id, was=was, access_token=access_token,
        refresh_token=refresh_token,
    )  # fmt: skip
    return done


def remove_token(conn: Connection, account: str, workspace: str | None) -> None:
    _value(conn, "send_token_remove", account=account, workspace=workspace)


def tokens_doctor(conn: Connection, at: datetime | None) -> Json:
    answer: Json = _value(conn, "send_tokens_doctor", at=at)
    return answer


# --- who must not be written to ---------------------------------------------------------------------------


def suppress(conn: Connection, workspace_id: UUID, entries: Sequence[Json], at: datetime | None) -> int:
    added: int = _change(conn, "send_suppress", workspace_id=workspace_id, entries=Jsonb(list(entries)), at=at)
    return added


def unsuppress(conn: Connection, workspace_id: UUID, recipient: str, channel: str | None) -> int:
    removed: int = _change(conn, "send_unsuppress", workspace_id=workspace_id, recipient=recipient, channel=channel)
    return removed


def suppressions(
    conn: Connection, workspace: str | None, recipient: str | None, channel: str | None, max_rows: int
) -> list[Json]:
    named = {"workspace": workspace, "recipient": recipient, "channel": channel, "max_rows": max_rows}
    return [row[0] for row in _rows(conn, "send_suppression_list", named)]


def forget(conn: Connection, whom: str, workspace: str | None, dry_run: bool, at: datetime | None) -> Json:
    """Remove what is stored of a person, or count it; returns what was removed and what was kept."""
    report: Json = _value(conn, "send_forget", whom=whom, workspace=workspace, dry_run=dry_run, at=at)
    return report


# --- getting messages in ----------------------------------------------------------------------------------


def enqueue(conn: Connection, **named: Any) -> tuple[UUID, bool]:
    """Call send_enqueue inside whatever transaction `conn` is in; returns (id, created)."""
    row = _rows(conn, "send_enqueue", named).fetchone()
    if row is None:
        raise AssertionError("send_enqueue returns one row, always")
    return row[0], row[1]


def prospect_fields(conn: Connection, campaign: str, channel: str, recipient: str, workspace: str | None) -> Json:
    fields: Json | None = _value(
        conn, "send_prospect_fields", campaign=campaign, channel=channel, recipient=recipient, workspace=workspace
    )
    return fields or {}


STAGED = (
    "line", "recipient", "message", "subject", "name", "first_name", "last_name", "company", "email", "phone",
    "linkedin_user_id", "timezone", "attributes", "payload", "priority", "scheduled_for", "expires_at", "account",
    "dedupe_key",
)  # fmt: skip
"""The columns of a staged line of a file, in order; attributes and payload as JSON text."""


def import_lines(
    conn: Connection,
    lines: Iterable[Sequence[Any]],
    campaign: str,
    channel: str,
    workspace: str | None,
    at: datetime | None,
    keep: Callable[[Json], bool],
    skip_contacted: timedelta | None = None,
) -> Json:
    """Copy lines (as `STAGED`) into the database and put them into the queue, all of them or none.

    Returns what send_import answers; it is stored if no line is wrong and `keep` says so of the answer.
    """
    with transaction(conn):
        _value(conn, "send_import_stage")
        # COPY is the one statement that cannot be wrapped in a function.
        copying = cast(Any, f"copy send_import_lines ({', '.join(STAGED)}) from stdin")
        with conn.cursor() as cursor, cursor.copy(copying) as copy:
            for line in lines:
                copy.write_row(line)
        named = {"campaign": campaign, "channel": channel, "workspace": workspace, "skip_contacted": skip_contacted}
        answer: Json = _value(conn, "send_import", **named, at=at)
        if not keep(answer):
            raise psycopg.Rollback
    return answer


# --- rehearsing -------------------------------------------------------------------------------------------


def forecast(conn: Connection, at: datetime | None, send_id: UUID | None) -> Json:
    answer: Json = _value(conn, "send_forecast", at=at, send_id=send_id)
    return answer


def forecast_backlog(conn: Connection, at: datetime) -> list[tuple[Any, ...]]:
    """Rows of (account_id, channel, campaign_id, priorities, scheduled, expires, counts, nths), as the function has
    them."""
    return _rows(conn, "send_forecast_backlog", {"at": at}).fetchall()


def explain_backlog(
    conn: Connection, send_id: UUID, at: datetime, lanes: Sequence[tuple[str, str]], max_rows: int
) -> list[tuple[Any, ...]]:
    """The same of these lanes, row by row, and at the end where the send is among them, and whether all are here."""
    named = {
        "send_id": send_id, "at": at, "accounts": [UUID(account_id) for account_id, _ in lanes],
        "channels": [channel for _, channel in lanes], "max_rows": max_rows,
    }  # fmt: skip
    return _rows(conn, "send_explain_backlog", named).fetchall()


def quiet_days(conn: Connection, zone: str, quiet_from: str, quiet_until: str, at: int) -> list[tuple[int, int]]:
    """The days of a zone between quiet hours that end after a moment: when each begins and ends, in microseconds."""
    named = {"zone": zone, "quiet_from": quiet_from, "quiet_until": quiet_until, "at": at}
    return _rows(conn, "send_quiet_days", named).fetchall()


def rehearse_counts(conn: Connection, at: datetime) -> None:
    """From here to the end of the transaction, limits are counted from copies."""
    _value(conn, "send_rehearse_counts", at=at)


def rehearse_rooms(
    conn: Connection,
    at: int,
    every: int,
    used: Sequence[Sequence[Any]],
    sent: Sequence[Sequence[Any]],
    asked: Sequence[Sequence[Any]],
) -> list[tuple[Any, ...]]:
    """Rows of (room, until, next_run, room_then, rule, detail), one for each that is asked; moments in microseconds."""
    named = {"at": at, "every": every, "used": Jsonb(used), "sent": Jsonb(sent), "asked": Jsonb(asked)}
    return _rows(conn, "send_rehearse_rooms", named).fetchall()


@contextmanager
def transaction(conn: Connection) -> Iterator[None]:
    """Run what follows in one transaction, or in a part of that which is open: where it raises, nothing of it stays."""
    with translate_errors(), _transaction(conn):
        yield


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """Run what follows on the queue as it is at one moment, whatever others change meanwhile, and take it all back."""
    with translate_errors(), _transaction(conn, psycopg.IsolationLevel.REPEATABLE_READ, force_rollback=True):
        yield


@contextmanager
def rolled_back(conn: Connection) -> Iterator[None]:
    """Run what follows in one transaction and take it all back: for a dry run."""
    with translate_errors(), _transaction(conn, force_rollback=True):
        yield
