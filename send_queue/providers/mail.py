"""What is a mail? A send of the channel `email` and its account's settings, checked and put together, for any provider.

    the send      recipient, subject, message (the text); payload: html, headers
    the settings  from, from_name, reply_to, html, unsubscribe_url: of the account, or of its place in the campaign
    the links     List-Unsubscribe and List-Unsubscribe-Post (RFC 8058), where there is a key and an address for them

What is wrong with one mail is Failed. What is wrong with the settings is Hold, for the next mail would fail as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from send_queue.model import Claimed, Failed, Hold, Retry
from send_queue.providers.address import base_url, checked_url
from send_queue.providers.intermediary import MAX_LANE_HOLDS, tries_that_did_not_count
from send_queue.rules import unsubscribe
from send_queue.rules.recipients import address

NOT_OURS = frozenset({
    "bcc", "cc", "content-transfer-encoding", "content-type", "date", "dkim-signature", "from", "message-id",
    "mime-version", "received", "reply-to", "return-path", "sender", "subject", "to", "x-sg-eid", "x-sg-id",
})  # fmt: skip
"""Headers that nobody may set by hand, in lower case: those that SendGrid refuses, and those that say who sent what."""

MAX_HEADER_CHARS = 900
"""Characters of a header's value. A line of a mail has 998 at the most (RFC 5322)."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. Addresses are ASCII; everything else is text as people write it, on one line each but for
    `text` and `html`.

    unsubscribe   the two headers of RFC 8058, or none: the only thing beside `to` that differs within a mailing
    """

    to: str
    sender: str
    sender_name: str
    reply_to: str | None
    subject: str
    text: str
    html: str | None
    headers: tuple[tuple[str, str], ...]
    unsubscribe: tuple[tuple[str, str], ...]


class Mails:
    """Makes mails of sends.

    Raises `ConfigurationError` where the environment has a wrong address or key for links to unsubscribe by; where it
    has none, mails have no such link.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._tokens = unsubscribe.Tokens(env) if env.get(unsubscribe.KEY, "").strip() else None
        self._url = base_url(env, unsubscribe.URL) if env.get(unsubscribe.URL, "").strip() else None

    def of(self, send: Claimed) -> Mail | Failed | Hold | Retry:
        """The mail, or why there is none. Raises `ConfigurationError` as the constructor does, for an account's own
        address for links."""
        to = address(send.recipient)
        if to is None:
            return Failed("invalid_recipient", "The recipient is not a mail address such as ana@example.com.")
        subject = one_line(send.subject or "")
        if not subject:
            return Failed("subject_missing", "The mail has no subject: give it one when it is enqueued.")
        html = send.payload.get("html", send.settings.get("html"))
        if html is not None and not isinstance(html, str):
            return Failed("invalid_payload", "payload.html must be a text.")
        headers = _headers(send.payload.get("headers"))
        if isinstance(headers, Failed):
            return headers
        sender = _setting(send, "from", required=True)
        reply_to = _setting(send, "reply_to", required=False)
        if isinstance(sender, Hold | Retry):
            return sender
        if isinstance(reply_to, Hold | Retry):
            return reply_to
        return Mail(
            to, sender or "", one_line(str(send.settings.get("from_name") or "")), reply_to, subject, send.message,
            html or None, headers, self._unsubscribe(send, headers),
        )  # fmt: skip

    def _unsubscribe(self, send: Claimed, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The headers of RFC 8058; none where the mail brings its own, for there may be only one."""
        own = send.settings.get("unsubscribe_url")
        url = checked_url(str(own), f"The setting unsubscribe_url of the account {send.account}") if own else self._url
        if self._tokens is None or url is None or send.workspace_id is None:
            return ()
        if any(name.lower() == "list-unsubscribe" for name, _ in headers):
            return ()
        link = f"<{url}/{self._tokens.token(send.workspace_id, send.channel, send.recipient)}>"
        return ("List-Unsubscribe", link), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


# --- what a mail is made of -------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """A text for a header: a line break in it would begin another header.

    >>> one_line("Hello\\r\\nBcc: all@example.com ")
    'Hello Bcc: all@example.com'
    """
    return "".join(filter(str.isprintable, " ".join(text.split())))


def _setting(send: Claimed, name: str, *, required: bool) -> str | Hold | Retry | None:
    """An address of the settings.

    A wrong one holds the lane, for the next mail has the same. But it may be that of one campaign only, for which the
    others would wait for ever: a mail makes way after `MAX_LANE_HOLDS` holds.
    """
    given = send.settings.get(name)
    if given is None and not required:
        return None
    found = address(given)
    if found is not None:
        return found
    code = f"{name}_missing" if given is None else f"{name}_invalid"
    what = f"has no {name}-address" if given is None else f"has a setting {name} that is not a mail address"
    detail = (
        f"The account {send.account} {what}: give it one with"
        f" `send-queue account set {send.account} --set {name}=you@example.com`, or for the campaign alone with"
        f" `send-queue campaign set {send.campaign} --set {send.account}:{name}=you@example.com`."
    )
    if tries_that_did_not_count(send) >= MAX_LANE_HOLDS:
        return Retry(code, detail)
    return Hold("lane", code, detail, after=timedelta(minutes=15))


def _headers(given: object) -> tuple[tuple[str, str], ...] | Failed:
    """The headers that the payload adds."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        return Failed("invalid_headers", 'payload.headers must be an object such as {"X-Campaign": "fall"}.')
    for name, value in given.items():
        if not re.fullmatch(r"[!-9;-~]{1,76}", name):
            return Failed("invalid_headers", "payload.headers has a name that no header can have.")
        if name.lower() in NOT_OURS:
            return Failed("invalid_headers", f"payload.headers may not set {name}: settings and columns say that.")
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > MAX_HEADER_CHARS:
            return Failed(
                "invalid_headers", f"The header {name} must be one line of text, {MAX_HEADER_CHARS} characters at most."
            )
    return tuple(given.items())


def in_ascii(name: str, value: str, fold: str = "\r\n ") -> str:
    """A header's value as it may stand in a mail: ASCII as it is, unless it is too long for a line; all else in the
    words of RFC 2047, parted by `fold`."""
    if value.isascii() and len(value) <= MAX_HEADER_CHARS:
        return value
    from email.header import Header

    return Header(value, "utf-8", header_name=name).encode().replace("\n ", fold)
