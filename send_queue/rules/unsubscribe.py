"""Unsubscribe links: a token that only this installation can make and read names the recipient.

A mail carries `https://…/v1.TOKEN` in its List-Unsubscribe header, and the recipient's mail program POSTs there
(RFC 8058). The token names workspace, channel and recipient. It is encrypted, since URLs end up in logs, and signed,
since otherwise anyone could suppress anyone: Fernet of the package cryptography (AES-128-CBC under HMAC-SHA256,
compared in constant time). It never expires: links in old mails must work.

SEND_QUEUE_UNSUBSCRIBE_KEY holds keys separated by commas: the first makes tokens, all open them. Dropping a key breaks
the links made with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from send_queue.model import ConfigurationError, UserError

KEY = "SEND_QUEUE_UNSUBSCRIBE_KEY"
URL = "SEND_QUEUE_UNSUBSCRIBE_URL"

VERSION = "v1."
"""The prefix of this form of tokens, which leaves room for another form."""


class Tokens:
    """Make and open tokens.

    Raises `ConfigurationError` without a valid key in the environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # late: slow to import

        keys = [key.strip() for key in env.get(KEY, "").split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(f"{KEY} is not set: create a key with `send-queue tokens key`.")
        try:
            self._keys = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(f"{KEY} is not a valid key: create one with `send-queue tokens key`.") from None

    def token(self, workspace_id: UUID, channel: str, recipient: str) -> str:
        """Make a token for a URL, of letters, digits, `-`, `_`, `=` and `.`; it differs each time."""
        said = workspace_id.bytes + channel.encode() + b"\0" + recipient.encode()
        return VERSION + self._keys.encrypt(said).decode()

    def open(self, token: str) -> tuple[UUID, str, str]:
        """Return the workspace's id, the channel and the recipient. Raises `UserError` if no key made the token."""
        from cryptography.fernet import InvalidToken

        sealed = token.strip().removeprefix(VERSION)
        try:
            if sealed == token.strip():
                raise InvalidToken
            said = self._keys.decrypt(sealed.encode())
            channel, _, recipient = said[16:].decode().partition("\0")
            return UUID(bytes=said[:16]), channel, recipient
        except (InvalidToken, ValueError):
            raise UserError(
                f"No key opens the token: copy the whole last part of the link, and check that {KEY} still has the key"
                " that made it."
            ) from None


def open(env: Mapping[str, str], token: str) -> tuple[UUID, str, str]:  # noqa: A001 — as `vault` has it; called by its module's name
    """Open a token with the environment's keys. Raises as `Tokens` does."""
    return Tokens(env).open(token)
