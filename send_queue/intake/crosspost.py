"""One text to many profiles: a dispatch, which is one row of the channel `post` for each account, all or none.

What a network does not take (too long, as it counts) is refused for all before anything is stored: a text that is on
three profiles of four is what nobody wanted. The rows of a dispatch have its id in their payload:

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
"""The campaign of posts that name none."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of a dispatch; not `created` where its dedupe key was there already. No id: it was a dry run."""

    account: str
    id: UUID | None
    created: bool


@dataclass(slots=True)
class Dispatch:
    """What became of a post. Where `wrong` is not empty (account, why not), nothing was stored."""

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
    """Put one text into the queue for each account. `dedupe_key` is the dispatch's: it is stored once, and its rows
    have a key each, which ends in their account.

    Raises `UserError` where an account or the campaign is not there, or the accounts are of several workspaces.
    """
    dedupe_key = dedupe_key if (dedupe_key or "").strip() else None
    senders = [_account(conn, name, workspace) for name in dict.fromkeys(accounts)]
    if len({sender["workspace"] for sender in senders}) > 1:
        raise UserError("The accounts are of several workspaces: post in each of them on its own.")
    home = senders[0]["workspace"]
    this = Dispatch(uuid5(NAMESPACE_URL, f"send-queue:{home}:{dedupe_key}") if dedupe_key else uuid4())
    this.wrong = [(sender["name"], why) for sender in senders if (why := _unfit(sender, text))]
    if this.wrong:
        return this
    payload = {"dispatch": str(this.id)}
    if scheduled_for is not None:
        payload["dated"] = scheduled_for.isoformat()  # scheduled_for itself moves with each retry
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
    """Why an account cannot post a text, as far as its provider is known here; null: it can."""
    name = sender["provider"]
    served = installed.channels(name)
    if served is not None and "post" not in served:
        return f"The account {sender['name']}'s provider {name} does not send post, only {', '.join(sorted(served))}."
    unfit = getattr(installed.provider(name), "unfit", None)
    why: str | None = unfit(text, sender["settings"]) if unfit is not None else None
    return why


def _make_campaign(conn: Connection, name: str | None, workspace: str, at: datetime | None) -> bool:
    """Make the campaign of posts that name none, where it is not there; returns whether it was made."""
    if name is not None:
        return False
    try:
        with store.transaction(conn):
            store.upsert(conn, "campaign", CAMPAIGN, {}, adding=True, workspace=workspace, at=at)
    except UserError:  # it is there, or somebody makes it at this moment
        store.find(conn, "campaign", CAMPAIGN, workspace)
        return False
    return True
