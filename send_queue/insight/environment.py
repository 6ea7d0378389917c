"""Check what the accounts' providers need of this environment, and probe the providers without sending."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Literal, TypeAlias

from send_queue.model import ConfigurationError, ProbeResult
from send_queue.providers import Providers, installed
from send_queue.providers.probe import probe_of
from send_queue.rules.vault import VARIABLE
from send_queue.store import AccountInUse

Severity: TypeAlias = Literal["wrong", "worth knowing"]

MAX_FINDINGS = 20
"""Causes listed; the rest are counted."""

PROBES_SECONDS = 60.0
"""Begin no probe later than this after the first."""

GRACE_SECONDS = 30.0
"""Wait so long for probes that have begun."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: `what` is a sentence, `mend` a command or SQL."""

    check: str
    severity: Severity
    what: str
    mend: str


# --- the environment --------------------------------------------------------------------------------------


def check(accounts: Sequence[AccountInUse], env: Mapping[str, str]) -> Iterator[Finding]:
    """Ask each account's provider for what is missing; report each cause once, with its accounts.

    `wrong`: sends of an active account wait for it.
    """
    causes: dict[tuple[str, str], list[AccountInUse]] = defaultdict(list)
    with closing(Providers(env)) as providers:
        for account in accounts:
            for error in _errors(account, providers, env):
                cause, _, remedy = error.rstrip(".").partition(": ")
                if not cause.startswith(VARIABLE):  # the check of tokens has it
                    causes[cause, _command(cause, remedy)].append(account)
    findings = [_finding(cause, mend, found) for (cause, mend), found in causes.items()]
    yield from findings[:MAX_FINDINGS]
    if more := findings[MAX_FINDINGS:]:
        severity: Severity = "wrong" if any(finding.severity == "wrong" for finding in more) else "worth knowing"
        yield Finding("environment", severity, f"{len(more):,} more of this kind are not listed.", "send-queue doctor")


def _errors(account: AccountInUse, providers: Providers, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the configuration errors of an account. A provider that has no `check`, or cannot be made, is asked for the
    name of its secret."""
    send = account.send
    check = None
    try:
        check = getattr(providers.serving(send.provider, send.channel), "check", None)
    except ConfigurationError as error:
        yield str(error)
    if check is None:
        variable = send.secret_env
        if variable is None and send.token is None:
            variable = getattr(installed.provider(send.provider), "secret", None)
        if variable and not env.get(variable, "").strip():
            yield f"{variable} is not set: set it to the secret of the account {send.account}."
        return
    try:
        check(send)
    except ConfigurationError as error:
        yield str(error)
    except Exception as error:  # a provider of others
        yield f"The provider {send.provider} cannot be asked ({type(error).__name__}): mend or reinstall its package."


def _command(cause: str, remedy: str) -> str:
    variable = re.match(r"([A-Z][A-Z0-9_]*) is not set$", cause)
    return f"export {variable[1]}=…" if variable else remedy


def _finding(cause: str, mend: str, accounts: Sequence[AccountInUse]) -> Finding:
    others = f" and {len(accounts) - 1:,} more" if len(accounts) > 1 else ""
    waiting = sum(account.waiting for account in accounts)
    wait = {0: "nothing waits", 1: "1 send waits"}.get(waiting, f"{waiting:,} sends wait")
    wrong = any(account.waiting and account.status == "active" for account in accounts)
    what = f"{cause} (account {accounts[0].label}{others}, provider {accounts[0].send.provider}), and {wait} for it."
    return Finding("environment", "wrong" if wrong else "worth knowing", what, mend)


# --- probes -----------------------------------------------------------------------------------------------


def probe(
    accounts: Sequence[AccountInUse], env: Mapping[str, str], seconds: float = PROBES_SECONDS
) -> list[tuple[AccountInUse, ProbeResult]]:
    """Probe all accounts, in their order: providers at once, the accounts of one in turn. Sends nothing."""
    late = ProbeResult("unknown", f"{seconds:.0f} seconds were over")
    results: SimpleQueue[tuple[int, ProbeResult]] = SimpleQueue()
    until = time.monotonic() + seconds
    by_provider: dict[str, list[tuple[int, AccountInUse]]] = defaultdict(list)
    for place, account in enumerate(accounts):
        by_provider[account.send.provider].append((place, account))

    def work(mine: Sequence[tuple[int, AccountInUse]]) -> None:
        with closing(Providers(env)) as providers:
            for place, account in mine:
                results.put((place, _probe(providers, account) if time.monotonic() < until else late))

    for mine in by_provider.values():
        Thread(target=work, args=(mine,), daemon=True).start()
    found: dict[int, ProbeResult] = {}
    while len(found) < len(accounts):
        try:
            place, result = results.get(timeout=max(0.0, until + GRACE_SECONDS - time.monotonic()))
        except Empty:
            break
        found[place] = result
    return [(account, found.get(place, late)) for place, account in enumerate(accounts)]


def _probe(providers: Providers, account: AccountInUse) -> ProbeResult:
    try:
        provider = providers.serving(account.send.provider, account.send.channel)
    except ConfigurationError as error:
        return ProbeResult("unknown", str(error).rstrip("."))
    return probe_of(provider, account.send)
