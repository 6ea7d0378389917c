"""Renew the tokens that will end, each by one run at a time, and lose none that the provider lets be saved.

    end    who has a token that is over, and nothing to renew it with, is disconnected and says so
    take   one short transaction: what is due first gets a lease, in its row
    ask    no transaction is open: the provider is shown the old tokens and gives new ones (providers/oauth.py)
    keep   one short transaction: the new ones are sealed and stored, and only then does anybody use them;
           or it is put off; or it was refused for good, and the account is disconnected and says so

What can be lost lies between the provider's answer and the commit. A run that was killed there, or never got the
answer, leaves a lease, and whoever takes it next shows the old tokens once more. Providers that keep them, or honour
them for a while, answer again. One whose refresh tokens can be used once refuses: that is the loss. While the database
is away, the new tokens are held on to as long as the lease lasts.
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
"""How long a run that took tokens in hand is believed to be at work: a call, and then to store what it answered."""

AGAIN = timedelta(minutes=5)
"""How long a renewal that did not come off waits, where the provider names no time. A third of the shortest life, two
hours, is forty minutes: there are several tries in it."""


MAX_SILENT_RENEWALS = 3
"""How often in a row a provider may give no answer before the run leaves the rest of its accounts to the next: each
costs as long as a call can last."""


MAX_RENEWALS = 10_000
"""Renewals of one run at the most; the next run renews the rest."""


@dataclass(frozen=True, slots=True)
class RenewalResult:
    """What became of one account's renewal. `code` and `message` say why it did not come off; no token is in them."""

    account: str
    provider: str
    became: Literal["renewed", "put_off", "disconnected", "superseded"]
    code: str | None = None
    message: str | None = None

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RenewalFilter:
    """Which tokens are renewed: what is due, or what ends within a time; of everybody, or of one account."""

    within: timedelta | None = None
    account: str | None = None
    workspace: str | None = None


@dataclass
class TokenRenewal:
    """One run over the tokens. `env` has the keys of the seals, and our clients' secrets."""

    database: Database
    renewers: Renewers
    env: Mapping[str, str]
    stop: Event = field(default_factory=Event)
    missing_config: ConfigurationError | None = None
    """What this environment has not, where it kept something from being renewed; the others had their turn."""

    def run(self, want: RenewalFilter) -> Iterator[RenewalResult]:
        """Renew all that is wanted, one after the other, and tell of each. Runs may overlap."""
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
        """Show the provider what is stored. Where something is lacking here it is put off, and said at the end."""
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
        """Write down what became of it, before anything else is done."""
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
        """Say at the end that a provider refuses our app, so that none of its tokens is renewed."""
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
        """Write while the lease lasts, on new connections if need be: the provider may give these tokens only once."""
        return self.database.call(write, RENEWAL_LEASE.total_seconds())


def _put_off(conn: Connection, taken: Json, not_now: NotNow, at: datetime | None) -> bool:
    return store.defer_token(
        conn, *_lease(taken), not_now.code, not_now.detail, not_now.after or AGAIN,
        taken["doubtful"] or not_now.answer_lost, at,
    )  # fmt: skip


def _lease(taken: Json) -> tuple[UUID, datetime]:
    return UUID(taken["account_id"]), datetime.fromisoformat(taken["renewing_since"])


def _refused(taken: Json, refused: Refused) -> tuple[str, str]:
    """The code and the words of a refusal: was it what the provider has done with these tokens, or an answer that we
    never got?"""
    name = shlex.quote(taken["account"])
    if taken["workspace"] != "default":
        name += f" --workspace {shlex.quote(taken['workspace'])}"
    mend = (
        f"Connect it again, give what it is granted to `send-queue tokens set {name}`, then"
        f" `send-queue resume account {name}`."
    )
    old_ones = {"gone": "can be used once", "grace": "were good for a while only"}
    if taken["doubtful"] and (were := old_ones.get(RULES[taken["provider"]].once_used)):
        return "token_lost", f"An answer with new tokens was lost, and the old ones {were} ({refused.detail}). {mend}"
    return refused.code, f"The provider does not renew its tokens any more ({refused.detail}). {mend}"


# --- keys -------------------------------------------------------------------------------------------------


def reseal(conn: Connection, vault: Vault) -> Counter[str]:
    """Seal all tokens with the vault's first key; counts those that were `resealed`, and those that were `renewed`
    meanwhile by somebody else. Raises `ConfigurationError` where no key opens one; what was resealed stays so."""
    counts: Counter[str] = Counter()
    for account_id, access_token, refresh_token in store.sealed_tokens(conn):
        anew = vault.reseal(refresh_token) if refresh_token else None
        done = store.reseal_token(conn, account_id, access_token, vault.reseal(access_token), anew)
        counts["resealed" if done else "renewed"] += 1
    return counts
