"""`python witness.py JOURNAL PORT MAIL_PORT CLOCK FAULTS`: all providers at the believed time, telling what is in hand.

The sandbox, and beside it a mail server, which obeys the same faults (provider `smtp`, op `mail`) and has a journal of
its own. It prints the sandbox's URL and serves until it is killed. A request that it has taken is carried out even when
its client is dead by then; whoever moves the clock waits until it has none in hand.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from send_queue.sandbox import Sandbox, app, read_faults, serve
from send_queue.sandbox.faults import Faults
from send_queue.sandbox.http_messages import Request, SandboxCall, SandboxResponse
from send_queue.sandbox.journal import Journal
from send_queue.sandbox.linkedin_state import iso

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.world import Believed, mails_beside


class InHand:
    """How many requests are being answered, told to all who share the clock."""

    def __init__(self, believed: Believed) -> None:
        self._believed = believed
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def _add(self, n: int) -> None:
        with self._lock:
            self._believed.calls += n


class Mails:
    """What aiosmtpd asks when a mail has come whole, its final dot included."""

    def __init__(self, journal: Journal, faults: Faults, believed: Believed, in_hand: InHand) -> None:
        self._journal = journal
        self._faults = faults
        self._believed = believed
        self._in_hand = in_hand

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: ARG002 — aiosmtpd's
        with self._in_hand.one():
            sender, to = envelope.mail_from or "", envelope.rcpt_tos[0]
            fault = self._faults.pick(SandboxCall("smtp", "mail", sender, to, "", lambda _: SandboxResponse(250)))
            await asyncio.sleep(fault.delay if fault else 0)
            if fault and fault.status:
                return f"{fault.status} ordered"
            if fault is None or fault.drop != "before":
                self._take(sender, to, envelope)
            await asyncio.sleep(fault.answer_delay if fault else 0)
            if fault and fault.drop:
                server.transport.abort()
            return "250 2.0.0 taken"

    def _take(self, sender: str, to: str, envelope: Envelope) -> None:
        assert isinstance(envelope.original_content, bytes)
        name = BytesParser(policy=default).parsebytes(envelope.original_content, headersonly=True)["message-id"]
        self._journal.append({"at": iso(self._believed.now()), "provider": "smtp", "account_id": sender,
                              "channel": "email", "recipient": to, "text": "", "id": str(name)})  # fmt: skip


def main(journal: str, port: str, mail_port: str, clock: str, faults: str) -> None:
    believed = Believed(Path(clock))
    in_hand = InHand(believed)
    answer = app.App.answer

    def counted(self: app.App, request: Request) -> SandboxResponse | None:
        with in_hand.one():
            return answer(self, request)

    app.App.answer = counted  # type: ignore[method-assign]  # only here, and only to count
    ordered = read_faults(Path(faults).read_bytes())
    of_mails = Faults(fault for fault in ordered if fault.provider == "smtp")
    # Journals that are not synced survive every kill of a process, which is all that happens here.
    mails = Mails(Journal(mails_beside(Path(journal)), sync=False), of_mails, believed, in_hand)
    Controller(mails, hostname="127.0.0.1", port=int(mail_port)).start()
    others = [fault for fault in ordered if fault.provider != "smtp"]
    serve(Sandbox(Path(journal), int(port), faults=others, sync=False, clock=believed.now))


if __name__ == "__main__":
    main(*sys.argv[1:])
