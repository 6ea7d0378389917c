"""Play the queue forward with the deciding code itself: when does a send go that has others before it, and how many go
on which day?

`explained` plays one lane with the run's own claim, on copies of the lane's rows that only this transaction sees
(send_rehearse). `forecast` plays all lanes (`play`): there the claim itself would be too slow, so what decides is asked
(limits and caps by send_room, which the claim asks too; the calendar), and only the order of rows is played.

Time is an argument. Sends take no time here, all of them succeed, and chance adds its mean to the gaps. In `explained`
somebody runs the command whenever something can go; in `forecast` it runs as often as is said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from send_queue import explain, play, run, store
from send_queue.board import MICROSECOND, Board, Never, microseconds, moment
from send_queue.model import Explanation, HoldBack, Sure, clock
from send_queue.play import Moment
from send_queue.store import Connection, Filters

if TYPE_CHECKING:
    from send_queue.providers import Providers

MOST_STEPS = 2000
MOST_SECONDS = 1.0
"""How many times a lane is looked at, and for how long, before we only say "not before"."""

HORIZON = timedelta(days=5 * 366)
"""How far the queue is played: what has not gone by then goes `later`."""


def explained(conn: Connection, send_id: UUID, at: datetime | None, providers: Providers) -> Explanation:
    """Explain a send, those that go before it included. Raises `UserError` where there is none with this id."""
    found = explain.explain(conn, send_id, at)
    if found.next_at is None or all(hold.rule != "behind" for hold in found.holds):
        return found
    moment, sure = _played(conn, send_id, found.at, providers)
    if moment is None:
        return replace(found, verdict="needs_person", next_at=None)
    moment = max(moment, found.next_at)  # in a rehearsal nothing is in flight; here something may be, for a while
    holds = tuple(
        HoldBack(h.rule, moment, f"{h.detail} It will be later than this." if sure == "after" else h.detail)
        if h.rule == "behind"
        else h
        for h in found.holds
    )
    return replace(found, next_at=moment, holds=holds, sure=sure)


def _played(conn: Connection, send_id: UUID, at: datetime, providers: Providers) -> tuple[datetime | None, Sure]:
    """The moment at which the send is claimed, and how sure it is; None where it never is."""
    send = store.send(conn, send_id)
    with store.rehearsing(conn, UUID(send["account_id"]), send["channel"]) as by_chance:
        sure: Sure = "about" if by_chance else "exact"
        moment = at
        until = clock() + MOST_SECONDS
        for _ in range(MOST_STEPS):
            if clock() > until:
                break
            this = run.Run(
                conn, providers, partial(_same, moment), "rehearsal", Filters(channel=send["channel"]), asking=False
            )
            claimed = run.take(this, 1000, run.Report(), patient=False)
            if any(c.send_id == send_id for c in claimed):
                return moment, sure
            store.rehearse_sent(conn, moment)
            if not claimed:
                report = run.Report()
                run.say_why(this, report, counting=False)
                if report.next_at is None or report.next_at <= moment:
                    # What heads the lane never goes.
                    report.next_at = explain.explain(conn, send_id, moment).next_at
                if report.next_at is None or report.next_at <= moment:
                    return None, sure
                moment = report.next_at
        return moment, "after"


def _same(moment: datetime) -> datetime:
    return moment


# --- the whole queue --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """What goes out on one date, in all and by lane ("anna linkedin_invite")."""

    date: date
    sends: int
    by_lane: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CampaignForecast:
    """When the last row of a campaign goes that can go; None: none can, or not within the horizon."""

    workspace: str
    campaign: str
    pending: int
    goes: int
    finishes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The queue, played forward from `at` with a run `every` so often that takes up to `limit` rows (None: all).

    `days` begin with the date of `at` in `tz`. `later` counts what goes after `HORIZON`; `finishes_at` is then None, as
    it is where nothing goes. `at_its_limit` says of how many runs the limit kept something back that could have gone.
    """

    at: datetime
    every: timedelta
    limit: int | None
    tz: tzinfo
    days: tuple[Day, ...]
    finishes_at: datetime | None
    campaigns: tuple[CampaignForecast, ...]
    never: tuple[Never, ...]
    later: int
    at_its_limit: int


def forecast(
    conn: Connection,
    at: datetime | None,
    days: int = 7,
    every: timedelta = timedelta(minutes=5),
    limit: int | None = None,
    tz: tzinfo = UTC,
) -> Forecast:
    """Play the queue forward from `at` (None: the database's clock), as if a run began then and `every` so often.

    `limit` is that of `run-once`; None plays `run`, which sends all that may go. `days` are whole days of `tz`, the one
    that `at` is in included. Costs about 15 µs for each row that waits, and 0.1 ms for each limit whenever its room is
    used up, with a journey to the database for those of one moment. Nothing is changed. Raises `UserError` where the
    database refuses.
    """
    with store.one_look(conn):
        board = Board(conn, at, HORIZON)
        tally = _Tally(board.at, days, tz)
        game = play.Game(board.lanes, board.rooms, tally.count, limit)
        game.play(board.at, every // MICROSECOND, board.until)
    never, later = board.left()
    campaigns = tuple(
        CampaignForecast(
            c["workspace"], c["campaign"], c["pending"], tally.goes[c["id"]],
            moment(tally.last[c["id"]]) if c["id"] in tally.last and not later[c["id"]] else None,
        )
        for c in board.campaigns.values()
    )  # fmt: skip
    finishes = max(tally.last.values()) if tally.last and not later.total() else None
    return Forecast(
        moment(board.at), every, limit, tz, tally.days(), moment(finishes) if finishes else None, campaigns,
        tuple(never), later.total(), game.bound,
    )  # fmt: skip


class _Tally:
    """What went out: by day and lane for the days that are asked for, and of each campaign in all."""

    def __init__(self, at: Moment, days: int, tz: tzinfo) -> None:
        first = moment(at).astimezone(tz).date()
        self._dates = [first + timedelta(days=n) for n in range(days)]
        self._ends = [
            microseconds(datetime(d.year, d.month, d.day, tzinfo=tz))
            for d in (day + timedelta(days=1) for day in self._dates)
        ]
        self._by_day: list[Counter[str]] = [Counter() for _ in self._dates]
        self.goes: Counter[str] = Counter()
        self.last: dict[str, Moment] = {}

    def count(self, at: Moment, lane: play.Lane, backlog: play.Backlog, rows: int) -> None:
        self.goes[backlog.campaign] += rows
        self.last[backlog.campaign] = at
        if self._ends and at < self._ends[-1]:
            self._by_day[bisect_right(self._ends, at)][lane.name] += rows

    def days(self) -> tuple[Day, ...]:
        return tuple(
            Day(day, lanes.total(), dict(sorted(lanes.items())))
            for day, lanes in zip(self._dates, self._by_day, strict=True)
        )
