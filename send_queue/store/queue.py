"""The stages of a row: claim, record, recover, look up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from operator import itemgetter
from uuid import UUID

from psycopg.types.json import Jsonb

from send_queue.model import (
    Claimed,
    Json,
    Sent,
    clock,
)

from .connection import Connection, fetch_rows, fetch_value


@dataclass(frozen=True, slots=True)
class Filters:
    """The selection of rows of a run or a query; None: all."""

    account: str | None = None
    channel: str | None = None
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer of send_claim."""

    sends: tuple[Claimed, ...]
    expired: int
    lock_skipped: bool
    in_flight: str | None
    expired_leases: bool
    look_ups_due: bool
    stale: tuple[Json, ...]
    at: datetime
    refused: Json | None
    """A refused secret for which due rows wait: its `provider`, `account`, `secret` (variable), `code`."""
    lacking: str | None
    """A sentence about a lane or row that waits, since the server does not know its time zone."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A send to look up: the number of look-ups that could not tell, the first moment of absence, the present moment,
    and the end of the look-up's lease."""

    send: Claimed
    look_ups: int
    absent_since: datetime | None
    at: datetime
    until: datetime


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
    dry_run: bool = False,
) -> Claim:
    """Claim due rows. `dry_run`: the caller rolls back."""
    leave_by = clock() + lease.total_seconds()
    answer = fetch_value(
        conn, "send_claim", worker=worker, max_rows=max_rows, lease=lease, at=at,
        account=filters.account, channel=filters.channel, campaign=filters.campaign,
        batches=dict(batches) or None, without=list(without) or None, keeping=False if dry_run else None,
    )  # fmt: skip
    return Claim(
        sends=claimed(answer["claimed"], leave_by),
        expired=answer["expired"],
        lock_skipped=answer["lock_skipped"],
        in_flight=answer["in_flight"],
        expired_leases=answer["expired_leases"],
        look_ups_due=answer["look_ups_due"],
        stale=tuple(answer["stale"]),
        at=datetime.fromisoformat(answer["at"]),
        lacking=answer["lacking"],
        refused=answer["refused"],
    )


def destinations(conn: Connection, filters: Filters) -> tuple[Claimed, ...]:
    """Return a send for each address that a run could call."""
    named = {"account": filters.account, "channel": filters.channel, "campaign": filters.campaign}
    return claimed([row[0] for row in fetch_rows(conn, "send_destinations", named)])


def secret_works(conn: Connection, account_id: UUID) -> None:
    fetch_value(conn, "send_secret_works", account_id=account_id)


def claimed(groups: Sequence[Json], leave_by: float = inf) -> tuple[Claimed, ...]:
    """Read the sends of send_attempt_details, in the requested order."""
    sends: list[tuple[int, Claimed]] = []
    for group in groups:
        rows = group.pop("sends")
        account_id, workspace_id = UUID(group["account_id"]), UUID(group["workspace_id"])
        account, provider = group["account"], group["provider"]
        provider_account_id, secret_env = group["provider_account_id"], group["secret_env"]
        channel, campaign, max_attempts = group["channel"], group["campaign"], group["max_attempts"]
        settings, token, secret_refused = group["settings"], group["token"], group["secret_refused"]
        started_at = datetime.fromisoformat(group["started_at"])
        finished_at = datetime.fromisoformat(group["finished_at"]) if group["finished_at"] else None
        backoff_seconds = tuple(group["backoff_seconds"])
        for nth, send_id, attempt_id, number, recipient, subject, message, payload, attempts, made, repeat in rows:
            send = Claimed(  # by position: by name it takes twice as long
                UUID(send_id), UUID(attempt_id), number, channel, recipient, subject, message, payload, account_id,
                account, provider, provider_account_id, secret_env, campaign, started_at, finished_at, attempts,
                max_attempts, backoff_seconds, leave_by, workspace_id, settings, token, datetime.fromisoformat(made),
                datetime.fromisoformat(repeat) if repeat else None, secret_refused,
            )  # fmt: skip
            sends.append((nth, send))
    sends.sort(key=itemgetter(0))
    return tuple(send for _, send in sends)


def record_sent(conn: Connection, went_out: Sequence[tuple[Claimed, Sent]], at: datetime | None) -> set[UUID]:
    """Record sends that went out; return the attempts that need `record` instead."""
    rows = fetch_rows(conn, "send_record_sent", {
        "send_ids": [send.send_id for send, _ in went_out],
        "attempt_ids": [send.attempt_id for send, _ in went_out],
        "told": {str(send.attempt_id): [sent.http_status, sent.provider_message_id] for send, sent in went_out
                 if sent.http_status is not None or sent.provider_message_id is not None} or None,
        "at": at,
    })  # fmt: skip
    return {attempt_id for (attempt_id,) in rows}


def record(conn: Connection, results: Sequence[Json], at: datetime | None) -> dict[UUID, str]:
    """Record results; return the new status of each send."""
    rows = fetch_rows(conn, "send_record", {"results": Jsonb(list(results)), "at": at})
    return {send_id: status for send_id, _, status in rows}


def recover(conn: Connection, at: datetime | None) -> list[UUID]:
    return [row[0] for row in fetch_rows(conn, "send_recover", {"at": at})]


def look_ups(conn: Connection, max_rows: int, lease: timedelta, at: datetime | None) -> list[InDoubt]:
    found = []
    for (row,) in fetch_rows(conn, "send_look_ups", {"max_rows": max_rows, "lease": lease, "at": at}):
        names = ("absent_since", "look_ups", "at", "until")
        absent_since, look_ups, moment, until = (row.pop(name) for name in names)
        absent = datetime.fromisoformat(absent_since) if absent_since else None
        asked = (datetime.fromisoformat(moment), datetime.fromisoformat(until))
        [send] = claimed([row])
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
    """Record the result of a look-up; return the send's status; None: the send was deleted."""
    status: str | None = fetch_value(
        conn, "send_looked_up", attempt_id=attempt_id, until=until, verdict=verdict,
        provider_message_id=provider_message_id, again=again, repeat_by=repeat_by, at=at,
    )  # fmt: skip
    return status


def set_windows(conn: Connection, windows: Sequence[Json]) -> int:
    """Store windows and return their number, without those of changed or locked schedules."""
    stored: int = fetch_value(conn, "send_set_windows", windows=Jsonb(list(windows)))
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
    with_remaining: bool,
) -> int | None:
    remaining: int | None = fetch_value(
        conn, "send_end_run", command=command, worker=worker, seconds=seconds, sent=sent, processed=processed, at=at,
        account=filters.account, channel=filters.channel, campaign=filters.campaign, counting=with_remaining,
    )  # fmt: skip
    return remaining


# --- queries ----------------------------------------------------------------------------------------------


def explain_idle(conn: Connection, filters: Filters, at: datetime | None, with_remaining: bool) -> Json:
    answer: Json = fetch_value(
        conn, "send_explain_idle", at=at, counting=with_remaining,
        account=filters.account, channel=filters.channel, campaign=filters.campaign,
    )  # fmt: skip
    return answer


def open_transactions(conn: Connection) -> int:
    count: int = fetch_value(conn, "send_open_transactions")
    return count


def remaining(conn: Connection, filters: Filters) -> int:
    count: int = fetch_value(
        conn, "send_remaining", account=filters.account, channel=filters.channel, campaign=filters.campaign
    )
    return count
