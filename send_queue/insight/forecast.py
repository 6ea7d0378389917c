"""Play the queue forward: when does a send go that has others before it, and how many go on which day?

The order of lanes and rows is simulated; the deciding code answers: send_remaining_capacity for limits and caps, as in
the claim, and the calendar. `explained` plays only what may go before one send; `forecast` plays all lanes.

Time is an argument. Sends take no time here, all of them succeed, and chance adds its mean to the gaps. In `explained`
somebody runs the command whenever something can go; in `forecast` it runs as often as is said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from uuid import UUID

from send_queue import store
from send_queue.core import explain
from send_queue.insight import simulation
from send_queue.insight.forecast_inputs import MICROSECOND, Inputs, microseconds, moment
from send_queue.insight.lanes import FOR_EVER, Backlog, Lane, Moment
from send_queue.insight.unsendable import Unsendable
from send_queue.model import Blocker, Explanation, Sure, clock
from send_queue.store import Connection

MAX_PLAY_SECONDS = 1.0
"""How long the queue is played to explain a send, before we only say "not before"."""

HORIZON = timedelta(days=5 * 366)
"""How far the queue is played: what has not gone by then goes `later`."""


def explained(conn: Connection, send_id: UUID, at: datetime | None) -> Explanation:
    """Explain a send, those that go before it included. Raises `UserError` where there is none with this id."""
    found = explain.explain(conn, send_id, at)
    if not found.contended or found.next_at is None:
        return found
    with store.snapshot(conn):
        race = _Race(Inputs(conn, found.at, HORIZON, send_id))
    holds = [hold for hold in found.holds if hold.rule != "behind"]
    if race.went_at is not None:
        if not race.others:
            return replace(found, holds=tuple(holds), verdict="waiting" if holds else "due_now")
        next_at = max(moment(race.went_at), found.next_at)  # nothing is in flight in a play; here something may be
        holds.append(Blocker("behind", next_at, f"{race.those_before()}."))
        return replace(found, verdict="waiting", next_at=next_at, holds=tuple(holds), sure=race.sure)
    if (expires_at := race.expired_at) is not None:
        holds.append(Blocker("behind", None, f"{race.those_before()}."))
        holds.append(Blocker("scheduled_for", None, explain.expiring(moment(expires_at), found.at)))
        return replace(found, verdict="needs_person", next_at=None, holds=tuple(holds))
    next_at = max(moment(race.reached), found.next_at)
    said = next((hold.detail for hold in found.holds if hold.rule == "behind"), f"{race.those_before()}, and more.")
    holds.append(Blocker("behind", next_at, f"{said} It will be later than this."))
    return replace(found, verdict="waiting", next_at=next_at, holds=tuple(holds), sure="after")


class _Over(Exception):
    """The send has gone."""


class _Race:
    """What goes before one send: played until it goes, expires, or `MOST_SECONDS` have passed."""

    def __init__(self, board: Inputs) -> None:
        self.others: Counter[bool] = Counter()
        """How many went before: from the same lane, and from others."""
        self.went_at: Moment | None = None
        self.expired_at: Moment | None = None
        self.reached = board.at
        self._board = board
        self._by_chance = not board.whole
        expires_at = board.sought.expires_at if board.sought else FOR_EVER
        try:
            game = simulation.Simulation(board.lanes, board.rooms, self._count, None)
            reached = game.play(board.at, 1, min(board.until, expires_at), clock() + MAX_PLAY_SECONDS)
        except _Over:
            return
        if reached >= expires_at and expires_at < FOR_EVER:
            self.expired_at = expires_at
        elif reached < FOR_EVER:
            self.reached = reached

    @property
    def sure(self) -> Sure:
        return "about" if self._by_chance else "exact"

    def _count(self, at: Moment, lane: Lane, _: Backlog, rows: int) -> None:
        self.reached = at
        if self._board.sought and not self._board.sought.rows:
            self.went_at = at
            raise _Over
        self.others[lane is self._board.lane_of_sought] += rows
        self._by_chance = self._by_chance or self._board.by_chance(lane)

    def those_before(self) -> str:
        same, others = self.others[True], self.others[False]
        goes = f"{same + others:,} {'goes' if same + others == 1 else 'go'} first"
        if not others:
            return f"{goes} from the same lane"
        return f"{goes} from lanes that share its limits" + (f", {same:,} of them from its own" if same else "")


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
    never: tuple[Unsendable, ...]
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
    with store.snapshot(conn):
        board = Inputs(conn, at, HORIZON)
        tally = _Tally(board.at, days, tz)
        game = simulation.Simulation(board.lanes, board.rooms, tally.count, limit)
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

    def count(self, at: Moment, lane: Lane, backlog: Backlog, rows: int) -> None:
        self.goes[backlog.campaign] += rows
        self.last[backlog.campaign] = at
        if self._ends and at < self._ends[-1]:
            self._by_day[bisect_right(self._ends, at)][lane.name] += rows

    def days(self) -> tuple[Day, ...]:
        return tuple(
            Day(day, lanes.total(), dict(sorted(lanes.items())))
            for day, lanes in zip(self._dates, self._by_day, strict=True)
        )
