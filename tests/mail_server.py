"""Mail servers for tests, on real sockets: one that says what a test wrote down for it, and one that is real, with TLS.

Both are witnesses: `mails` holds what was taken, which is what came with its final dot and was answered with a yes, or
would have been, had the test not ordered that the answer be lost.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from chaos.ports import unused_port


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that a server took."""

    sender: str
    to: str
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        found = BytesParser(policy=default).parsebytes(self.raw)
        assert isinstance(found, EmailMessage)
        return found


# --- one that says what it is told ------------------------------------------------------------------------

Reply: TypeAlias = str | Callable[[], str | None] | None
"""A reply without its line's end; null cuts the connection; a function is called first."""

USUAL = {"greeting": "220 here", "ehlo": "250 here", "mail": "250 2.1.0 ok", "rcpt": "250 2.1.5 ok",
         "data": "354 go on", "dot": "250 2.0.0 taken", "rset": "250 2.0.0 ok", "quit": "221 bye"}  # fmt: skip


class Scripted:
    """A server without TLS. `order` says what it answers at a stage, each reply once and then as usual again; a reply
    to the dot that is no yes, and not a cut, takes no mail."""

    def __init__(self) -> None:
        self.mails: list[Taken] = []
        self.said: list[str] = []
        self.connections = 0
        self._orders: dict[str, list[Reply]] = {}
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._listening.getsockname()[1]}"

    def order(self, stage: str, *replies: Reply) -> None:
        self._orders.setdefault(stage, []).extend(replies)

    def cut_all(self) -> None:
        """Close every connection, as a server does that has waited long enough."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listening.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        sender = to = ""
        try:
            with connection, connection.makefile("rb") as lines:
                self._answer(connection, "greeting")
                while line := lines.readline():
                    said = line.decode().strip()
                    self.said.append(said)
                    stage = said.split()[0].lower()
                    if stage == "mail":
                        sender = said.partition("<")[2].partition(">")[0]
                    if stage == "rcpt":
                        to = said.partition("<")[2].partition(">")[0]
                    if self._answer(connection, stage).startswith("354"):
                        raw = self._content(lines)
                        if raw is not None:
                            self._take(connection, Taken(sender, to, raw))
        except (OSError, _Cut):
            return

    def _content(self, lines: Any) -> bytes | None:
        """All up to the dot; null where the connection ended before it."""
        content = []
        while (line := lines.readline()) != b".\r\n":
            if not line:
                return None
            content.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(content)

    def _take(self, connection: socket.socket, mail: Taken) -> None:
        """Before it is told: who has the reply may look at once."""
        reply = self._next("dot")
        if reply is None or reply.startswith("2"):
            self.mails.append(mail)
        self._say(connection, reply)

    def _answer(self, connection: socket.socket, stage: str) -> str:
        return self._say(connection, self._next(stage))

    def _next(self, stage: str) -> str | None:
        waiting = self._orders.get(stage)
        reply = waiting.pop(0) if waiting else USUAL.get(stage, "500 5.5.1 unknown command")
        return reply() if callable(reply) else reply

    def _say(self, connection: socket.socket, reply: str | None) -> str:
        if reply is None:
            connection.shutdown(socket.SHUT_RDWR)
            raise _Cut
        connection.sendall(f"{reply}\r\n".encode())
        return reply


class _Cut(Exception):
    """The connection was cut, as ordered."""


# --- a real one -------------------------------------------------------------------------------------------


class Real:
    """aiosmtpd on 127.0.0.2, which is this machine and yet no address that is spoken to without TLS.

    user, password   who may send; null: anybody
    lose             how many replies to a dot are lost: the mail is taken, and the connection cut
    on_mail          what is done when a mail has been taken, before that is said; `held` keeps it from being done yet
    """

    HOST = "127.0.0.2"

    def __init__(self, folder: Path, *, implicit: bool = False, user: str | None = None, password: str = "",
                 starttls: bool = True) -> None:  # fmt: skip
        self.mails: list[Taken] = []
        self.sessions: set[int] = set()
        self.lose = 0
        self.on_mail: Callable[[], None] | None = None
        self.held = threading.Lock()
        self.certificate = folder / "certificate.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(folder, self.HOST), folder / "key.pem")
        self._user, self._password = user, password
        scheme = "smtps" if implicit else "smtp"
        tls: dict[str, Any] = {"ssl_context": context} if implicit else {}
        if starttls and not implicit:
            tls = {"tls_context": context, "require_starttls": True}
        login: dict[str, Any] = {}
        if user is not None:
            login = {"authenticator": self._may, "auth_require_tls": not implicit}
        port = unused_port(self.HOST)
        self._controller = Controller(self, hostname=self.HOST, port=port, **tls, **login)
        at = f"{user.replace('@', '%40')}@" if user else ""
        self.url = f"{scheme}://{at}{self.HOST}:{port}"

    def __enter__(self) -> Real:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    def _may(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, told: Any) -> AuthResult:
        wanted = LoginPassword((self._user or "").encode(), self._password.encode())
        return AuthResult(success=told == wanted, handled=False)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.original_content, bytes)
        self.sessions.add(id(session))
        self.mails.append(Taken(envelope.mail_from or "", envelope.rcpt_tos[0], envelope.original_content))
        if self.on_mail:
            with self.held:
                self.on_mail()
        if self.lose:
            self.lose -= 1
            server.transport.abort()
        return "250 2.0.0 taken"


def certificate(folder: Path, host: str) -> Path:
    """A certificate of its own for an address, good for a day on either side; its key is beside it in key.pem."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path
