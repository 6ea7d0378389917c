"""The provider `log`, for trials: takes every send and writes a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from send_queue.model import CHANNELS, CannotTell, Claimed, LookUp, Outcome, Sent


class Log:
    """Write one line per send to stderr: a sentence on a terminal, JSON elsewhere; never the message."""

    channels: frozenset[str] = frozenset(CHANNELS)
    longest_call: timedelta = timedelta(seconds=1)
    lag: timedelta | None = None
    batch: int = 1000

    def __init__(self, env: Mapping[str, str]) -> None:
        """Need nothing."""

    def send(self, send: Claimed) -> Outcome:
        [outcome] = self.send_batch([send])
        return outcome

    def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
        # A closed stderr must not keep a send.
        with suppress(OSError, ValueError, AttributeError):
            for_person = sys.stderr.isatty()
            sys.stderr.write("".join(_line(send, for_person=for_person) + "\n" for send in sends))
            sys.stderr.flush()
        return [Sent(None)] * len(sends)

    def look_up(self, send: Claimed) -> LookUp:
        return CannotTell(f"The provider log keeps nothing: look for {send.send_id} in its lines.")

    def hosts(self, send: Claimed) -> tuple[()]:  # noqa: ARG002 — the protocol's signature
        return ()

    def close(self) -> None:
        """Close nothing."""


def _line(send: Claimed, *, for_person: bool) -> str:
    # Both as JSON: a recipient may hold line breaks and escape sequences.
    if for_person:
        recipient, account = json.dumps(send.recipient), json.dumps(send.account)
        return f"log: {send.channel} to {recipient} from {account} ({send.send_id})"
    account, recipient = json.dumps(send.account), json.dumps(send.recipient)
    return (
        f'{{"event": "send", "send_id": "{send.send_id}", "account": {account}, "channel": "{send.channel}", '
        f'"recipient": {recipient}}}'
    )
