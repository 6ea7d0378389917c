"""pause, resume, retry, cancel, settle, prune."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable, short
from send_queue.cli.values import DURATION, ID, Noun
from send_queue.cli.whole import Whole
from send_queue.model import UserError

if TYPE_CHECKING:
    from send_queue.store import Connection


KINDS = Noun(["workspace", "account", "lane", "campaign"])


def _pausing(verb: str, help: str) -> click.Command:
    def command(
        app: App, kind: str | None, name: str | None, channel: str | None, all_: bool, workspace: str | None,
        json_: bool, reason: str | None = None,
    ) -> None:  # fmt: skip
        from send_queue import store

        if all_ == (kind is not None):
            raise UserError(f"It is not clear where to {verb}: give a kind and a name, or --all.")
        if not all_ and name is None:
            raise UserError(f"The {kind} has no name: write `send-queue {verb} {kind} NAME`.")
        if (kind == "lane") != (channel is not None):
            wrong = "A lane has an account and a channel" if kind == "lane" else "Only a lane has a channel"
            raise UserError(
                f"{wrong}: write `send-queue {verb} {kind} {'ACCOUNT CHANNEL' if kind == 'lane' else 'NAME'}`."
            )
        with app.database() as conn:
            before = _row(conn, kind, name, channel, workspace) if kind and verb == "resume" and not json_ else None
            held = _held_lanes(conn, kind, before, app.now()) if kind and before else {}
            changed = store.pause(conn, verb == "pause", kind or "all", name, channel, reason, workspace, app.now())
            above = _still_paused(conn, kind, before) if kind and before else []
            still = _held_lanes(conn, kind, before, app.now()) if kind and before else {}
        if json_:
            click.echo(as_json({"changed": changed}))
            return
        what = f"the {kind} {printable(name or '')}" + (f" {channel}" if channel else "")
        if all_:
            what = f"{changed} {'workspace' if changed == 1 else 'workspaces'}"
        if kind and before and not _is_held(kind, before):
            if before.get("secret_refused"):
                click.echo(f"{what[0].upper()}{what[1:]} was not paused: its secret was refused, and is retried now.")
            elif ended := [lane for lane in held if lane not in still]:
                click.echo(f"{what[0].upper()}{what[1:]} was not paused: the provider's hold on "
                           f"{printable(', '.join(ended))} has ended.")  # fmt: skip
            else:
                click.echo(f"{what[0].upper()}{what[1:]} was not paused: nothing to resume.")
        elif all_ and not changed:
            click.echo(f"No workspace {'is there' if verb == 'pause' else 'was paused'}: nothing to {verb}.")
        else:
            click.echo(f"{verb.capitalize()}d {what}.")
        for lane, until in still.items():
            warn(f"The provider holds {lane} until {until}: `send-queue resume lane {lane}` ends that.")
        for sentence in above:
            warn(sentence)

    decorated: Any = workspace_option(json_option(command))
    decorated = click.option("--all", "all_", is_flag=True, help=f"{verb.capitalize()} every workspace.")(decorated)
    if verb == "pause":
        decorated = click.option("--reason", metavar="R", help="The reason, for your colleagues.")(decorated)
    for argument in (
        click.argument("channel", required=False),
        click.argument("name", required=False),
        click.argument("kind", type=KINDS, required=False, metavar="workspace|account|lane|campaign"),
    ):
        decorated = argument(decorated)
    made: click.Command = click.command(verb, help=help)(click.pass_obj(decorated))
    return made


def _row(
    conn: Connection, kind: str, name: str | None, channel: str | None, workspace: str | None
) -> dict[str, Any] | None:
    from send_queue import store

    found = store.find(conn, "account" if kind == "lane" else kind, name or "", workspace)
    return next(iter(store.listed(conn, kind, found, channel)), None)


def _is_held(kind: str, row: dict[str, Any]) -> bool:
    """Whether `resume` would end something."""
    if kind in ("account", "campaign"):
        return bool(row["status"] != "active")
    return row["paused_at"] is not None or row.get("next_at_reason") == "provider_hold"


def _held_lanes(conn: Connection, kind: str, row: dict[str, Any], at: datetime | None) -> dict[str, str]:
    """Return the lanes of an account, or the lane, that a provider holds: their names as `resume` takes them, with the
    end of the hold."""
    from send_queue import store

    at = at or datetime.now(UTC)

    if kind not in ("account", "lane"):
        return {}
    account = row["name"] if kind == "account" else row["account"]
    found = store.find(conn, "account", account, row["workspace"])
    return {
        shlex.join([account, lane["channel"]]): short(lane["next_at"])
        for lane in store.listed(conn, "lane", found, row["channel"] if kind == "lane" else None)
        if lane["next_at_reason"] == "provider_hold" and datetime.fromisoformat(lane["next_at"]) > at
    }


def _still_paused(conn: Connection, kind: str, row: dict[str, Any]) -> list[str]:
    """Name the paused levels above: `resume` ends each by itself."""
    from send_queue import store

    above = []
    if kind == "lane":
        above += [("account", row["account"], row["workspace"])]
    if kind != "workspace":
        above += [("workspace", row["workspace"], None)]
    return [
        f"The {level} {name} is still {'paused' if level == 'workspace' else there['status']}, so nothing goes: "
        f"`send-queue resume {level} {name}`."
        for level, name, workspace in above
        for there in store.listed(conn, level, store.find(conn, level, name, workspace))
        if _is_held(level, there)
    ]


pause_command = _pausing(
    "pause",
    "Stop sending at one level from now on; sends in flight finish.\n\n"
    "\b\nExample: send-queue pause lane anna linkedin_invite --reason 'too many declines'",
)
resume_command = _pausing(
    "resume",
    "End a pause, a disconnection or a provider's hold.\n\n\b\nExample: send-queue resume account anna",
)


@click.command("retry")
@click.argument("ids", type=ID, nargs=-1, metavar="[ID]...")
@click.option("--failed", is_flag=True, help="All failed sends.")
@click.option("--campaign", metavar="C", help="With --failed: only this campaign's.")
@click.option("--code", metavar="CODE", help="All failed sends with this error code.")
@click.option("--account", metavar="A", help="All failed sends of this account.")
@workspace_option
@json_option
@click.pass_obj
def retry_command(
    app: App, /, ids: tuple[UUID, ...], failed: bool, campaign: str | None, code: str | None, account: str | None,
    workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Put failed sends back into the queue, due at once.

    \b
    Example: send-queue retry --failed --campaign fall
             send-queue retry --code provider_5xx --account anna
    """
    from send_queue import store

    failed = failed or code is not None or account is not None
    if bool(ids) == failed:
        raise UserError("The sends to retry are not clear: give ids or --failed, not both.")
    if campaign and not failed:
        raise UserError("--campaign goes with --failed: leave it out, or give --failed instead of ids.")
    with app.database() as conn:
        changed = store.retry(conn, ids or None, campaign, workspace, app.now(), code, account)
    click.echo(as_json({"changed": changed}) if json_ else f"{changed:,} put back into the queue.")


@click.command("cancel")
@click.argument("ids", type=ID, nargs=-1, metavar="[ID]...")
@click.option("--campaign", metavar="C", help="All waiting sends of this campaign.")
@workspace_option
@json_option
@click.pass_obj
def cancel_command(
    app: App, /, ids: tuple[UUID, ...], campaign: str | None, workspace: str | None, json_: bool
) -> None:
    """Cancel waiting sends; they stay in the table as skipped.

    \b
    Example: send-queue cancel --campaign fall
    """
    from send_queue import store

    if bool(ids) == bool(campaign):
        raise UserError("The sends to cancel are not clear: give ids or --campaign NAME, not both.")
    with app.database() as conn:
        changed = store.cancel(conn, ids or None, campaign, workspace, app.now())
    click.echo(as_json({"changed": changed}) if json_ else f"{changed:,} cancelled.")


@click.command("settle")
@click.argument("id", type=ID, required=False, metavar="[ID]")
@click.option("--sent", is_flag=True, help="It went out: the provider shows it.")
@click.option("--not-sent", is_flag=True, help="It did not go out: it is pending again.")
@click.option("--provider-message-id", metavar="X", help="With --sent: its id at the provider.")
@click.option("--all-not-sent", is_flag=True, help="None of a campaign's uncertain sends went out.")
@click.option("--campaign", metavar="C", help="With --all-not-sent: the campaign.")
@workspace_option
@json_option
@click.pass_obj
def settle_command(
    app: App, /, id: UUID | None, sent: bool, not_sent: bool, provider_message_id: str | None, all_not_sent: bool,
    campaign: str | None, workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Record the fate of an uncertain send, after looking at the provider.

    \b
    Example: send-queue settle 01939c5e-… --sent
    """
    from send_queue import store

    if all_not_sent:
        if id or sent or not_sent or not campaign:
            raise UserError("--all-not-sent needs a campaign alone: give --campaign NAME and no other option.")
        with app.database() as conn:
            changed = store.settle_campaign(conn, campaign, workspace, app.now())
        click.echo(as_json({"changed": changed}) if json_ else f"{changed:,} put back into the queue.")
        return
    if id is None or sent == not_sent:
        raise UserError("The send or its fate is not clear: run `send-queue settle ID` with --sent or --not-sent.")
    with app.database() as conn:
        status = store.settle(conn, id, sent, provider_message_id, app.now())
    click.echo(as_json({"send_id": id, "status": status}) if json_ else f"Send {id} is {status}.")


@click.command("prune")
@click.option("--older-than", type=DURATION, required=True, help="The time since the send ended: 90d.")
@click.option("--keep-last", type=Whole(0), default=0, help="Keep this many of each campaign's newest.")
@json_option
@click.pass_obj
def prune_command(app: App, /, older_than: timedelta, keep_last: int, json_: bool) -> None:
    """Delete sends that ended long ago, with their attempts. No other command deletes sends.

    \b
    Example: send-queue prune --older-than 90d --keep-last 100
    """
    from send_queue import store

    with app.database() as conn:
        try:
            before = (app.now() or datetime.now(UTC)) - older_than
        except OverflowError:
            raise UserError("--older-than is longer than the calendar: write a shorter one.") from None
        deleted = 0
        while batch := store.prune(conn, before, keep_last, 1000, app.now()):
            deleted += batch
    click.echo(as_json({"deleted": deleted}) if json_ else f"{deleted:,} deleted.")
