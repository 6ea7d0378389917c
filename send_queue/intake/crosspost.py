"""Enqueue one text for many profiles: a dispatch of one `post` row for each account, all or none.

If one network refuses the text (too long by its count), nothing is stored: nobody wants a text on three profiles of
four. The payload of each row has the dispatch's id:

    select status, count(*) from send_queue where payload ->> 'dispatch' = '…' group by status
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from send_queue import store
from send_queue.intake import enqueue
from send_queue.model import Json, UserError
from send_queue.providers import installed
from send_queue.store import Connection

CAMPAIGN = "posts"
"""The campaign of posts without one."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of a dispatch; not `created` if its dedupe key existed. Without an id after a dry run."""

    account: str
    id: UUID | None
    created: bool


@dataclass(slots=True)
class Dispatch:
    """The result of a post. If `wrong` (account, reason) is not empty, nothing was stored."""

    id: UUID
    sends: list[Placed] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    made_campaign: bool = False


def dispatch(
    conn: Connection,
    text: str,
    accounts: Sequence[str],
    *,
    campaign: str | None = None,
    scheduled_for: datetime | None = None,
    priority: int | None = None,
    dedupe_key: str | None = None,
    workspace: str | None = None,
    dry_run: bool = False,
    at: datetime | None = None,
) -> Dispatch:
    """Enqueue a text for each account.

    `dedupe_key` is the dispatch's: each row's key adds its account. Raises `UserError` for an unknown account or
    campaign, and for accounts of several workspaces.
    """
    dedupe_key = dedupe_key if (dedupe_key or "").strip() else None
    senders = [_account(conn, name, workspace) for name in dict.fromkeys(accounts)]
    if len({sender["workspace"] for sender in senders}) > 1:
        raise UserError("These accounts belong to several workspaces: run `post` once per workspace.")
    home = senders[0]["workspace"]
    this = Dispatch(uuid5(NAMESPACE_URL, f"send-queue:{home}:{dedupe_key}") if dedupe_key else uuid4())
    this.wrong = [(sender["name"], why) for sender in senders if (why := _unfit(sender, text))]
    if this.wrong:
        return this
    payload = {"dispatch": str(this.id)}
    if scheduled_for is not None:
        payload["dated"] = scheduled_for.isoformat()  # scheduled_for moves with each retry
    with store.rolled_back(conn) if dry_run else store.transaction(conn):
        this.made_campaign = _make_campaign(conn, campaign, home, at)
        for sender in senders:
            send_id, created = enqueue.enqueue(
                conn, campaign=campaign or CAMPAIGN, channel="post", recipient=sender["name"], message=text,
                account=sender["name"], payload=payload, priority=priority,
                scheduled_for=scheduled_for, dedupe_key=f"{dedupe_key}:{sender['name']}" if dedupe_key else None,
                workspace=home, at=at,
            )  # fmt: skip
            this.sends.append(Placed(sender["name"], None if dry_run else send_id, created))
    return this


def _account(conn: Connection, name: str, workspace: str | None) -> Json:
    [found] = store.listed(conn, "account", store.find(conn, "account", name, workspace))
    return found


def _unfit(sender: Json, text: str) -> str | None:
    """Return the reason why an account cannot post a text, if its provider is installed here; None: it can."""
    name = sender["provider"]
    served = installed.channels(name)
    if served is not None and "post" not in served:
        return f"The account {sender['name']}'s provider {name} does not send post, only {', '.join(sorted(served))}."
    unfit = getattr(installed.provider(name), "unfit", None)
    why: str | None = unfit(text, sender["settings"]) if unfit is not None else None
    return why


def _make_campaign(conn: Connection, name: str | None, workspace: str, at: datetime | None) -> bool:
    """Add the campaign of posts without one, unless it exists; return whether it was added."""
    if name is not None:
        return False
    try:
        with store.transaction(conn):
            store.upsert(conn, "campaign", CAMPAIGN, {}, adding=True, workspace=workspace, at=at)
    except UserError:  # it exists, or another session is adding it
        store.find(conn, "campaign", CAMPAIGN, workspace)
        return False
    return True
