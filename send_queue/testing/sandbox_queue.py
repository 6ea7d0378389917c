"""A queue in a test database, with the sandbox as its providers: what a test of an application runs and looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from send_queue import store
from send_queue.core import run
from send_queue.core.state import RunReport
from send_queue.model import Json
from send_queue.providers import Providers
from send_queue.sandbox import Sandbox
from send_queue.sandbox.webhook import SECRET

PROVIDERS = {
    "linkedin_invite": "unipile", "linkedin_message": "unipile", "email": "sendgrid", "sms": "twilio",
    "webhook": "webhook",
}  # fmt: skip
"""The provider of an account that names none, by its channel."""

SETTINGS: dict[str, Json] = {"email": {"from": "sandbox@example.org"}, "sms": {"from": "+15005550006"}}

NO_LIMITS = {"daily_cap": None, "weekly_cap": None, "min_gap_seconds": 0, "jitter_seconds": 0, "max_in_flight": 100}


class SandboxQueue:
    """The queue of one test.

    `url` is its database, `sandbox` the server (orders, accounts), `env` the environment that leads a command to it.
    """

    def __init__(self, url: str, sandbox: Sandbox) -> None:
        self.url = url
        self.sandbox = sandbox
        self.at: datetime | None = None
        """The moment of the last run, as its caller gave it."""
        self.env = {
            "DATABASE_URL": url, "UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "any", "SENDGRID_BASE_URL": sandbox.url,
            "SENDGRID_API_KEY": "any", "TWILIO_BASE_URL": sandbox.url, "TWILIO_AUTH_TOKEN": "any",
            "WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOW_HOSTS": "127.0.0.1",
        }  # fmt: skip

    def add(self, campaign: str, channel: str, *, provider: str | None = None, account: str = "sandbox") -> None:
        """Make a campaign, and its account if need be, which sends at any hour without gaps and caps.

        `provider` is by default that of the channel (`PROVIDERS`). Raises `UserError` where the campaign exists.
        """
        provider = provider or PROVIDERS[channel]
        name = f"{account}-{provider}"
        at_provider = f"AC{md5(name.encode()).hexdigest()}" if provider == "twilio" else name
        fields = {"provider": provider, "provider_account_id": at_provider, "settings": SETTINGS.get(channel, {})}
        awake = {"quiet_from": "00:00", "quiet_until": "00:00"}  # no quiet hours
        with store.connected(self.url) as conn, store.transaction(conn):
            if all(known["name"] != name for known in store.listed(conn, "account")):
                store.upsert(conn, "account", name, fields, adding=True)
            store.upsert(conn, "lane", name, {"channel": channel, **NO_LIMITS})
            store.upsert(conn, "campaign", campaign, {"accounts": [name], **awake}, adding=True)

    def run(self, at: datetime | None = None, limit: int | None = None) -> RunReport:
        """Send what is due at the moment `at`, at most `limit` rows, as `run` and `run-once` do; return the counts.

        None: the database's clock. In one test give moments that grow, or none.
        """
        self.at = at
        providers = Providers(self.env)
        try:
            with store.connected(self.url) as conn:
                return run.run(run.Pass(store.Database(conn, lambda: at), providers, "sandbox"), limit)
        finally:
            providers.close()

    @property
    def messages(self) -> list[Json]:
        """What arrived, oldest first: `provider`, `account_id`, `channel`, `recipient`, `text`, `id`, `at`, and more by
        provider."""
        return self.sandbox.accepted()


@contextmanager
def sandboxed(url: str) -> Iterator[SandboxQueue]:
    """Start a sandbox for the queue in a migrated database."""
    with TemporaryDirectory() as folder:
        made: list[SandboxQueue] = []

        def clock() -> datetime:
            return (made and made[0].at) or datetime.now(UTC)

        settings: dict[str, Any] = {"sync": False, "clock": clock}
        with Sandbox(Path(folder) / "journal.jsonl", **settings) as sandbox:
            made.append(SandboxQueue(url, sandbox))
            yield made[0]
