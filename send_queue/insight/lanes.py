"""A lane as it is simulated: its openings, what waits in it, and what is known of its room."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from sys import maxsize
from typing import NamedTuple, Protocol, TypeAlias

Moment: TypeAlias = int
"""Microseconds since 1970."""

FOR_EVER: Moment = maxsize
"""When what never happens does."""

OPEN: Moment = 0

ALWAYS = (OPEN, FOR_EVER)
"""The opening of what has no schedule."""


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
