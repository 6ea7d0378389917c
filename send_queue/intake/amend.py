"""Correct waiting sends: a text with fields is filled in again for each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from send_queue import store
from send_queue.intake.columns import PERSON
from send_queue.intake.wording import (
    EXAMPLES,
    Wording,
    check_fields,
    check_placeholders,
    check_texts,
    filled,
    one_line,
)
from send_queue.model import Json, UserError
from send_queue.store import Connection

UNCHANGED = Wording()

BATCH = 1000
"""Sends changed by one statement."""


@dataclass(slots=True)
class Amended:
    """`changed` counts the sends; `fixed` those that stay since an earlier try may have gone out; `examples` are the
    first, as they are stored."""

    changed: int = 0
    fixed: int = 0
    examples: list[Json] = field(default_factory=list)


def amend(
    conn: Connection,
    ids: Sequence[UUID] | None,
    campaign: str | None,
    workspace: str | None,
    wording: Wording,
    scheduled_for: datetime | None,
    priority: int | None,
    account: str | None,
    at: datetime | None,
    dry_run: bool = False,
) -> Amended:
    """Change the named waiting sends, or a campaign's: all of them, or none where one would be refused.

    Raises `UserError`, with the id of a send, where its text cannot be filled in or enqueue would refuse it.
    """
    result = Amended()
    with store.rolled_back(conn) if dry_run else store.transaction(conn):
        rows = store.amendable(conn, ids, campaign, workspace)
        result.fixed = sum(row["fixed"] for row in rows)
        rows = [row for row in rows if not row["fixed"]]
        fields = {name for row in rows for name in _fields(row)}
        if rows:
            check_fields(wording, fields, "nobody of these has such a field")
        check_placeholders(wording, fields)
        changes = [_change(row, wording) for row in rows]
        result.examples = changes[:EXAMPLES]
        account_id = store.amend_account(conn, [row["id"] for row in rows], account) if account and rows else None
        for start in range(0, len(changes), BATCH):
            batch = [{name: change[name] for name in ("id", "message", "subject")}
                     for change in changes[start : start + BATCH]]  # fmt: skip
            result.changed += store.amend(conn, batch, scheduled_for, priority, account_id, at)
    return result


def _fields(row: Json) -> dict[str, Any]:
    known = row["fields"]
    return {**dict.fromkeys(PERSON, ""), **known.get("attributes", {}), **known, "recipient": row["recipient"]}


def _change(row: Json, wording: Wording) -> Json:
    """Return the new texts of a send, as send_amend takes them, with its recipient for the preview."""
    fields = _fields(row)
    try:
        message = None if wording.message is None else filled(wording.message, fields, wording.literal)
        subject = None if wording.subject is None else one_line(filled(wording.subject, fields, wording.literal))
        if wording != UNCHANGED:
            check_texts(row["channel"], subject or row["subject"], row["message"] if message is None else message)
    except ValueError as error:
        raise UserError(
            f"Send {row['id']} to {row['recipient']}: {error}. Nothing was changed: mend the text, or amend the others "
            "by their ids."
        ) from None
    return {"id": row["id"], "recipient": row["recipient"], "message": message, "subject": subject}
