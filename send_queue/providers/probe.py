"""Probes: does an account's provider answer, and accept its secret? Nothing is sent.

A provider that can be probed has the method `probe`. Its method `check` names what an account lacks in the
environment; without one, `secret` does: the variable of accounts without a secret of their own.
"""

from __future__ import annotations

from typing import Any, Protocol

from send_queue.model import CannotTell, Claimed, ConfigurationError, ProbeResult
from send_queue.providers import Provider
from send_queue.providers.credentials import variable_of
from send_queue.providers.http_answer import Answer, NoAnswer


class Probed(Provider, Protocol):
    """A provider that can be probed."""

    def check(self, send: Claimed) -> None:
        """Raise `ConfigurationError` for what the environment lacks for the send's account. Requests nothing."""

    def probe(self, send: Claimed) -> ProbeResult:
        """Make one harmless request for the account of a send without text.

        Raises `ConfigurationError` as `send` does.
        """


def probe_of(provider: Provider, send: Claimed) -> ProbeResult:
    """Probe an account; a provider of others that raises is unknown."""
    probe: Any = getattr(provider, "probe", None)
    if probe is None:
        return ProbeResult("unknown", f"the provider {send.provider} offers no probe")
    try:
        result: ProbeResult = probe(send)
    except ConfigurationError as error:
        return ProbeResult("unknown", str(error).rstrip("."))
    except Exception as error:
        return ProbeResult("unknown", f"its probe failed ({type(error).__name__}: {error})")
    return result


def read(answer: Answer | NoAnswer | CannotTell, remedy: str, unreadable: str = "") -> ProbeResult:
    """Judge the answer to a probe; with `unreadable`, a 403 means that the secret may send but not read."""
    if isinstance(answer, CannotTell):
        return ProbeResult("refused", f"{answer.detail.rstrip('.')}: check its address and the network")
    if not isinstance(answer, Answer):
        return ProbeResult("refused", f"{answer.detail.rstrip('.')}: check its address and the network")
    if 200 <= answer.status < 300:
        return ProbeResult("reached")
    if answer.status == 403 and unreadable:
        return ProbeResult("unknown", unreadable)
    said = f"HTTP {answer.status} {answer.text}".strip().rstrip(".")
    busy = answer.status == 429 or answer.status >= 500
    return ProbeResult("refused", f"{said}: {'probe again later' if busy else remedy}")


def remedy(send: Claimed, default: str | None = None) -> str:
    """Say how to replace a refused secret."""
    if (variable := variable_of(send, default)) is None:
        return f"connect the account again, then `send-queue tokens set {send.account}`"
    return f"put a working secret into {variable}"
