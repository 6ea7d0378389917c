"""A provider in a run: invariant 5, for whoever tests their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import psycopg
import pytest

from send_queue import store
from send_queue.model import CannotTell, Claimed, LookUp, Outcome, Sent
from send_queue.providers.unipile.provider import Unipile
from send_queue.testing import Subject, a_send, no_transaction_is_open, reply


def test_invariant_5_no_transaction_is_open_while_unipile_is_called(database: str) -> None:
    """Seen by its server, from another connection; again in the same database."""
    subject = Subject(
        Unipile,
        env=lambda url: {"UNIPILE_DSN": url, "UNIPILE_API_KEY": "any"},
        send=lambda _: a_send("linkedin_invite", "ACoAAAexample1"),
        yes=reply(201, b'{"object": "UserInvitationSent", "invitation_id": "7"}'),
    )
    for _ in range(2):
        no_transaction_is_open(subject, database)
    with psycopg.connect(database) as conn:
        assert conn.execute("select status, count(*) from send_queue group by status").fetchall() == [("sent", 2)]


def test_a_transaction_that_is_open_is_found(database: str) -> None:
    """One that a provider holds on a connection of its own."""

    class Holding(Unipile):
        def send(self, send: Claimed) -> Outcome:
            with store.connected(database) as conn, conn.transaction():
                conn.execute("select 1")
                return super().send(send)

    subject = Subject(
        Holding,
        env=lambda url: {"UNIPILE_DSN": url, "UNIPILE_API_KEY": "any"},
        send=lambda _: a_send("linkedin_invite", "ACoAAAexample1"),
    )
    with pytest.raises(AssertionError, match=r"Found in its requests: \[1\]"):
        no_transaction_is_open(subject, database)


def test_a_provider_that_asks_nobody_is_not_tested(database: str) -> None:
    """A check that has seen nothing does not pass."""

    class Silent:
        channels = frozenset({"webhook"})
        longest_call = timedelta(seconds=1)
        lag: timedelta | None = None

        def __init__(self, env: Mapping[str, str]) -> None:
            """It needs nothing."""

        def send(self, send: Claimed) -> Outcome:  # noqa: ARG002 — it does nothing
            return Sent(None)

        def look_up(self, send: Claimed) -> LookUp:  # noqa: ARG002 — it knows nothing
            return CannotTell()

        def close(self) -> None:
            """There is nothing to give back."""

    subject = Subject(Silent, env=lambda _: {}, send=lambda _: a_send("webhook", "https://example.org/hook"))
    with pytest.raises(AssertionError, match=r"Found in its requests: \[\]"):
        no_transaction_is_open(subject, database)
