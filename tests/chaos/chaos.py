"""`python -m tests.chaos.chaos --kills 300 --seed N`: kill runs at any moment, then hold the books against the journal.

    a round   several runs at once, each with a fate (SIGKILL after so long, SIGTERM, or to live); the provider drops,
              delays, refuses, spoils, hides; now and then a connection, a server or the provider is killed too
    between   all runs are dead or done and the provider has nothing in hand: believed time jumps, mostly past leases
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
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from send_queue import calendar, schema, store
from send_queue.model import CHANNELS
from send_queue.sandbox import Entry, Fault, people

from .world import Cluster, Provider, environment, until

INVITE, MESSAGE = "linkedin_invite", "linkedin_message"
assert {INVITE, MESSAGE} < set(CHANNELS)

LIMIT = (6, timedelta(minutes=10))
"""The rolling limit of the second account."""

OFFICE = range(8, 18)
"""The hours of the day, UTC and Monday to Friday, in which the campaign `office` may send."""


def send_faults(seed: int) -> list[Fault]:
    """What goes wrong with sends, and with what is asked. The first that applies is applied; a look-up that finds
    nothing is late by less than the two minutes that the provider states."""
    faults = []
    for op in ("invite", "chat"):
        faults += [
            Fault(op=op, drop="before", delay=0.2, probability=0.05),
            Fault(op=op, drop="after", answer_delay=0.3, probability=0.05),
            Fault(op=op, drop="after", hide=90, answer_delay=0.3, probability=0.06),
            Fault(op=op, status=503, type="service_unavailable", probability=0.04),
            Fault(op=op, status=504, type="request_timeout", accept=True, probability=0.05),
            Fault(op=op, status=500, type="provider_error", accept=True, hide=60, probability=0.04),
            Fault(op=op, status=429, type="too_many_requests", probability=0.02),
            Fault(op=op, status=422, type="invalid_recipient", probability=0.01),
            Fault(op=op, spoil="truncated", probability=0.04),
            Fault(op=op, spoil="garbage", probability=0.03),
            Fault(op=op, spoil="html", probability=0.03),
            Fault(op=op, hide=100, answer_delay=0.6, probability=0.15),
            Fault(op=op, delay=0.8, probability=0.35),
            Fault(op=op, answer_delay=0.8, probability=0.7),
        ]
    for op in ("profile", "invitations", "chats", "chat_messages", "account"):
        faults += [
            # Few, for a provider that cannot tell six times in a row is asked no more: then it is a person's turn.
            Fault(op=op, drop="before", probability=0.01),
            Fault(op=op, status=503, type="service_unavailable", probability=0.01),
            Fault(op=op, spoil="truncated", probability=0.01),
            Fault(op=op, spoil="garbage", probability=0.005),
            Fault(op=op, delay=0.3, probability=0.2),
        ]
    return [Fault(**{**{k: getattr(f, k) for k in Fault.__slots__}, "seed": seed + i}) for i, f in enumerate(faults)]


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
    shaken: bool = False
    """Whether connections were cut in this round, so that a run may say that the database is lost."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.cluster = Cluster(self.folder)
        self.provider = Provider(self.folder, send_faults(self.seed))
        self.believed = self.provider.believed
        self.nth = 0
        self.looked_at = 0.0
        self.in_hand: set[int] = set()
        self.caps: dict[tuple[str, str], tuple[int | None, int | None]] = {}
        self.enqueued: list[str] = []

    # --- before -------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Six accounts with lanes of every kind, and three campaigns."""
        # A Monday morning, so that caps, weeks and office hours lie alike whatever day it is today.
        today = self.believed.now()
        self.believed.move(timedelta(days=7 - today.weekday()) - timedelta(hours=today.hour - 9))
        self.provider.start()
        with self.cluster.connect() as conn:
            schema.migrate(conn)
            at = self.believed.now()
            hours = calendar.hours_from_text(["08:00-18:00"], None)
            store.put(conn, "schedule", "office", {"timezone": "UTC", "hours": hours}, adding=True)
            for n in range(6):
                account = {"provider": "unipile", "provider_account_id": f"seat{n}"}
                store.put(conn, "account", f"a{n}", account, adding=True, at=at)
                for channel in (INVITE, MESSAGE):
                    lane: dict[str, Any] = {"channel": channel, "daily_cap": 14 + n, "max_in_flight": 1 + n}
                    lane["weekly_cap"] = 50 if n == 3 else None
                    if n == 4:
                        lane["min_gap_seconds"] = 1
                    self.caps[f"a{n}", channel] = lane["daily_cap"], lane["weekly_cap"]
                    store.put(conn, "lane", f"a{n}", lane, at=at)
            store.put_limit(conn, LIMIT[0], LIMIT[1], account="a1")
            tries = {"max_attempts": 8, "backoff_seconds": [300]}
            everybody = [f"a{n}" for n in range(6)]
            store.put(conn, "campaign", "invites", {"accounts": everybody, **tries}, adding=True, at=at)
            store.put(conn, "campaign", "messages", {"accounts": everybody, **tries}, adding=True, at=at)
            office = {"accounts": everybody[:3], "schedule": "office"}
            store.put(conn, "campaign", "office", office, adding=True, at=at)
            self.enqueue(conn, self.rows)

    def enqueue(self, conn: store.Connection, n: int) -> None:
        """Invitations and messages, to people by their id and by their page."""
        at = self.believed.now()
        for _ in range(n):
            i = len(self.enqueued)
            who = f"https://www.linkedin.com/in/person-{i}" if i % 4 == 0 else f"ACoAAperson{i}"
            channel = (INVITE, MESSAGE)[i % 2]
            campaign = "office" if i % 7 == 0 else ("invites", "messages")[i % 2]
            store.enqueue(conn, campaign=campaign, channel=channel, recipient=who, message=f"Hello number {i}.", at=at)
            self.enqueued.append(who)

    # --- rounds -------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Rounds, until there were kills enough."""
        while self.counts["runs killed"] < self.kills:
            self.round(min(self.kills - self.counts["runs killed"], self.dice.randint(12, 30)))
            self.quiet()
            jumps = (timedelta(minutes=self.dice.randint(11, 15)), timedelta(hours=3), timedelta(days=1),
                     timedelta(days=3))  # fmt: skip
            self.believed.move(self.dice.choices(jumps, (40, 20, 35, 5))[0])
            self.counts["rounds"] += 1

    def round(self, kills: int) -> None:
        """Runs at once, until so many of them are killed; then the rest may finish."""
        self.shaken = False
        goal = self.counts["runs killed"] + kills
        trouble = time.monotonic() + self.dice.expovariate(1 / 3.0)
        while self.counts["runs killed"] < goal:
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
            args += self.dice.choice((["--account", f"a{self.dice.randrange(6)}"], ["--channel", INVITE],
                                      ["--campaign", "messages"]))  # fmt: skip
        running = self.spawn(args, self.dice.choices(("kill", "term", "live"), (80, 8, 12))[0])
        # Half of them somewhere in their lives, start-up included; the others with a send in hand.
        running.from_claim = self.dice.random() < 0.5
        running.after = self.dice.uniform(0.0, 1.0) if running.from_claim else self.dice.uniform(0.1, 2.5)
        self.runs.append(running)

    def spawn(self, args: list[str], fate: str = "live") -> Running:
        self.nth += 1
        errors = self.folder / "runs" / f"{self.nth}.err"
        errors.parent.mkdir(exist_ok=True)
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "send_queue", *args], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=environment(DATABASE_URL=self.cluster.url, UNIPILE_DSN=self.provider.url,
                                SEND_QUEUE_NOW=self.believed.now().isoformat()),
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
                self.provider.order(send_faults(self.dice.randrange(1_000_000)))  # not the same dice again
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
                state = conn.execute(
                    "select status, count(*), max(updated_at) from send_queue group by status order by status"
                ).fetchall()
            open_ = {status for status, *_ in state} & {"pending", "sending", "uncertain"}
            if not open_:
                break
            same = same + 1 if state == last else 0
            last = state
            # Past leases and the provider's lag first; past holds and caps when it takes longer.
            soon = open_ & {"sending", "uncertain"} and same < 3
            self.believed.move(timedelta(minutes=13) if soon else timedelta(hours=7))

    def check(self) -> None:
        """Hold the table, the ledger and the tally against the journal."""
        journal = self.provider.accepted()
        with self.cluster.connect() as conn:
            rows = conn.cursor(row_factory=dict_row).execute(
                "select q.*, a.name as account, a.provider_account_id, c.name as campaign from send_queue q"
                " join send_accounts a on a.id = q.account_id join send_campaigns c on c.id = q.campaign_id"
            ).fetchall()  # fmt: skip
            attempts = conn.cursor(row_factory=dict_row).execute(
                "select b.*, a.name as account, c.name as campaign from send_attempts b"
                " join send_accounts a on a.id = b.account_id join send_queue q on q.id = b.send_id"
                " join send_campaigns c on c.id = q.campaign_id"
            ).fetchall()  # fmt: skip
            drift = conn.execute(
                "select account_id, channel, day, u.used, n from send_usage u full join ("
                "  select account_id, channel, day, count(*) as n from send_attempts"
                "  where outcome is null or outcome in ('sent', 'uncertain') group by account_id, channel, day) b"
                " using (account_id, channel, day) where coalesce(u.used, 0) <> coalesce(n, 0)"
            ).fetchall()
        self._check_rows(rows, journal)
        self._check_ledger(rows, attempts)
        self._check_caps(rows, attempts, journal)
        for account_id, channel, day, used, n in drift:
            self.broken.append(f"the tally of {account_id} {channel} on {day} is {used}, its ledger {n}")

    def _check_rows(self, rows: list[dict[str, Any]], journal: list[Entry]) -> None:
        accepted = Counter((e["channel"], e["recipient"], e["text"]) for e in journal)
        for what, n in accepted.items():
            if n > 1:
                self.counts["sent twice"] += n - 1
                self.broken.append(f"accepted {n} times: {what}")
        if len(rows) != len(self.enqueued):
            self.counts["lost"] += len(self.enqueued) - len(rows)
            self.broken.append(f"{len(self.enqueued)} rows were enqueued, {len(rows)} are there")
        by_key = {key(row): row for row in rows}
        entries = {witnessed(entry): entry for entry in journal}
        for row in rows:
            self.counts[f"rows {row['status']}"] += 1
            if row["status"] in ("sending", "uncertain", "pending"):
                self.broken.append(f"still {row['status']}: {row['id']} {row['error_code']} look_ups={row['look_ups']}")
            entry = entries.get(key(row))
            if (row["status"] == "sent") != (entry is not None):
                self.counts["lost"] += row["status"] == "sent"
                self.broken.append(f"{row['id']} is {row['status']} ({row['error_code']}), the journal has {entry}")
            elif entry and row["provider_message_id"] not in (None, entry["id"], entry.get("chat_id")):
                self.broken.append(f"{row['id']} has the id of another send")
        for stray in entries.keys() - by_key.keys():
            self.counts["lost"] += 1
            self.broken.append(f"accepted, and there is no such row: {stray}")

    def _check_ledger(self, rows: list[dict[str, Any]], attempts: list[dict[str, Any]]) -> None:
        sent = Counter(b["send_id"] for b in attempts if b["outcome"] == "sent")
        for row in rows:
            if sent[row["id"]] != (row["status"] == "sent"):
                self.broken.append(f"{row['id']} is {row['status']} and has {sent[row['id']]} sent attempts")
        for b in attempts:
            self.counts["attempts"] += 1
            if b["outcome"] is None:
                self.broken.append(f"the attempt {b['id']} is open")
            # What was in doubt keeps the reason why it was; what a look-up made of it is its outcome.
            if b["error_code"] and b["outcome"] == "sent":
                self.counts["in doubt, found"] += 1
            elif b["error_code"] and b["outcome"] == "released":
                self.counts["in doubt, surely not there"] += 1
            if b["error_code"] == "lease_expired":
                self.counts["left by dead runs"] += 1
            at = b["started_at"].astimezone(UTC)
            if b["campaign"] == "office" and (at.weekday() > 4 or at.hour not in OFFICE):
                self.broken.append(f"an attempt of the campaign `office` at {at}")

    def _check_caps(self, rows: list[dict[str, Any]], attempts: list[dict[str, Any]], journal: list[Entry]) -> None:
        day_of: dict[Any, date] = {b["send_id"]: b["day"] for b in attempts if b["outcome"] == "sent"}
        by_key = {key(row): row for row in rows}
        spent: dict[tuple[str, str], Counter[date]] = defaultdict(Counter)
        for b in attempts:
            if b["outcome"] in ("sent", "uncertain"):
                spent[b["account"], b["channel"]][b["day"]] += 1
        seen: dict[tuple[str, str], Counter[date]] = defaultdict(Counter)
        for entry in journal:
            sent = by_key.get(witnessed(entry))
            if sent is not None and sent["id"] in day_of:
                seen[sent["account"], entry["channel"]][day_of[sent["id"]]] += 1
        for lane, (daily, weekly) in self.caps.items():
            for book, days in (("ledger", spent[lane]), ("journal", seen[lane])):
                for day, n in days.items():
                    week = sum(days[day - timedelta(days=k)] for k in range(7))
                    if (daily is not None and n > daily) or (weekly is not None and week > weekly):
                        self.broken.append(f"the {book} has {n} on {day}, {week} in its week, for {lane}")
        limited = sorted(b["started_at"] for b in attempts
                         if b["account"] == "a1" and b["outcome"] in ("sent", "uncertain"))  # fmt: skip
        most, per = LIMIT
        for first, last in zip(limited, limited[most:], strict=False):
            if last - first < per:
                self.broken.append(f"more than {most} in {per}: {first} to {last}")

    def report(self) -> None:
        self.say("Faults applied: " + ", ".join(f"{n} {what}" for what, n in self.applied.most_common()) + ".")
        for what in ("sent twice", "lost", "rows uncertain"):
            self.counts.setdefault(what, 0)
        for what, n in self.counts.items():
            self.say(f"{n:7,}  {what}")
        for rule in self.broken[:40]:
            self.say(f"BROKEN: {rule}")


Key = tuple[str, str, str, str]
"""Account, channel, recipient and text, as the provider knows them."""


def witnessed(entry: Entry) -> Key:
    return entry["account_id"], entry["channel"], entry["recipient"], entry["text"]


def key(row: dict[str, Any]) -> Key:
    """A row as the journal knows it."""
    who = row["recipient"].rpartition("/in/")
    recipient = people.provider_id(who[2], None) if who[1] else row["recipient"]
    return row["provider_account_id"], row["channel"], recipient, row["message"]


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
            from send_queue import embedded

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
    parser.add_argument("--rows", type=int, help="how many messages (default: 2 for each kill)")
    parser.add_argument("--at-once", type=int, default=5, help="how many runs at a time")
    parser.add_argument("--seed", type=int, default=int(datetime.now(UTC).timestamp()), help="default: the time")
    given = parser.parse_args()
    return bool(play(given.kills, given.seed, given.rows or 2 * given.kills, given.at_once).broken)


if __name__ == "__main__":
    sys.exit(main())
