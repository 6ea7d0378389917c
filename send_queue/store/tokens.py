"""Access tokens of accounts, sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from send_queue.model import Json

from .connection import Connection, fetch_rows, fetch_value

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
    """Both tokens must be sealed."""
    answer: Json = fetch_value(
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
    answer: Json | None = fetch_value(
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
    """Both tokens must be sealed."""
    kept: bool = fetch_value(
        conn, "send_token_store", account_id=account_id, refreshed_at=refreshed_at, access_token=access_token,
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
    ours: bool = fetch_value(
        conn, "send_token_defer", account_id=account_id, renewing_since=renewing_since, code=code, message=message,
        after=after, doubtful=doubtful, at=at,
    )  # fmt: skip
    return ours


def token_refused(conn: Connection, account_id: UUID, renewing_since: datetime, code: str, message: str) -> bool:
    ours: bool = fetch_value(
        conn, "send_token_refused", account_id=account_id, renewing_since=renewing_since, code=code, message=message
    )
    return ours


def end_tokens(conn: Connection, at: datetime | None) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_tokens_end", {"at": at})]


def tokens(conn: Connection, at: datetime | None) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_tokens_list", {"at": at})]


def sealed_tokens(conn: Connection) -> list[tuple[UUID, str, str | None]]:
    return fetch_rows(conn, "send_tokens_sealed", {}).fetchall()


def reseal_token(conn: Connection, account_id: UUID, was: str, access_token: str, refresh_token: str | None) -> bool:
    done: bool = fetch_value(
        conn, "send_token_reseal", account_id=account_id, was=was, access_token=access_token,
        refresh_token=refresh_token,
    )  # fmt: skip
    return done


def remove_token(conn: Connection, account: str, workspace: str | None) -> None:
    fetch_value(conn, "send_token_remove", account=account, workspace=workspace)


def tokens_doctor(conn: Connection, at: datetime | None) -> Json:
    answer: Json = fetch_value(conn, "send_tokens_doctor", at=at)
    return answer
