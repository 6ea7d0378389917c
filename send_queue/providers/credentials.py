"""Which secret does an account send with? Its own token, sealed in the database, or a variable of the environment."""

from __future__ import annotations

from collections.abc import Mapping

from send_queue.model import Claimed, ConfigurationError
from send_queue.vault import Vault


def secret_of(send: Claimed, env: Mapping[str, str], default: str | None = None) -> str:
    """The secret that an account's provider is to be shown: its token where it has one, else what the variable named
    by `secret_env` holds, else that of `default`, the variable that all accounts of the provider share.

    Raises `ConfigurationError`, which names the variable, where there is none, or one that no header can carry.
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
