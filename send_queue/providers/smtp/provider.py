"""SMTP: mail by your own server, or a provider's submission port.

    send      take an idle connection that answers, or a new one; hand the mail over; judge the reply
    look_up   a mail server keeps no list: a person settles a mail whose last reply was lost

The next mail of the same server and user reuses a connection. session.py has the conversation, errors.py the meaning of
refusals, mime.py the bytes of a mail.

As in http.py, a delivery has a thread of its own, and its caller gives up at the deadline: name and mail servers may
take any time. A mail whose final dot has not left by then never leaves.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    LookUp,
    Outcome,
    ProbeResult,
    Retry,
    Sent,
    Uncertain,
    clock,
)
from send_queue.providers.credentials import Refusals, refused, secret_of, variable_of
from send_queue.providers.http_answer import hidden, plain, why_no_connection
from send_queue.providers.intermediary import tries_that_did_not_count
from send_queue.providers.mail import Mail, Mails
from send_queue.providers.probe import remedy
from send_queue.providers.reach import refuse, rehearses
from send_queue.providers.smtp.errors import BOUNCES, REFUSES_LOGIN, judge
from send_queue.providers.smtp.mime import message, message_id
from send_queue.providers.smtp.session import (
    Lost,
    NotOffered,
    Refused,
    Server,
    Times,
    alive,
    connect,
    hand_over,
    server_of,
)
from send_queue.rules.recipients import address

if TYPE_CHECKING:
    import smtplib

MAILS_A_CONNECTION = 100
"""Servers that limit the mails of a connection refuse at about this number, sometimes as if refusing the mail."""


class Smtp:
    """Mail by SMTP, with TLS except to a server on this machine.

    SMTP_URL       smtp://user@host:587 (STARTTLS) or smtps://user@host:465; without a user there is no login. An
                   account's setting `smtp_url` names its own server; then it needs its own secret too.
    SMTP_PASSWORD  the password of accounts without `secret_env`.
    """

    channels: frozenset[str] = frozenset({"email"})
    longest_call: timedelta
    lag: timedelta | None = None
    suppresses: frozenset[str] = BOUNCES

    def __init__(self, env: Mapping[str, str], *, times: Times = Times()) -> None:  # noqa: B008 — frozen
        self._env = env
        url = env.get("SMTP_URL", "").strip()
        self._server = server_of(url, "SMTP_URL") if url else None
        self._mails = Mails(env)
        self._times = times
        self._idle = _Idle()
        self._refusals = Refusals()
        self._probed: dict[_Whose, ProbeResult] = {}
        self.longest_call = timedelta(seconds=times.total + 5)

    def send(self, send: Claimed) -> Outcome:
        server, password = self._server_of(send)
        if rehearses(self._env):
            refuse(server.host, f"the account {send.account} (smtp)")
        mail = self._mails.of(send)
        if not isinstance(mail, Mail):
            return mail
        try:
            whole = message(send, mail)
        except ValueError as error:  # UnicodeError among them
            return Failed("invalid_message", f"No mail can be made of it ({type(error).__name__}).")
        shown = (server.host, str(server.port), server.user or "", password or "")
        if known := self._refusals.known(*shown):
            return known
        call = _Delivery(send, mail, whole, server, password, self._idle, self._times)
        thread = threading.Thread(target=call.run, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return Retry("no_thread", "The machine has no thread left.")
        call.done.wait(self._times.total)
        outcome = call.verdict_or_give_up()
        if isinstance(outcome, Hold) and outcome.code in REFUSES_LOGIN:
            outcome = refused(outcome, self._variable(send, server))
            self._refusals.note(outcome, *shown)
        return outcome

    def _variable(self, send: Claimed, server: Server) -> str | None:
        """Return the variable to mend after a refused login; None: it is the account's own setting."""
        own = bool(send.settings.get("smtp_url"))
        if server.user is None:
            return None if own else "SMTP_URL"
        return variable_of(send, None if own else "SMTP_PASSWORD")

    def look_up(self, send: Claimed) -> LookUp:
        sender = address(send.settings.get("from")) or ""
        name = message_id(send, sender)
        return CannotTell(f"A mail server keeps no list: look for {name} in its log, or ask the recipient.")

    def check(self, send: Claimed) -> None:
        self._server_of(send)

    def probe(self, send: Claimed) -> ProbeResult:
        """Connect, log in and part. A login is tried once for all accounts with it: a server may lock it."""
        server, password = self._server_of(send)
        if rehearses(self._env):
            refuse(server.host, f"the account {send.account} (smtp)")
        if (server, password) not in self._probed:
            self._probed[server, password] = self._probe(send, server, password)
        return self._probed[server, password]

    def _probe(self, send: Claimed, server: Server, password: str | None) -> ProbeResult:
        try:
            _part(_Connection(connect(server, password, self._times)))
        except Refused as no:
            said = plain(hidden(no.text, [password] if password else []))
            advice = remedy(send, self._variable(send, server)) if no.stage == "auth" else "check the server's address"
            return ProbeResult("refused", f"{server.host}: {no.code} {said}".rstrip(".") + f": {advice}")
        except NotOffered as missing:
            return ProbeResult(
                "refused", f"{server.host} offers no {missing.what.removeprefix('a ')}: use another server"
            )
        except Exception as error:
            _, words = why_no_connection(error) or ("", "no connection could be made")
            return ProbeResult("refused", f"{server.host}: {words}: check its address and the network")
        return ProbeResult("reached")

    def hosts(self, send: Claimed) -> tuple[str]:
        return (self._server_of(send)[0].host,)

    def close(self) -> None:
        self._idle.close()

    def _server_of(self, send: Claimed) -> tuple[Server, str | None]:
        """Return the account's server and password. Raises `ConfigurationError` if one is missing."""
        own = send.settings.get("smtp_url")
        server = server_of(str(own), f"The setting smtp_url of the account {send.account}") if own else self._server
        if server is None:
            raise ConfigurationError(
                "SMTP_URL is not set: set it to the mail server's address, such as smtp://user@mail.example.com:587."
            )
        if server.user is None:
            return server, None
        # Never show one server's password to another.
        return server, secret_of(send, self._env, None if own else "SMTP_PASSWORD")


# --- a delivery -------------------------------------------------------------------------------------------


class _TooLate(Exception):
    """The caller gave up, or another run may claim the mail: nothing may go out any more."""


@dataclass(slots=True)
class _Connection:
    """A connection, and the number of its mails."""

    smtp: smtplib.SMTP
    mails: int = 0

    def close(self) -> None:
        self.smtp.close()


_Whose: TypeAlias = tuple[Server, str | None]


@dataclass(slots=True)
class _Idle:
    """Idle connections, by server, user and password."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: dict[_Whose, list[_Connection]] = field(default_factory=dict)
    closed: bool = False

    def take(self, whose: _Whose) -> _Connection | None:
        with self.lock:
            waiting = self.waiting.get(whose)
            return waiting.pop() if waiting else None

    def give(self, whose: _Whose, connection: _Connection) -> None:
        with self.lock:
            if not self.closed and connection.mails < MAILS_A_CONNECTION:
                self.waiting.setdefault(whose, []).append(connection)
                return
        _part(connection)

    def close(self) -> None:
        with self.lock:
            self.closed = True
            connections = [connection for waiting in self.waiting.values() for connection in waiting]
            self.waiting.clear()
        for connection in connections:
            _part(connection)


def _part(connection: _Connection) -> None:
    """Send QUIT, with a short wait for the answer."""
    with suppress(Exception):
        if connection.smtp.sock is not None:
            connection.smtp.sock.settimeout(1)
        connection.smtp.quit()
    connection.close()


class _Delivery:
    """One mail on its thread, with its state for the caller at the deadline."""

    def __init__(
        self,
        send: Claimed,
        mail: Mail,
        whole: bytes,
        server: Server,
        password: str | None,
        idle: _Idle,
        times: Times,
    ) -> None:
        self.done = threading.Event()
        self._send, self._mail, self._whole = send, mail, whole
        self._server, self._password = server, password
        self._idle, self._times = idle, times
        # Leave the server its full time for the dot.
        self._leave_by = min(send.leave_by, clock() + times.total - times.dot)
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._left = False
        self._given_up = False
        self._verdict: Outcome | None = None

    # --- the session's gate -------------------------------------------------------------------------------

    def check(self) -> None:
        if self._given_up or clock() > self._leave_by:
            raise _TooLate

    def leave(self) -> None:
        with self._lock:
            self.check()
            self._left = True

    # --- on its thread ------------------------------------------------------------------------------------

    def run(self) -> None:
        verdict: Outcome | None = None
        try:
            verdict = self._delivered()
        finally:
            with self._lock:
                self._verdict = verdict or self._unknown("connection_lost", "the delivery broke off")
                self.done.set()

    def _delivered(self) -> Outcome:
        try:
            self._hand_over()
        except Refused as no:
            return self._judged(no)
        except NotOffered as missing:
            return self._not_offered(missing)
        except _TooLate:
            return Retry("deadline", f"{self._server.host}: the mail had not left in time, and will not.")
        except Exception as error:
            return self._broken(error)
        return Sent(message_id(self._send, self._mail.sender), 250)

    def _hand_over(self) -> None:
        """Hand the mail over: on an idle connection, or, if that has had its share, on a new one. Keep it."""
        whose = self._server, self._password
        for fresh in (False, True):
            self.check()
            connection, used = self._ready(whose, fresh)
            try:
                hand_over(connection.smtp, self._mail.sender, self._mail.to, self._whole, self, self._times)
            except Refused as no:
                if no.code == 421:
                    connection.close()
                    if used and no.stage == "mail":
                        continue
                else:
                    self._idle.give(whose, connection)  # RSET precedes its next mail
                raise
            except BaseException:
                connection.close()
                raise
            connection.mails += 1
            self._idle.give(whose, connection)
            return

    def _ready(self, whose: _Whose, fresh: bool) -> tuple[_Connection, bool]:
        """Return a connection that answers, and whether it was used before. A `fresh` one was not; an idle one that was
        cut off meanwhile is found out here, before anything of the mail is said."""
        while not fresh and (connection := self._idle.take(whose)) is not None:
            self._hold(connection)
            if alive(connection.smtp, self._times):
                return connection, True
            connection.close()
            self._hold(None)
        connection = _Connection(connect(self._server, self._password, self._times))
        self._hold(connection)
        return connection, False

    def _hold(self, connection: _Connection | None) -> None:
        with self._lock:
            self._connection = connection

    # --- the outcome --------------------------------------------------------------------------------------

    def _judged(self, no: Refused) -> Outcome:
        mail, held = self._mail, tries_that_did_not_count(self._send)
        hide = [text for text in (self._password, mail.text, mail.html) if text]
        return judge(no.stage, no.code, no.text, hide=hide, held=held)

    def _not_offered(self, missing: NotOffered) -> Hold:
        host = self._server.host
        if missing.what == "STARTTLS":
            detail = f"{host} offers no STARTTLS, so the connection would be open: use smtps://, or another server."
            return Hold("lane", "no_tls", detail, timedelta(hours=1))
        detail = f"{host} offers no login by password: take the user out of SMTP_URL, or use another server."
        return Hold("lane", "no_login", detail, timedelta(hours=1))

    def _broken(self, error: Exception) -> Outcome:
        if self._left or isinstance(error, Lost):
            return self._unknown("reply_lost", "the mail was sent whole, and the server's reply was lost")
        if self._connection is None:
            code, words = why_no_connection(error) or ("connect_failed", "no connection could be made")
            if isinstance(error, TimeoutError):
                code, words = "connect_timeout", "the server did not take the connection in time"
            return Retry(code, f"{self._server.host}: {words}.")
        return Retry("connection_lost", f"{self._server.host}: the connection was lost before the mail was complete.")

    def _unknown(self, code: str, words: str) -> Outcome:
        detail = f"{self._server.host}: {words}."
        return Uncertain(code, detail) if self._left else Retry(code, detail)

    # --- on the caller's thread ---------------------------------------------------------------------------

    def verdict_or_give_up(self) -> Outcome:
        with self._lock:
            if self._verdict is not None:
                return self._verdict
            self._given_up = True
            left, connection = self._left, self._connection
        if connection is not None:
            # A server that sends a byte now and then would keep the thread waiting: end it.
            with suppress(Exception):
                if connection.smtp.sock is not None:
                    connection.smtp.sock.shutdown(socket.SHUT_RDWR)
        if left:
            return Uncertain("deadline", f"{self._server.host}: no reply to the whole mail before the deadline.")
        return Retry("deadline", f"{self._server.host}: the mail had not left at the deadline, and will not.")
