"""May this rehearsal begin? It may call this machine only, so all that it could call is looked at before it claims."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from send_queue import store
from send_queue.model import ConfigurationError
from send_queue.providers import Providers, hosts_of
from send_queue.providers.reach import host_of, refuse, rehearses
from send_queue.store import Connection, Filters


def check_run(conn: Connection, env: Mapping[str, str], providers: Providers, filters: Filters) -> None:
    """Raise `ConfigurationError` where a run that rehearses could call something beyond this machine.

    A provider that cannot be made here calls nothing; one that does not say where it calls is refused.
    """
    if not rehearses(env):
        return
    for send in store.destinations(conn, filters):
        who = f"the account {send.account} ({send.provider})"
        try:
            hosts = hosts_of(providers.serving(send.provider, send.channel), send)
        except ConfigurationError:
            continue
        for host in [""] if hosts is None else hosts:
            refuse(host, who)


def check_renewals(conn: Connection, env: Mapping[str, str], at: datetime | None) -> None:
    """Raise `ConfigurationError` where a renewal of tokens that is rehearsed would call beyond this machine."""
    if not rehearses(env):
        return
    from send_queue.providers.oauth.renew import RULES, place

    tokens = {(row["workspace"], row["account"]) for row in store.tokens(conn, at)}
    for account in store.listed(conn, "account"):
        rule = RULES.get(account["provider"])
        if (account["workspace"], account["name"]) in tokens and rule is not None and rule.renew is not None:
            who = f"the account {account['name']} ({account['provider']})"
            try:
                url = place(account["provider"], env, account["settings"])
            except ConfigurationError:
                continue
            refuse(host_of(url), who)
