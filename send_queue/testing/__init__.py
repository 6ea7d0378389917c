"""Does a provider keep the rules? Checks that anyone can run against theirs.

A provider answers with an outcome, never with an exception, and the outcome must be right about one thing: did it go
out? These checks put the provider before a server that misbehaves in every way that servers do, on real sockets, and
see what it makes of it. They are for providers that speak HTTP, through `send_queue.providers.http` at best: then no
check waits longer than a moment.

    import pytest
    from send_queue.testing import CHECKS, Subject, a_send

    MINE = Subject(Pigeon, env=lambda url: {"PIGEON_BASE_URL": url}, send=lambda url: a_send("webhook", "somebody"))

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_pigeon(check):
        check(MINE)

Reading order: checks.py, where each rule is a function; server.py, what misbehaves; running.py, a provider in a run.
"""

from __future__ import annotations

from send_queue.testing.checks import CHECKS
from send_queue.testing.facing import Subject, a_send
from send_queue.testing.running import no_transaction_is_open
from send_queue.testing.server import Seen, Server, reply

__all__ = ["CHECKS", "Seen", "Server", "Subject", "a_send", "conformance", "no_transaction_is_open", "reply"]


def conformance(subject: Subject) -> None:
    """Run every check. Raises one `AssertionError` that names each rule that is broken, and how."""
    broken = []
    for check in CHECKS:
        try:
            check(subject)
        except AssertionError as error:
            broken.append(f"{check.__name__}: {error}")
    if broken:
        raise AssertionError("\n".join(broken))
