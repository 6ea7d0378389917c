"""A run and its providers: whatever they do, what is known is written down, and nobody else waits for it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from time import sleep
from typing import Any

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, SECOND, Connection, Queue

from send_queue import store
from send_queue.core import calls, run
from send_queue.core.log_lines import Listener
from send_queue.model import (
    CHANNELS,
    Claimed,
    ConfigurationError,
    Failed,
    Found,
    Hold,
    LookUp,
    Outcome,
    Sent,
    Uncertain,
    clock,
)
from send_queue.providers import FOREVER, Provider, Providers


class Own:
    """A provider of one's own: sends as `answer` says, and finds whatever it is asked about."""

    channels = frozenset(CHANNELS)
    longest_call = timedelta(seconds=5)
    lag: timedelta | None = MINUTE

    def __init__(self, answer: Callable[[Claimed], Any] = lambda _: Sent(None)) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []
        self.asked: list[str] = []

    def send(self, send: Claimed) -> Outcome:
        self.calls.append([send.recipient])
        outcome: Outcome = self.answer(send)
        return outcome

    def look_up(self, send: Claimed) -> LookUp:
        self.asked.append(send.recipient)
        return Found(None)

    def close(self) -> None:
        """Nothing to give back."""


class Bulk(Own):
    """Three at a time."""

    batch = 3

    def __init__(self, answer: Callable[[Claimed], Any] = lambda _: Sent(None)) -> None:
        super().__init__(answer)
        self.batches: list[Sequence[Claimed]] = []

    def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
        self.batches.append(sends)
        self.calls.append([s.recipient for s in sends])
        return [self.answer(s) for s in sends]


class Only(Providers):
    """One provider serves everybody."""

    def __init__(self, provider: Provider) -> None:
        super().__init__({})
        self._made["own"] = provider

    def serving(self, provider: str, channel: str) -> Provider:  # noqa: ARG002 — as it is called
        return self._made["own"]


@pytest.fixture
def own_account(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account(provider="own")
    queue.campaign()
    queue.lane(max_in_flight=99)
    return queue


@pytest.fixture
def of(database: str) -> Iterator[Callable[[Providers], run.Pass]]:
    """Makes runs, each with a connection of its own."""
    made = []

    def new(providers: Providers, again: bool = False, **more: Any) -> run.Pass:
        reconnect = partial(store.connect, database) if again else None
        made.append(this := run.Pass(
            store.Database(store.connect(database), lambda: AT, reconnect), providers, "test", **more
        ))  # fmt: skip
        return this

    yield new
    for this in made:
        this.database.conn.close()


def in_doubt(queue: Queue, **named: Any) -> None:
    """One send in doubt, of which the provider is to be asked."""
    queue.enqueue(recipient="doubted@example.org", at=AT - HOUR, **named)
    queue.send("uncertain", AT - HOUR)


def test_what_was_sent_is_recorded_while_somebody_is_asked(own_account: Queue, of: Any) -> None:
    """A look-up that takes its time keeps no result waiting."""
    queue, go_on = own_account, Event()
    in_doubt(queue)
    queue.fill(3)

    class Slow(Own):
        def look_up(self, send: Claimed) -> LookUp:
            go_on.wait(60)
            return super().look_up(send)

    works = Thread(target=run.run, args=(of(Only(Slow())), None, 2))
    works.start()
    try:
        until = clock() + 60
        while queue.statuses().get("sent", 0) < 3 and clock() < until:
            sleep(0.01)  # another connection is to see it
        assert queue.statuses() == {"sent": 3, "uncertain": 1}
    finally:
        go_on.set()
        works.join(60)
    assert queue.statuses() == {"sent": 4}


def test_an_account_that_lacks_its_secret_keeps_no_other_waiting(own_account: Queue, of: Any) -> None:
    """All others go in the same run, doubts are asked about, and then it is said what is lacking."""
    queue = own_account
    for name in ("bad", "eve"):
        queue.account(name, provider="own")
    queue.campaign("fall", ["bad", "eve"])
    in_doubt(queue)
    for account in ("bad", "eve"):
        queue.fill(4, campaign="fall", account=account)
    queue.fill(4)

    def answer(send: Claimed) -> Outcome:
        if send.account == "bad":
            raise ConfigurationError("BAD_KEY is not set: set it.")
        return Sent(None)

    own = Own(answer)
    assert "BAD_KEY" in str(run.run(of(Only(own)), None).missing_config)
    assert own.asked == ["doubted@example.org"]
    assert queue.statuses() == {"sent": 9, "pending": 4}
    assert queue.all("select outcome from send_attempts where outcome <> 'sent'") == ["released"]


def test_nobody_is_asked_when_the_time_is_up(own_account: Queue, of: Any) -> None:
    own = Own()
    in_doubt(own_account)
    run.run(of(Only(own)), None, 1, until=clock() - 1)
    assert own.asked == []
    run.run(of(Only(own)), None, 1, until=clock() + 60)
    assert own.asked == ["doubted@example.org"]


def test_what_is_let_go_of_is_kept_over_a_lost_connection(own_account: Queue, of: Any) -> None:
    queue = own_account
    queue.fill(1)

    def answer(_: Claimed) -> Outcome:
        queue.all("select pg_terminate_backend(%s)", this.database.conn.info.backend_pid)
        raise ConfigurationError("KEY is not set: set it.")

    this = of(Only(Own(answer)), again=True)
    assert run.run(this, 1).missing_config
    assert queue.statuses() == {"pending": 1}


SLOW = """
    create sequence fuse;
    create table slow (began timestamptz, ended timestamptz);
    create function slow() returns trigger language plpgsql as $$
    declare
        began timestamptz := clock_timestamp();
    begin
        if nextval('fuse') <= {times} then
            perform pg_sleep(0.4);
            {then}
        end if;
        return new;
    end $$;
    create trigger slow before update on send_attempts for each row execute function slow();
"""
"""The first record takes its time."""


def test_a_result_that_cannot_be_written_takes_no_other_with_it(own_account: Queue, of: Any, database: str) -> None:
    """What comes in meanwhile is written down, and then the run says what is wrong."""
    queue = own_account
    queue.fill(2)
    queue.do(SLOW.format(times=2, then="raise 'torn page';"))
    first = Event()

    def answer(_: Claimed) -> Outcome:
        if not first.is_set():
            first.set()
            return Sent("a")
        until = clock() + 60
        with psycopg.connect(database, autocommit=True) as looking:
            while not Queue(looking).all(ASLEEP) and clock() < until:
                sleep(0.01)  # the first is being written down
        return Sent("b")

    this = of(Only(Own(answer)), again=True)
    assert "torn page" in str(run.run(this, None, 2).problem)
    assert queue.statuses() == {"sending": 1, "sent": 1}


LOCKED = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
ASLEEP = "select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"


def test_nothing_is_begun_while_results_cannot_be_written(
    own_account: Queue, of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run would send more and more of which nothing is written down: here its patience is over at once."""
    queue = own_account
    queue.fill(200)
    queue.do(SLOW.format(times=1, then="insert into slow values (began, clock_timestamp());"))
    monkeypatch.setattr(calls, "WRITE_STALL_SECONDS", -1.0)
    this = of(Only(Own()), again=True)
    this.database.now = lambda: None  # the server's own time tells what was begun while it was slow
    run.run(this, None, 4)
    assert queue.statuses() == {"sent": 200}
    assert queue.one("select count(*) from send_attempts, slow where started_at between began and ended") == 0


def test_what_waits_for_a_hand_is_let_go_of_by_a_run_that_is_told_to_stop(own_account: Queue, of: Any) -> None:
    """Between the signal and the end there is time for the calls that have begun, not for others after them."""
    queue, stop = own_account, Event()
    queue.fill(30)

    def answer(_: Claimed) -> Outcome:
        if len(own.calls) == 20:  # calls are known to be short by now, and others are claimed ahead
            stop.set()
        return Sent(None)

    own = Own(answer)
    run.run(of(Only(own), stop=stop, again=True), None, 1)
    assert len(own.calls) == 20
    assert queue.statuses() == {"sent": 20, "pending": 10}


def test_a_provider_that_cannot_be_loaded_costs_nothing(
    own_account: Queue, of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = own_account
    queue.fill(2)
    broken = importlib.metadata.EntryPoint("own", "no_such_module:Own", "send_queue.providers")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [broken])
    assert "cannot be loaded" in str(run.run(of(Providers({})), None).missing_config)
    assert queue.statuses() == {"pending": 2}


def test_a_provider_that_may_outlast_every_lease_is_refused(own_account: Queue, of: Any) -> None:
    queue = own_account
    queue.fill(1)
    own = Own()
    own.longest_call = run.SEND_LEASE
    assert "give it shorter time-outs" in str(run.run(of(Only(own)), None).missing_config)
    assert (own.calls, queue.statuses()) == ([], {"pending": 1})
    assert queue.one("select count(*) from send_attempts") == 1


@pytest.mark.parametrize(("answer", "status"), [
    (Sent("m\0" + "1"), "sent"), (Sent(7), "sent"),  # type: ignore[arg-type]
    (Hold("lane", "busy", "wait\0", after=timedelta.max), "pending"), ("accepted", "uncertain"), (None, "uncertain"),
])  # fmt: skip
def test_what_a_provider_answers_oddly_is_not_lost(own_account: Queue, of: Any, answer: object, status: str) -> None:
    """What the database would not take is made fit; what is no outcome at all means that nobody knows."""
    queue = own_account
    queue.fill(1)
    own = Own(lambda _: answer)
    own.lag = None
    run.run(of(Only(own)), 1)
    assert queue.statuses() == {status: 1}


@pytest.mark.parametrize("answer", [Sent("odd"), Failed("odd", "")])
@pytest.mark.parametrize("desk", [False, True])
def test_one_result_that_the_database_refuses_takes_no_other_with_it(
    own_account: Queue, of: Any, answer: Outcome, desk: bool
) -> None:
    """All others are written down; then the run ends with the reason, and its lease will put that one in doubt."""
    queue = own_account
    queue.fill(9)
    queue.do("alter table send_attempts add constraint no_odd_ones check (provider_message_id <> 'odd')")
    queue.do("alter table send_queue add constraint no_odd_ones_either check (error_code <> 'odd')")
    bulk = Bulk(lambda s: answer if s.recipient == "p5" else Sent(f"m-{s.recipient}"))
    said: list[str] = []
    this = of(Only(bulk), again=desk, listener=Listener(said.append))
    assert "no_odd_ones" in str(run.run(this, None if desk else 9, 2).problem)
    [odd] = queue.all("select id from send_queue where recipient = 'p5'")
    assert [str(odd) in line for line in said] == [True]
    assert queue.all("select recipient from send_queue where status = 'sending'") == ["p5"]
    assert queue.statuses()["sent"] == sum(map(len, bulk.calls)) - 1 >= 2


def test_a_provider_takes_several_of_a_lane_in_a_call(own_account: Queue, of: Any) -> None:
    """As many as it takes and no more, never of two lanes; each has its own outcome."""
    queue = own_account
    queue.account("eve", provider="own")
    queue.campaign("fall", ["eve"])
    queue.lane("eve", max_in_flight=99)
    queue.fill(7)
    queue.fill(4, campaign="fall", account="eve")
    last = queue.enqueue(recipient="bad@example.org", scheduled_for=AT)
    bulk = Bulk(
        lambda s: Hold("lane", "busy", "", after=DAY) if s.recipient == "bad@example.org" else Sent(f"m-{s.recipient}")
    )
    report = run.run(of(Only(bulk)), None, 2)
    assert (report.sent, report.held) == (11, 1)
    assert queue.row(last)["status"] == "pending"
    assert sum(map(len, bulk.calls)) == 12
    assert max(map(len, bulk.calls)) == 3
    assert all(len({send.account for send in call}) == 1 for call in bulk.batches)
    assert queue.one("select count(*) from send_queue where provider_message_id <> 'm-' || recipient") == 0


def test_a_limit_is_a_limit_of_rows(own_account: Queue, of: Any) -> None:
    queue = own_account
    queue.fill(7)
    bulk = Bulk()
    assert run.run(of(Only(bulk)), 2).sent == 2
    assert queue.statuses() == {"sent": 2, "pending": 5}


def test_a_batch_that_answers_for_too_few_is_in_doubt(own_account: Queue, of: Any) -> None:
    """Nobody knows which of them went out."""
    queue = own_account
    queue.fill(3)

    class Short(Bulk):
        def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
            return super().send_batch(sends)[1:]

    short = Short()
    short.lag = None
    run.run(of(Only(short)), None)
    assert queue.statuses() == {"uncertain": 3}


def test_a_statement_that_ends_a_deadlock_is_tried_again(database: str, conn: Connection) -> None:
    """Two that lock two lanes crosswise: the server stops one of them, which goes on as if nothing had been."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
        queue.lane(name)
    a_lane = "select from send_lanes l join send_accounts a on a.id = l.account_id where a.name = %s for update of l"
    with psycopg.connect(database) as other, store.connect(database) as ours:
        other.execute(a_lane, ("bob",))
        waits = Thread(target=store.pause, args=(ours, True, "all", None, None, None, None, AT))
        waits.start()
        until = clock() + 60
        while not queue.all(LOCKED) and clock() < until:
            sleep(0.01)  # it holds ada's lane, and waits for bob's
        other.execute("set deadlock_timeout = '1h'")
        other.execute(a_lane, ("ada",))
        other.commit()
        waits.join(60)
    assert queue.one("select paused_at from send_workspaces") == AT


# --- a provider that accepts the same send once ------------------------------------------------------------


class Knows(Own):
    """A provider that knows a send again by its key."""

    repeatable: timedelta | None = FOREVER


def test_what_its_provider_knows_again_goes_again_and_is_not_asked_about(own_account: Queue, of: Any) -> None:
    """After the campaign's back-off, with the first try still in the cap: it may have been accepted."""
    queue, own = own_account, Knows()
    in_doubt(queue)
    assert run.run(of(Only(own)), None).retried == 1
    [row] = queue.all("select id from send_queue")
    assert queue.statuses() == {"pending": 1}
    assert 5 * MINUTE <= queue.row(row)["scheduled_for"] - AT <= 5.5 * MINUTE
    assert (own.calls, own.asked) == ([], [])
    later = of(Only(own))
    later.database.now = lambda: AT + 6 * MINUTE
    assert run.run(later, None).sent == 1
    assert (own.calls, own.asked) == ([["doubted@example.org"]], [])
    assert queue.all("select outcome from send_attempts order by number") == ["uncertain", "sent"]
    queue.assert_tally_is_the_ledger()


def test_invariant_3_a_repeat_that_may_come_too_late_is_not_sent(own_account: Queue, of: Any) -> None:
    """A provider that knows a send for an hour, and a lane that was closed for that long: then it is asked."""
    queue, own = own_account, Knows()
    own.repeatable = HOUR
    queue.enqueue(recipient="doubted@example.org", at=AT - 10 * MINUTE)
    queue.send("uncertain", AT - 10 * MINUTE)
    assert run.run(of(Only(own)), None).retried == 1
    queue.lane(next_at=None, paused_at=None, max_in_flight=99)
    later = of(Only(own))
    later.database.now = lambda: AT + 40 * MINUTE + SECOND  # within the hour; with its lease it may be over
    report = run.run(later, None)
    assert (report.sent, own.calls, own.asked) == (1, [], ["doubted@example.org"])
    assert queue.all("select error_code from send_attempts where number = 2") == ["too_late_to_repeat"]


def test_a_doubt_of_which_its_provider_knows_nothing_any_more_is_asked_about(own_account: Queue, of: Any) -> None:
    queue, own = own_account, Knows()
    own.repeatable = HOUR
    in_doubt(queue)  # an hour ago
    assert run.run(of(Only(own)), None).sent == 1
    assert (own.calls, own.asked) == ([], ["doubted@example.org"])


def test_repeats_are_tries_and_end(own_account: Queue, of: Any) -> None:
    """When all are used up, it stays in doubt: nobody knows that it failed."""
    queue, own = own_account, Knows(lambda _: Uncertain("read_timeout"))
    own.lag = None
    queue.enqueue(recipient="doubted@example.org", at=AT)
    at = AT
    for _ in range(5):
        this = of(Only(own))
        this.database.now = lambda moment=at: moment
        run.run(this, None)
        at += 2 * HOUR
    assert len(own.calls) == 3
    assert queue.statuses() == {"uncertain": 1}


def test_a_persons_word_ends_what_a_repeat_waits_for(own_account: Queue, of: Any) -> None:
    """Settled as not sent, it goes however late it is."""
    queue, own = own_account, Knows(lambda _: Uncertain("read_timeout"))
    own.repeatable = 2 * HOUR
    send_id = queue.enqueue(recipient="doubted@example.org", at=AT)
    run.run(of(Only(own)), None)
    own.answer = lambda _: Sent("m-1")
    for at, asking in [(AT + 3 * HOUR, False), (AT + DAY, True)]:
        this = of(Only(own))
        this.database.now = lambda moment=at: moment
        run.run(this, None, resolve_doubts=asking)
        if not asking:
            assert queue.row(send_id)["error_code"] == "too_late_to_repeat"
            queue.call("send_settle", id=send_id, sent=False, at=at)
    assert queue.row(send_id)["provider_message_id"] == "m-1"


def test_a_refusal_that_its_provider_names_suppresses(own_account: Queue, of: Callable[[Providers], run.Pass]) -> None:
    """Nobody writes to that recipient any more; another refusal is about the one message."""

    class Strict(Own):
        suppresses = frozenset({"opted_out"})

    for recipient in ("ada@x.org", "ben@x.org"):
        own_account.enqueue(recipient=recipient, at=AT - HOUR)
    waits = own_account.enqueue(recipient="ada@x.org", at=AT - HOUR, scheduled_for=AT + HOUR)
    codes = {"ada@x.org": "opted_out", "ben@x.org": "http_400"}
    run.run(of(Only(Strict(lambda send: Failed(codes[send.recipient])))), None)
    assert own_account.all("select recipient, reason from send_suppressions") == [("ada@x.org", "opted_out")]
    assert (own_account.row(waits)["status"], own_account.row(waits)["error_code"]) == ("skipped", "suppressed")
