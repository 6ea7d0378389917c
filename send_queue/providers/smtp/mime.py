"""A mail as bytes: ASCII with CRLF, headers folded here."""

from __future__ import annotations

from send_queue.model import Claimed
from send_queue.providers.mail import Mail, in_ascii


def message_id(send: Claimed, sender: str) -> str:
    """Return the Message-ID, equal on each attempt, so that duplicates are recognisable."""
    return f"<{send.send_id}@{sender.rpartition('@')[2] or 'send-queue.invalid'}>"


def message(send: Claimed, mail: Mail) -> bytes:
    """Write the mail in ASCII with CRLF, before dot-stuffing."""
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime

    body = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    body.set_content(mail.text)
    if mail.html is not None:
        body.add_alternative(mail.html, subtype="html")
    # Fold headers here: the package loses spaces between encoded words (RFC 2047), and encodes long links.
    headers = [
        ("Message-ID", message_id(send, mail.sender)),
        ("Date", format_datetime(send.started_at)),
        ("From", _mailbox(mail.sender_name, mail.sender)),
        ("To", mail.to),
        *([("Reply-To", mail.reply_to)] if mail.reply_to is not None else []),
        ("Subject", in_ascii("Subject", mail.subject)),
        *mail.unsubscribe,
        *((name, in_ascii(name, value)) for name, value in mail.headers),
    ]
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii") + body.as_bytes()


def _mailbox(name: str, address: str) -> str:
    from email.utils import formataddr

    return formataddr((name, address)) if name.isascii() else f"{in_ascii('From', name)} <{address}>"
