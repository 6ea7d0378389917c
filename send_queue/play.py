"""Play a queue forward: at each moment at which the command is run, what goes out?

Everything that decides is asked of what decides for real: limits of the database (`Rooms`: send_room, as the claim asks
it), openings of the calendar. Their answers are kept for as long as they are sure to hold. An opening holds until it
closes. Room does not shrink as time goes by, only by what is sent: so a lane that had room for twenty is asked again
after twenty. What is left to play is the order: the lane whose turn it is, and of its rows the most urgent that is due.

    waiting   lanes by the moment at which they can go next
    turns     lanes that may go now, by their turn                        at each tick: from waiting to turns,
    tick      until the turns, or the rows that a run may take, are over  then the next tick at which anything can go

Sends take no time here and all of them succeed. Moments are microseconds since 1970, in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from sys import maxsize
from typing import NamedTuple, Protocol, TypeAlias

Moment: TypeAlias = int
"""Microseconds since 1970."""

FOR_EVER: Moment = maxsize
"""When what never happens does."""

OPEN: Moment = 0

ALWAYS = (OPEN, FOR_EVER)
"""The opening of what has no schedule."""


NEAR = 256
"""How many lanes near their turn are looked at, whether they might be asked along."""


class Hours(Protocol):
    """When a schedule is open."""

    def window(self, at: Moment) -> tuple[Moment, Moment]:
        """The opening that holds `at`, else the next one; (FOR_EVER, FOR_EVER) where there is none."""


class Room(NamedTuple):
    """How many more may go from a lane by the limits of the lane (and its account), of its channel in the workspace,
    and of the workspace; None: no such limit. Where one has no room, `until` when all lanes of `reach` wait, and why.
    """

    lane: int | None
    channel: int | None
    workspace: int | None
    until: Moment
    reach: str
    rule: str
    detail: str

    @property
    def is_full(self) -> bool:
        return any(room is not None and room <= 0 for room in (self.lane, self.channel, self.workspace))


@dataclass(slots=True)
class Tally:
    """How many went out from what counts together, and to how many there is surely room for it to rise."""

    sent: int = 0
    sure: int = 0
    low: int = 0
    """From so many on it may as well be asked again, if somebody is asked anyway: hardly any room is left."""
    lanes: list[Lane] = field(default_factory=list)

    def told(self, room: int | None) -> None:
        self.sure = maxsize if room is None else self.sent + room
        self.low = maxsize if not self.is_sure else self.sure - max(1, (self.sure - self.sent) // 8)

    @property
    def is_sure(self) -> bool:
        return self.sent < self.sure


@dataclass(slots=True)
class Alike:
    """Rows that follow each other in their lane's order, and are alike."""

    priority: int
    scheduled_for: Moment
    expires_at: Moment
    nth: int
    """Where in the lane's whole order they begin."""
    rows: int


@dataclass(slots=True)
class Backlog:
    """What waits in a lane for one campaign: what is due by its order, what is not yet by its time."""

    campaign: str
    hours: Hours | None
    later: list[Alike]
    """By their time, the last first."""
    due: list[tuple[int, Moment, int, Alike]] = field(default_factory=list)
    """A heap: the order of the claim, priority before time before id."""
    expired: int = 0
    opens_at: Moment = OPEN
    closes_at: Moment = OPEN
    """The opening that was looked up last; without a schedule it is soon one that never closes."""

    def is_open(self, at: Moment) -> bool:
        if at >= self.closes_at:
            self.opens_at, self.closes_at = self.hours.window(at) if self.hours else ALWAYS
        return self.opens_at <= at

    def head(self, at: Moment) -> tuple[int, Moment, int, Alike] | None:
        """The first that is due at `at`; those that have expired are dropped on the way."""
        while self.later and self.later[-1].scheduled_for <= at:
            rows = self.later.pop()
            heappush(self.due, (rows.priority, rows.scheduled_for, rows.nth, rows))
        while self.due and self.due[0][3].expires_at <= at:
            self.expired += heappop(self.due)[3].rows
        return self.due[0] if self.due else None

    def goes(self, at: Moment) -> Moment:
        """The first moment from `at` on at which something of it is due, and it is open."""
        if not self.due:
            if not self.later:
                return FOR_EVER
            at = max(at, self.later[-1].scheduled_for)
        if at < self.closes_at:
            return max(at, self.opens_at)
        return max(at, self.hours.window(at)[0]) if self.hours else at

    @property
    def rows(self) -> int:
        return sum(head[3].rows for head in self.due) + sum(alike.rows for alike in self.later)


@dataclass(slots=True)
class Lane:
    """An account's use of a channel, as it is played.

    `counted_with` has the tallies of its channel in the workspace and of the workspace, where limits count these.
    """

    account_id: str
    channel: str
    name: str
    gap: Moment
    next_at: Moment
    gates: Sequence[Hours | None]
    own: Tally
    siblings: Sequence[Tally] = ()
    """Of other lanes of the account, where a limit counts them together."""
    counted_with: Sequence[Tally] = ()
    backlogs: list[Backlog] = field(default_factory=list)
    unwritten: list[Played] = field(default_factory=list)
    """What went out since the limits were asked, of all that counts together: shared among them."""
    why: tuple[str, str] | None = None
    """The rule and the words that keep it until next_at."""
    opened: Moment = OPEN
    opened_until: Moment = OPEN
    """The first opening of its gates, and until when that is so."""

    def turn(self, at: Moment) -> Moment:
        """Since when it is this lane's turn, as the claim orders them: the later of next_at and its first opening."""
        if at >= self.opened_until:
            windows = [hours.window(at) if hours else ALWAYS for hours in self.gates]
            self.opened = min(opens_at for opens_at, _ in windows)
            self.opened_until = min(closes_at for _, closes_at in windows)
        return max(self.next_at, self.opened)

    def first(self, at: Moment) -> tuple[Backlog, Alike] | None:
        """What goes first of all that is due and open."""
        best: tuple[int, Moment, int, Alike] | None = None
        found = None
        for backlog in self.backlogs:
            if backlog.is_open(at):
                head = backlog.head(at)
                if head is not None and (best is None or head < best):
                    best, found = head, backlog
        return (found, best[3]) if found and best else None

    def wakes(self, at: Moment) -> Moment:
        """The first moment from `at` on at which it could go again."""
        return max(self.next_at, min([backlog.goes(at) for backlog in self.backlogs]))

    @property
    def sure(self) -> int:
        """For how many there is surely room."""
        left = self.own.sure - self.own.sent
        for tally in self.counted_with:
            left = min(left, tally.sure - tally.sent)
        return left

    def went(self, rows: int) -> None:
        self.own.sent += rows
        for tally in self.siblings:
            tally.sent += rows
        for tally in self.counted_with:
            tally.sent += rows


class Played(NamedTuple):
    """Rows that went out from a lane at a moment."""

    lane: Lane
    at: Moment
    rows: int


Rooms: TypeAlias = Callable[[Moment, Sequence[Played], Sequence[Lane]], Sequence[Room]]
"""Write down what was played, and say what the lanes have left at a moment."""

Went: TypeAlias = Callable[[Moment, Lane, Backlog, int], None]
"""Told of rows that went out."""


class Game:
    """The lanes, as they are played. `limit`: how many rows a run takes; None: all that may go.

    `bound` counts the runs that took all they may, and left something that could have gone.
    """

    def __init__(self, lanes: Sequence[Lane], rooms: Rooms, went: Went, limit: int | None) -> None:
        self.rooms = rooms
        self.went = went
        self.limit = limit
        self.bound = 0
        self._lanes = lanes
        # Of lanes with the same turn the one that was met longest ago goes first; which one is chance for the claim.
        self._nth = count()
        self._turns: list[tuple[Moment, int, Lane]] = []
        self._waiting: list[tuple[Moment, int, Lane]] = []

    def play(self, at: Moment, every: Moment, until: Moment) -> None:
        """Play all runs from `at` on, one `every` so often, that are before `until`."""
        self._waiting = [(lane.wakes(at), next(self._nth), lane) for lane in self._lanes]
        heapify(self._waiting)
        tick = at
        while True:
            while self._waiting and self._waiting[0][0] <= tick:
                lane = heappop(self._waiting)[2]
                heappush(self._turns, (lane.turn(tick), next(self._nth), lane))
            self._run(tick)
            if self._turns:
                tick += every
            elif self._waiting:
                tick += max(-(-(self._waiting[0][0] - tick) // every), 1) * every  # the first run that is not before it
            else:
                return
            if tick >= until:
                return

    def _run(self, at: Moment) -> None:
        """One run: what it takes, by turns."""
        left = self.limit if self.limit is not None else maxsize
        if self.limit is None:  # every lane is met: all that are not sure of their own room are asked at once
            self._ask(at, [lane for _, _, lane in self._turns if not lane.own.is_sure and lane.first(at)])
        unsure: list[Lane] = []
        while left:
            if not self._turns:
                if not unsure:
                    return
                self._ask(at, unsure)
                for lane in unsure:
                    self._put(at, lane)
                unsure = []
                continue
            turn, _, lane = self._turns[0]
            if (now := lane.turn(at)) > turn or now > at:  # a window has passed, or there is no room for it
                heappop(self._turns)
                self._put(at, lane)
            elif (found := lane.first(at)) is None:
                heappop(self._turns)
                self._wait(at, lane)
            elif (room := lane.sure) > 0:
                backlog, alike = found
                # What nothing parts goes in one go, where no other lane wants the same room.
                rows = min(room, alike.rows) if self.limit is None and not (lane.gap or lane.counted_with) else 1
                self._send(at, lane, backlog, alike, rows)
                left -= rows
                if lane.next_at > at:
                    heappop(self._turns)
                    self._wait(at, lane)
                else:
                    heapreplace(self._turns, (lane.turn(at), next(self._nth), lane))
            elif self.limit is None and not lane.counted_with:
                unsure.append(heappop(self._turns)[2])  # its room is its own: it is asked with others
            else:
                self._ask(at, [lane], self._low(lane))
        self.bound += any(lane.first(at) for _, _, lane in self._turns)

    def _low(self, asking: Lane) -> list[Lane]:
        """Lanes near their turn that will be asked soon too: each question is a journey to the database."""
        near = (lane for _, _, lane in self._turns[:NEAR])
        return [lane for lane in near if lane.own.sent >= lane.own.low and lane is not asking]

    def _send(self, at: Moment, lane: Lane, backlog: Backlog, alike: Alike, rows: int) -> None:
        alike.rows -= rows
        if not alike.rows:
            heappop(backlog.due)
        lane.next_at = at + lane.gap
        lane.why = None
        lane.went(rows)
        lane.unwritten.append(Played(lane, at, rows))
        self.went(at, lane, backlog, rows)

    def _put(self, at: Moment, lane: Lane) -> None:
        """Put a lane where it belongs now."""
        if (turn := lane.turn(at)) <= at:
            heappush(self._turns, (turn, next(self._nth), lane))
        else:
            self._wait(at, lane)

    def _wait(self, at: Moment, lane: Lane) -> None:
        wakes = lane.wakes(at)
        if wakes < FOR_EVER:
            heappush(self._waiting, (wakes, next(self._nth), lane))

    def _ask(self, at: Moment, lanes: Sequence[Lane], low: Sequence[Lane] = ()) -> None:
        """Ask what lanes have left, and put to sleep those that have nothing, as the claim does when it meets them.

        Those in `low` are not met yet: they are told what they have left, if anything.
        """
        if not lanes:
            return
        asked = [*lanes, *low]
        sent: list[Played] = []
        for lane in asked:
            sent += lane.unwritten
            lane.unwritten.clear()
        for nth, (lane, room) in enumerate(zip(asked, self.rooms(at, sent, asked), strict=True)):
            lane.own.told(room.lane)
            for tally, of_it in zip(lane.counted_with, (room.channel, room.workspace), strict=False):
                tally.told(of_it)
            if room.is_full and nth < len(lanes):
                self._sleep(at, lane, room)

    def _sleep(self, at: Moment, lane: Lane, room: Room) -> None:
        together = [lane]
        if room.reach != "lane":
            together = lane.counted_with[room.reach == "workspace"].lanes
        for one in together:
            if one.next_at <= at:
                one.next_at = max(room.until, at + 1)
                one.why = room.rule, room.detail
