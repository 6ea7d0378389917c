"""A rehearsal calls this machine only: at its assumed hour it would write to people at a wrong one. A run checks all
hosts before it claims (core/rehearsal.py), and each call checks again."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from send_queue.model import ConfigurationError

VARIABLE = "SEND_QUEUE_NOW"


def rehearses(env: Mapping[str, str]) -> bool:
    """Whether runs in this environment rehearse another moment."""
    return bool(env.get(VARIABLE))


def host_of(url: str) -> str:
    """Return the host of a URL in lower case; empty without one.

    >>> host_of("https://[::1]:8025/x"), host_of("nobody")
    ('::1', '')
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its name or address, without a name server.

    >>> is_here("127.0.0.5"), is_here("::1"), is_here("localhost"), is_here("127.0.0.1.example.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse(host: str, who: str) -> None:
    """Raise `ConfigurationError` if a rehearsal must not call the host that `who` would call."""
    if not is_here(host):
        raise ConfigurationError(
            f"A rehearsal ({VARIABLE}) calls nothing beyond this machine, and {who} is at {host or 'no known host'}:"
            f" unset {VARIABLE}, or start `send-queue sandbox` and name its address instead."
        )
