"""Play a queue forward: at each moment at which the command is run, what goes out?

The deciding code itself answers: send_remaining_capacity for limits (`Rooms`, as in the claim), the calendar for
openings. An answer is kept for as long as it surely holds. An opening holds until it closes. Room shrinks only by
sends: where there was room for twenty, the next question comes after twenty; where there was none, at the moment that
the answer named. Each limit is known by itself (`Tally`), so that a small one, often asked of, does not have a large
one counted anew. The order is left to simulate: the lane whose turn it is, and its most urgent due row.

    waiting   lanes by the moment at which they can go next
    turns     lanes that may go now, by their turn                        at each tick: from waiting to turns,
    tick      until the turns, or the rows that a run may take, are over  then the next tick at which anything can go

Sends take no time here and all of them succeed. Moments are microseconds since 1970, in UTC.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from math import inf
from sys import maxsize
from typing import NamedTuple, Protocol, TypeAlias

from send_queue.model import clock

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


Awake: TypeAlias = Callable[[Moment], Moment]
"""To when a send is put off that is met in its recipient's quiet hours; the moment itself where they are awake."""


class Capacity(NamedTuple):
    """How many more may go by one limit; None: there is no such limit.

    Where there is no room: `until` when what it counts waits, and why; and how many may go at `then`, the first run
    that is not before that, if nothing goes meanwhile.
    """

    room: int | None
    until: Moment = FOR_EVER
    then: Moment = FOR_EVER
    room_then: int = 0
    rule: str = ""
    detail: str = ""


@dataclass(slots=True, eq=False)
class Tally:
    """What counts together, and what is known of its room: the caps of a lane, or a rolling limit."""

    limit: str | None = None
    """The id of a rolling limit; None: the caps of one lane."""
    shared: bool = False
    """Whether all its lanes wait when it is full, not only the one that met it."""
    lanes: list[Lane] = field(default_factory=list)
    sent: int = 0
    asked: int = -1
    """How many had been sent when it was last asked of."""
    since: Moment = OPEN
    guaranteed: int = 0
    """To how many `sent` may surely rise from `since` on."""
    low: int = 0
    """From so many on it may as well be asked of again, if somebody asks anyway: hardly any room is left."""
    until: Moment = OPEN
    """When it was full: until when, if nothing is sent."""
    rule: str = ""
    detail: str = ""

    def update(self, at: Moment, room: Capacity) -> None:
        self.asked = self.sent
        self.since, self.until = at, OPEN
        if room.room is None:
            self.guaranteed = self.low = maxsize
            return
        self.guaranteed = self.sent + max(room.room, 0)
        if room.room <= 0:
            self.until, self.rule, self.detail = max(room.until, at + 1), room.rule, room.detail
            self.since, self.guaranteed = room.then, self.sent + room.room_then
        self.low = self.guaranteed - max(1, (self.guaranteed - self.sent) // 8)

    def left(self, at: Moment) -> int:
        """For how many there is surely room."""
        return self.guaranteed - self.sent if at >= self.since else 0

    def is_full(self, at: Moment) -> bool:
        """Whether there is surely none."""
        return at < self.until and self.sent == self.asked

    def is_unknown(self, at: Moment) -> bool:
        return self.left(at) <= 0 and not self.is_full(at)

    def is_low(self, at: Moment) -> bool:
        return self.is_unknown(at) or (self.low <= self.sent > self.asked and at >= self.since)


@dataclass(slots=True)
class SameRows:
    """Rows that follow each other in their lane's order, and are alike."""

    priority: int
    scheduled_for: Moment
    expires_at: Moment
    nth: int
    """Where in the lane's whole order they begin."""
    rows: int
    place: Moment | None = None
    """When they were scheduled for before they were put off, which orders them; None: they were not."""
    awake: Awake | None = None


def _latest_first(rows: SameRows) -> int:
    return -rows.scheduled_for


@dataclass(slots=True)
class Backlog:
    """What waits in a lane for one campaign: what is due by its order, what is not yet by its time."""

    campaign: str
    hours: Hours | None
    later: list[SameRows]
    """By their time, the last first."""
    due: list[tuple[int, Moment, int, SameRows]] = field(default_factory=list)
    """A heap: the order of the claim, priority before time before id."""
    expired: int = 0
    turn: int = 0
    """The lane's turn that it took last; 0: none."""
    opens_at: Moment = OPEN
    closes_at: Moment = OPEN
    """The opening that was looked up last; without a schedule it is soon one that never closes."""

    def is_open(self, at: Moment) -> bool:
        if at >= self.closes_at:
            self.opens_at, self.closes_at = self.hours.window(at) if self.hours else ALWAYS
        return self.opens_at <= at

    def head(self, at: Moment) -> tuple[int, Moment, int, SameRows] | None:
        """The first that may go at `at`; on the way those that have expired are dropped, and those put off whose
        recipients are asleep: as in the claim, these keep their place."""
        while self.later and self.later[-1].scheduled_for <= at:
            rows = self.later.pop()
            place = rows.scheduled_for if rows.place is None else rows.place
            heappush(self.due, (rows.priority, place, rows.nth, rows))
        while self.due:
            rows = self.due[0][3]
            if rows.expires_at <= at:
                self.expired += rows.rows
            elif rows.awake and (until := rows.awake(at)) > at:
                rows.scheduled_for, rows.place = until, self.due[0][1]
                insort(self.later, rows, key=_latest_first)
            else:
                return self.due[0]
            heappop(self.due)
        return None

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
    """An account's use of a channel, as it is played."""

    account_id: str
    channel: str
    name: str
    gap: Moment
    next_at: Moment
    gates: Sequence[Hours | None]
    own: Sequence[Tally]
    """Of its caps, and of rolling limits of its account."""
    shared: Sequence[Tally] = ()
    """Of rolling limits that count it with lanes of other accounts."""
    backlogs: list[Backlog] = field(default_factory=list)
    served: int = 0
    """Of lanes with the same turn the one that was served longest ago goes first."""
    turns: int = 0
    """How many have been taken by its campaigns."""
    unwritten: list[SentRows] = field(default_factory=list)
    """What went out since its caps were asked of."""
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

    def first(self, at: Moment) -> tuple[Backlog, SameRows] | None:
        """What goes first of all that is due and open: the most urgent, of the campaign that has waited longest."""
        best: tuple[int, int, Moment, int] | None = None
        found = None
        for backlog in self.backlogs:
            if backlog.is_open(at) and (head := backlog.head(at)):
                order = head[0], backlog.turn, head[1], head[2]
                if best is None or order < best:
                    best, found = order, (backlog, head[3])
        return found

    def beside(self, at: Moment, priority: int) -> list[tuple[Backlog, SameRows]]:
        """What goes at this priority, of each campaign the first, by their turns."""
        heads = [(backlog, head) for backlog in self.backlogs if backlog.is_open(at) and (head := backlog.head(at))]
        heads.sort(key=lambda found: (found[0].turn, found[1]))
        return [(backlog, head[3]) for backlog, head in heads if head[0] == priority]

    def wakes(self, at: Moment) -> Moment:
        """The first moment from `at` on at which it could go again."""
        return max(self.next_at, min([backlog.goes(at) for backlog in self.backlogs]))

    def left(self, at: Moment) -> int:
        """For how many there is surely room by all limits."""
        left = maxsize
        for tally in self.own:
            left = min(left, tally.left(at))
        for tally in self.shared:
            left = min(left, tally.left(at))
        return left

    def is_unknown(self, at: Moment) -> bool:
        """Whether it is not known what is left of its own."""
        for tally in self.own:  # noqa: SIM110 — any() takes twice as long, a million times
            if (tally.sent >= tally.guaranteed or at < tally.since) and not tally.is_full(at):
                return True
        return False

    @property
    def tallies(self) -> list[Tally]:
        return [*self.own, *self.shared]


class SentRows(NamedTuple):
    """Rows that went out from a lane at a moment."""

    lane: Lane
    at: Moment
    rows: int


class Question(NamedTuple):
    """What is left by a limit that counts a lane?"""

    lane: Lane
    tally: Tally


Rooms: TypeAlias = Callable[
    [Moment, Moment, Sequence[SentRows], Sequence[SentRows], Sequence[Question]], Sequence[Capacity]
]
"""Write down what was played, that which the caps asked of count and that which rolling limits count, and answer
questions at a moment, where runs begin so often."""

OnSent: TypeAlias = Callable[[Moment, Lane, Backlog, int], None]
"""Told of rows that went out."""


class Simulation:
    """The lanes, as they are played, those served longest ago first. `limit`: how many rows a run takes; None: all that
    may go.

    `bound` counts the runs that took all they may, and left something that could have gone.
    """

    def __init__(self, lanes: Sequence[Lane], rooms: Rooms, went: OnSent, limit: int | None) -> None:
        self.rooms = rooms
        self.went = went
        self.limit = limit
        self.bound = 0
        self._lanes = lanes
        self._nth = count()
        for lane in lanes:
            lane.served = next(self._nth)
        self._turns: list[tuple[Moment, int, Lane]] = []
        self._waiting: list[tuple[Moment, int, Lane]] = []
        self._every: Moment = 0
        self._unwritten: list[SentRows] = []
        """What went out since rolling limits were asked of."""

    def play(self, at: Moment, every: Moment, until: Moment, deadline: float = inf) -> Moment:
        """Play all runs from `at` on, one `every` so often, that are before `until`, and until `deadline` (of
        `model.clock`). Returns the moment that it came to; FOR_EVER where nothing is left that can go."""
        self._every = every
        self._waiting = [(lane.wakes(at), lane.served, lane) for lane in self._lanes]
        heapify(self._waiting)
        tick = at
        while True:
            while self._waiting and self._waiting[0][0] <= tick:
                lane = heappop(self._waiting)[2]
                heappush(self._turns, (lane.turn(tick), lane.served, lane))
            self._run(tick)
            if self._turns:
                tick += every
            elif self._waiting:
                tick += max(-(-(self._waiting[0][0] - tick) // every), 1) * every  # the first run that is not before it
            else:
                return FOR_EVER
            if tick >= until or clock() > deadline:
                return tick

    def _run(self, at: Moment) -> None:
        """One run: what it takes, by turns."""
        left = self.limit if self.limit is not None else maxsize
        if self.limit is None:  # every lane is met: all that is not known is asked at once
            self._ask(at, [lane for _, _, lane in self._turns if lane.is_unknown(at) and lane.first(at)])
        while left and self._turns:
            turn, _, lane = self._turns[0]
            if (now := lane.turn(at)) > turn or now > at:  # a window has passed, or there is no room for it
                heappop(self._turns)
                self._put(at, lane)
            elif (found := lane.first(at)) is None:
                heappop(self._turns)
                self._wait(at, lane)
            elif (room := lane.left(at)) > 0:
                # What nothing parts goes in one go, where no other lane wants the same room: of campaigns that take
                # turns as many of each as all have.
                together, rows = [found], 1
                if self.limit is None and not (lane.gap or lane.shared):
                    beside = lane.beside(at, found[1].priority) if len(lane.backlogs) > 1 else together
                    if each := min(room // len(beside), min([alike.rows for _, alike in beside])):
                        together, rows = beside, each
                for backlog, alike in together:
                    self._send(at, lane, backlog, alike, rows)
                left -= rows * len(together)
                if lane.next_at > at:
                    heappop(self._turns)
                    self._wait(at, lane)
                else:
                    heapreplace(self._turns, (lane.turn(at), lane.served, lane))
            elif any(tally.is_unknown(at) for tally in lane.tallies):
                # Lanes near their turn are asked of along, which will be soon too: each question is a journey.
                near = [lane for _, _, lane in self._turns[:NEAR]]
                self._ask(at, [lane, *near], soon=self.limit is not None)
            else:
                self._sleep(at, lane)
        self.bound += any(lane.first(at) for _, _, lane in self._turns)

    def _send(self, at: Moment, lane: Lane, backlog: Backlog, alike: SameRows, rows: int) -> None:
        alike.rows -= rows
        if not alike.rows:
            heappop(backlog.due)
        lane.next_at = at + lane.gap
        lane.served = next(self._nth)
        lane.why = None
        lane.turns += rows
        backlog.turn = lane.turns
        for tally in lane.own:
            tally.sent += rows
        for tally in lane.shared:
            tally.sent += rows
        played = SentRows(lane, at, rows)
        lane.unwritten.append(played)
        if lane.shared or len(lane.own) > 1:
            self._unwritten.append(played)
        self.went(at, lane, backlog, rows)

    def _put(self, at: Moment, lane: Lane) -> None:
        """Put a lane where it belongs now."""
        if (turn := lane.turn(at)) <= at:
            heappush(self._turns, (turn, lane.served, lane))
        else:
            self._wait(at, lane)

    def _wait(self, at: Moment, lane: Lane) -> None:
        wakes = lane.wakes(at)
        if wakes < FOR_EVER:
            heappush(self._waiting, (wakes, lane.served, lane))

    def _ask(self, at: Moment, lanes: Sequence[Lane], soon: bool = False) -> None:
        """Ask what is left, where it is not known (or `soon` not), of these lanes' own and of what the first shares."""
        asked = {
            tally: Question(lane, tally)
            for lane in lanes
            for tally in lane.own
            if (tally.is_low(at) if soon else tally.is_unknown(at))
        }
        asked |= {tally: Question(lane, tally) for lane in lanes[:1] for tally in lane.shared if tally.is_unknown(at)}
        if not asked:
            return
        used: list[SentRows] = []
        for lane in [lane for lane, tally in asked.values() if tally.limit is None]:
            used += lane.unwritten
            lane.unwritten.clear()
        sent: list[SentRows] = []
        if any(tally.limit for tally in asked):
            sent, self._unwritten = self._unwritten, []
        for tally, room in zip(asked, self.rooms(at, self._every, used, sent, list(asked.values())), strict=True):
            tally.update(at, room)

    def _sleep(self, at: Moment, lane: Lane) -> None:
        """Put a lane to sleep that has no room, and those that share what is full, as the claim does when it meets one:
        a limit that many share first, then the one that holds longest."""
        full = max(
            [tally for tally in lane.tallies if tally.is_full(at)], key=lambda tally: (tally.shared, tally.until)
        )
        for one in full.lanes if full.shared else [lane]:
            if one.next_at <= at:
                one.next_at = full.until
                one.why = full.rule, full.detail
        if full.shared:  # many at once: in their order, and without taking each from the top
            turns = sorted(self._turns)
            self._turns = [turn for turn in turns if turn[2].next_at <= at]
            for _, _, one in turns:
                if one.next_at > at:
                    self._wait(at, one)
