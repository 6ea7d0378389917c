"""May this URL be called? Whoever enqueues a webhook names its address, and ours may be a network that others must not
reach into: a URL that leads there is refused, unless its host is allowed by name.

A name is resolved here, once, and the call goes to one of the addresses that were looked at: a second answer of the
name server (DNS rebinding) is not asked for. Numbers in other notations (`2130706433`, `0x7f.1`) are resolved like
names, so what they mean is looked at, not how they are written.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from send_queue.model import Failed, Retry
from send_queue.rules.recipients import endpoint

RESOLVE_WITHIN = 10.0
"""Seconds that the name server may take."""

_EMBEDDING = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("::/96"),
)
"""Networks of IPv6 whose last 32 bits are an address of IPv4 (RFC 6052, 8215 and 4291), which a gateway may reach."""


def allowed_hosts(env: Mapping[str, str]) -> frozenset[str]:
    """The hosts that WEBHOOK_ALLOW_HOSTS names, parted by commas or blanks: they may be private, and without TLS."""
    return frozenset(filter(None, re.split(r"[\s,]+", env.get("WEBHOOK_ALLOW_HOSTS", "").lower())))


def addresses(url: str, allowed: Collection[str]) -> Sequence[str | None] | Failed | Retry:
    """Where a call to the URL may connect to, in the order of preference: null where the host is allowed by name, and
    may be wherever it is. Or why it must not be called."""
    try:
        parts = urlsplit(endpoint(url))
    except ValueError:  # it may hold a password: its words are not repeated
        return Failed("invalid_recipient", "The recipient is not the URL of a webhook: write https://host/path.")
    host = parts.hostname or ""
    if host in allowed:
        return [None]
    if wrong := refused(url, allowed):
        return wrong
    found = resolved(host, parts.port or 443)
    if isinstance(found, Retry):
        return found
    return [address for address in found if is_public(address)] or _private(host)


def refused(url: str, allowed: Collection[str]) -> Failed | None:
    """Why a URL must not be called, as far as its form tells, and no name server is asked; null: it may be.

    >>> refused("https://example.org/hooks", ()), refused("http://example.org/hooks", ()).code
    (None, 'insecure_endpoint')
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in allowed:
        return None
    if parts.scheme != "https":
        return Failed("insecure_endpoint", f"{host}: the URL must begin with https:// ({_ALLOW}).")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None  # a name, which leads where it leads
    return None if is_public(host) else _private(host)


def _private(host: str) -> Failed:
    return Failed("address_refused", f"{host} is an address of a private network ({_ALLOW}).")


_ALLOW = "WEBHOOK_ALLOW_HOSTS may name hosts that are allowed all the same"


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet: not private, of this machine or link, shared, or of many.

    >>> is_public("8.8.8.8"), is_public("10.0.0.1"), is_public("169.254.169.254"), is_public("::ffff:127.0.0.1")
    (True, False, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and any(ip in network for network in _EMBEDDING):
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def resolved(host: str, port: int) -> list[str] | Retry:
    """The addresses of a host, each once; on a thread of its own, for there is no time-out for a name server."""
    found: list[str] = []
    problem = Retry("dns", f"{host}: the name could not be resolved.")
    done = threading.Event()

    def ask() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append(str(address[0]))
        except (OSError, UnicodeError):
            found.clear()
        finally:
            done.set()

    thread = threading.Thread(target=ask, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return Retry("no_thread", "The machine has no thread left.")
    if not done.wait(RESOLVE_WITHIN):
        return problem
    return list(dict.fromkeys(found)) or problem
