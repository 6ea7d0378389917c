"""A queue to test with: workspaces, accounts, lanes, campaigns and rows, made quickly through the real functions.

Time is always an argument: `AT` is when a test begins, a Monday morning in no season of clock changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[tuple[Any, ...]]
Json = dict[str, Any]
T = TypeVar("T")

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)
"""The least that two moments differ by."""

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The next_at of a lane that no clock will open."""

GIVES_BACK = ("retry", "held", "failed", "already_done", "released")
"""The outcomes of what certainly did not go out."""


@dataclass(frozen=True)
class Queue:
    """The queue behind one connection. Names have defaults: the account ada, the campaign spring, the channel email."""

    conn: Connection

    # --- asking -------------------------------------------------------------------------------------------

    def all(self, query: str, *args: Any) -> list[Any]:
        """The rows of a query; of one column, its values."""
        rows = self.conn.execute(cast(Any, query), args).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def one(self, query: str, *args: Any) -> Any:
        [row] = self.all(query, *args)
        return row

    def do(self, statement: str, *args: Any) -> int:
        """Run a statement, as an operator would by hand; returns how many rows it touched."""
        return self.conn.execute(cast(Any, statement), args).rowcount

    def call(self, function: str, /, **named: Any) -> Any:
        """The one row that a function returns, called by the names of its arguments."""
        [row] = self.rows(function, **named)
        return row

    def rows(self, function: str, /, **named: Any) -> list[Any]:
        given = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in named.items()}
        arguments = ", ".join(f"{name} => %({name})s" for name in given)
        query = cast(Any, f"select * from {function}({arguments})")  # noqa: S608 — a test's own names
        rows = self.conn.execute(query, given).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def row(self, id: UUID) -> Json:
        """A row of send_queue, by column."""
        with self.conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute("select * from send_queue where id = %s", (id,)).fetchone()
        assert found is not None
        return found

    def the_lane(self, account: str = "ada", channel: str = "email") -> Json:
        """A row of send_lanes, by column."""
        with self.conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(
                "select l.* from send_lanes l join send_accounts a on a.id = l.account_id "
                "where a.name = %s and l.channel = %s",
                (account, channel),
            ).fetchone()
        assert found is not None
        return found

    def statuses(self) -> dict[str, int]:
        return dict(self.all("select status, count(*) from send_queue group by status"))

    def how_many(self) -> int:
        return sum(self.statuses().values())

    # --- making -------------------------------------------------------------------------------------------

    def put(self, kind: str, name: str, *, adding: bool = False, workspace: str | None = None, **fields: Any) -> Json:
        answer: Json = self.call("send_set", kind=kind, name=name, fields=fields, adding=adding, workspace=workspace)
        return answer

    def workspace(self, name: str) -> UUID:
        return UUID(self.put("workspace", name, adding=True)["id"])

    def account(self, name: str = "ada", *, workspace: str | None = None, **fields: Any) -> UUID:
        fields = {"provider": "log", **fields}
        return UUID(self.put("account", name, adding=True, workspace=workspace, **fields)["id"])

    def lane(self, account: str = "ada", channel: str = "email", *, at: datetime = AT, **fields: Any) -> None:
        self.call("send_set", kind="lane", name=account, fields={"channel": channel, **fields}, at=at)

    def campaign(
        self,
        name: str = "spring",
        accounts: Sequence[str] = ("ada",),
        *,
        workspace: str | None = None,
        **fields: Any,
    ) -> UUID:
        fields = {"accounts": list(accounts), **fields}
        return UUID(self.put("campaign", name, adding=True, workspace=workspace, **fields)["id"])

    def schedule(self, name: str, opens_at: datetime | None, closes_at: datetime | None, since: datetime = AT) -> UUID:
        """A schedule whose cached window is as given, whatever its hours say."""
        hours = {"0": [[0, 1440]]}
        made = UUID(self.put("schedule", name, adding=True, timezone="UTC", hours=hours)["id"])
        if opens_at is not None:
            self.window(name, opens_at, closes_at, since)
        return made

    def window(self, name: str, opens_at: datetime, closes_at: datetime | None, since: datetime = AT) -> None:
        self.do(
            "update send_schedules set opens_at = %s, closes_at = %s, window_since = %s where name = %s",
            opens_at, closes_at, since, name,
        )  # fmt: skip

    def limit(self, max_sends: int, per: timedelta, **named: Any) -> None:
        self.call("send_set_limit", max_sends=max_sends, per=per, **named)

    def fill(
        self,
        n: int,
        *,
        campaign: str = "spring",
        account: str = "ada",
        channel: str = "email",
        scheduled_for: datetime = AT,
        priority: int = 100,
        workspace: str = "default",
    ) -> list[UUID]:
        """Many rows at once, oldest first, without prospects."""
        ids: list[UUID] = self.all(
            """
            with one as materialized (
                select c.workspace_id, c.id as campaign_id, a.id as account_id,
                       send_ensure_place(c.workspace_id, c.id, a.id, %s)
                from send_campaigns c join send_workspaces w on w.id = c.workspace_id
                join send_accounts a on a.workspace_id = c.workspace_id
                where c.name = %s and a.name = %s and w.name = %s
            )
            insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message,
                scheduled_for, priority, created_at, updated_at)
            select one.workspace_id, one.campaign_id, one.account_id, %s, 'p' || n, 'Hello', %s, %s, %s, %s
            from one, generate_series(1, %s) n
            returning id
            """,
            channel, campaign, account, workspace, channel, scheduled_for, priority, AT, AT, n,
        )  # fmt: skip
        return sorted(ids)

    def history(self, n: int) -> None:
        """n rows that were sent forty days ago, with their attempts."""
        sent_at = AT - 40 * DAY
        self.fill(n, scheduled_for=sent_at)
        self.do("update send_queue set status = 'sent', sent_at = %s", sent_at)
        self.do(
            "insert into send_attempts (send_id, workspace_id, account_id, channel, number, day, started_at,"
            " finished_at, outcome, worker) "
            "select id, workspace_id, account_id, channel, 1, sent_at::date, sent_at, sent_at, 'sent', 'w'"
            " from send_queue"
        )

    def enqueue(self, **named: Any) -> UUID:
        named = {"campaign": "spring", "channel": "email", "message": "Hello", "at": AT, **named}
        named.setdefault("recipient", f"p{self.how_many()}@example.org")
        send_id, _ = self.call("send_enqueue", **named)
        return cast(UUID, send_id)

    def ready(self, n: int = 1, channel: str = "email", **lane: Any) -> list[UUID]:
        """The account ada and the campaign spring, with n rows that are due."""
        self.account()
        self.campaign()
        self.lane(channel=channel, **lane)
        return self.fill(n, channel=channel)

    # --- sending ------------------------------------------------------------------------------------------

    def claim(self, at: datetime | None = AT, max_rows: int = 1, **named: Any) -> Json:
        answer: Json = self.call("send_claim", **{"worker": "w", "max_rows": max_rows, "at": at, **named})
        return answer | {"sends": sends_of(answer)}

    def taken(self, at: datetime | None = AT, max_rows: int = 1, **named: Any) -> list[Json]:
        """What a claim takes."""
        sends: list[Json] = self.claim(at, max_rows, **named)["sends"]
        return sends

    def took(self, at: datetime | None = AT, max_rows: int = 1, **named: Any) -> list[UUID]:
        """The rows that a claim takes, in its order."""
        return [UUID(s["send_id"]) for s in self.taken(at, max_rows, **named)]

    def record(self, send: Json | str, outcome: str, at: datetime | None = AT, **fields: Any) -> tuple[bool, str]:
        """Record one result; returns whether it was recorded, and the status of the row afterwards."""
        attempt = send if isinstance(send, str) else send["attempt_id"]
        [(_, recorded, status)] = self.rows("send_record", results=Jsonb([result(attempt, outcome, **fields)]), at=at)
        return recorded, status

    def send(self, outcome: str = "sent", at: datetime = AT, **fields: Any) -> UUID:
        """Claim one row and record what became of it; returns the row."""
        [send] = self.taken(at)
        assert self.record(send, outcome, at, **fields)[0]
        return UUID(send["send_id"])

    # --- what must hold at every moment -------------------------------------------------------------------

    def assert_nothing_oversleeps(self) -> None:
        """No lane sleeps past something that waits in it for an active campaign, unless somebody says so."""
        assert (
            self.all(
                "select l.account_id, l.channel, l.idle_until from send_lanes l where exists ("
                "select from send_queue q join send_campaigns c on c.id = q.campaign_id and c.status = 'active' "
                "where q.status = 'pending' and q.account_id = l.account_id and q.channel = l.channel "
                "and q.scheduled_for < l.idle_until) and not exists ("
                "select from send_wakes w where w.account_id = l.account_id and w.channel = l.channel)"
            )
            == []
        )

    def assert_tally_is_the_ledger(self) -> None:
        """send_usage says of each lane and day what send_attempts says: how many were or may have been accepted."""
        assert (
            self.all(
                """
            select coalesce(u.account_id, b.account_id), coalesce(u.channel, b.channel), coalesce(u.day, b.day),
                u.used, b.spent
            from send_usage u
            full join (select account_id, channel, day, count(*) as spent from send_attempts
                       where outcome is null or outcome in ('sent', 'uncertain') group by 1, 2, 3) b
                using (account_id, channel, day)
            where coalesce(u.used, 0) <> coalesce(b.spent, 0)
            """
            )
            == []
        )
        assert (
            self.one(
                """
            select count(*) from send_attempts b join send_lanes l using (account_id, channel)
            where b.day <> (b.started_at at time zone l.cap_timezone)::date
              and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
            """
            )
            == 0
        )

    def assert_rows_say_why(self) -> None:
        """Each row is in a state that its attempts bear out, and says why it is there."""
        assert (
            self.all(
                """
            select q.id, q.status, q.error_code from send_queue q
            left join lateral (
                select count(*) filter (where b.outcome is null) as flying,
                       count(*) filter (where b.outcome = 'sent') as sent,
                       count(*) filter (where b.outcome = 'uncertain') as doubtful
                from send_attempts b where b.send_id = q.id) b on true
            where b.flying <> (q.status = 'sending')::int
               or (q.status = 'sent' and b.sent + b.doubtful = 0) or (q.status <> 'sent' and b.sent > 0)
               or (q.status in ('failed', 'skipped', 'uncertain') and q.error_code is null)
               or (q.status = 'uncertain' and b.doubtful = 0)
            """
            )
            == []
        )


def sends_of(claim: Json) -> list[Json]:
    """What a claim has taken in hand, an object for each send, in its order."""
    names = (
        "nth",
        "send_id",
        "attempt_id",
        "attempt_number",
        "recipient",
        "subject",
        "message",
        "payload",
        "attempts",
        "created_at",
        "repeat_by",
    )
    sends = [{**group, **dict(zip(names, row, strict=True))} for group in claim["claimed"] for row in group["sends"]]
    return sorted(sends, key=lambda send: int(send["nth"]))


def look_up(queue: Queue, at: datetime, lease: timedelta = MINUTE) -> Json:
    """The one send in doubt that the provider is to be asked about, as `sends_of` says it."""
    [doubt] = queue.rows("send_look_ups", max_rows=1, lease=lease, at=at)
    [send] = sends_of({"claimed": [doubt]})
    return send


def result(attempt: str, outcome: str, **fields: Any) -> Json:
    """A result as send_record takes it, with what its outcome needs."""
    given: Json = {"attempt_id": attempt, "outcome": outcome}
    match outcome:
        case "retry":
            given |= {"error_code": "http_503", "retry_seconds": 300}
        case "held":
            given |= {"error_code": "limit", "scope": "lane", "hold_seconds": 60}
        case "failed":
            given |= {"error_code": "invalid_recipient", "error_message": "Nobody there."}
        case "already_done":
            given |= {"error_code": "already_connected"}
        case "uncertain":
            given |= {"error_code": "read_timeout"}
    return given | fields


class Meanwhile:
    """Work in a thread, on a connection of its own, that has begun and may wait for somebody's locks."""

    def __init__(self, database: str, work: Callable[[Queue], object]) -> None:
        self._problem: BaseException | None = None

        def run() -> None:
            try:
                with psycopg.connect(database, autocommit=True) as conn:
                    work(Queue(conn))
            except BaseException as problem:  # handed over to end()
                self._problem = problem

        self._thread = Thread(target=run)
        self._thread.start()
        self._thread.join(0.3)  # seconds that it is given to get to where it waits

    def end(self) -> None:
        """Wait until it is done; what it raised is raised."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._problem:
            raise self._problem


def at_once(database: str, n: int, work: Callable[[Queue, int], T]) -> list[T]:
    """Run `work` in n threads that begin together, each with a connection of its own; what one raises is raised."""
    start = Barrier(n)

    def one(i: int) -> T:
        with psycopg.connect(database, autocommit=True) as conn:
            start.wait(timeout=30)
            return work(Queue(conn), i)

    with ThreadPoolExecutor(n) as threads:
        return [future.result() for future in [threads.submit(one, i) for i in range(n)]]
