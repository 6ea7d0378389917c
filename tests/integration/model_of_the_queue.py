"""The rules of the queue once more, as plain lists and dicts: slow, obvious, and nothing of how the database does it.

The model is told what happens and says what follows. Where the queue has a choice (whose turn it is, which account of a
pool, how much of the jitter), the model is told what was chosen and judges whether it might have been.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from send_queue.model import Window
from send_queue.rules import calendar, schedule_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPENT = (None, "sent", "uncertain")
"""The outcomes of attempts that were, or may have been, accepted: they count for every cap."""


@dataclass
class Account:
    name: str
    status: str = "active"
    schedule: str | None = None


@dataclass
class Campaign:
    name: str
    max_attempts: int
    on_uncertain: str
    status: str = "active"
    schedule: str | None = None


@dataclass
class Lane:
    account: str
    channel: str
    daily_cap: int | None = None
    weekly_cap: int | None = None
    zone: str = "UTC"
    gap: timedelta = timedelta()
    jitter: timedelta = timedelta()
    max_in_flight: int = 1
    warm_up: tuple[int, int, date] | None = None
    paused: bool = False
    held_until: datetime = EPOCH
    holds: int = 0
    turn: datetime = EPOCH
    """When its last attempt began, with the jitter that chance added: the gap is counted from here."""

    def day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def cap_on(self, day: date) -> int | None:
        if self.warm_up is None:
            return self.daily_cap
        start, step, began = self.warm_up
        ramp = start + step * max((day - began).days, 0)
        return ramp if self.daily_cap is None else min(ramp, self.daily_cap)


@dataclass
class Limit:
    account: str | None
    channel: str | None
    per: timedelta
    max_sends: int


@dataclass
class Attempt:
    id: UUID
    send: UUID
    account: str
    channel: str
    started_at: datetime
    lease: datetime
    outcome: str | None = None
    given_back: bool = False
    """Taken for not sent once: what turns out later moved no turn."""
    doubted: bool = False
    """In doubt once."""


@dataclass
class Send:
    id: UUID
    campaign: str
    account: str
    channel: str
    priority: int
    scheduled_for: datetime
    expires_at: datetime | None
    status: str = "pending"
    attempts: int = 0
    look_up_at: datetime | None = None
    look_ups: int = 0
    absent_since: datetime | None = None
    name: str | None = None
    """The provider's, for its message."""


@dataclass(frozen=True)
class Result:
    """What a worker says became of an attempt."""

    attempt: UUID
    outcome: str
    wait: timedelta | None = None
    """Of a retry: the back-off. Of a hold: how long; None: until a person acts."""
    scope: str = "lane"
    ceiling: timedelta | None = None
    name: str | None = None
    """The provider's, for the message."""


@dataclass
class Model:
    now: datetime
    paused: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)
    limits: list[Limit] = field(default_factory=list)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    sends: dict[UUID, Send] = field(default_factory=dict)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    keys: dict[str, UUID] = field(default_factory=dict)
    turns: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """When a campaign took its last turn in a lane, as a number that grows."""

    # --- what may go --------------------------------------------------------------------------------------

    def in_window(self, send: Send) -> bool:
        name = self.campaigns[send.campaign].schedule or self.accounts[send.account].schedule
        if name is None:
            return True
        window = self.window(name)
        return window.opens_at <= self.now < window.closes_at

    def window(self, schedule: str) -> Window:
        return calendar.next_window(
            schedule_text.schedule_from({"name": schedule, **self.schedules[schedule]}), self.now
        )

    def due(self, lane: Lane, **only: str | None) -> list[Send]:
        """The rows of a lane that its campaigns and calendars let go now, first one first."""
        return sorted(
            (s for s in self.sends.values()
             if (s.account, s.channel) == (lane.account, lane.channel) and s.status == "pending"
             and s.scheduled_for <= self.now and (s.expires_at is None or s.expires_at > self.now)
             and self.campaigns[s.campaign].status == "active" and self.in_window(s)
             and all(value is None or getattr(s, name) == value for name, value in only.items())),
            key=lambda s: (s.priority, self.turns.get(self._turn(s), 0), s.scheduled_for, s.id),
        )  # fmt: skip

    @staticmethod
    def _turn(send: Send) -> tuple[str, str, str]:
        return send.account, send.channel, send.campaign

    def spent(self, lane: Lane) -> list[Attempt]:
        return [a for a in self.attempts.values()
                if (a.account, a.channel) == (lane.account, lane.channel) and a.outcome in SPENT]  # fmt: skip

    def in_flight(self, lane: Lane) -> int:
        return sum(a.outcome is None and a.lease > self.now for a in self.spent(lane))

    def forbids(self, lane: Lane) -> Iterator[str]:
        """Why the lane may not begin one more attempt now."""
        spent, today = self.spent(lane), lane.day(self.now)
        if self.paused or self.accounts[lane.account].status != "active" or lane.paused:
            yield "it is paused"
        if self.now < lane.held_until:
            yield "its provider holds it"
        if self.in_flight(lane) >= lane.max_in_flight:
            yield "its sends in flight are as many as may be"
        if any(self.now - a.started_at < lane.gap for a in spent if not a.given_back):
            yield "the gap is not over"
        used = sum(lane.day(a.started_at) == today for a in spent)
        if (cap := lane.cap_on(today)) is not None and used >= cap:
            yield f"the daily cap is reached ({used}/{cap})"
        week = sum(today - timedelta(days=6) <= lane.day(a.started_at) <= today for a in spent)
        if lane.weekly_cap is not None and week >= lane.weekly_cap:
            yield f"the weekly cap is reached ({week}/{lane.weekly_cap})"
        for limit in self.limits:
            if limit.account in (None, lane.account) and limit.channel in (None, lane.channel):
                count = sum(
                    a.outcome in SPENT and a.started_at > self.now - limit.per
                    and limit.account in (None, a.account) and limit.channel in (None, a.channel)
                    for a in self.attempts.values()
                )  # fmt: skip
                if count >= limit.max_sends:
                    yield f"a rolling limit is reached ({count}/{limit.max_sends} in {limit.per})"

    def can_surely_go(self, lane: Lane, **only: str | None) -> bool:
        """Whether a claim that passes by the lane now has no excuse."""
        return self.now >= lane.turn + lane.gap and not any(self.forbids(lane)) and bool(self.due(lane, **only))

    # --- what happens -------------------------------------------------------------------------------------

    def expire(self) -> None:
        for s in self.sends.values():
            if s.status == "pending" and s.expires_at is not None and s.expires_at <= self.now:
                s.status = "skipped"

    def begin(
        self, send: Send, attempt_id: UUID, lease: timedelta, next_at: datetime | None, in_order: bool,
        **only: str | None,
    ) -> None:  # fmt: skip
        """Judge that a claim took this row, and follow it. `next_at` is the lane's next turn, jitter and all."""
        lane = self.lanes[send.account, send.channel]
        assert list(self.forbids(lane)) == [], f"{lane} may not begin {send} at {self.now}"
        first = self.due(lane, **only)
        assert send in first, f"{send} is not due at {self.now}, or its calendar is closed"
        assert send is first[0] or not in_order, f"{first[0]} goes before {send}"
        send.status = "sending"
        self.turns[self._turn(send)] = max(self.turns.values(), default=0) + 1
        self.attempts[attempt_id] = Attempt(attempt_id, send.id, send.account, send.channel, self.now, self.now + lease)
        lane.turn = self.now if next_at is None else next_at - lane.gap
        assert self.now <= lane.turn <= self.now + lane.jitter

    def recover(self) -> set[UUID]:
        left = {a.send for a in self.attempts.values() if a.outcome is None and a.lease <= self.now}
        for a in self.attempts.values():
            if a.send in left and a.outcome is None:
                a.outcome, a.doubted = "uncertain", True
                self._in_doubt(self.sends[a.send])
                self.sends[a.send].attempts += 1
                self._known_as_sent(self.sends[a.send])
        return left

    def record(self, results: list[Result]) -> None:
        """All that one call says. What went out ends the ladder of holds, but not of one that came while it was out."""
        for r in results:
            a = self.attempts[r.attempt]
            lane = self.lanes[a.account, a.channel]
            if r.outcome == "sent" and a.outcome is None and self.now >= lane.held_until:
                lane.holds = 0
        for r in results:
            self._record(r)

    def _record(self, r: Result) -> None:
        a = self.attempts[r.attempt]
        s = self.sends[a.send]
        if a.outcome is not None:  # somebody else has finished it: of what a late worker knows only `sent` is used
            if r.outcome == "sent" and a.outcome in ("uncertain", "released"):
                self._turns_out_sent(a, r.name)
            return
        if r.outcome == "held":
            self._hold(a, r)
        if r.outcome == "already_done":
            tries = [o for o in self.attempts.values() if o.send == s.id and o.doubted]
            in_doubt = [o for o in tries if o.outcome == "uncertain"]
            if ours := in_doubt or [o for o in tries if o.outcome == "released"]:
                ours[-1].outcome = "sent"
        a.outcome, a.given_back, a.doubted = r.outcome, r.outcome not in SPENT, r.outcome == "uncertain"
        if a.given_back and r.outcome != "held":
            self._give_gap_back(a)
        s.attempts += r.outcome not in ("held", "released")
        s.look_up_at, s.look_ups, s.absent_since = None, 0, None
        match r.outcome:
            case "sent" | "failed":
                s.status = r.outcome
            case "already_done":
                s.status = "skipped"
            case "uncertain":
                self._in_doubt(s)
            case "retry" if s.attempts >= self.campaigns[s.campaign].max_attempts:
                if self.in_doubt(s):
                    self._in_doubt(s)
                else:
                    s.status = "failed"
            case _:
                s.status = "pending"
        self._name(s, r.name)
        self._known_as_sent(s)
        if r.outcome == "retry" and s.status == "pending":
            assert r.wait is not None
            s.scheduled_for = self.now + r.wait

    def _give_gap_back(self, a: Attempt) -> None:
        """An attempt that certainly did not go out spends no gap; one after it that may have gone out keeps its own."""
        a.given_back = True
        lane = self.lanes[a.account, a.channel]
        if not any(o.started_at >= a.started_at and o.id != a.id for o in self.spent(lane)):
            lane.turn = min(lane.turn, self.now - lane.gap)

    def _known_as_sent(self, s: Send) -> None:
        """A send of which any attempt is known to have gone out is sent, whatever became of a later one."""
        if any(o.send == s.id and o.outcome == "sent" for o in self.attempts.values()):
            s.status, s.look_up_at = "sent", None

    def _turns_out_sent(self, a: Attempt, name: str | None) -> None:
        """An attempt that was given up did go out; while the send is under way once more, its row waits for that."""
        a.outcome, s = "sent", self.sends[a.send]
        if s.status not in ("sending", "sent"):
            s.status, s.look_up_at = "sent", None
            self._name(s, name)

    def _named_like(self, s: Send, name: str | None) -> list[Send]:
        return [o for o in self.sends.values() if (o.account, o.channel) == (s.account, s.channel)
                and name is not None and o.name == name]  # fmt: skip

    def _name(self, s: Send, name: str | None) -> None:
        """A provider that names two alike loses the second name."""
        if name is not None and self._named_like(s, name) in ([], [s]):
            s.name = name

    def _in_doubt(self, s: Send) -> None:
        s.status, s.look_up_at, s.look_ups, s.absent_since = "uncertain", self.now, 0, None

    def _hold(self, a: Attempt, r: Result) -> None:
        account = self.accounts[a.account]
        if r.wait is None:
            if account.status == "active":
                account.status = "disconnected"
            return
        for lane in self.lanes.values():
            if lane.account == a.account and (r.scope == "account" or lane.channel == a.channel):
                if r.ceiling is None:
                    wait = r.wait
                elif self.now < lane.held_until:
                    wait = min(r.wait, r.ceiling)  # held already: sends that were in flight together are one step
                else:
                    wait = min(r.wait * 2**lane.holds, r.ceiling)
                    lane.holds += 1
                lane.held_until = max(lane.held_until, lane.turn + lane.gap, self.now + wait)

    # --- what is in doubt ---------------------------------------------------------------------------------

    def to_look_up(self) -> list[Send]:
        return [s for s in self.sends.values() if s.status == "uncertain" and s.look_up_at is not None
                and s.look_up_at <= self.now and self.accounts[s.account].status == "active"]  # fmt: skip

    def in_doubt(self, s: Send) -> list[Attempt]:
        return [a for a in self.attempts.values() if a.send == s.id and a.outcome == "uncertain"]

    def looked_up(
        self, a: Attempt, until: datetime, verdict: str, name: str | None, again: timedelta | None
    ) -> None:  # fmt: skip
        """What a provider said of one attempt: believed while that is the one in doubt, and its look-up the asker's."""
        s = self.sends[a.send]
        campaign = self.campaigns[s.campaign]
        found = verdict == "sent"
        if found and any(o is not s or o.status == "sent" for o in self._named_like(s, name)):
            verdict = "unknown"  # it is another's
        if verdict == "sent":
            if a.outcome in ("uncertain", "released"):
                self._turns_out_sent(a, name)
            return
        if s.status != "uncertain" or s.look_up_at != until or self.in_doubt(s)[-1] is not a:
            return
        if verdict == "not_sent":
            a.outcome, s.look_up_at = "released", None
            self._give_gap_back(a)
            if s.attempts < campaign.max_attempts:
                s.status = "pending"
            elif not self.in_doubt(s):
                s.status = "failed"
            return
        if verdict == "repeat" and s.attempts < campaign.max_attempts:
            s.status, s.scheduled_for, s.look_up_at = "pending", self.now + (again or timedelta(0)), None
            return
        s.look_up_at = self.now + again if again is not None else None
        s.look_ups += verdict == "unknown"
        if verdict == "absent":
            s.absent_since = s.absent_since or self.now
        elif verdict != "unknown" or found:  # who could not be asked takes nothing back
            s.absent_since = None
        if again is None and campaign.on_uncertain == "resend" and s.attempts < campaign.max_attempts:
            s.status = "pending"

    def settle(self, s: Send, sent: bool) -> None:
        if sent:
            self.in_doubt(s)[-1].outcome = "sent"
        else:
            for a in self.in_doubt(s):
                a.outcome = "released"
                self._give_gap_back(a)
        s.status, s.look_up_at = "sent" if sent else "pending", None
