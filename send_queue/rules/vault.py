"""Seal secrets with a key from the environment, so that the table reveals nothing.

SEND_QUEUE_TOKEN_KEYS holds keys separated by commas: the first seals, all open. To change the key, put the new one in
front, run `send-queue tokens reseal`, and drop the old one.
"""

from __future__ import annotations

from collections.abc import Mapping

from send_queue.model import ConfigurationError

VARIABLE = "SEND_QUEUE_TOKEN_KEYS"


class Vault:
    """Seal and open texts, by Fernet (AES-128-CBC with HMAC-SHA256) of the package cryptography.

    Raises `ConfigurationError` without a valid key in the environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # late: slow to import

        keys = [key.strip() for key in env.get(VARIABLE, "").split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(f"{VARIABLE} is not set: create a key with `send-queue tokens key`.")
        try:
            self._keys = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                f"{VARIABLE} is not a valid key: create one with `send-queue tokens key`."
            ) from None

    def seal(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Open a sealed text. Raises `ConfigurationError` if none of the keys sealed it."""
        from cryptography.fernet import InvalidToken

        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                f"No key in {VARIABLE} opens a stored token: add the key that sealed it."
            ) from None

    def reseal(self, sealed: str) -> str:
        """Seal a sealed text anew with the first key. Raises as `open`."""
        return self.seal(self.open(sealed))


def new_key() -> str:
    """Make a key for SEND_QUEUE_TOKEN_KEYS."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
