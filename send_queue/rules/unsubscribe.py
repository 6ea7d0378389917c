"""Links that end a subscription: who is to be left alone, in a token that only this installation can make and read.

A mail carries `https://…/v1.TOKEN` in its List-Unsubscribe header, and the mail program of whoever wants no more of it
POSTs there (RFC 8058). The token names the workspace, the channel and the recipient. It is encrypted, for addresses in
URLs end in the logs of everybody on the way, and signed, for else anyone could silence anyone: Fernet of the package
cryptography, which is AES-128-CBC under HMAC-SHA256, compared in constant time. It does not end: a link in an old mail
must work.

SEND_QUEUE_UNSUBSCRIBE_KEY holds one key or several, separated by commas: the first makes tokens, all of them open. A
key that is dropped kills the links that it made.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from send_queue.model import ConfigurationError, UserError

KEY = "SEND_QUEUE_UNSUBSCRIBE_KEY"
URL = "SEND_QUEUE_UNSUBSCRIBE_URL"

VERSION = "v1."
"""What tokens of this form begin with, so that another form can stand beside them."""


class Tokens:
    """Makes tokens and opens them.

    Raises `ConfigurationError` where the environment has no key, or one that is none.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # dear: imported where a link is really made

        keys = [key.strip() for key in env.get(KEY, "").split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(f"{KEY} is not set: set it to a key made by `send-queue tokens key`.")
        try:
            self._keys = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                f"{KEY} holds something that is no key: set it to one made by `send-queue tokens key`."
            ) from None

    def token(self, workspace_id: UUID, channel: str, recipient: str) -> str:
        """A token for a URL: letters, digits, `-`, `_`, `=` and `.`; another one each time."""
        said = workspace_id.bytes + channel.encode() + b"\0" + recipient.encode()
        return VERSION + self._keys.encrypt(said).decode()

    def open(self, token: str) -> tuple[UUID, str, str]:
        """The workspace's id, the channel and the recipient. Raises `UserError` for what none of the keys has made."""
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
                f"The token is not one of ours: copy the whole last part of the link, and see that {KEY} still has the"
                " key that made it."
            ) from None


def open(env: Mapping[str, str], token: str) -> tuple[UUID, str, str]:  # noqa: A001 — as `vault` has it; called by its module's name
    """Whom a token of a link names: the workspace's id, the channel and the recipient. Raises as `Tokens` does."""
    return Tokens(env).open(token)
