"""Ports for servers that cannot ask the system for one."""

from __future__ import annotations

import random
import socket

NOT_GIVEN = range(20_000, 32_000)
"""Who asks the system for any port is given another (Linux: from 32768 on): these stay free until they are used."""


def unused_port(host: str = "127.0.0.1") -> int:
    """Find a port that nobody listens on."""
    for port in random.SystemRandom().sample(NOT_GIVEN, 100):
        try:
            with socket.create_server((host, port)):
                return port
        except OSError:
            continue
    raise RuntimeError("A hundred ports are all taken.")
