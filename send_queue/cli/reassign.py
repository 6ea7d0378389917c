"""reassign: move an account's waiting sends and its people to another account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable

if TYPE_CHECKING:
    from send_queue.store import Connection

BATCH = 1000
"""Rows moved in one transaction."""

STAYS = {
    "doubtful": "may have gone out with an earlier try, and stay",
    "posts": "are posts for its own profile, and stay",
    "sending": "are in flight",
    "uncertain": "are in doubt, see `send-queue list --status uncertain`",
    "movable": "could not be moved, as another session locks them or they are new: run it again",
}
"""Reasons why sends stay with the account, the keys of `send_staying`."""


@click.command("reassign")
@click.argument("account")
@click.option("--to", "target", metavar="ACCOUNT", required=True, help="The new account.")
@click.option("--campaign", metavar="C", help="Only in this campaign.")
@click.option("--channel", metavar="CH", help="Only sends of this channel.")
@click.option("--dry-run", is_flag=True, help="Count the sends that would move, and change nothing.")
@workspace_option
@json_option
@click.pass_obj
def reassign_command(
    app: App, /, account: str, target: str, campaign: str | None, channel: str | None, dry_run: bool,
    workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Move an account's waiting sends, and the people it writes to, to another account.

    The new account joins the campaign's pool. Posts stay, and so do sends that may have gone out. Remove the old
    account from the pool with `campaign set --remove-account`; then the new one writes to its people.

    \b
    Example: send-queue reassign anna --to bea --campaign fall
    """
    from send_queue import store

    moved = 0
    with app.database() as conn:
        place = store.reassign(conn, account, target, campaign, channel, workspace, dry_run)
        while not dry_run and (batch := store.reassign_rows(conn, place, channel, BATCH, app.now())):
            moved += batch
        staying = store.staying(conn, place["account_id"], place["campaign_id"], channel)
    if dry_run:
        moved, staying = staying["movable"], {**staying, "movable": 0}
    if json_:
        click.echo(as_json({
            "account": account, "to": target, "moved": moved, "joined": place["joined"], "in_pool": place["in_pool"],
            "staying": {("held" if why == "movable" else why): staying[why] for why in STAYS}, "dry_run": dry_run,
        }))  # fmt: skip
        return
    click.echo(
        f"{moved:,} {'would be moved' if dry_run else 'moved'} from {printable(account)} to {printable(target)}."
    )
    if place["joined"]:
        click.echo(
            f"{printable(target)} {'would join' if dry_run else 'joined'} the pool of {_names(place['joined'])}."
        )
    for why, words in STAYS.items():
        if staying[why]:
            warn(f"{staying[why]:,} of {printable(account)} {words}.")
    for name in place["in_pool"]:
        warn(f"{account} still gets new sends, from the pool of {name}: end that with "
             f"`send-queue campaign set {name} --remove-account {account}`.")  # fmt: skip


def count_waiting(conn: Connection, accounts: Sequence[str], campaign: Mapping[str, Any]) -> dict[str, int]:
    """Count the campaign's waiting sends of each account."""
    from send_queue import store

    waiting = {}
    for account in accounts:
        found = store.find(conn, "account", account, campaign["workspace"])
        staying = store.staying(conn, found, UUID(campaign["id"]), None)
        waiting[account] = staying["movable"] + staying["doubtful"] + staying["posts"]
    return waiting


def removal_notices(campaign: str, waiting: Mapping[str, int]) -> Iterable[str]:
    """Write a notice for each account that has just left the pool and still has waiting sends."""
    for account, n in waiting.items():
        if n:
            yield (f"{account} has left the pool, and {_sends(n)} for it, which it still sends: to move them, run "
                   f"`send-queue reassign {account} --to NAME --campaign {campaign}`.")  # fmt: skip


def _sends(n: int) -> str:
    return "1 send waits" if n == 1 else f"{n:,} sends wait"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))
