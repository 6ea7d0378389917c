"""A local server that behaves like the providers, breaks when told to, and remembers what it accepted.

For demos, rehearsals and crash tests. It is the witness: a send is in its journal, on disk, before the answer
leaves, and it is the same sandbox again after a `kill -9`.

    with Sandbox(Path("journal.jsonl")) as sandbox:
        sandbox.order(Fault(op="invite", drop="after", times=1))
        ...  # UNIPILE_DSN=sandbox.url
        assert len(sandbox.accepted()) == 1

Reading order: app (what becomes of a request), journal (what was accepted), faults (what goes wrong), unipile
(what the provider answers) and world (the LinkedIn behind it), oauth (tokens that are granted and renewed), server
(sockets), control (orders over HTTP).
A further provider is a subclass of `plain.Plain` in a module of its own, named in `_PLAIN`.
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
    """What there is only between start and stop."""

    server: Server
    world: LinkedInState
    providers: tuple[Provider, ...]
    journal: Journal
    changes: Journal


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """The server, its journal and its faults. It listens between `start` and `stop`, or in a `with` block.

    journal             the file of accepted sends; made if need be, taken up again if it is there. What
                        changed otherwise (account settings, withdrawals) is beside it in FILE.changes
    port                0: any free one, which then stays the same when it is stopped and started again
    accounts            settings by account id, as `account` takes them; accounts not named here are accepted
                        too, and spring into being when they are first used
    api_key             the one key that is right; null: any that is not empty
    faults              in force from the start
    sync                False leaves out the fdatasync of each accept, for benchmarks: the journal still
                        survives a `kill -9`, but not a power cut
    clock               what time it is, for rehearsals that play in another time; answers are dated by it
    redirect_profiles, viewer_scoped_ids   habits of Unipile's that not every account shows: see `Unipile`

    Raises `JournalInUse`, `JournalDamaged`, `BadSettings` or `OSError` when it is started.
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
        """Take up the journal and listen."""
        if self._running is not None:
            raise RuntimeError("The sandbox is running already.")
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
        """Cut every connection and close the journal. What has no line by now is never accepted."""
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
        """Add faults behind those in force; the first that matches a call applies. Raises `ValueError`."""
        _check_names(faults)
        self._faults.order(faults)

    def faults(self) -> list[dict[str, Any]]:
        """All rules in their order, each with `applied` and `spent`."""
        return self._faults.as_json()

    def clear_faults(self) -> None:
        """Drop all rules, those given at the start too."""
        self._faults.clear()

    def accepted(self) -> list[Entry]:
        """What the journal holds, oldest first: read from the file, not from memory."""
        return read(self.path)

    def account(self, account_id: str, **settings: Any) -> dict[str, Any]:
        """Change an account's settings and return all of them. Raises `BadSettings`.

        status                  OK, STOPPED, ERROR, CREDENTIALS, PERMISSIONS or CONNECTING; sends need OK
        invite_limit            invitations in 7 days, then 422 cannot_resend_yet; null: no limit
        relations               the ids of all who are connected with it; no invitation to them is pending
        messages_need_relation  refuse a message to anybody else
        unknown                 404, as for an account that does not exist
        """
        if self._running is None:
            raise RuntimeError("Start the sandbox first, or give it `accounts`.")
        return self._running.world.configure(account_id, settings)

    def tokens(self, provider: str) -> Tokens:
        """Who gives the tokens of x, linkedin, bluesky or facebook: to connect an account, revoke it, or ask whether an
        access token is good. Raises `ValueError` for any other."""
        if self._running is None:
            raise RuntimeError("Start the sandbox first.")
        for one in self._running.providers:
            if isinstance(one, Tokens) and one.name == f"{provider}_tokens":
                return one
        raise ValueError(f"The sandbox gives no tokens of {provider}: x, linkedin, bluesky or facebook.")

    def restart_clean(self) -> None:
        """Empty the journal and be as at the first start: the accounts and faults that were given then."""
        if self._running is None:
            raise RuntimeError("Start the sandbox first.")
        with self._running.world.lock:
            self._running.journal.clear()
            self._running.changes.clear()
            for provider in self._running.providers:
                provider.forget()
        self._faults.reset()


def serve(sandbox: Sandbox, announce: Callable[[str], None] = lambda url: print(url, flush=True)) -> None:
    """Run until SIGTERM or SIGINT; `announce` is told the URL once it listens. For a program's main thread.

    The signals are blocked before any thread starts, so that none interrupts an accept.
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
    """A rule for an op that does not exist would never apply, and its test prove nothing."""
    providers = {provider.name for provider in _PROVIDERS}
    ops = {op for provider in _PROVIDERS for op in _ops(provider)}
    for fault in faults:
        if fault.provider not in (None, *providers):
            raise ValueError(f"The sandbox has no provider {fault.provider}: {', '.join(sorted(providers))}.")
        if fault.op not in (None, *ops):
            raise ValueError(f"The sandbox has no op {fault.op}: {', '.join(sorted(ops))}.")


def _ops(provider: type[Unipile] | type[BaseProvider]) -> Iterable[str]:
    return (op for _, _, op in provider.routes) if issubclass(provider, BaseProvider) else provider.ops
