"""SMTP as a conversation: connect, and hand over one mail; by smtplib, but for the end, where it matters what has left.

    greeting, EHLO, STARTTLS, EHLO, AUTH        `connect`
    MAIL FROM, RCPT TO, DATA, the mail, "."     `hand_over`

A server that never sees the final dot must forget the mail (RFC 5321, 4.1.1.4). So whatever goes wrong before the dot,
nothing went out; and from its first byte on only the server's reply tells. The dot is a write of its own, after one
more look at the clock.
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
    # At run time smtplib and ssl are imported by the first connection: a tick with nothing due makes none.
    import smtplib


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server: where, and as whom."""

    host: str
    port: int
    tls: bool
    """From the first byte on (smtps); else by STARTTLS, which only a server on this machine may lack."""
    user: str | None

    @property
    def here(self) -> bool:
        """On this machine: nobody is on the way."""
        return self.host in LOOPBACK


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: to connect, for each reply, for the reply to the final dot, and for a whole delivery.

    RFC 5321 (4.5.3.2.6) would wait ten minutes after the dot. Here a run that is told to stop has less than two: a
    server that reads a mail for longer than `dot` leaves it in doubt.
    """

    connect: float = 10.0
    reply: float = 30.0
    dot: float = 70.0
    total: float = 100.0


class Refused(Exception):
    """The server said no: a reply that is not the one that this stage needs."""

    def __init__(self, stage: Stage, code: int, text: bytes | str) -> None:
        self.stage: Stage = stage
        self.code = code
        self.text = text if isinstance(text, str) else text.decode("utf-8", "replace")


class NotOffered(Exception):
    """The server lacks something that we do not go without: `what` is `STARTTLS`, or a way to log in."""

    def __init__(self, what: str) -> None:
        self.what = what


class Lost(Exception):
    """The connection broke, or the reply to the dot was none: by then the mail may have been taken."""


class Gate(Protocol):
    """Who says whether it is still time."""

    def check(self) -> None:
        """Raise where it is too late to go on."""

    def leave(self) -> None:
        """Raise where it is too late; else note that from now on the mail may be taken."""


def server_of(url: str, what: str) -> Server:
    """`smtp://user@host:587` or `smtps://user@host:465`; ports, and the user, may be left out.

    Raises `ConfigurationError`, which names `what`.

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
    """A connection that is ready for mails, its certificate checked.

    Raises `Refused`, `NotOffered`, `OSError` or `smtplib.SMTPException`: nothing of a mail has left.
    """
    import smtplib
    import ssl

    try:
        smtp: smtplib.SMTP
        # A name for EHLO is given here only so that smtplib asks no resolver for ours, which can take long.
        if server.tls:
            context = ssl.create_default_context()
            smtp = smtplib.SMTP_SSL(server.host, server.port, "localhost", timeout=times.connect, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, "localhost", timeout=times.connect)
    except smtplib.SMTPConnectError as error:
        raise Refused("hello", error.smtp_code, error.smtp_error) from None
    try:
        # The dot goes in a packet of its own, which would else wait until the mail before it has been acknowledged.
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
    """Does a connection that was used before still answer? RSET, which also ends whatever was begun on it."""
    import smtplib

    try:
        _patience(smtp, times.connect)
        code, _ = smtp.rset()
        _patience(smtp, times.reply)
    except (OSError, smtplib.SMTPException):
        return False
    return code == 250


def hand_over(smtp: smtplib.SMTP, sender: str, to: str, mail: bytes, gate: Gate, times: Times) -> str:
    """Hand over one mail; return what the server said when it took it.

    `mail` ends with a line break. Raises `Refused`; what `gate` raises; `OSError` or `smtplib.SMTPException` where the
    connection broke before the dot, and `Lost` where it did later.
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
        if code // 100 == 5 and code != 554:  # one that is older than EHLO
            code, text = smtp.helo()
        if not 200 <= code < 300:
            raise Refused("hello", code, text)


def _log_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """By one way only: to try all with a password that is wrong would lock the account three times as fast."""
    import smtplib

    offered = smtp.esmtp_features.get("auth", "").upper().split()
    smtp.user, smtp.password = user, password  # where smtplib's own methods look for them
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
    """Our address as EHLO has it, for a machine that may have no name (RFC 5321, 4.1.3)."""
    if smtp.sock is None:
        return "localhost"
    own = str(smtp.sock.getsockname()[0])
    return f"[IPv6:{own}]" if ":" in own else f"[{own}]"
