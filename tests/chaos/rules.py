"""What must hold when all is over? The table, the ledger, the tally and the counts, held against the journal.

rows     each is final, or for a person where nobody can be asked; its provider has it if and only if it is sent
journal  nothing was accepted twice, and nothing that there is no row for
ledger   each attempt is closed; a sent row has one that was sent
limits   caps of days and weeks, rolling limits, gaps, business hours and quiet hours, all by the ledger; caps also
         by the journal
sums     the tally is the ledger's, and the counts of rows are those of the table
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from send_queue.sandbox import Entry

from .channels import KNOWN_AGAIN, WAY_OF, WAYS, Key, Row, Way

OFFICE = range(8, 18)
"""The hours of the day, UTC and Monday to Friday, in which the campaign `office` may send."""

AWAKE = range(8, 21)
"""The hours in which a text may go, where its recipient is; here they are all in Britain."""

BRITAIN = ZoneInfo("Europe/London")


@dataclass
class Books:
    """All that is written down, read when all is over, and what is found wrong with it."""

    enqueued: int
    journal: list[Entry]
    rows: Sequence[Row]
    attempts: Sequence[Row]
    lanes: Sequence[Row]
    limits: Sequence[Row]
    drift: list[Any]
    miscounted: list[Any]
    counts: Counter[str] = field(default_factory=Counter)
    of_way: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What became of the rows of each way."""

    def broken(self) -> Iterator[str]:
        """Each breach of a rule, in words."""
        yield from self._journal()
        yield from self._rows()
        yield from self._ledger()
        yield from self._hours()
        yield from self._caps()
        yield from self._limits()
        yield from self._gaps()
        for account_id, channel, day, used, n in self.drift:
            yield f"the tally of {account_id} {channel} on {day} is {used}, its ledger {n}"
        for campaign, status, n, rows in self.miscounted:
            yield f"the campaign {campaign} is said to have {n} rows that are {status}, and has {rows}"

    # --- the journal ------------------------------------------------------------------------------------------

    def _sends(self) -> Iterator[tuple[Way, Entry]]:
        """What was accepted as something new."""
        for entry in self.journal:
            if (way := WAY_OF.get((entry["provider"], entry["channel"]))) is not None:
                yield way, entry

    def _journal(self) -> Iterator[str]:
        for key, n in Counter(way.entry(entry) for way, entry in self._sends()).items():
            if n > 1:
                self.counts["sent twice"] += n - 1
                yield f"accepted {n} times: {key}"
        known = {_way_of(row).row(row) for row in self.rows}
        for way, entry in self._sends():
            if way.entry(entry) not in known:
                self.counts["lost"] += 1
                yield f"accepted, and there is no such row: {way.entry(entry)}"
        bodies: dict[str, set[str]] = defaultdict(set)
        for entry in self.journal:
            kind = entry["provider"], entry["channel"]
            if kind not in WAY_OF and kind not in KNOWN_AGAIN:
                yield f"accepted, and nobody asked for it: {entry}"
            if "webhook-id" in entry.get("headers", {}):
                bodies[entry["id"]].add(entry["body"])
        for name, said in bodies.items():
            if len(said) > 1:
                yield f"the webhook {name} has come with {len(said)} bodies"

    # --- the table --------------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[str]:
        if len(self.rows) != self.enqueued:
            self.counts["lost"] += self.enqueued - len(self.rows)
            yield f"{self.enqueued} rows were enqueued, {len(self.rows)} are there"
        entries = {way.entry(entry): entry for way, entry in self._sends()}
        for row in self.rows:
            way = _way_of(row)
            entry = entries.get(way.row(row))
            self._count(way, row, entry)
            yield from self._one(way, row, entry)

    def _count(self, way: Way, row: Row, entry: Entry | None) -> None:
        self.counts[f"rows {row['status']}"] += 1
        of_way = self.of_way[way.name]
        of_way["rows"] += 1
        of_way[row["status"]] += 1
        of_way["accepted"] += entry is not None

    def _one(self, way: Way, row: Row, entry: Entry | None) -> Iterator[str]:
        match row["status"]:
            case "uncertain":  # the provider may have it or not: that is what it says
                if not self._for_person(way, row):
                    yield f"still in doubt, though {way.provider} can tell: {_about(row)}"
                return
            case "sending" | "pending":
                yield f"still {row['status']}: {_about(row)}"
            case "failed" if entry is not None and self._may_have_it(way, row):
                self.counts["failed, and may be there"] += 1
                return
        if (row["status"] == "sent") != (entry is not None):
            self.counts["lost"] += row["status"] == "sent"
            yield f"{_about(row)}, the journal has {entry}"
        elif entry and row["provider_message_id"] is not None and row["provider_message_id"] not in way.names(entry):
            yield f"{_about(row)} has the id of another send"

    def _for_person(self, way: Way, row: Row) -> bool:
        """Whether what is in doubt may be left to a person: nobody will ask any more, and nobody can."""
        if row["look_up_at"] is not None:
            return False
        # What goes again with the same id has had all its tries.
        return not way.settles or (way.name == "webhook" and row["attempts"] >= row["max_attempts"])

    def _may_have_it(self, way: Way, row: Row) -> bool:
        """Whether a failed row says that an earlier try may have gone out, or a receiver that would
        know it again has answered with a 5xx, which tells nothing of what it has."""
        if str(row["error_message"]).endswith("An earlier try may have gone out."):
            return any(b["outcome"] == "uncertain" for b in self.attempts if b["send_id"] == row["id"])
        return way.name == "webhook" and any(
            (b["http_status"] or 0) >= 500 for b in self.attempts if b["send_id"] == row["id"]
        )

    # --- the ledger -------------------------------------------------------------------------------------------

    def _ledger(self) -> Iterator[str]:
        sent = Counter(b["send_id"] for b in self.attempts if b["outcome"] == "sent")
        for row in self.rows:
            if sent[row["id"]] != (row["status"] == "sent"):
                yield f"{_about(row)}, with {sent[row['id']]} attempts that were sent"
        for b in self.attempts:
            self.counts["attempts"] += 1
            if b["outcome"] is None:
                yield f"the attempt {b['id']} is open"
            # What was in doubt keeps the reason why it was; what a look-up made of it is its outcome.
            if b["error_code"] and b["outcome"] == "sent":
                self.counts["in doubt, found"] += 1
            elif b["error_code"] and b["outcome"] == "released":
                self.counts["in doubt, surely not there"] += 1
            elif b["outcome"] == "uncertain" and sent[b["send_id"]]:
                self.counts["in doubt, sent again and known again"] += 1
            if b["error_code"] == "lease_expired":
                self.counts["left by dead runs"] += 1

    def _hours(self) -> Iterator[str]:
        for b in self.attempts:
            at = b["started_at"].astimezone(UTC)
            if b["campaign"] == "office" and (at.weekday() > 4 or at.hour not in OFFICE):
                yield f"an attempt of the campaign `office` at {at}"
            if b["channel"] == "sms" and at.astimezone(BRITAIN).hour not in AWAKE:
                yield f"a text in the night, at {at}"

    # --- limits -----------------------------------------------------------------------------------------------

    def _spent(self) -> Sequence[Row]:
        """The attempts that were accepted, or may have been."""
        return [b for b in self.attempts if b["outcome"] in ("sent", "uncertain")]

    def _caps(self) -> Iterator[str]:
        spent: dict[tuple[str, str], Counter[date]] = defaultdict(Counter)
        for b in self._spent():
            spent[b["account"], b["channel"]][b["day"]] += 1
        day_of = {b["send_id"]: b["day"] for b in self.attempts if b["outcome"] == "sent"}
        by_key: dict[Key, Row] = {_way_of(row).row(row): row for row in self.rows}
        seen: dict[tuple[str, str], Counter[date]] = defaultdict(Counter)
        for way, entry in self._sends():
            row = by_key.get(way.entry(entry))
            if row is not None and row["id"] in day_of:
                seen[row["account"], row["channel"]][day_of[row["id"]]] += 1
        for lane in self.lanes:
            daily, weekly, name = lane["daily_cap"], lane["weekly_cap"], (lane["account"], lane["channel"])
            for book, days in (("ledger", spent[name]), ("journal", seen[name])):
                for day, n in days.items():
                    week = sum(days[day - timedelta(days=k)] for k in range(7))
                    if (daily is not None and n > daily) or (weekly is not None and week > weekly):
                        yield f"the {book} has {n} on {day}, {week} in its week, for {name}"

    def _limits(self) -> Iterator[str]:
        spent = sorted(self._spent(), key=lambda b: b["started_at"])
        for limit in self.limits:
            counted = [b["started_at"] for b in spent if limit["account"] in (None, b["account"])
                       and limit["channel"] in (None, b["channel"])]  # fmt: skip
            for first, last in zip(counted, counted[limit["max_sends"] :], strict=False):
                if last - first < limit["per"]:
                    yield (
                        f"more than {limit['max_sends']} in {limit['per']} for {limit['account'] or 'all'}"
                        f" {limit['channel'] or ''}: {first} to {last}"
                    )

    def _gaps(self) -> Iterator[str]:
        for lane in self.lanes:
            gap = timedelta(seconds=lane["min_gap_seconds"])
            began = sorted(b["started_at"] for b in self.attempts
                           if (b["account"], b["channel"]) == (lane["account"], lane["channel"])
                           and b["outcome"] in (None, "sent", "uncertain", "held"))  # fmt: skip
            for first, second in pairwise(began):
                if second - first < gap:
                    yield f"{second - first} between two attempts of {lane['account']} {lane['channel']}"

    # --- what is read -----------------------------------------------------------------------------------------

    def table(self) -> Iterator[str]:
        """What became of the rows, way by way."""
        columns = ("rows", "sent", "failed", "skipped", "uncertain", "accepted")
        yield "".join(f"{name:>11}" for name in ("", *columns))
        for way in WAYS:
            yield f"{way.name:>11}" + "".join(f"{self.of_way[way.name][column]:>11}" for column in columns)


def _way_of(row: Row) -> Way:
    return WAY_OF[row["provider"], row["channel"]]


def _about(row: Row) -> str:
    return (
        f"{row['id']} of {row['account']} {row['channel']} is {row['status']} ({row['error_code']}) after"
        f" {row['attempts']} tries and {row['look_ups']} look-ups"
    )


# --- reading ----------------------------------------------------------------------------------------------


def read(conn: psycopg.Connection[Any], journal: list[Entry], enqueued: int) -> Books:
    """Read all books at one moment, when nobody writes any more."""
    cursor = conn.cursor(row_factory=dict_row)
    rows = cursor.execute(
        "select q.*, a.name as account, a.provider, c.name as campaign, c.max_attempts from send_queue q"
        " join send_accounts a on a.id = q.account_id join send_campaigns c on c.id = q.campaign_id"
    ).fetchall()  # fmt: skip
    attempts = cursor.execute(
        "select b.*, a.name as account, c.name as campaign from send_attempts b"
        " join send_accounts a on a.id = b.account_id join send_queue q on q.id = b.send_id"
        " join send_campaigns c on c.id = q.campaign_id"
    ).fetchall()  # fmt: skip
    lanes = cursor.execute(
        "select l.*, a.name as account from send_lanes l join send_accounts a on a.id = l.account_id"
    ).fetchall()
    limits = cursor.execute(
        "select m.*, a.name as account from send_limits m left join send_accounts a on a.id = m.account_id"
    ).fetchall()
    drift = conn.execute(
        "select account_id, channel, day, u.used, n from send_usage u full join ("
        "  select account_id, channel, day, count(*) as n from send_attempts"
        "  where outcome is null or outcome in ('sent', 'uncertain') group by account_id, channel, day) b"
        " using (account_id, channel, day) where coalesce(u.used, 0) <> coalesce(n, 0)"
    ).fetchall()
    miscounted = conn.execute(
        "select campaign_id, status, coalesce(s.n, 0), coalesce(q.n, 0) from ("
        "  select campaign_id, status, sum(n) as n from send_counts group by campaign_id, status) s full join ("
        "  select campaign_id, status, count(*) as n from send_queue group by campaign_id, status) q"
        " using (campaign_id, status) where coalesce(s.n, 0) <> coalesce(q.n, 0)"
    ).fetchall()
    return Books(enqueued, journal, rows, attempts, lanes, limits, drift, miscounted)
