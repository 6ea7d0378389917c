"""Refuse webhook URLs that lead into a private network, unless their host is allowed by name: people outside may name
the URL.

A name is resolved once, here, and the call goes to one of the checked addresses, so a later answer of the name server
(DNS rebinding) has no effect. Numbers in other notations (`2130706433`, `0x7f.1`) are resolved like names.
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
"""Seconds to wait for the name server."""

_EMBEDDING = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("::/96"),
)
"""Networks of IPv6 whose last 32 bits are an address of IPv4 (RFC 6052, 8215 and 4291), which a gateway may reach."""


def allowed_hosts(env: Mapping[str, str]) -> frozenset[str]:
    """Return the hosts of WEBHOOK_ALLOW_HOSTS, separated by commas or blanks: private ones, and ones without TLS."""
    return frozenset(filter(None, re.split(r"[\s,]+", env.get("WEBHOOK_ALLOW_HOSTS", "").lower())))


def addresses(url: str, allowed: Collection[str]) -> Sequence[str | None] | Failed | Retry:
    """Return the addresses that a call to the URL may connect to, by preference; None: any, since its host is allowed
    by name. Or return the refusal."""
    try:
        parts = urlsplit(endpoint(url))
    except ValueError:  # do not repeat it: it may hold a password
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
    """Return the refusal of a URL by its form, without a name server; None: it may be called.

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
        return None  # a name
    return None if is_public(host) else _private(host)


def _private(host: str) -> Failed:
    return Failed("address_refused", f"{host} is an address of a private network ({_ALLOW}).")


_ALLOW = "WEBHOOK_ALLOW_HOSTS may name hosts that are allowed all the same"


def is_public(address: str) -> bool:
    """Whether an address is on the open internet: not private, loopback, link-local, shared or multicast.

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
    """Return a host's addresses, each once; resolve on a thread, since name servers have no time-out."""
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
