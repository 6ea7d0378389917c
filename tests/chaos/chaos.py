"""`python -m tests.chaos.chaos --kills 300 --seed N`: kill runs at any moment, then hold the books against the journal.

    a round   some messages more; several runs at once, each with a fate (SIGKILL after so long, SIGTERM, or to live),
              until nothing is left to do; the providers drop, delay, refuse, spoil, hide; now and then a connection, a
              server or the providers are killed too
    between   all runs are dead or done and the providers have nothing in hand: believed time jumps, mostly past leases
    the end   faults off; plain runs as time passes, until nothing changes; then `check`

Nobody settles anything by hand. What is broken is printed, and the exit status is 1 then; the folder with database
and journal is kept. The seed decides the faults, the fates and the jumps; the machine decides the rest.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from send_queue import store
from send_queue.rules import schedule_text
from send_queue.store import schema

from . import channels, rules
from .channels import SEATS, TURNS, WAYS, seats_of
from .world import Cluster, Provider, environment, until

LIMIT = (6, timedelta(minutes=10))
"""The rolling limit of the second seat at Unipile; other lanes have those that are there from the start."""

IDLE = 12
"""So many runs in a row that had nothing to do, and a round is over: time must pass."""


def kind(rule: dict[str, Any]) -> str:
    """A fault in a few words."""
    parts = [f"drop {rule['drop']} accepting" if rule["drop"] else ""]
    parts += [f"{rule['status']}" + (" after accepting" if rule["accept"] else "") if rule["status"] else ""]
    parts += [rule["spoil"] or "", "listed late" if rule["hide"] else ""]
    parts += ["late" if not any(parts) else ""]
    return ", ".join(part for part in parts if part)


@dataclass(slots=True)
class Running:
    """One run, and what is to become of it."""

    process: subprocess.Popen[bytes]
    errors: Path
    began: float
    fate: str
    after: float
    from_claim: bool = False
    """Whether its time counts from when it has a send in hand, rather than from its start."""
    claimed_at: float | None = None
    told: bool = False

    @property
    def due(self) -> bool:
        """Whether its fate is to overtake it now."""
        since = self.claimed_at if self.from_claim else self.began
        return self.fate != "live" and not self.told and since is not None and time.monotonic() > since + self.after


@dataclass
class Chaos:
    kills: int
    seed: int
    rows: int
    at_once: int
    folder: Path
    say: Any = print
    counts: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    runs: list[Running] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    shaken: bool = False
    """Whether connections were cut in this round, so that a run may say that the database is lost."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.cluster = Cluster(self.folder)
        self.provider = Provider(self.folder, channels.faults(self.seed))
        self.believed = self.provider.believed
        self.nth = 0
        self.looked_at = 0.0
        self.in_hand: set[int] = set()
        self.idle = 0
        self.enqueued = 0
        self.of_way: Counter[str] = Counter()

    # --- before -------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Accounts with lanes of every kind, a campaign for each way to send, and one that keeps business hours."""
        # A Monday morning, so that caps, weeks and office hours lie alike whatever day it is today.
        today = self.believed.now()
        self.believed.move(timedelta(days=7 - today.weekday()) - timedelta(hours=today.hour - 9))
        self.provider.start()
        with self.cluster.connect() as conn:
            schema.migrate(conn)
            at = self.believed.now()
            hours = schedule_text.hours_from_text([f"{rules.OFFICE.start:02}:00-{rules.OFFICE.stop:02}:00"], None)
            store.upsert(conn, "schedule", "office", {"timezone": "UTC", "hours": hours}, adding=True)
            for seat in SEATS:
                account = {"provider": seat.provider, "channels": seat.channels, **seat.fields}
                if seat.secret is not None:
                    account["secret_env"] = seat.variable
                store.upsert(conn, "account", seat.name, account, adding=True, at=at)
                for channel in seat.channels:
                    no_gap = {"min_gap_seconds": 0, "jitter_seconds": 0}
                    store.upsert(conn, "lane", seat.name, {"channel": channel, **no_gap, **seat.lane}, at=at)
            store.put_limit(conn, LIMIT[0], LIMIT[1], account="a1")
            for way in WAYS:
                pool = [seat.name for seat in seats_of(way)]
                campaign = {"accounts": pool, "max_attempts": 8, "backoff_seconds": [300]}
                store.upsert(conn, "campaign", way.name, campaign, adding=True, at=at)
            office = {"accounts": [seat.name for seat in SEATS], "schedule": "office"}
            store.upsert(conn, "campaign", "office", office, adding=True, at=at)

    def enqueue(self, conn: store.Connection, n: int) -> None:
        """Sends of all ways in turn; every seventh keeps business hours."""
        at = self.believed.now()
        for _ in range(n):
            i, way = self.enqueued, TURNS[self.enqueued % len(TURNS)]
            nth = self.of_way[way.name]
            named: dict[str, Any] = {"campaign": way.name}
            if i % 7 == 0:
                pool = seats_of(way)
                named = {"campaign": "office", "account": pool[nth % min(3, len(pool))].name}
            store.enqueue(conn, channel=way.channel, at=at, **named, **way.message(nth, self.provider.url))
            self.enqueued += 1
            self.of_way[way.name] += 1

    # --- rounds -------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Rounds, until there were kills enough."""
        while self.counts["runs killed"] < self.kills:
            goal = min(self.kills - self.counts["runs killed"], self.dice.randint(8, 20))
            with self.cluster.connect() as conn:
                self.enqueue(conn, goal * self.rows // self.kills)
            self.round(goal)
            self.quiet()
            jumps = (timedelta(minutes=self.dice.randint(11, 15)), timedelta(hours=3), timedelta(days=1),
                     timedelta(days=3))  # fmt: skip
            self.believed.move(self.dice.choices(jumps, (60, 15, 22, 3))[0])
            self.counts["rounds"] += 1

    def round(self, kills: int) -> None:
        """Runs at once, until so many of them are killed, or nothing is left to do; then the rest may finish."""
        self.shaken = False
        self.idle = 0
        goal = self.counts["runs killed"] + kills
        trouble = time.monotonic() + self.dice.expovariate(1 / 3.0)
        while self.counts["runs killed"] < goal and self.idle < IDLE:
            while len(self.runs) < self.at_once:
                self.begin()
            self.tend()
            if time.monotonic() > trouble:
                self.make_trouble()
                trouble = time.monotonic() + self.dice.expovariate(1 / 3.0)
            time.sleep(0.01)  # seconds; many processes are tended at once, and none of them calls
        deadline = time.monotonic() + 60
        while self.runs:
            self.tend()
            if time.monotonic() > deadline:
                self.broken.append(f"{len(self.runs)} runs did not end in 60 s")
                for running in self.runs:
                    running.process.kill()
                break
            time.sleep(0.01)  # as above
        self.runs = [r for r in self.runs if r.process.poll() is None]

    def begin(self) -> None:
        """Start a run, and decide what is to become of it."""
        roll = self.dice.random()
        if roll < 0.35:
            args = ["run-once", "--limit", str(self.dice.randint(1, 5))]
        else:
            args = ["run", "--concurrency", str(self.dice.randint(1, 6)), "--max-runtime", "5s"]
        if self.dice.random() < 0.2:
            seat, way = self.dice.choice(SEATS), self.dice.choice(WAYS)
            args += self.dice.choice((["--account", seat.name], ["--channel", way.channel], ["--campaign", way.name]))
        running = self.spawn(args, self.dice.choices(("kill", "term", "live"), (80, 8, 12))[0])
        # Half of them somewhere in their lives, start-up included; the others with a send in hand.
        running.from_claim = self.dice.random() < 0.5
        running.after = self.dice.uniform(0.0, 1.5) if running.from_claim else self.dice.uniform(0.1, 2.5)
        self.runs.append(running)

    def spawn(self, args: list[str], fate: str = "live") -> Running:
        self.nth += 1
        errors = self.folder / "runs" / f"{self.nth}.err"
        errors.parent.mkdir(exist_ok=True)
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "send_queue", *args], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=environment(DATABASE_URL=self.cluster.url, SEND_QUEUE_NOW=self.believed.now().isoformat(),
                                **channels.environment(self.provider.url, self.provider.mail_url)),
            )  # fmt: skip
        self.counts["runs"] += 1
        return Running(process, errors, time.monotonic(), fate, 0.0)

    def tend(self) -> None:
        """Bring about what was decided, and see who is done."""
        if time.monotonic() > self.looked_at + 0.05:
            self.look()
        for running in list(self.runs):
            status = running.process.poll()
            if status is not None:
                self.runs.remove(running)
                self.ended(running, status)
            elif running.due:
                running.told = True
                running.process.send_signal(signal.SIGKILL if running.fate == "kill" else signal.SIGTERM)
                if running.fate == "kill":
                    running.process.wait()
                    self.counts["runs killed"] += 1
                    self.look()
                    self.counts["… with a send in hand"] += running.process.pid in self.in_hand
                else:
                    self.counts["SIGTERM"] += 1

    def look(self) -> None:
        """See which runs have a send in hand."""
        self.looked_at = time.monotonic()
        self.in_hand = set()
        with suppress(psycopg.Error), self.cluster.connect() as conn:
            found = conn.execute("select distinct claimed_by from send_queue where status = 'sending'").fetchall()
            self.in_hand = {int(worker.rpartition(":")[2]) for (worker,) in found}
        for running in self.runs:
            if running.claimed_at is None and running.process.pid in self.in_hand:
                running.claimed_at = time.monotonic()

    def ended(self, running: Running, status: int) -> None:
        """A run ends with 0; with 69 where the database was taken from it; by our signal."""
        self.idle = 0 if running.told or running.claimed_at or status else self.idle + 1
        if status == 0 or (status == -signal.SIGKILL and running.fate == "kill" and running.told):
            return
        if status == -signal.SIGTERM and running.fate == "term" and running.told:
            return  # told before it listened: it had nothing yet
        if status == 69 and self.shaken:
            self.counts["runs that lost the database (69)"] += 1
            return
        said = running.errors.read_text(errors="replace").strip().splitlines()[-1:]
        self.broken.append(f"a run exited {status}: {said}")

    def make_trouble(self) -> None:
        """Something other than a run is hit."""
        what = self.dice.choices(("connection", "clock", "provider", "backend", "server"), (45, 20, 12, 11, 12))[0]
        self.shaken = self.shaken or what in ("connection", "backend", "server")
        match what:
            case "connection":
                with suppress(psycopg.Error), self.cluster.connect() as conn:
                    conn.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where application_name = 'send-queue' order by random() limit 2"
                    )
                    self.counts["connections cut"] += 1
            case "clock":  # a little: runs live
                self.believed.move(timedelta(seconds=self.dice.uniform(1, 5)))
            case "provider":
                self.note_applied()
                self.provider.kill()
                self.provider.order(channels.faults(self.dice.randrange(1_000_000)))  # not the same dice again
                time.sleep(self.dice.uniform(0, 0.5))  # it is away, for as long as the dice say
                self.provider.start()
                self.counts["provider killed"] += 1
            case "backend":
                with suppress(psycopg.Error), self.cluster.connect() as conn:
                    found = conn.execute(
                        "select pid from pg_stat_activity where application_name = 'send-queue' limit 1"
                    ).fetchone()
                    if found:
                        self.cluster.crash_one(found[0])
                        self.counts["Postgres crashed by a backend"] += 1
            case "server":
                self.cluster.kill()
                time.sleep(self.dice.uniform(0, 0.8))  # so is the server
                self.cluster.start()
                self.counts["Postgres killed"] += 1

    def quiet(self) -> None:
        """Wait until nobody has anything in hand: then time may jump."""
        until(lambda: self.believed.calls == 0, what="the provider to have nothing in hand")

        def alone() -> bool:
            with suppress(psycopg.Error), self.cluster.connect() as conn:
                [(n,)] = conn.execute(
                    "select count(*) from pg_stat_activity where application_name = 'send-queue'"
                ).fetchall()
                return int(n) == 0
            return False

        until(alone, what="the dead runs' connections to end")

    def note_applied(self) -> None:
        for rule in self.provider.applied():
            self.applied[kind(rule)] += rule["applied"]

    # --- the end ------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Faults off; time passes and plain runs come by, until nothing changes any more."""
        self.note_applied()
        self.provider.kill()
        self.provider.order([])
        self.provider.start()
        last, same = None, 0
        while same < 30:
            overlapping = [self.spawn(["run", "--concurrency", "4"]) for _ in range(2)]
            for running in overlapping:
                status = running.process.wait(timeout=120)
                self.shaken = False
                self.ended(running, status)
            self.quiet()
            with self.cluster.connect() as conn:
                # What is in doubt and is asked about no more is for a person, and nobody settles it here.
                state = conn.execute(
                    "select status, look_up_at is null, count(*), max(updated_at) from send_queue"
                    " where status in ('pending', 'sending') or status = 'uncertain' and look_up_at is not null"
                    " group by 1, 2 order by 1, 2"
                ).fetchall()
            if not state:
                break
            same = same + 1 if state == last else 0
            last = state
            # Past leases and the providers' lags first; past holds and caps when it takes longer.
            soon = {status for status, *_ in state} & {"sending", "uncertain"} and same < 3
            self.believed.move(timedelta(minutes=13) if soon else timedelta(hours=7))

    def check(self) -> None:
        """Hold the books against the journal."""
        with self.cluster.connect() as conn:
            books = rules.read(conn, self.provider.accepted(), self.enqueued)
        self.broken += books.broken()
        self.counts.update(books.counts)
        self.table = list(books.table())

    def report(self) -> None:
        self.say("Faults applied: " + ", ".join(f"{n} {what}" for what, n in self.applied.most_common()) + ".")
        for what in ("sent twice", "lost", "rows uncertain"):
            self.counts.setdefault(what, 0)
        for line in self.table:
            self.say(line)
        for what, n in self.counts.items():
            self.say(f"{n:7,}  {what}")
        for rule in self.broken[:40]:
            self.say(f"BROKEN: {rule}")


def play(kills: int, seed: int, rows: int, at_once: int = 5, say: Any = print) -> Chaos:
    """All of it. The folder is gone afterwards unless something is broken."""
    folder = Path(tempfile.mkdtemp(prefix="sq-chaos-", dir="/tmp"))
    began = time.monotonic()
    chaos = Chaos(kills, seed, rows, at_once, folder, say)
    try:
        chaos.set_up()
        chaos.play()
        chaos.finish()
        chaos.check()
    except Exception as error:
        chaos.broken.append(f"{type(error).__name__}: {error}")
        raise
    finally:
        for running in chaos.runs:
            running.process.kill()
        chaos.provider.kill()
        if chaos.broken:
            from send_queue.store import embedded

            embedded.stop(folder)
            say(f"The database and the journal are kept in {folder}: look with SEND_QUEUE_DATA_DIR={folder}.")
        else:
            chaos.cluster.remove()
    chaos.report()
    say(f"Seed {seed}, {time.monotonic() - began:.0f} s: {'BROKEN' if chaos.broken else 'every rule held'}.")
    return chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="how many runs are killed")
    parser.add_argument("--rows", type=int, help="how many messages at the least (default: 2 for each kill)")
    parser.add_argument("--at-once", type=int, default=5, help="how many runs at a time")
    parser.add_argument("--seed", type=int, default=int(datetime.now(UTC).timestamp()), help="default: the time")
    given = parser.parse_args()
    return bool(play(given.kills, given.seed, given.rows or 2 * given.kills, given.at_once).broken)


if __name__ == "__main__":
    sys.exit(main())
