"""Secrets at rest: sealed by a key of the environment's, so that the table that holds them says nothing.

SEND_QUEUE_TOKEN_KEYS holds one key or several, separated by commas: the first seals, all of them open. So a key is
changed by putting the new one in front, sealing everything anew (`send-queue tokens reseal`), and dropping the old one.
"""

from __future__ import annotations

from collections.abc import Mapping

from send_queue.model import ConfigurationError

VARIABLE = "SEND_QUEUE_TOKEN_KEYS"


class Vault:
    """Seals and opens texts, by Fernet (AES-128-CBC with HMAC-SHA256) of the package cryptography.

    Raises `ConfigurationError` where the environment has no key, or one that is none.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # dear: imported where a token is really used

        keys = [key.strip() for key in env.get(VARIABLE, "").split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(f"{VARIABLE} is not set: set it to a key made by `send-queue tokens key`.")
        try:
            self._keys = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                f"{VARIABLE} holds something that is no key: set it to one made by `send-queue tokens key`."
            ) from None

    def seal(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text. Raises `ConfigurationError` where none of the keys has sealed it."""
        from cryptography.fernet import InvalidToken

        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(
                f"None of the keys in {VARIABLE} opens a token that is stored: add the key that sealed it."
            ) from None

    def reseal(self, sealed: str) -> str:
        """The same text, sealed by the first key. Raises as `open`."""
        return self.seal(self.open(sealed))


def new_key() -> str:
    """A new key, for SEND_QUEUE_TOKEN_KEYS."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
