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

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from math import inf
from sys import maxsize
from typing import TypeAlias

from send_queue.insight.lanes import FOR_EVER, Backlog, Capacity, Lane, Moment, Question, SameRows, SentRows
from send_queue.model import clock

NEAR = 256
"""How many lanes near their turn are looked at, whether they might be asked along."""

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
