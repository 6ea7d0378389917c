"""How far may a call go? In a rehearsal not beyond this machine: it believes that it is another hour, and would write
to a person at a wrong one. A run looks before it claims anything (`rehearsal`), and each call once more."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from send_queue.model import ConfigurationError

VARIABLE = "SEND_QUEUE_NOW"


def rehearses(env: Mapping[str, str]) -> bool:
    """Whether runs in this environment believe that it is another moment."""
    return bool(env.get(VARIABLE))


def host_of(url: str) -> str:
    """The host of a URL in lower case; empty where it has none.

    >>> host_of("https://[::1]:8025/x"), host_of("nobody")
    ('::1', '')
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its own name or address: no name server is asked.

    >>> is_here("127.0.0.5"), is_here("::1"), is_here("localhost"), is_here("127.0.0.1.example.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse(host: str, who: str) -> None:
    """Raise `ConfigurationError` where a rehearsal must not call a host, which `who` would."""
    if not is_here(host):
        raise ConfigurationError(
            f"A rehearsal ({VARIABLE}) calls nothing beyond this machine, and {who} is at {host or 'no known host'}:"
            f" unset {VARIABLE}, or start `send-queue sandbox` and name its address instead."
        )
