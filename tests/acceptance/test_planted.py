"""A stranger who may create things in our schema gets nothing of theirs called by us: neither a function or an operator
that fits better than the server's, nor one of our own names that needs fewer arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import planted
import psycopg
import pytest
from conftest import Cli
from psycopg import sql
from psycopg.conninfo import make_conninfo

from send_queue import store
from send_queue.model import Claimed, Sent
from send_queue.store import Filters, schema

AT = datetime(2026, 11, 9, 10, tzinfo=UTC)

DAY = """
    schedule add office --timezone Europe/Berlin --hours 09:00-18:00 --days mon-fri --holidays DE
    schedule show office
    workspace add second
    account add anna --provider log
    account add bob --provider log --schedule office
    account set bob --tier premium
    lane set anna email --daily-cap 5 --weekly-cap 30 --min-gap 5s --jitter 1s --warm-up 2+2
    lane set anna email --cap-timezone Europe/Berlin
    lane set bob email --max-in-flight 4
    limit add --account anna 10/10m
    limit add --workspace default --channel email 100/1h
    campaign add spring --account anna --account bob
    campaign set spring --max-attempts 4 --quiet-hours 21:00-08:00
    suppress add p3@example.org
    enqueue --campaign spring --channel email --recipient x@example.org --message Hi --subject S --dedupe-key k
    enqueue --campaign spring --channel email --recipient x@example.org --message Other --subject S --dedupe-key k
    import FILE --campaign spring --channel email --message Hi --subject S
    run-once --dry-run
    run-once
    run --account bob
    list --status pending
    status
    forecast --days 3
    pause campaign spring
    resume campaign spring
    pause account anna --reason why
    resume account anna
    report -o REPORT
    metrics -o METRICS
    retry --failed
    suppress remove p3@example.org
    forget p5@example.org
    cancel --campaign spring
    notify list
    tokens list
    prune --older-than 1d --keep-last 2
    doctor
    migrate
"""


@pytest.fixture
def role(server: str) -> Iterator[str]:
    """A role without any grant. It is dropped after the database in which it has planted."""
    name = f"sq_test_stranger_{uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("create role {} login password 'secret'").format(sql.Identifier(name)))
    yield name
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture
def stranger(role: str, empty_database: str) -> str:
    """The URL of the test's database for that role, where everybody may create things in the schema."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("grant create on schema public to public")
    return make_conninfo(empty_database, user=role, password="secret")


def test_nothing_that_is_planted_is_called(stranger: str, empty_database: str, cli: Cli, tmp_path: Path) -> None:
    """Planted before the first migrate, or after it: every command does what it does without it."""
    people = "".join(f"p{n}@example.org,Ada\n" for n in range(20))
    (tmp_path / "people.csv").write_text(f"recipient,first_name\n{people}")
    paths = {"FILE": "people.csv", "REPORT": "report.html", "METRICS": "send_queue.prom"}
    with (
        psycopg.connect(empty_database, autocommit=True) as owner,
        psycopg.connect(stranger, autocommit=True) as planter,
    ):
        planted.plant_operators(planter)
        planted.plant_server_functions(planter)
        schema.migrate(owner)
        planted.plant_shorter(planter)
        env = {"DATABASE_URL": empty_database}
        for line in DAY.strip().splitlines():
            words = [str(tmp_path / paths[word]) if word in paths else word for word in line.split()]
            done = cli(*words, now="2026-11-09T10:00:00Z", env=env, check=False)
            assert done.returncode in (0, 1), f"{line}: {done.stdout}{done.stderr}"  # doctor has something to say
            assert "should not happen" not in done.stderr
            if done.returncode == 1:
                assert line.strip() == "doctor"
        [(sent,)] = owner.execute("select count(*) from send_queue where status operator(pg_catalog.=) 'sent'::text")
        assert sent > 0


RESULTS: list[dict[str, object]] = [
    {"outcome": "sent", "provider_message_id": "m1"},
    {"outcome": "already_done", "error_code": "already_connected"},
    {"outcome": "retry", "retry_seconds": 5, "error_code": "dns"},
    {"outcome": "failed", "error_code": "bad", "suppress": True},
    {"outcome": "uncertain", "error_code": "timeout"},
    {"outcome": "released"},
    {"outcome": "held", "scope": "lane", "hold_seconds": 60, "ceiling_seconds": 600, "error_code": "rate"},
    {"outcome": "held", "scope": "account", "error_code": "disconnected"},
]


def test_nothing_that_is_planted_is_called_by_a_record(stranger: str, empty_database: str) -> None:
    """Each kind of result, a recovery, a look-up and a settlement, in a schema full of what a stranger planted."""
    with (
        psycopg.connect(stranger, autocommit=True) as planter,
        store.connected(empty_database) as owner,
    ):
        planted.plant_operators(planter)
        planted.plant_server_functions(planter)
        schema.migrate(owner)
        planted.plant_shorter(planter)
        store.upsert(owner, "account", "ada", {"provider": "log"}, adding=True)
        store.upsert(owner, "campaign", "spring", {"accounts": ["ada"]}, adding=True)
        for n in range(len(RESULTS) + 2):
            store.enqueue(owner, campaign="spring", channel="log", recipient=f"p{n}", message="Hi", at=AT)

        def claim(at: datetime) -> Sequence[Claimed]:
            return store.claim(owner, "w", 1, timedelta(minutes=5), Filters(), at, {}, ()).sends

        [send] = claim(AT)
        assert store.record_sent(owner, [(send, Sent("m2"))], AT) == set()
        for n, result in enumerate(RESULTS):
            [send] = claim(AT + timedelta(hours=n))
            statuses = store.record(owner, [{"attempt_id": str(send.attempt_id), **result}], AT + timedelta(hours=n))
            assert list(statuses) == [send.send_id]
        store.pause(owner, False, "account", "ada", None, None, None, AT)
        later = AT + timedelta(days=1)
        [left] = claim(later)
        assert store.recover(owner, later + timedelta(hours=1)) == [left.send_id]
        [doubt, *_] = store.look_ups(owner, 2, timedelta(minutes=5), later + timedelta(hours=2))
        store.looked_up(owner, doubt.send.attempt_id, doubt.until, "sent", "m3", None, None, doubt.at)
        assert store.settle(owner, left.send_id, False, None, later) in ("pending", "sent")
        assert store.explain(owner, left.send_id, later, None)["send_id"] == str(left.send_id)
