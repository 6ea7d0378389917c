"""send-queue: messages out of Postgres, slowly, at civil hours, within every cap, never twice.

Reading order. Each package imports only those below it.

    model.py      values: a claimed send, the six outcomes, the rules that hold a send
    core/         one pass: run.py claims, calls.py sends, record.py writes; look_up.py settles doubts; explain.py
    insight/      the queue simulated (forecast), doctor, metrics, report
    intake/       input: enqueue, CSV files, wording, suppression, cross-posts
    store/        one function for each called SQL function; the schema; the embedded Postgres
    providers/    requests and the meaning of answers; a folder for each larger provider
    sandbox/      imitations of the providers
    rules/        pure decisions: calendar, back-off, recipients' keys, templates
    cli/          parse, call, print
    testing/      checks for your own provider

The deciding SQL: sql/functions/send_claim.sql, send_remaining_capacity.sql, send_record.sql; tables: sql/migrations.

For programs: `enqueue`, on the caller's connection and in its transaction; `send_queue.testing` for their tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from send_queue.model import UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import datetime
    from typing import Any, TypedDict, Unpack
    from uuid import UUID

    from send_queue.store import AsyncConnection, Connection

    class Options(TypedDict, total=False):
        """The keyword arguments of `enqueue`."""

        account: str | None
        subject: str | None
        prospect: UUID | None
        payload: dict[str, Any] | None
        priority: int | None
        scheduled_for: datetime | None
        expires_at: datetime | None
        dedupe_key: str | None
        workspace: str | None


__all__ = ["UserError", "__version__", "enqueue"]
__version__ = "0.1.0"


@overload
def enqueue(
    conn: Connection, campaign: str, channel: str, recipient: str, message: str,
    **options: Unpack[Options],
) -> tuple[UUID, bool]: ...  # fmt: skip


@overload
def enqueue(
    conn: AsyncConnection, campaign: str, channel: str, recipient: str, message: str,
    **options: Unpack[Options],
) -> Awaitable[tuple[UUID, bool]]: ...  # fmt: skip


@overload
def enqueue(
    conn: object, campaign: str, channel: str, recipient: str, message: str, **options: Unpack[Options]
) -> Any: ...


def enqueue(
    conn: Any,
    campaign: str,
    channel: str,
    recipient: str,
    message: str,
    *,
    account: str | None = None,
    subject: str | None = None,
    prospect: UUID | None = None,
    payload: dict[str, Any] | None = None,
    priority: int | None = None,
    scheduled_for: datetime | None = None,
    expires_at: datetime | None = None,
    dedupe_key: str | None = None,
    workspace: str | None = None,
) -> Any:
    """Enqueue one message, on the caller's connection and in its transaction.

    `conn` is psycopg's Connection or AsyncConnection, SQLAlchemy's connection or session over psycopg 3, synchronous or
    not, or Django's connection.

    Returns the row's id and whether it is new, `(UUID, bool)`: an existing `dedupe_key` gives its row and False; a
    blank key counts as none. An asynchronous connection returns the same to `await`. Any row factory will do.
    Moments need a zone. Raises `UserError`, with the remedy and its `sqlstate`, without storing anything; roll the
    transaction back then.
    """
    from send_queue import store
    from send_queue.intake import enqueue

    asynchronous = store.kind_of(conn) == "async"
    call = enqueue.enqueue_async if asynchronous else enqueue.enqueue
    ours = conn if asynchronous else store.driver_connection(conn)
    return call(
        ours, campaign=campaign, channel=channel, recipient=recipient, message=message, account=account,
        subject=subject, prospect=prospect, payload=payload, priority=priority, scheduled_for=scheduled_for,
        expires_at=expires_at, dedupe_key=dedupe_key, workspace=workspace,
    )  # fmt: skip
