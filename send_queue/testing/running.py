"""Check a provider in a real run: no transaction is open during its calls."""

from __future__ import annotations

import socket
from uuid import uuid4

from send_queue import store
from send_queue.core import run
from send_queue.providers import Provider, Providers
from send_queue.testing.facing import Subject
from send_queue.testing.server import Seen, Server, reply


class _Only(Providers):
    """Serve every account with one provider."""

    def __init__(self, provider: Provider) -> None:
        super().__init__({})
        self._only = provider

    def serving(self, provider: str, channel: str) -> Provider:  # noqa: ARG002 — always the same one
        return self._only


def no_transaction_is_open(subject: Subject, database_url: str) -> None:
    """Send through a real run, and check that no transaction is open while the provider calls its server.

    `database_url` is a migrated test database; the check adds a workspace with a new name, and leaves it. Raises
    `AssertionError`.
    """
    seen: list[int] = []
    server = Server(subject.before)
    url = f"http://127.0.0.1:{server.port}"
    send, name = subject.send(url), f"conformance-{uuid4()}"
    provider = subject.provider(subject.env(url))
    with store.connected(database_url) as conn, store.connected(database_url) as other:

        def behave(server: Server, connection: socket.socket, request: Seen) -> None:
            seen.append(store.open_transactions(other))
            (subject.yes or reply(400))(server, connection, request)

        server.behave = behave
        try:
            of_account = {"provider": name, "provider_account_id": send.provider_account_id,
                          "secret_env": send.secret_env, "settings": dict(send.settings)}  # fmt: skip
            store.upsert(conn, "workspace", name, {}, adding=True)
            store.upsert(conn, "account", name, of_account, adding=True, workspace=name)
            store.upsert(conn, "campaign", name, {"accounts": [name]}, adding=True, workspace=name)
            store.enqueue(conn, campaign=name, channel=send.channel, recipient=send.recipient, message=send.message,
                          subject=send.subject, payload=dict(send.payload), workspace=name)  # fmt: skip
            mine = store.Filters(account=name)
            run.run(run.Pass(store.Database(conn), _Only(provider), "conformance", mine), resolve_doubts=False)
        finally:
            server.close()
            provider.close()
    if not seen or any(seen):
        raise AssertionError(f"No transaction is open while the provider is called. Found in its requests: {seen}.")
