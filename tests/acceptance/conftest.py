"""What the acceptance tests share: a sandbox as the witness, and a queue that is quickly set up.

What is set up is set up through the SQL functions, as any program may; what is proved goes through the command.
Time is SEND_QUEUE_NOW, never a sleep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest
from chaos.world import until as wait_until
from conftest import Cli, Connection
from psycopg.types.json import Jsonb

from send_queue.sandbox import Sandbox

MONDAY = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""10:00 in New York, in the week of Thanksgiving."""

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

SOON = 10 * SECOND
"""Time runs on in a command that rehearses: what it writes down is this close to its SEND_QUEUE_NOW."""

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]


class Popen(Protocol):
    def __call__(self, *args: str, now: datetime | None = None) -> subprocess.Popen[str]: ...


class Queue:
    """A queue in a database of its own, with its command and its provider."""

    def __init__(self, conn: Connection, cli: Cli, sandbox: Sandbox, env: Mapping[str, str]) -> None:
        self.conn = conn
        self.cli = cli
        self.sandbox = sandbox
        self.env = dict(env)

    # --- setting up ---------------------------------------------------------------------------------------

    def put(self, kind: str, name: str, adding: bool = True, **fields: Any) -> None:
        workspace = fields.pop("workspace", None)
        self.conn.execute(
            "select send_set(%s, %s, %s, adding => %s, workspace => %s, at => %s)",
            (kind, name, Jsonb(fields), adding, workspace, MONDAY),
        )

    def account(self, name: str = "anna", channel: str = "linkedin_invite", **lane: Any) -> None:
        """An account with a lane; without further words the lane has no caps."""
        of_account = {k: lane.pop(k) for k in ("schedule", "workspace", "provider") if k in lane}
        fields: Json = {"provider": "unipile", "provider_account_id": f"acc-{name}"} | of_account
        self.put("account", name, **fields)
        no_caps: Json = {"daily_cap": None, "weekly_cap": None}
        self.lane(name, channel, **no_caps | lane)

    def lane(self, account: str, channel: str = "linkedin_invite", **fields: Any) -> None:
        self.put("lane", account, adding=False, channel=channel, **fields)

    def campaign(self, name: str = "fall", *accounts: str, **fields: Any) -> None:
        self.put("campaign", name, accounts=list(accounts) or ["anna"], **fields)

    def schedule(self, name: str, timezone: str, hours: Sequence[str], days: str, **fields: Any) -> None:
        from send_queue.rules.schedule_text import hours_from_text

        self.put("schedule", name, timezone=timezone, hours=hours_from_text(hours, days), **fields)

    def ready(self, *, rows: int = 1, campaign: Mapping[str, Any] | None = None, **lane: Any) -> list[str]:
        """The account anna, the campaign fall, and rows that have been due for an hour."""
        self.account(**lane)
        self.campaign(**campaign or {})
        return self.enqueue(rows)

    def enqueue(
        self,
        rows: int = 1,
        *,
        at: datetime = MONDAY - HOUR,
        campaign: str = "fall",
        channel: str = "linkedin_invite",
        **more: Any,
    ) -> list[str]:
        """Rows for people nobody has written to yet, a second apart; returns their ids."""
        named = {"account", "subject", "payload", "priority", "scheduled_for", "expires_at", "dedupe_key", "recipient"}
        assert more.keys() <= named, more
        [begun] = self.conn.execute("select count(*) from send_queue").fetchone() or (0,)
        ids = []
        for n in range(rows):
            values = {"recipient": f"ACoAA-{begun + n}", **more, "campaign": campaign, "channel": channel,
                      "message": f"Hello {begun + n}", "at": at + n * SECOND}  # fmt: skip
            if isinstance(values.get("payload"), dict):
                values["payload"] = Jsonb(values["payload"])
            call = ", ".join(f"{name} => %({name})s" for name in values)
            row = self.conn.execute(f"select id from send_enqueue({call})", values).fetchone()  # noqa: S608 — our names
            assert row is not None
            ids.append(str(row[0]))
        return ids

    # --- running ------------------------------------------------------------------------------------------

    def __call__(self, *args: str | Path, now: datetime | None = MONDAY, **more: Any) -> Done:
        """Run the command with the sandbox as its Unipile."""
        return self.cli(*args, now=now, env=self.env | more.pop("env", {}), **more)

    def json(self, *args: str | Path, now: datetime | None = MONDAY, **more: Any) -> Any:
        """Run the command with --json and read what it prints."""
        return json.loads(self(*args, "--json", now=now, **more).stdout)

    def run_once(self, now: datetime | None = MONDAY, *args: str, **more: Any) -> Json:
        report: Json = self.json("run-once", *args, now=now, **more)
        return report

    def explain(self, send_id: str, now: datetime = MONDAY) -> Json:
        explained: Json = self.json("explain", send_id, now=now)
        return explained

    # --- looking ------------------------------------------------------------------------------------------

    def row(self, send_id: str) -> Json:
        [[row]] = self.conn.execute("select to_jsonb(q) from send_queue q where id = %s", (UUID(send_id),)).fetchall()
        return dict(row)

    def statuses(self) -> Counter[str]:
        return Counter(dict(self.conn.execute("select status, count(*) from send_queue group by status").fetchall()))

    def attempts(self, send_id: str) -> list[tuple[str | None, str | None]]:
        """The outcome and the error code of each attempt, in their order."""
        return [
            (row[0], row[1])
            for row in self.conn.execute(
                "select outcome, error_code from send_attempts where send_id = %s order by number", (UUID(send_id),)
            )
        ]

    def used(self) -> int:
        """What the tally says, all days and lanes together."""
        [[used]] = self.conn.execute("select coalesce(sum(used), 0)::int from send_usage").fetchall()
        assert isinstance(used, int)
        return used

    def accepted(self) -> list[str]:
        """The recipients whom the provider has accepted a send to, in the order of its journal."""
        return [entry["recipient"] for entry in self.sandbox.accepted()]

    def goes_at_and_not_before(self, moment: datetime, *args: str) -> None:
        """Prove an exact moment: a second before it nothing goes, at it something does."""
        before = len(self.accepted())
        self("run-once", *args, now=moment - SECOND)
        assert len(self.accepted()) == before
        self("run-once", *args, now=moment)
        assert len(self.accepted()) == before + 1


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The provider, and the witness of what it accepted."""
    with Sandbox(tmp_path / "journal.jsonl", sync=False) as sandbox:
        yield sandbox


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    """The environment that leads to the sandbox."""
    return {"UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "a-key-that-any-sandbox-takes"}


@pytest.fixture
def queue(conn: Connection, cli: Cli, sandbox: Sandbox, env: dict[str, str]) -> Queue:
    """An empty queue."""
    return Queue(conn, cli, sandbox, env)


@pytest.fixture
def start(database: str, env: dict[str, str], tmp_path: Path) -> Iterator[Popen]:
    """Start `send-queue` and do not wait for it; whatever still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*args: str, now: datetime | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "send_queue", *args],
            env={
                "PATH": os.defpath,
                "HOME": str(tmp_path),
                "DATABASE_URL": database,
                **({"SEND_QUEUE_NOW": now.isoformat()} if now else {}),
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def until(conn: Connection) -> Callable[[str], None]:
    """Wait until a query answers true: for what another process is about to do."""

    def until(query: str) -> None:
        def holds() -> bool:
            row = conn.execute(query.encode()).fetchone()
            return bool(row and row[0])

        wait_until(holds, what=query)

    return until


def moment(text: str) -> datetime:
    """A moment of a JSON answer, which says its zone: UTC."""
    when = datetime.fromisoformat(text)
    assert when.utcoffset() == timedelta(0)
    return when
