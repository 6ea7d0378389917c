"""Changes by people: settings, pauses, corrections, suppressions, prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from send_queue.model import Json

from .connection import Connection, change, fetch_rows, fetch_value


def zone_changes(
    conn: Connection, names: Sequence[str], since: datetime, until: datetime
) -> dict[str, list[tuple[int, int]]]:
    """Return the server's changes of zones: (moment in seconds since 1970, offset in seconds from then on)."""
    answer: Json = fetch_value(conn, "send_zone_changes", zones=list(names), since=since, until=until)
    return {name: [(at, shift) for at, shift in changes] for name, changes in answer.items()}


# --- settings and sends -----------------------------------------------------------------------------------


def find(conn: Connection, kind: str, name: str, workspace: str | None = None) -> UUID:
    found: UUID = fetch_value(conn, "send_find", kind=kind, name=name, workspace=workspace)
    return found


def campaign_named(conn: Connection, campaign: str, workspace: str | None) -> UUID:
    """Return the id of a message's campaign."""
    found: UUID = fetch_value(conn, "send_campaign_named", campaign=campaign, workspace=workspace)
    return found


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
    answer: Json = change(
        conn, "send_set", kind=kind, name=name, fields=fields, adding=adding, workspace=workspace, at=at
    )
    return answer


def staying(conn: Connection, account_id: UUID, campaign_id: UUID | None, channel: str | None) -> dict[str, int]:
    """Count an account's sends that can move or must stay, by the reasons of `send_staying`."""
    answer: dict[str, int] = fetch_value(
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
    """Let an account succeed another; `reassign_rows` moves the waiting rows."""
    answer: Json = change(
        conn, "send_reassign", account=account, target=target, campaign=campaign, channel=channel,
        workspace=workspace, dry_run=dry_run,
    )  # fmt: skip
    return answer


def reassign_rows(conn: Connection, place: Json, channel: str | None, max_rows: int, at: datetime | None) -> int:
    """Move a batch of waiting rows and return their number; `place` is the result of `reassign`."""
    moved: int = change(
        conn, "send_reassign_rows", account_id=place["account_id"], target_id=place["target_id"],
        campaign_id=place["campaign_id"], channel=channel, max_rows=max_rows, at=at,
    )  # fmt: skip
    return moved


def note_providers(conn: Connection, served: Mapping[str, Sequence[str]]) -> None:
    """Store the channels of providers; one without channels keeps its stored ones."""
    change(conn, "send_note_providers", served={name: list(channels) for name, channels in served.items() if channels})


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
        answer: Json = change(conn, "send_set_limit", max_sends=max_sends, **named)
        return answer
    change(conn, "send_remove_limit", **named)
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
    changed: int = change(
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
    return [row[0] for row in fetch_rows(conn, "send_set_notification", named)]


def notifications(conn: Connection) -> list[Json]:
    return [row[0] for row in fetch_rows(conn, "send_list_notifications", {})]


def remove_notification(conn: Connection, id: UUID) -> None:
    fetch_value(conn, "send_remove_notification", id=id)


def retry(
    conn: Connection,
    ids: Sequence[UUID] | None,
    campaign: str | None,
    workspace: str | None,
    at: datetime | None,
    code: str | None = None,
    account: str | None = None,
) -> int:
    named = {"ids": list(ids) if ids else None, "campaign": campaign, "workspace": workspace, "at": at}
    changed: int = change(conn, "send_retry", **named, code=code, account=account)
    return changed


def amendable(conn: Connection, ids: Sequence[UUID] | None, campaign: str | None, workspace: str | None) -> list[Json]:
    named = {"ids": list(ids) if ids else None, "campaign": campaign, "workspace": workspace}
    return [row[0] for row in fetch_rows(conn, "send_amendable", named)]


def amend_account(conn: Connection, ids: Sequence[str], account: str) -> UUID:
    found: UUID = fetch_value(conn, "send_amend_account", ids=[UUID(each) for each in ids], account=account)
    return found


def amend(
    conn: Connection,
    changes: Sequence[Json],
    scheduled_for: datetime | None,
    priority: int | None,
    account_id: UUID | None,
    at: datetime | None,
) -> int:
    changed: int = fetch_value(conn, "send_amend", changes=Jsonb(list(changes)), scheduled_for=scheduled_for,
                               priority=priority, account_id=account_id, at=at)  # fmt: skip
    return changed


def cancel(
    conn: Connection,
    ids: Sequence[UUID] | None,
    campaign: str | None,
    workspace: str | None,
    at: datetime | None,
) -> int:
    named = {"ids": list(ids) if ids else None, "campaign": campaign, "workspace": workspace, "at": at}
    changed: int = change(conn, "send_cancel", **named)
    return changed


def settle(conn: Connection, send_id: UUID, sent: bool, provider_message_id: str | None, at: datetime | None) -> str:
    status: str = change(conn, "send_settle", id=send_id, sent=sent, provider_message_id=provider_message_id, at=at)
    return status


def adopt(conn: Connection, since: datetime | None, at: datetime | None) -> Json:
    answer: Json = change(conn, "send_adopt", since=since, at=at)
    return answer


def settle_campaign(conn: Connection, campaign: str, workspace: str | None, at: datetime | None) -> int:
    changed: int = change(conn, "send_settle_campaign", campaign=campaign, workspace=workspace, at=at)
    return changed


def prune(conn: Connection, before: datetime, keep_last: int, batch: int, at: datetime | None) -> int:
    deleted: int = change(conn, "send_prune", before=before, keep_last=keep_last, batch=batch, at=at)
    return deleted


# --- suppressions -----------------------------------------------------------------------------------------


def suppress(conn: Connection, workspace_id: UUID, entries: Sequence[Json], at: datetime | None) -> int:
    added: int = change(conn, "send_suppress", workspace_id=workspace_id, entries=Jsonb(list(entries)), at=at)
    return added


def suppression_effect(conn: Connection, workspace_id: UUID, entries: Sequence[Json]) -> Json:
    """Return the effect of `suppress`: the number of `waiting` sends to skip, and `others`, the same people's
    addresses."""
    effect: Json = fetch_value(conn, "send_suppression_effect", workspace_id=workspace_id, entries=Jsonb(list(entries)))
    return effect


def unsuppress(conn: Connection, workspace_id: UUID, recipient: str, channel: str | None) -> int:
    removed: int = change(conn, "send_unsuppress", workspace_id=workspace_id, recipient=recipient, channel=channel)
    return removed


def suppressions(
    conn: Connection, workspace: str | None, recipient: str | None, channel: str | None, max_rows: int
) -> list[Json]:
    named = {"workspace": workspace, "recipient": recipient, "channel": channel, "max_rows": max_rows}
    return [row[0] for row in fetch_rows(conn, "send_suppression_list", named)]


def rename(conn: Connection, kind: str, name: str, new_name: str, workspace: str | None) -> None:
    fetch_value(conn, "send_rename", kind=kind, name=name, new_name=new_name, workspace=workspace)


def remove(
    conn: Connection,
    kind: str,
    name: str,
    channel: str | None,
    workspace: str | None,
    with_sends: bool,
    dry_run: bool,
    at: datetime | None,
) -> Json:
    """Remove an object to which nothing refers, or count its sends; return what send_remove returns."""
    named = {"kind": kind, "name": name, "channel": channel, "workspace": workspace}
    report: Json = change(conn, "send_remove", **named, with_sends=with_sends, dry_run=dry_run, at=at)
    return report


def forget(conn: Connection, whom: str, workspace: str | None, dry_run: bool, at: datetime | None) -> Json:
    """Remove a person's data, or count it; return the counts of removed and kept rows."""
    report: Json = fetch_value(conn, "send_forget", whom=whom, workspace=workspace, dry_run=dry_run, at=at)
    return report
