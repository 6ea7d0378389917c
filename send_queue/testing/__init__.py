"""Tests of programs that use the queue (fixtures.py, for pytest), and checks that a provider keeps the rules.

A provider answers with an outcome, never an exception, and the outcome must be right about one thing: did the send go
out? The checks connect the provider to a misbehaving server, on real sockets, and judge the outcome. They are for
providers over HTTP, best through `send_queue.providers.http`: then each check is fast.

    import pytest
    from send_queue.testing import CHECKS, Subject, a_send

    MINE = Subject(Pigeon, env=lambda url: {"PIGEON_BASE_URL": url}, send=lambda url: a_send("webhook", "somebody"))

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_pigeon(check):
        check(MINE)

Reading order: fixtures.py and sandbox_queue.py, a queue whose messages arrive in the sandbox; checks.py, a function for
each rule; server.py, the misbehaving server; running.py, a provider in a run.
"""

from __future__ import annotations

from send_queue.testing.checks import CHECKS
from send_queue.testing.facing import Subject, a_send
from send_queue.testing.running import no_transaction_is_open
from send_queue.testing.server import Seen, Server, reply

__all__ = ["CHECKS", "Seen", "Server", "Subject", "a_send", "conformance", "no_transaction_is_open", "reply"]


def conformance(subject: Subject) -> None:
    """Run every check. Raises one `AssertionError` with each broken rule and the finding."""
    broken = []
    for check in CHECKS:
        try:
            check(subject)
        except AssertionError as error:
            broken.append(f"{check.__name__}: {error}")
    if broken:
        raise AssertionError("\n".join(broken))
