"""Renew tokens before they end, each by one run at a time.

    end    disconnect accounts whose token ended and cannot be renewed
    take   one short transaction: lease the renewal that is due first
    ask    no open transaction: show the provider the old tokens, get new ones (providers/oauth)
    keep   one short transaction: seal and store the new ones, before any use; or defer the renewal; or, if it is
           refused for good, disconnect the account

Tokens can be lost only between the provider's answer and the commit. A run killed there leaves its lease, and the next
holder shows the old tokens again. Providers that still take them answer; one whose refresh tokens serve once refuses,
and the tokens are lost. While the database is unreachable, a run keeps new tokens for the rest of its lease.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Literal, assert_never
from uuid import UUID

from send_queue import store
from send_queue.model import ConfigurationError, Json, clock
from send_queue.providers.oauth.errors import NotNow, Refused, Renewal, Renewed
from send_queue.providers.oauth.renew import LIMITS, RULES, Granted, Renewers
from send_queue.rules.vault import Vault
from send_queue.store import Connection, Database

RENEWAL_LEASE = timedelta(minutes=3)
"""A run's lease of a renewal: time for one call and for storing its answer."""

AGAIN = timedelta(minutes=5)
"""The wait after a failed renewal, unless the provider names one. A third of the shortest life, two hours, has room for
eight tries."""

MAX_SILENT_RENEWALS = 3
"""Leave a provider's other accounts to the next run after so many calls in a row without an answer: each takes the
longest time."""

MAX_RENEWALS = 10_000
"""The most renewals of one run; the next run renews the rest."""


@dataclass(frozen=True, slots=True)
class RenewalResult:
    """The result of one account's renewal, with the error's `code` and `message`, which hold no token."""

    account: str
    provider: str
    became: Literal["renewed", "put_off", "disconnected", "superseded"]
    code: str | None = None
    message: str | None = None

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RenewalFilter:
    """Renew what is due, or what ends `within` a time; of all accounts or of one."""

    within: timedelta | None = None
    account: str | None = None
    workspace: str | None = None


@dataclass
class TokenRenewal:
    """One run of renewals. `env` has the sealing keys and our clients' secrets."""

    database: Database
    renewers: Renewers
    env: Mapping[str, str]
    stop: Event = field(default_factory=Event)
    missing_config: ConfigurationError | None = None
    """The first configuration error; it stops only its own accounts."""

    def run(self, want: RenewalFilter) -> Iterator[RenewalResult]:
        """Renew one after the other, and yield each result. Runs may overlap."""
        for row in store.end_tokens(self.database.conn, self.database.now()):
            yield RenewalResult(row["account"], row["provider"], "disconnected", row["code"], row["message"])
        tried: list[UUID] = []
        unanswered: Counter[str] = Counter()
        for _ in range(MAX_RENEWALS):
            if self.stop.is_set():
                return
            leave_by = clock() + RENEWAL_LEASE.total_seconds() - LIMITS.total
            away = [provider for provider, times in unanswered.items() if times >= MAX_SILENT_RENEWALS]
            taken = store.take_token(
                self.database.conn, RENEWAL_LEASE, want.within, want.account, want.workspace, tried, away,
                self.database.now(),
            )  # fmt: skip
            if taken is None:
                return
            renewal = self._ask(taken, leave_by)
            tried.append(UUID(taken["account_id"]))
            silent = isinstance(renewal, NotNow) and not renewal.answered
            unanswered[taken["provider"]] = unanswered[taken["provider"]] + 1 if silent else 0
            yield self._settle(taken, renewal)

    def _ask(self, taken: Json, leave_by: float) -> Renewal:
        """Show the provider the stored tokens. Defer the renewal if this environment lacks something."""
        try:
            vault = Vault(self.env)
            refresh_token = taken["refresh_token"]
            return self.renewers.renew(
                Granted(
                    provider=taken["provider"],
                    access_token=vault.open(taken["access_token"]),
                    refresh_token=vault.open(refresh_token) if refresh_token else None,
                    at=datetime.fromisoformat(taken["renewing_since"]),
                    settings=taken["settings"],
                    leave_by=leave_by,
                )
            )
        except ConfigurationError as error:
            self.missing_config = self.missing_config or error
            return NotNow("configuration", str(error))

    def _settle(self, taken: Json, renewal: Renewal) -> RenewalResult:
        """Store the result, before anything else."""
        match renewal:
            case Renewed():
                kept = self._store(lambda conn, at: self._keep(conn, taken, renewal, at))
                return RenewalResult(taken["account"], taken["provider"], "renewed" if kept else "superseded")
            case NotNow(code, message):
                if code == "client_refused":
                    self._refuse(taken["provider"], taken["account"])
                self._store(lambda conn, at: _put_off(conn, taken, renewal, at))
                return RenewalResult(taken["account"], taken["provider"], "put_off", code, message)
            case Refused():
                code, message = _refused(taken, renewal)
                ours = self._store(lambda conn, _: store.token_refused(conn, *_lease(taken), code, message))
                return RenewalResult(
                    taken["account"], taken["provider"], "disconnected" if ours else "superseded", code, message
                )
        assert_never(renewal)

    def _refuse(self, provider: str, account: str) -> None:
        """Report at the end that a provider refuses our app."""
        client = RULES[provider].client
        if client is not None:
            self.missing_config = self.missing_config or ConfigurationError(
                f"The provider {provider} refuses the app that renews the tokens of {account} and others: put the right"
                f" {client}_CLIENT_ID and {client}_CLIENT_SECRET into the environment of `tokens refresh`."
            )

    def _keep(self, conn: Connection, taken: Json, renewed: Renewed, at: datetime | None) -> bool:
        vault, rule = Vault(self.env), RULES[taken["provider"]]
        refresh_token = vault.seal(renewed.refresh_token) if renewed.refresh_token else None
        if refresh_token is None and rule.once_used == "stays":
            refresh_token = taken["refresh_token"]
        return store.store_token(
            conn,
            UUID(taken["account_id"]),
            datetime.fromisoformat(taken["refreshed_at"]),
            vault.seal(renewed.access_token),
            refresh_token,
            renewed.lasts or rule.life,
            renewed.refresh_lasts or (rule.refresh_life if rule.once_used != "stays" else None),
            rule.can_renew(refresh_token),
            at,
        )

    def _store(self, write: Callable[[Connection, datetime | None], bool]) -> bool:
        """Retry the write while the lease lasts, on new connections too: the provider may give tokens only once."""
        return self.database.call(write, RENEWAL_LEASE.total_seconds())


def _put_off(conn: Connection, taken: Json, not_now: NotNow, at: datetime | None) -> bool:
    return store.defer_token(
        conn, *_lease(taken), not_now.code, not_now.detail, not_now.after or AGAIN,
        taken["doubtful"] or not_now.answer_lost, at,
    )  # fmt: skip


def _lease(taken: Json) -> tuple[UUID, datetime]:
    return UUID(taken["account_id"]), datetime.fromisoformat(taken["renewing_since"])


def _refused(taken: Json, refused: Refused) -> tuple[str, str]:
    """Return the code and message of a refusal, which a lost answer may have caused."""
    name = shlex.quote(taken["account"])
    if taken["workspace"] != "default":
        name += f" --workspace {shlex.quote(taken['workspace'])}"
    mend = (
        f"Connect it again, give the new tokens to `send-queue tokens set {name}`, then"
        f" `send-queue resume account {name}`."
    )
    old_ones = {"gone": "can be used once", "grace": "were good for a while only"}
    if taken["doubtful"] and (were := old_ones.get(RULES[taken["provider"]].once_used)):
        return "token_lost", f"An answer with new tokens was lost, and the old ones {were} ({refused.detail}). {mend}"
    return refused.code, f"The provider no longer renews its tokens ({refused.detail}). {mend}"


# --- keys -------------------------------------------------------------------------------------------------


def reseal(conn: Connection, vault: Vault) -> Counter[str]:
    """Seal all tokens with the vault's first key; count the `resealed`, and those that another run `renewed` meanwhile.

    Raises `ConfigurationError` if no key opens one; those resealed before stay so."""
    counts: Counter[str] = Counter()
    for account_id, access_token, refresh_token in store.sealed_tokens(conn):
        anew = vault.reseal(refresh_token) if refresh_token else None
        done = store.reseal_token(conn, account_id, access_token, vault.reseal(access_token), anew)
        counts["resealed" if done else "renewed"] += 1
    return counts
