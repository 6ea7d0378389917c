"""What every command needs: the environment, a connection, a clock, and words that mean the same everywhere."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from send_queue.cli.whole import Whole
from send_queue.model import ConfigurationError

if TYPE_CHECKING:
    from send_queue.store import Connection
from send_queue.cli.output import printable
from send_queue.cli.values import DURATION, ZONE, Kind, _zone_of_the_terminal, duration, moment


class App:
    """The command's surroundings. Only here and in cli/__init__.py is the process's environment read."""

    def __init__(self, env: Mapping[str, str], debug: bool = False) -> None:
        self.env = env
        self.debug = debug
        self._rehearsed: datetime | None = None
        self._since = 0.0
        self._told = False

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """Connect; from now on the clock runs."""
        from send_queue import store

        with store.connected(self.database_url(), warn) as conn:
            self.start_clock()
            yield conn

    def reconnect(self) -> Connection:
        """Connect once more, after the connection was lost."""
        from send_queue import store

        return store.connect(self.database_url(), warn)

    def database_url(self) -> str:
        """DATABASE_URL, or that of the embedded Postgres, which is started if need be."""
        if url := self.env.get("DATABASE_URL"):
            return url
        from send_queue.store import embedded

        folder = embedded.default_data_dir(self.env)
        if not self._told:
            warn(f"DATABASE_URL is not set: using the embedded Postgres in {folder}.")
        self._told = True
        return embedded.url(folder)

    def now(self) -> datetime | None:
        """The moment that SEND_QUEUE_NOW says it is, time running on from there; None: the database's clock decides."""
        if self._rehearsed is None:
            return None
        return self._rehearsed + timedelta(seconds=time.monotonic() - self._since)

    def start_clock(self) -> None:
        """Begin to rehearse, where SEND_QUEUE_NOW asks for it."""
        if text := self.env.get("SEND_QUEUE_NOW"):
            try:
                self._rehearsed = moment(text)
            except ValueError as error:
                raise ConfigurationError(f"SEND_QUEUE_NOW: {error}.") from None
            self._since = time.monotonic()
            warn(f"rehearsing: it is taken to be {self._rehearsed.isoformat()}.")

    @property
    def worker(self) -> str:
        """The name of this process, for people who look at what is in flight."""
        return f"{socket.gethostname()}:{os.getpid()}"


# --- what is written and read -----------------------------------------------------------------------------


def warn(sentence: str) -> None:
    """Say something on stderr that does not end the command."""
    print(f"send-queue: {printable(sentence)}", file=sys.stderr)


def _country(text: str) -> str:
    from send_queue.rules import recipients  # phonenumbers, which it needs, is dear

    return recipients.country(text)


COUNTRY = Kind("country", _country)
COUNTRY_OR_NONE = Kind("country|none", _country, clearable=True)
DURATION_OR_NONE = Kind("duration|none", duration, clearable=True)

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON.")
tz_option = click.option("--tz", type=ZONE, default=_zone_of_the_terminal, show_default="the terminal's",
                         help="The time zone to show days and times in.")  # fmt: skip
workspace_option = click.option("--workspace", metavar="W", help="The workspace, where the name alone is not clear.")


def filter_options(command: Any) -> Any:
    """The options that say which sends a command is about."""
    return with_options(
        command,
        click.option("--campaign", metavar="C", help="Only sends of this campaign."),
        click.option("--account", metavar="A", help="Only sends of this account."),
        click.option("--channel", metavar="CH", help="Only sends of this channel."),
    )


def simulation_options(command: Any) -> Any:
    """The options that say what cron starts, for what plays the queue forward."""
    return with_options(
        command,
        click.option("--every", type=DURATION, default="5m", show_default=True, callback=_often_enough,
                     help="How often cron starts the run."),
        click.option("--limit", type=Whole(1), default=1, show_default=True,
                     help="That of `run-once`, a run."),
        click.option("--drain", is_flag=True,
                     help="Cron starts `run`, which sends all that may go, and not `run-once`."),
    )  # fmt: skip


def _often_enough(_ctx: click.Context, _param: click.Parameter, every: timedelta) -> timedelta:
    if every < timedelta(seconds=1):
        raise click.BadParameter("cron starts nothing more often than once a second: write 5m")
    return every


def with_options(command: Any, *options: Any) -> Any:
    """Give a command options, which its help then lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
