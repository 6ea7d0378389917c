"""Let an account take another's place: what waits moves, and people are written to by it from now on."""

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
"""Rows that are moved in one transaction."""

STAYS = {
    "doubtful": "may have gone out with an earlier try, and wait there",
    "posts": "are posts for its own profile, and wait there",
    "sending": "are being sent at this moment",
    "uncertain": "are in doubt, see `send-queue list --status uncertain`",
    "movable": "could not be moved, since somebody holds them or they came in just now: run it again",
}
"""Why sends stay with the account, as `send_staying` counts them."""


@click.command("reassign")
@click.argument("account")
@click.option("--to", "target", metavar="ACCOUNT", required=True, help="The account that takes its place.")
@click.option("--campaign", metavar="C", help="Only in this campaign.")
@click.option("--channel", metavar="CH", help="Only sends of this channel.")
@click.option("--dry-run", is_flag=True, help="Say what would move, and change nothing.")
@workspace_option
@json_option
@click.pass_obj
def reassign_command(
    app: App, /, account: str, target: str, campaign: str | None, channel: str | None, dry_run: bool,
    workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Let an account take another's place: move what waits, and write to its people.

    The other account joins the campaign's pool. What may have gone out stays where it is, and so do posts. Once the
    account has left the pool (`campaign set --remove-account`), the other one writes to its people.

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
        warn(f"{account} is still in the pool of {name} and is given new sends: end that with "
             f"`send-queue campaign set {name} --remove-account {account}`.")  # fmt: skip


def waiting_of(conn: Connection, accounts: Sequence[str], campaign: Mapping[str, Any]) -> dict[str, int]:
    """How many sends of a campaign wait for each of these accounts."""
    from send_queue import store

    waiting = {}
    for account in accounts:
        found = store.find(conn, "account", account, campaign["workspace"])
        staying = store.staying(conn, found, UUID(campaign["id"]), None)
        waiting[account] = staying["movable"] + staying["doubtful"] + staying["posts"]
    return waiting


def said_of_removed(campaign: str, waiting: Mapping[str, int]) -> Iterable[str]:
    """Say what waits for accounts that have just left the pool of a campaign."""
    for account, n in waiting.items():
        if n:
            yield (f"{account} has left the pool, and {_sends(n)} for it, which it still sends: to move them, run "
                   f"`send-queue reassign {account} --to NAME --campaign {campaign}`.")  # fmt: skip


def _sends(n: int) -> str:
    return "1 send waits" if n == 1 else f"{n:,} sends wait"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))
