"""Accounts with tokens, a sandbox that renews them, and a clock that both believe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders import AT, Connection, Queue

from send_queue import store
from send_queue.core import token_renewal
from send_queue.providers.oauth.errors import Renewal
from send_queue.providers.oauth.renew import RULES, Granted, Renewers
from send_queue.rules.vault import Vault, new_key
from send_queue.sandbox import Sandbox

CLIENTS = {
    f"{name}_{what}": f"{name.lower()}-{what.lower().replace('_', '-')}"
    for name in ("X", "LINKEDIN", "FACEBOOK")
    for what in ("CLIENT_ID", "CLIENT_SECRET")
}


class Killed(BaseException):
    """The run was killed: nothing that comes after it happens."""


class KilledAfterTheAnswer(Renewers):
    """The provider has answered, and the process dies before it has stored anything."""

    def renew(self, granted: Granted) -> Renewal:
        super().renew(granted)
        raise Killed


@dataclass
class Keyring:
    """A queue, a sandbox and a clock. An account has the name of its provider."""

    queue: Queue
    sandbox: Sandbox
    env: Mapping[str, str]
    renewers: Renewers
    now: list[datetime] = field(default_factory=lambda: [AT])

    @property
    def conn(self) -> Connection:
        return self.queue.conn

    def later(self, by: timedelta) -> datetime:
        self.now[0] += by
        return self.now[0]

    # --- connecting ---------------------------------------------------------------------------------------

    def account(self, provider: str, name: str | None = None) -> str:
        """An account that a person has connected."""
        self.queue.account(name or provider, provider=provider)
        self.connect(provider, name)
        return name or provider

    def connect(self, provider: str, name: str | None = None) -> None:
        granted = self.sandbox.tokens(provider).connect(name or provider)
        self.give(provider, granted["access_token"], granted["refresh_token"], name=name)

    def give(self, provider: str, access: str, refresh: str | None = None, *, name: str | None = None) -> None:
        """What `tokens set` does, without options."""
        rule, vault, now = RULES[provider], Vault(self.env), self.now[0]
        store.set_token(
            self.conn, name or provider, vault.seal(access), vault.seal(refresh) if refresh else None,
            now + rule.life if rule.life else None, now + rule.refresh_life if rule.refresh_life else None,
            rule.can_renew(refresh), None, now,
        )  # fmt: skip

    def resume(self, name: str) -> None:
        store.pause(self.conn, False, "account", name, None, None, None, self.now[0])

    # --- renewing -----------------------------------------------------------------------------------------

    def refresh(self, *, renewers: Renewers | None = None, **want: Any) -> list[token_renewal.RenewalResult]:
        return list(self.one_run(renewers).run(token_renewal.RenewalFilter(**want)))

    def one_run(self, renewers: Renewers | None = None) -> token_renewal.TokenRenewal:
        return token_renewal.TokenRenewal(
            store.Database(self.conn, lambda: self.now[0]), renewers or self.renewers, self.env
        )

    def killed(self, **want: Any) -> None:
        """A run that is killed between the provider's answer and the commit."""
        renewers = KilledAfterTheAnswer(self.env)
        try:
            self.refresh(renewers=renewers, **want)
        except Killed:
            return
        finally:
            renewers.close()
        raise AssertionError("Nothing was due.")

    # --- looking ------------------------------------------------------------------------------------------

    def row(self, account: str) -> dict[str, Any]:
        [row] = [row for row in store.tokens(self.conn, self.now[0]) if row["account"] == account]
        return row

    def opened(self, account: str) -> tuple[str, str | None]:
        """The tokens that are stored."""
        access, refresh = self.queue.one(
            "select t.access_token, t.refresh_token from send_tokens t join send_accounts a on a.id = t.account_id "
            "where a.name = %s", account,
        )  # fmt: skip
        vault = Vault(self.env)
        return vault.open(access), vault.open(refresh) if refresh else None

    def is_good(self, account: str, provider: str | None = None) -> bool:
        """Whether the provider honours the access token that is stored."""
        return self.sandbox.tokens(provider or account).honours(self.opened(account)[0])

    def status(self, account: str) -> tuple[str, str | None]:
        status, reason = self.queue.one("select status, status_reason from send_accounts where name = %s", account)
        return status, reason


@contextmanager
def keyring(conn: Connection, folder: Path) -> Iterator[Keyring]:
    now = [AT]
    with Sandbox(folder / "journal.jsonl", sync=False, clock=lambda: now[0]) as sandbox:
        where = dict.fromkeys(
            ("X_BASE_URL", "LINKEDIN_OAUTH_URL", "BLUESKY_BASE_URL", "FACEBOOK_BASE_URL"), sandbox.url
        )
        env = {**where, **CLIENTS, "SEND_QUEUE_TOKEN_KEYS": new_key()}
        renewers = Renewers(env)
        try:
            yield Keyring(Queue(conn), sandbox, env, renewers, now)
        finally:
            renewers.close()
