"""The play of a queue: whose turn it is, what goes first, and when anything goes at all. Moments are plain numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from send_queue.insight.lanes import (
    FOR_EVER,
    Backlog,
    Capacity,
    Lane,
    Moment,
    Question,
    SameRows,
    SentRows,
    Tally,
)
from send_queue.insight.simulation import Simulation

DAY = 1_000
"""Of the limits below: so many moments."""


class Daily:
    """Limits as simple as can be: so many a lane and day, so many a day for all; counts how often it is asked."""

    def __init__(self, cap: int | None = None, for_all: int | None = None) -> None:
        self.cap = cap
        self.for_all = for_all
        self.questions: Counter[str | None] = Counter()
        self.used: Counter[tuple[str, int]] = Counter()
        self.sent: Counter[int] = Counter()
        self.asked = 0

    def __call__(
        self, at: Moment, every: Moment, used: Sequence[SentRows], sent: Sequence[SentRows], asked: Sequence[Question]
    ) -> list[Capacity]:
        self.asked += 1
        self.questions.update(question.tally.limit for question in asked)
        for played in used:
            self.used[played.lane.name, played.at // DAY] += played.rows
        for played in sent:
            self.sent[played.at // DAY] += played.rows
        tomorrow = (at // DAY + 1) * DAY
        then = at - (at - tomorrow) // every * every
        return [
            Capacity(self._room(question, at), tomorrow, then, self._room(question, then) or 0, "daily_cap", "full")
            for question in asked
        ]

    def _room(self, question: Question, at: Moment) -> int | None:
        if question.tally.shared:
            return None if self.for_all is None else self.for_all - self.sent[at // DAY]
        return None if self.cap is None else self.cap - self.used[question.lane.name, at // DAY]


class Shift:
    """Open from 300 to 600 of each day, on two days; then never again."""

    def window(self, at: Moment) -> tuple[Moment, Moment]:
        for day in range(2):
            if at < day * DAY + 600:
                return day * DAY + 300, day * DAY + 600
        return FOR_EVER, FOR_EVER


def lane(name: str, *rows: SameRows, gap: Moment = 0, hours: Shift | None = None, next_at: Moment = 0) -> Lane:
    backlog = Backlog("fall", hours, sorted(rows, key=lambda alike: alike.scheduled_for, reverse=True))
    return Lane(name, "email", name, gap, next_at, [hours], [Tally()], backlogs=[backlog])


def alike(rows: int, *, priority: int = 100, at: Moment = 0, expires: Moment = FOR_EVER, nth: int = 0) -> SameRows:
    return SameRows(priority, at, expires, nth, rows)


def played(
    lanes: Sequence[Lane], rooms: Daily, *, limit: int | None = None, every: Moment = 100, until: Moment = 10 * DAY
) -> list[tuple[Moment, str, int]]:
    went: list[tuple[Moment, str, int]] = []
    game = Simulation(lanes, rooms, lambda at, lane, _, rows: went.append((at, lane.name, rows)), limit)
    game.play(0, every, until)
    return went


def together(*lanes: Lane) -> Sequence[Lane]:
    """Lanes whose workspace has a limit."""
    workspace = Tally("for all", shared=True, lanes=list(lanes))
    for one in lanes:
        one.shared = [workspace]
    return lanes


def test_what_nothing_parts_goes_at_once() -> None:
    """Without gap and limit all that is due goes in the first run, and limits are asked once."""
    rooms = Daily()
    assert played([lane("anna", alike(500))], rooms) == [(0, "anna", 500)]
    assert rooms.asked == 1


def test_a_gap_is_rounded_up_to_the_next_run() -> None:
    """A gap of 150 between runs 100 apart is one of 200."""
    went = played([lane("anna", alike(3), gap=150)], Daily())
    assert [at for at, _, _ in went] == [0, 200, 400]


def test_a_lane_is_asked_when_its_room_is_used_up_and_not_before() -> None:
    """Of a cap of 20 a day, 50 rows need three answers: room; none, but tomorrow; and the same of the day after."""
    rooms = Daily(cap=20)
    assert played([lane("anna", alike(50))], rooms) == [(0, "anna", 20), (DAY, "anna", 20), (2 * DAY, "anna", 10)]
    assert rooms.asked == 3


def test_lanes_take_turns_where_a_run_takes_few() -> None:
    """With one row a run the lane that has waited longest goes first."""
    went = played([lane("anna", alike(2)), lane("ben", alike(2))], Daily(), limit=1)
    assert [name for _, name, _ in went] in (["anna", "ben"] * 2, ["ben", "anna"] * 2)
    assert [at for at, _, _ in went] == [0, 100, 200, 300]


def test_the_most_urgent_of_what_is_due_goes_first() -> None:
    """Priority before time before place; what is not due yet stands in nobody's way."""
    urgent = alike(1, priority=1, at=150, nth=9)
    went: list[tuple[Moment, int]] = []
    one = lane("anna", alike(3, nth=1), urgent, gap=100)
    game = Simulation([one], Daily(), lambda at, _, backlog, __: went.append((at, backlog.rows)), None)
    game.play(0, 100, DAY)
    assert [at for at, _ in went] == [0, 100, 200, 300]
    assert urgent.rows == 0


def test_nothing_goes_outside_of_the_opening() -> None:
    """The first run in an opening sends; what is left when there are no more openings stays."""
    one = lane("anna", alike(20), gap=100, hours=Shift())
    went = played([one], Daily())
    assert [at for at, _, _ in went] == [300, 400, 500, 1300, 1400, 1500]
    assert one.backlogs[0].rows == 14


def test_what_expires_does_not_go() -> None:
    """A row goes before its expires_at or not at all, and is counted."""
    one = lane("anna", alike(5, expires=150), gap=100)
    assert [at for at, _, _ in played([one], Daily())] == [0, 100]
    assert one.backlogs[0].expired == 3


def test_a_limit_of_all_puts_all_to_sleep() -> None:
    """Where the workspace has no room left, its lanes wait together, and share what comes."""
    went = played(together(lane("anna", alike(5)), lane("ben", alike(5))), Daily(for_all=4))
    assert Counter(at for at, _, _ in went) == {0: 4, DAY: 4, 2 * DAY: 2}
    assert Counter(name for at, name, _ in went if at == 0) == {"anna": 2, "ben": 2}


def test_each_limit_is_asked_of_by_itself() -> None:
    """Two lanes without caps whose limit of all is full on ten days: it is asked of once a day, their caps once."""
    rooms = Daily(for_all=4)
    went = played(together(lane("anna", alike(20)), lane("ben", alike(20))), rooms, until=100 * DAY)
    assert sum(rows for _, _, rows in went) == 40
    assert rooms.questions == {None: 2, "for all": 10}


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("shared", [False, True])
def test_a_cap_is_never_passed(limit: int | None, shared: bool) -> None:
    """However it is played, no day has more than its cap, and all goes in the end."""
    lanes = [lane(f"a{n}", alike(7), gap=130 * n) for n in range(4)]
    rooms = Daily(cap=2, for_all=6 if shared else None)
    went = played(together(*lanes) if shared else lanes, rooms, limit=limit, until=100 * DAY)
    by_day: Counter[tuple[int, str]] = Counter()
    for at, name, rows in went:
        by_day[at // DAY, name] += rows
    assert max(by_day.values()) == 2
    assert by_day.total() == 28
    if shared:
        assert max(Counter(day for day, name in by_day.elements()).values()) <= 6


def test_the_play_ends_where_it_is_told_to() -> None:
    """What comes after `until` is not played."""
    assert played([lane("anna", alike(50), gap=100)], Daily(), until=300) == [
        (0, "anna", 1),
        (100, "anna", 1),
        (200, "anna", 1),
    ]


class Evasive:
    """Not open just now, whenever it is asked; and it is not asked for ever."""

    def __init__(self) -> None:
        self.asked = 0

    def window(self, at: Moment) -> tuple[Moment, Moment]:
        self.asked += 1
        assert self.asked < 1_000, "the play stands still"
        return at + 1, at


def test_the_play_always_moves_on() -> None:
    """A lane that says it can go, and whose turn it never is, is looked at once a run."""
    one = lane("anna", alike(1))
    one.gates = [Evasive()]
    assert played([one], Daily(), every=100, until=DAY) == []


def test_lanes_are_asked_together() -> None:
    """200 lanes with a cap of 20 and 100 rows each: what is asked is asked of all of them at once, once a day."""
    rooms = Daily(cap=20)
    went = played([lane(f"a{n}", alike(100), gap=10) for n in range(200)], rooms, every=10)
    assert sum(rows for _, _, rows in went) == 20_000
    assert rooms.asked == 5  # before the first day, and at the end of four


def test_near_lanes_are_asked_along() -> None:
    """With one row a run a question is asked for all that will ask it soon, so 20 lanes ask hardly more than one."""
    rooms = Daily(cap=20)
    went = played([lane(f"a{n}", alike(10)) for n in range(20)], rooms, every=1, limit=1)
    assert sum(rows for _, _, rows in went) == 200
    assert rooms.asked <= 4
