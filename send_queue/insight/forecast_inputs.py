"""Set the queue up to be played (`play`): lanes with what waits in them, openings by the calendar, limits that the
database is asked for."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from send_queue import store
from send_queue.insight import unsendable
from send_queue.insight.lanes import FOR_EVER, Backlog, Capacity, Lane, Moment, Question, SameRows, SentRows, Tally
from send_queue.insight.unsendable import Unsendable
from send_queue.model import Json, Schedule
from send_queue.store import Connection

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SECOND: Moment = 1_000_000

LAST: Moment = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
"""A next_at from here on means that no clock ends the wait."""

MOST_ROWS = 2000
"""How many rows of a campaign in a lane are played to explain one."""

OPENINGS = 64
"""How many openings the calendar is asked for at a time."""


def moment(at: Moment) -> datetime:
    return EPOCH + at * MICROSECOND


def microseconds(at: datetime) -> Moment:
    return (at - EPOCH) // MICROSECOND


class Inputs:
    """The queue as it is at `at` (None: the database's clock decides), up to `until`, a `horizon` later; in a
    transaction that sees one moment of it and will be rolled back. With `send_id` only what may go before that send,
    row by row: `sought` is it, None where it is not among them, and `whole` says whether none were left out."""

    def __init__(self, conn: Connection, at: datetime | None, horizon: timedelta, send_id: UUID | None = None) -> None:
        facts = store.forecast(conn, at, send_id)
        self.at: Moment = facts["at"]
        self.until: Moment = self.at + horizon // MICROSECOND
        self.campaigns: dict[str, Json] = {campaign["id"]: campaign for campaign in facts["campaigns"]}
        self._conn = conn
        self._never: list[Json] = facts["never"]
        self._days: dict[tuple[str, str], Openings] = {}
        self._awakes: dict[tuple[str, Openings | None], Days] = {}
        hours = _by_rules(facts["schedules"], self.at, self.until)
        named = Counter(account for account, _ in {(lane["account"], lane["workspace"]) for lane in facts["lanes"]})
        self._rows = {(row["account_id"], row["channel"]): row for row in facts["lanes"]}
        self._lanes = lanes = {
            key: _lane(row, [hours[gate] for gate in row["gates"]], named[row["account"]] > 1)
            for key, row in self._rows.items()
        }
        _count((self._rows[key], lane) for key, lane in lanes.items())
        self.sought: SameRows | None = None
        self.lane_of_sought: Lane | None = None
        self.whole = True
        if send_id is None:
            backlogs = [(*row, None, True) for row in store.forecast_backlog(conn, moment(self.at))]
        else:
            backlogs = store.explain_backlog(conn, send_id, moment(self.at), _sharing(lanes, facts), MOST_ROWS)
        for account_id, channel, campaign_id, turn, *columns, sought, whole in backlogs:
            key = str(account_id), channel
            campaign = self.campaigns[str(campaign_id)]
            of = hours[campaign["schedule_id"] or self._rows[key]["schedule_id"]]
            rows = _alike({words: self._awake(words, of) for words in columns[-1]}, *columns)
            lanes[key].backlogs.append(Backlog(campaign["id"], of, rows, turn=turn))
            lanes[key].turns = max(lanes[key].turns, turn)
            if sought is not None:
                self.sought = next(alike for alike in rows if alike.nth == sought)
                self.lane_of_sought = lanes[key]
            self.whole = self.whole and whole
        self.lanes = [lane for lane in lanes.values() if lane.backlogs]
        store.rehearse_counts(conn, moment(self.at))

    def by_chance(self, lane: Lane) -> bool:
        """Whether chance has a part in the gaps of a lane."""
        return bool(self._rows[lane.account_id, lane.channel]["jitter"])

    def _awake(self, words: str, hours: Openings | None) -> Days | None:
        if not words:
            return None
        if (words, hours) not in self._awakes:
            self._awakes[words, hours] = days(self._conn, words, hours, self.at, self.until, self._days)
        return self._awakes[words, hours]

    def rooms(
        self, at: Moment, every: Moment, used: Sequence[SentRows], sent: Sequence[SentRows], asked: Sequence[Question]
    ) -> list[Capacity]:
        """Ask the database, which is told what was played, what is left."""
        questions = [(q.lane.account_id, q.lane.channel, q.tally.limit) for q in asked]
        return [
            Capacity(room, _by_the_clock(until), _by_the_clock(then), room_then or 0, rule, detail)
            for room, until, then, room_then, rule, detail in store.rehearse_rooms(
                self._conn, at, every, _written(used), _written(sent), questions
            )
        ]

    def left(self) -> tuple[list[Unsendable], Counter[str]]:
        """What never goes, after the play, and of each campaign how many rows would go if it were played on."""
        never = [unsendable.stopped(row) for row in self._never]
        later: Counter[str] = Counter()
        expired: Counter[str] = Counter()
        shut: Counter[tuple[str, str]] = Counter()
        full: Counter[tuple[str, str]] = Counter()
        asleep: Counter[tuple[str, str]] = Counter()
        for lane in self.lanes:
            for backlog in lane.backlogs:
                expired[backlog.campaign] += backlog.expired
                for alike in [alike for alike in backlog.later if self._sleeps_on(alike)]:
                    backlog.later.remove(alike)
                    asleep[backlog.campaign, str(alike.awake)] += alike.rows
                if not backlog.rows:
                    continue
                if isinstance(backlog.hours, Openings) and backlog.hours.ended:
                    shut[backlog.hours.name, backlog.hours.ended] += backlog.rows
                elif lane.next_at >= FOR_EVER:
                    full[lane.account_id, lane.channel] += backlog.rows
                else:
                    later[backlog.campaign] += backlog.rows
        never += [unsendable.shut(*why, rows) for why, rows in shut.items()]
        never += [unsendable.asleep(self.campaigns[campaign], why, rows) for (campaign, why), rows in asleep.items()]
        never += [unsendable.full(self._rows[key], self._lanes[key], rows) for key, rows in full.items()]
        never += [unsendable.expired(self.campaigns[campaign], rows) for campaign, rows in expired.items() if rows]
        return never, later

    def _sleeps_on(self, alike: SameRows) -> bool:
        """Whether quiet hours cover all openings; not where runs come too seldom to meet the few minutes between."""
        return alike.scheduled_for >= FOR_EVER and isinstance(alike.awake, Days) and alike.awake.never(self.at)


class Openings:
    """The openings of a schedule, worked out by the calendar as far as they are asked for, and not after `until`."""

    def __init__(self, row: Json, at: Moment, until: Moment) -> None:
        self.name: str = row["name"]
        self.ended: str | None = None
        """Why there are no more."""
        self._row = row
        self._schedule: Schedule | None = None
        self._known_to = at
        self._until = until
        self._opens: list[Moment] = []
        self._closes: list[Moment] = []

    def window(self, at: Moment) -> tuple[Moment, Moment]:
        if at >= self._until:
            return FOR_EVER, FOR_EVER
        while (nth := bisect_right(self._closes, at)) == len(self._closes):
            if self.ended is not None:
                return FOR_EVER, FOR_EVER
            self._work_out()
        return self._opens[nth], self._closes[nth]

    def _work_out(self) -> None:
        from send_queue.rules import calendar, schedule_text

        try:
            self._schedule = self._schedule or schedule_text.schedule_from(self._row)
            windows = calendar.openings(self._schedule, moment(self._known_to), OPENINGS)
        except calendar.ScheduleError as error:
            self.ended = str(error)
            return
        self._opens += [microseconds(window.opens_at) for window in windows]
        self._closes += [microseconds(window.closes_at) for window in windows]
        self._known_to = self._closes[-1]


class ZoneDays(Openings):
    """The days of a zone between quiet hours, asked of the database: a claim goes by its zones, not the calendar's."""

    def __init__(self, conn: Connection, words: str, zone: str, at: Moment, until: Moment) -> None:
        super().__init__({"name": zone}, at, until)
        self._conn = conn
        self._quiet_from, self._quiet_until = words.split()

    def _work_out(self) -> None:
        days = store.quiet_days(self._conn, self.name, self._quiet_from, self._quiet_until, self._known_to)
        if not days:
            self.ended = f"The database server does not know the time zone {self.name!r}."
            return
        self._opens += [opens_at for opens_at, _ in days]
        self._closes += [closes_at for _, closes_at in days]
        self._known_to = self._closes[-1]


MAX_AHEAD: Moment = 400 * 86_400 * SECOND
"""How far a day of the recipient's is looked for that meets an opening: more than a year."""


class Days:
    """The days of recipients, between their quiet hours, as far as they meet openings of a schedule."""

    def __init__(self, words: str, zones: Sequence[Openings], hours: Openings | None) -> None:
        self._words = words.split()
        self._zones = zones
        self._hours = hours
        self._asleep = self._until = 0
        """From when on the last put off are so, and until when."""

    def __call__(self, at: Moment) -> Moment:
        """To when a send is put off that is met at `at`: the beginning of the first day that meets an opening; FOR_EVER
        where none does; `at` where it is day."""
        if self._asleep <= at < self._until:
            return self._until
        opens_at, closes_at = self._window(at)
        if opens_at <= at:
            return at
        self._asleep, self._until = at, FOR_EVER
        while opens_at < at + MAX_AHEAD:
            if self._hours is None or self._hours.window(opens_at)[0] < closes_at:
                self._until = opens_at
                break
            opens_at, closes_at = self._window(closes_at)
        return self._until

    def never(self, at: Moment) -> bool:
        """Whether no day from `at` on meets an opening."""
        opens_at, closes_at = self._window(at)
        if opens_at > at or self._hours is None:
            return self(at) >= FOR_EVER
        return self._hours.window(at)[0] >= closes_at and self(closes_at) >= FOR_EVER

    def _window(self, at: Moment) -> tuple[Moment, Moment]:
        """The day that holds `at`, else the next one, that all zones have."""
        last = at + MAX_AHEAD
        while at < last:
            windows = [zone.window(at) for zone in self._zones]
            opens_at, closes_at = max(opens_at for opens_at, _ in windows), min(closes_at for _, closes_at in windows)
            if opens_at < closes_at:
                return opens_at, closes_at
            at = opens_at
        return FOR_EVER, FOR_EVER

    def __str__(self) -> str:
        quiet_from, quiet_until, *zones = self._words
        meet = f"cover every opening of the schedule {self._hours.name}" if self._hours else "never end in all of these"
        return f"Quiet hours where the recipient is ({', '.join(zones)}), from {quiet_from} to {quiet_until}, {meet}."


def days(
    conn: Connection,
    words: str,
    hours: Openings | None,
    at: Moment,
    until: Moment,
    known: dict[tuple[str, str], Openings],
) -> Days:
    """The days of those whose quiet hours are so in `words`: from, until, and their zones. `known` keeps those of each
    zone."""
    quiet_from, quiet_until, *zones = words.split()
    between = f"{quiet_from} {quiet_until}"
    for zone in zones:
        if (between, zone) not in known:
            known[between, zone] = ZoneDays(conn, between, zone, at, until)
    return Days(words, [known[between, zone] for zone in zones], hours)


def never_awake(conn: Connection, waiting: Iterable[Json], at: Moment) -> list[Unsendable]:
    """Of rows that are counted by their quiet hours (send_quiet_doctor), those that meet no opening from `at` on."""
    known: dict[tuple[str, str], Openings] = {}
    until = at + 2 * MAX_AHEAD
    found: Counter[tuple[str, str, str]] = Counter()
    for row in waiting:
        hours = Openings(row["schedule"], at, until) if row["schedule"] else None
        awake = days(conn, row["quiet"], hours, at, until, known)
        if awake.never(at):
            why = str(awake)
            found[row["workspace"], row["campaign"], why] += row["sends"]
    return [
        unsendable.asleep({"workspace": workspace, "campaign": campaign}, why, sends)
        for (workspace, campaign, why), sends in found.items()
    ]


def _by_rules(rows: Iterable[Json], at: Moment, until: Moment) -> dict[str | None, Openings | None]:
    """Schedules by their ids, worked out once where several say the same; None, no schedule, is always open."""
    rules = ("timezone", "hours", "skip_holidays", "holiday_country", "holiday_subdivision", "holiday_calendars",
             "closed_on", "open_on")  # fmt: skip
    alike: dict[str, Openings] = {}
    hours: dict[str | None, Openings | None] = {None: None}
    for row in rows:
        key = json.dumps([row[rule] for rule in rules], sort_keys=True)
        hours[row["id"]] = alike.setdefault(key, Openings(row, at, until))
    return hours


def _lane(row: Json, gates: Sequence[Openings | None], ambiguous: bool) -> Lane:
    name = f"{row['account']} {row['channel']}"
    why = (row["next_at_reason"] or "provider_hold", row["next_at_detail"] or "The lane waits.")
    return Lane(
        account_id=row["account_id"],
        channel=row["channel"],
        name=f"{row['workspace']}/{name}" if ambiguous else name,
        gap=row["gap"] * SECOND + row["jitter"] * SECOND // 2,  # chance adds half of the jitter, on average
        next_at=_by_the_clock(row["next_at"]),
        gates=gates,
        own=(),
        why=why,
    )


def _count(lanes: Iterable[tuple[Json, Lane]]) -> None:
    """Give lanes their tallies: of their own caps, and those of rolling limits, which they share."""
    limits: dict[str, Tally] = {}
    for row, lane in lanes:
        counting = [limits.setdefault(limit["id"], Tally(limit["id"], limit["shared"])) for limit in row["limits"]]
        lane.own = [Tally(), *(tally for tally in counting if not tally.shared)]
        lane.shared = [tally for tally in counting if tally.shared]
        for tally in lane.tallies:
            tally.lanes.append(lane)


def _sharing(lanes: Mapping[tuple[str, str], Lane], facts: Json) -> list[tuple[str, str]]:
    """The lane of the send that is sought, and those that share a limit with it, or with one that does, and so on."""
    first = facts["sought"]["account_id"], facts["sought"]["channel"]
    found = dict.fromkeys([first] if first in lanes else [])
    keys = {id(lane): key for key, lane in lanes.items()}
    left = list(found)
    while left:
        for tally in lanes[left.pop()].tallies:
            new = [keys[id(lane)] for lane in tally.lanes if keys[id(lane)] not in found]
            found |= dict.fromkeys(new)
            left += new
    return list(found)


def _alike(
    awake: Mapping[str, Days | None],
    priorities: Sequence[int],
    scheduled: Sequence[Moment],
    expires: Sequence[Moment],
    counts: Sequence[int],
    nths: Sequence[int],
    places: Sequence[Moment],
    quiets: Sequence[str],
) -> list[SameRows]:
    """What waits for one campaign of a lane, the last to be due first."""
    asleep = (awake[words] for words in quiets)
    rows = zip(priorities, scheduled, (at or FOR_EVER for at in expires), nths, counts, places, asleep, strict=True)
    return sorted((SameRows(*row) for row in rows), key=lambda alike: alike.scheduled_for, reverse=True)


def _written(played: Sequence[SentRows]) -> list[tuple[str, str, Moment, int]]:
    return [(lane.account_id, lane.channel, at, rows) for lane, at, rows in played]


def _by_the_clock(at: Moment | None) -> Moment:
    """A moment of the database's; FOR_EVER where it means that no clock ends the wait."""
    return FOR_EVER if at is None or at >= LAST else at
