"""send-queue: messages out of Postgres, slowly, at civil hours, within every cap, never twice.

Reading order, from the words down to the world:

    model.py                 the words as values: a claimed send, the six outcomes, why a send waits
    sql/migrations           the tables, and the rules that they keep
    sql/functions/send_claim.sql, send_remaining_capacity.sql, send_record.sql      what is decided, and where
    run.py                   one pass: recover, claim, send, record
    hands.py, results.py     what is under way meanwhile; what became of a send, as the database is told
    explain.py               why a send has not gone, and when it can
    forecast.py, board.py, play.py   the queue played forward: what will go on which day
    report/                  the page that a person shows around
    calendar.py, backoff.py  pure thinking about time
    tokens.py                renewing the tokens that accounts send with
    vault.py, unsubscribe.py what is sealed: tokens at rest, and links that end a subscription
    intake.py, templates.py  getting messages in, and the texts that are filled in
    suppression.py           who must not be written to
    providers/               what carries a message out of the house
    testing/                 whether a provider keeps the rules
    cli/                     parse, call, print

For programs there is one function here, on the caller's own connection and in its transaction: `enqueue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime

    from send_queue.store import Connection

__version__ = "0.1.0"


def enqueue(
    conn: Connection,
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
) -> tuple[UUID, bool]:
    """Put one message into the queue, on the caller's psycopg connection and in its transaction.

    Returns the id of the row and whether it was made: a `dedupe_key` that is there already gives the row that has
    it, and False; a blank key is none. Moments must have a zone. Raises `send_queue.model.UserError`, with a sentence
    that says what to do, where something is wrong; nothing is stored then, and the caller's transaction is to be
    rolled back.
    """
    from send_queue.intake import enqueue

    return enqueue.enqueue(
        conn, campaign=campaign, channel=channel, recipient=recipient, message=message, account=account,
        subject=subject, prospect=prospect, payload=payload, priority=priority, scheduled_for=scheduled_for,
        expires_at=expires_at, dedupe_key=dedupe_key, workspace=workspace,
    )  # fmt: skip
