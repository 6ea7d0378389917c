"""A local server that imitates the providers, fails on demand, and journals every accepted send.

For demos, rehearsals and crash tests. It writes a send to its journal on disk before it answers, and restores its state
after a `kill -9`.

    with Sandbox(Path("journal.jsonl")) as sandbox:
        sandbox.order(Fault(op="invite", drop="after", times=1))
        ...  # UNIPILE_DSN=sandbox.url
        assert len(sandbox.accepted()) == 1

Reading order: app (handles a request), journal (accepted sends), faults (failures), unipile (answers) and
linkedin_state (the LinkedIn behind it), oauth (tokens), server (sockets), control (orders over HTTP).
To add a provider, subclass `base.BaseProvider` in a new module and name it in `_PLAIN`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from send_queue.sandbox.app import App
from send_queue.sandbox.base import BaseProvider
from send_queue.sandbox.bluesky import Bluesky
from send_queue.sandbox.control import Control, read_faults
from send_queue.sandbox.facebook import Facebook
from send_queue.sandbox.faults import Fault, Faults
from send_queue.sandbox.http_messages import Provider
from send_queue.sandbox.journal import Entry, Journal, JournalDamaged, JournalInUse, read
from send_queue.sandbox.linkedin import LinkedIn
from send_queue.sandbox.linkedin_state import BadSettings, LinkedInState
from send_queue.sandbox.mastodon import Mastodon
from send_queue.sandbox.oauth import TOKENS, Tokens
from send_queue.sandbox.sendgrid import SendGrid
from send_queue.sandbox.server import Server
from send_queue.sandbox.slack import Slack
from send_queue.sandbox.twilio import Twilio
from send_queue.sandbox.unipile import Unipile
from send_queue.sandbox.webhook import Webhook
from send_queue.sandbox.x import X

__all__ = [
    "BadSettings",
    "Entry",
    "Fault",
    "JournalDamaged",
    "JournalInUse",
    "Sandbox",
    "read",
    "read_faults",
    "serve",
]


_PLAIN: tuple[type[BaseProvider], ...] = (SendGrid, Twilio, Webhook, Mastodon, Bluesky, LinkedIn, X, Facebook, Slack)
_PROVIDERS: tuple[type[Unipile] | type[BaseProvider], ...] = (Unipile, *_PLAIN, *TOKENS)


class _Running(NamedTuple):
    """The parts that exist between start and stop."""

    server: Server
    world: LinkedInState
    providers: tuple[Provider, ...]
    journal: Journal
    changes: Journal


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """The server, its journal and its faults. It listens between `start` and `stop`, or in a `with` block.

    journal             the file of accepted sends, continued if it exists. FILE.changes beside it holds other
                        changes: account settings, withdrawals
    port                0: any free port, kept over stop and start
    accounts            settings by account id, as in `account`; other accounts begin with their first use
    api_key             the only valid key; None: any that is not empty
    faults              the faults at the start
    sync                False skips the fdatasync of each accept, for benchmarks: the journal survives a
                        `kill -9`, but not a power cut
    clock               the time of answers, for rehearsals
    redirect_profiles, viewer_scoped_ids   habits that only some Unipile accounts have: see `Unipile`

    `start` raises `JournalInUse`, `JournalDamaged`, `BadSettings` or `OSError`.
    """

    def __init__(
        self,
        journal: Path,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        accounts: Mapping[str, Mapping[str, Any]] | None = None,
        api_key: str | None = None,
        faults: Iterable[Fault] = (),
        sync: bool = True,
        clock: Callable[[], datetime] = _utc_now,
        redirect_profiles: bool = False,
        viewer_scoped_ids: bool = False,
    ) -> None:
        self.path = journal
        self._host = host
        self._port = port
        self._accounts = dict(accounts or {})
        self._api_key = api_key
        at_start = tuple(faults)
        _check_names(at_start)
        self._faults = Faults(at_start)
        self._sync = sync
        self._clock = clock
        self._redirect_profiles = redirect_profiles
        self._viewer_scoped_ids = viewer_scoped_ids
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT, without a path."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Read the journal and listen."""
        if self._running is not None:
            raise RuntimeError("The sandbox is running already: stop it first.")
        with ExitStack() as undo:
            journal = Journal(self.path, sync=self._sync)
            undo.callback(journal.close)
            changes = Journal(self.path.with_name(f"{self.path.name}.changes"), sync=self._sync)
            undo.callback(changes.close)
            world = LinkedInState(Unipile.name, journal, changes, self._accounts, self._clock)
            providers: tuple[Provider, ...] = (
                Unipile(
                    world,
                    api_key=self._api_key,
                    redirect_profiles=self._redirect_profiles,
                    viewer_scoped_ids=self._viewer_scoped_ids,
                ),
                *(plain(journal, self._clock) for plain in _PLAIN),
                *(tokens(changes, self._clock) for tokens in TOKENS),
            )
            server = Server(self._host, self._port, App(providers, self._faults, Control(self)), self._clock)
            undo.pop_all()
        self._port = server.server_port
        self._running = _Running(server, world, providers, journal, changes)
        server.start()

    def stop(self) -> None:
        """Cut every connection and close the journal. A send without a line by now is never accepted."""
        if self._running is None:
            return
        running, self._running = self._running, None
        running.server.stop()
        running.journal.close()
        running.changes.close()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def order(self, *faults: Fault) -> None:
        """Append faults; the first that matches a call applies. Raises `ValueError`."""
        _check_names(faults)
        self._faults.order(faults)

    def faults(self) -> list[dict[str, Any]]:
        """List all faults in order, each with `applied` and `spent`."""
        return self._faults.as_json()

    def clear_faults(self) -> None:
        """Drop all faults, also those of the start."""
        self._faults.clear()

    def accepted(self) -> list[Entry]:
        """Read the accepted sends from the file, oldest first."""
        return read(self.path)

    def account(self, account_id: str, **settings: Any) -> dict[str, Any]:
        """Change an account's settings and return all of them. Raises `BadSettings`.

        status                  OK, STOPPED, ERROR, CREDENTIALS, PERMISSIONS or CONNECTING; sends need OK
        invite_limit            invitations in 7 days, then 422 cannot_resend_yet; null: no limit
        relations               ids of its connections; invitations to them are no longer pending
        messages_need_relation  refuse messages to others
        unknown                 404, as for a missing account
        """
        if self._running is None:
            raise RuntimeError("The sandbox is not running: start it first, or give it `accounts`.")
        return self._running.world.configure(account_id, settings)

    def tokens(self, provider: str) -> Tokens:
        """Return the token endpoint of x, linkedin, bluesky or facebook: it connects and revokes accounts and checks
        access tokens. Raises `ValueError` for another provider."""
        if self._running is None:
            raise RuntimeError("The sandbox is not running: start it first.")
        for one in self._running.providers:
            if isinstance(one, Tokens) and one.name == f"{provider}_tokens":
                return one
        raise ValueError(f"The sandbox grants no tokens of {provider}: use x, linkedin, bluesky or facebook.")

    def restart_clean(self) -> None:
        """Empty the journal and restore the accounts and faults of the first start."""
        if self._running is None:
            raise RuntimeError("The sandbox is not running: start it first.")
        with self._running.world.lock:
            self._running.journal.clear()
            self._running.changes.clear()
            for provider in self._running.providers:
                provider.forget()
        self._faults.reset()


def serve(sandbox: Sandbox, announce: Callable[[str], None] = lambda url: print(url, flush=True)) -> None:
    """Run until SIGTERM or SIGINT, in a program's main thread; pass the URL to `announce` once it listens.

    Block the signals before any thread starts: none may interrupt an accept.
    """
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with sandbox:
            announce(sandbox.url)
            signal.sigwait(ends)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_names(faults: Iterable[Fault]) -> None:
    """Raise `ValueError` for an unknown op: its fault would never apply, and the test would prove nothing."""
    providers = {provider.name for provider in _PROVIDERS}
    ops = {op for provider in _PROVIDERS for op in _ops(provider)}
    for fault in faults:
        if fault.provider not in (None, *providers):
            raise ValueError(
                f"The sandbox has no provider {fault.provider}: use one of {', '.join(sorted(providers))}."
            )
        if fault.op not in (None, *ops):
            raise ValueError(f"The sandbox has no op {fault.op}: use one of {', '.join(sorted(ops))}.")


def _ops(provider: type[Unipile] | type[BaseProvider]) -> Iterable[str]:
    return (op for _, _, op in provider.routes) if issubclass(provider, BaseProvider) else provider.ops
