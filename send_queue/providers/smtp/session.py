"""The SMTP conversation: connect, and hand over one mail. smtplib does all but the end.

    greeting, EHLO, STARTTLS, EHLO, AUTH        `connect`
    MAIL FROM, RCPT TO, DATA, the mail, "."     `hand_over`

A server must forget a mail without its final dot (RFC 5321, 4.1.1.4). So after any failure before the dot nothing went
out; after it only the server's reply counts. The dot is a write of its own, after a last check of the clock.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from send_queue.model import ConfigurationError
from send_queue.providers.http import LOOPBACK
from send_queue.providers.smtp.errors import Stage

if TYPE_CHECKING:
    # The first connection imports smtplib and ssl: an idle tick makes none.
    import smtplib


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server's address and user."""

    host: str
    port: int
    tls: bool
    """TLS from the first byte (smtps); else STARTTLS, which only a server on this machine may lack."""
    user: str | None

    @property
    def here(self) -> bool:
        """Whether it is on this machine, without a network between."""
        return self.host in LOOPBACK


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for the connection, each reply, the reply to the final dot, and the whole delivery.

    RFC 5321 (4.5.3.2.6) asks for ten minutes after the dot, but a stopped run has less than two: a mail becomes
    uncertain if the server takes longer than `dot`.
    """

    connect: float = 10.0
    reply: float = 30.0
    dot: float = 70.0
    total: float = 100.0


class Refused(Exception):
    """The server refused: the reply is not the expected one of the stage."""

    def __init__(self, stage: Stage, code: int, text: bytes | str) -> None:
        self.stage: Stage = stage
        self.code = code
        self.text = text if isinstance(text, str) else text.decode("utf-8", "replace")


class NotOffered(Exception):
    """The server lacks a requirement: `what` is `STARTTLS` or a login method."""

    def __init__(self, what: str) -> None:
        self.what = what


class Lost(Exception):
    """The connection broke after the dot, or its reply is unreadable: the server may have accepted the mail."""


class Gate(Protocol):
    """Decides whether there is still time."""

    def check(self) -> None:
        """Raise if it is too late to go on."""

    def leave(self) -> None:
        """Raise if it is too late; else note that the mail may be accepted from now on."""


def server_of(url: str, what: str) -> Server:
    """Read `smtp://user@host:587` or `smtps://user@host:465`; port and user are optional.

    Raises `ConfigurationError` with `what` in the message.

    >>> server_of("smtp://ana%40example.com@mail.example.com", "SMTP_URL")
    Server(host='mail.example.com', port=587, tls=False, user='ana@example.com')
    """
    example = "smtp://user@mail.example.com:587, or smtps:// with port 465 for TLS from the start"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        user = unquote(parts.username) if parts.username else None
    except ValueError:
        parts, host, port, user = urlsplit(""), "", None, None
    if parts.password is not None:
        raise ConfigurationError(
            f"{what} holds a password: set it to {example}, and the password in SMTP_PASSWORD or in the variable that"
            " the account's --secret-env names."
        )
    if (
        parts.scheme not in ("smtp", "smtps")
        or not re.fullmatch(r"[a-z0-9.-]+|::1", host)
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or (user is not None and not (user.isascii() and user.isprintable()))
    ):
        raise ConfigurationError(f"{what} is not a mail server's address: set it to {example}.")
    tls = parts.scheme == "smtps"
    return Server(host, port or (465 if tls else 587), tls, user)


def connect(server: Server, password: str | None, times: Times) -> smtplib.SMTP:
    """Connect, check the certificate, and log in.

    Raises `Refused`, `NotOffered`, `OSError` or `smtplib.SMTPException`: nothing of a mail has left.
    """
    import smtplib
    import ssl

    try:
        smtp: smtplib.SMTP
        # Give a name for EHLO: smtplib would resolve our own, which can take long.
        if server.tls:
            context = ssl.create_default_context()
            smtp = smtplib.SMTP_SSL(server.host, server.port, "localhost", timeout=times.connect, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, "localhost", timeout=times.connect)
    except smtplib.SMTPConnectError as error:
        raise Refused("hello", error.smtp_code, error.smtp_error) from None
    try:
        # Send the dot's packet at once, without waiting for the acknowledgement of the mail.
        if smtp.sock is not None:
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _patience(smtp, times.reply)
        smtp.local_hostname = _own_name(smtp)
        _greet(smtp)
        if not server.tls and not server.here:
            if not smtp.has_extn("starttls"):
                raise NotOffered("STARTTLS")
            try:
                smtp.starttls(context=ssl.create_default_context())
            except smtplib.SMTPResponseException as error:
                raise Refused("hello", error.smtp_code, error.smtp_error) from None
            _greet(smtp)
        if server.user is not None and password is not None:
            _log_in(smtp, server.user, password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def alive(smtp: smtplib.SMTP, times: Times) -> bool:
    """Whether a used connection still answers RSET, which also ends any open delivery."""
    import smtplib

    try:
        _patience(smtp, times.connect)
        code, _ = smtp.rset()
        _patience(smtp, times.reply)
    except (OSError, smtplib.SMTPException):
        return False
    return code == 250


def hand_over(smtp: smtplib.SMTP, sender: str, to: str, mail: bytes, gate: Gate, times: Times) -> str:
    """Hand over one mail; return the server's reply of acceptance.

    `mail` ends with a line break. Raises `Refused`, the gate's errors, `OSError` or `smtplib.SMTPException` for a break
    before the dot, and `Lost` for one after it.
    """
    import smtplib

    _said(smtp.mail(sender), "mail", 250)
    _said(smtp.rcpt(to), "rcpt", 250, 251)
    gate.check()
    _said(smtp.docmd("DATA"), "data", 354)
    smtp.send(re.sub(rb"(?m)^\.", b"..", mail))
    gate.leave()
    try:
        _patience(smtp, times.dot)
        smtp.send(b".\r\n")
        code, text = smtp.getreply()
        _patience(smtp, times.reply)
    except (OSError, smtplib.SMTPException) as error:
        raise Lost from error
    if 200 <= code < 300:
        return text.decode("utf-8", "replace")
    if 400 <= code < 600:
        raise Refused("data", code, text)
    raise Lost


def _greet(smtp: smtplib.SMTP) -> None:
    code, text = smtp.ehlo()
    if not 200 <= code < 300:
        if code // 100 == 5 and code != 554:  # older than EHLO
            code, text = smtp.helo()
        if not 200 <= code < 300:
            raise Refused("hello", code, text)


def _log_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """Log in by one method: trying all with a wrong password would lock the account three times as fast."""
    import smtplib

    offered = smtp.esmtp_features.get("auth", "").upper().split()
    smtp.user, smtp.password = user, password  # smtplib's methods read them here
    ways: dict[str, Any] = {"PLAIN": smtp.auth_plain, "LOGIN": smtp.auth_login, "CRAM-MD5": smtp.auth_cram_md5}
    way = next((name for name in ways if name in offered), None)
    if way is None:
        raise NotOffered("a login by password")
    try:
        smtp.auth(way, ways[way])
    except smtplib.SMTPAuthenticationError as error:
        raise Refused("auth", error.smtp_code, error.smtp_error) from None


def _said(reply: tuple[int, bytes], stage: Stage, *wanted: int) -> None:
    code, text = reply
    if code not in wanted:
        raise Refused(stage, code, text)


def _patience(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(seconds)


def _own_name(smtp: smtplib.SMTP) -> str:
    """Return our address in EHLO's form, since the machine may have no name (RFC 5321, 4.1.3)."""
    if smtp.sock is None:
        return "localhost"
    own = str(smtp.sock.getsockname()[0])
    return f"[IPv6:{own}]" if ":" in own else f"[{own}]"
