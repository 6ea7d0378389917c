"""The surroundings of every command: environment, connection, clock, shared options."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from send_queue.cli.whole import Whole
from send_queue.model import ConfigurationError, UserError

if TYPE_CHECKING:
    from send_queue.store import Connection
from send_queue.cli.output import printable
from send_queue.cli.values import DURATION, ZONE, Kind, _zone_of_the_terminal, duration, moment


class App:
    """The command's surroundings. Only this class and cli/__init__.py read the process's environment."""

    def __init__(self, env: Mapping[str, str], debug: bool = False) -> None:
        self.env = env
        self.debug = debug
        self._rehearsed: datetime | None = None
        self._since = 0.0
        self._told = False

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """Connect and start the clock."""
        from send_queue import store

        with store.connected(self.database_url(), warn) as conn:
            self.start_clock()
            yield conn

    def reconnect(self) -> Connection:
        """Connect again after a loss."""
        from send_queue import store

        return store.connect(self.database_url(), warn)

    def database_url(self) -> str:
        """Return DATABASE_URL, else the URL of the embedded Postgres, which this starts if needed."""
        if url := self.env.get("DATABASE_URL"):
            return url
        from send_queue.store import embedded

        folder = embedded.default_data_dir(self.env)
        if not self._told:
            warn(f"DATABASE_URL is not set: using the embedded Postgres in {folder}.")
        self._told = True
        return embedded.url(folder)

    def now(self) -> datetime | None:
        """Return the rehearsed moment: SEND_QUEUE_NOW plus the time since the start. None: use the database's clock."""
        if self._rehearsed is None:
            return None
        return self._rehearsed + timedelta(seconds=time.monotonic() - self._since)

    def start_clock(self) -> None:
        """Start the rehearsed clock if SEND_QUEUE_NOW is set. Raises `ConfigurationError` if it is not a moment."""
        if text := self.env.get("SEND_QUEUE_NOW"):
            try:
                self._rehearsed = moment(text)
            except ValueError as error:
                raise ConfigurationError(f"SEND_QUEUE_NOW: {error}.") from None
            self._since = time.monotonic()
            warn(f"rehearsing as of {self._rehearsed.isoformat()}.")

    @property
    def worker(self) -> str:
        """Name this process, HOST:PID, in the rows that it claims."""
        return f"{socket.gethostname()}:{os.getpid()}"


# --- output and shared options -----------------------------------------------------------------------------


def warn(sentence: str) -> None:
    """Print a sentence on stderr; the command goes on."""
    print(f"send-queue: {printable(sentence)}", file=sys.stderr)


def _country(text: str) -> str:
    from send_queue.rules import recipients  # late: it imports phonenumbers

    return recipients.country(text)


COUNTRY = Kind("country", _country)
COUNTRY_OR_NONE = Kind("country|none", _country, clearable=True)
DURATION_OR_NONE = Kind("duration|none", duration, clearable=True)

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON.")
tz_option = click.option("--tz", type=ZONE, default=_zone_of_the_terminal, show_default="the terminal's",
                         help="The time zone to show days and times in.")  # fmt: skip
workspace_option = click.option("--workspace", metavar="W", help="The workspace, if several have this name.")


def filter_options(command: Any) -> Any:
    """Add the options that select sends."""
    return with_options(
        command,
        click.option("--campaign", metavar="C", help="Only sends of this campaign."),
        click.option("--account", metavar="A", help="Only sends of this account."),
        click.option("--channel", metavar="CH", help="Only sends of this channel."),
    )


def person_options(command: Any) -> Any:
    """The options that find the sends of people."""
    return with_options(
        command,
        click.option("--recipient", metavar="R", help="Only sends to this person, by any address of theirs."),
        click.option("--name", metavar="N", help="Only sends to people with this in their name."),
    )


def ids_of(conn: Any, id: UUID | None, recipient: str | None, name: str | None) -> list[UUID]:
    """Return the ids of the sends that an id or a person names, the newest last.

    Raises `UserError` where nothing or both are given, no send is found, or more than `MAX_SENDS`.
    """
    from send_queue import store

    person = store.Person(recipient, name)
    if (id is None) != bool(person):
        raise UserError("Name one send by its id, or a person with --recipient or --name.")
    if id is not None:
        return [id]
    found = store.sends(conn, store.Filters(), None, MAX_SENDS + 1, person)
    if not found:
        raise UserError(
            "Nothing was sent to such a person, and nothing waits: write another address, or less of the name."
        )
    if len(found) > MAX_SENDS:
        raise UserError(
            f"More than {MAX_SENDS} sends fit: write more of the name, or see them with `send-queue list` first."
        )
    return [UUID(send["id"]) for send in found]


MAX_SENDS = 50
"""Sends of people that one command looks at."""


def simulation_options(command: Any) -> Any:
    """Add the options that describe cron's run, for a simulation."""
    return with_options(
        command,
        click.option("--every", type=DURATION, default="5m", show_default=True, callback=_check_interval,
                     help="How often cron starts the run."),
        click.option("--limit", type=Whole(1), default=1, show_default=True,
                     help="The --limit of each `run-once`."),
        click.option("--drain", is_flag=True,
                     help="Cron starts `run`, which sends all due rows, instead of `run-once`."),
    )  # fmt: skip


def _check_interval(_ctx: click.Context, _param: click.Parameter, every: timedelta) -> timedelta:
    if every < timedelta(seconds=1):
        raise click.BadParameter("the interval is shorter than a second: write 5m")
    return every


def with_options(command: Any, *options: Any) -> Any:
    """Add options to a command; its help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command
