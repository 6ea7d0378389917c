"""The secret of an account: its own token, sealed in the database, or a variable of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from send_queue.model import Claimed, ConfigurationError, Hold, clock
from send_queue.rules.vault import Vault

TRY_AGAIN = timedelta(minutes=15)
"""The wait of an account after a refused secret: mail servers lock out clients that fail more often."""


def secret_of(send: Claimed, env: Mapping[str, str], default: str | None = None) -> str:
    """Return an account's secret: its token, else the variable of its `secret_env`, else `default`, the provider's
    common variable.

    Raises `ConfigurationError`, which names the variable, without a secret, or for one that no header can carry.
    """
    if send.token is not None and send.secret_env is None:
        return Vault(env).open(send.token)
    variable = send.secret_env or default
    if variable is None:
        raise ConfigurationError(
            f"The account {send.account} has no token: give it one with `send-queue tokens set {send.account}`,"
            " or name the variable that holds its secret with `send-queue account set --secret-env`."
        )
    secret = env.get(variable, "").strip()
    if not secret or not (secret.isascii() and secret.isprintable()):
        what = "holds characters that no secret has" if secret else "is not set"
        raise ConfigurationError(f"{variable} {what}: set it to the secret of the account {send.account}.")
    return secret


def variable_of(send: Claimed, default: str | None = None) -> str | None:
    """Return the variable of `secret_of`; None: the secret is the account's own token."""
    if send.token is not None and send.secret_env is None:
        return None
    return send.secret_env or default


def refused(hold: Hold, variable: str | None) -> Hold:
    """Return the hold for a refused secret: one in a variable is a configuration error, and retried; an own token needs
    a person."""
    if variable is None:
        return replace(hold, scope="account", after=None, ceiling=None)
    return replace(hold, scope="account", after=TRY_AGAIN, ceiling=None, secret=variable)


class Refusals:
    """The secrets that a provider refused in this run: they are not shown again for the next account."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[Hold, float]] = {}

    def known(self, *shown: str) -> Hold | None:
        """Return the earlier refusal of this server, user and secret; None: there was none lately."""
        hold, since = self._known.get(shown, (None, 0.0))
        return hold if clock() - since < TRY_AGAIN.total_seconds() else None

    def note(self, outcome: object, *shown: str) -> None:
        """Remember an outcome that refuses them."""
        if isinstance(outcome, Hold) and outcome.secret is not None:
            self._known[shown] = outcome, clock()
