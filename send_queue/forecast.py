"""Play a lane forward with the deciding code itself, to say when a send can go that has others before it.

The claim, the counts and the calendar are those of a real run; they work on copies of the lane's rows that only this
transaction sees (send_rehearse), and time is an argument. Sends take no time here, all of them succeed, chance adds
nothing to the gaps, and somebody runs the command whenever something can go.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from send_queue import explain, run, store
from send_queue.model import Explanation, HoldBack
from send_queue.store import Connection, Filters

if TYPE_CHECKING:
    from send_queue.providers import Providers

MOST_STEPS = 2000
"""How many times a lane is looked at before we only say "not before"."""


def explained(conn: Connection, send_id: UUID, at: datetime | None, providers: Providers) -> Explanation:
    """Explain a send, those that go before it included. Raises `UserError` where there is none with this id."""
    found = explain.explain(conn, send_id, at)
    if found.next_at is None or all(hold.rule != "behind" for hold in found.holds):
        return found
    moment, exact = _played(conn, send_id, found.at, providers)
    if moment is None:
        return replace(found, verdict="needs_person", next_at=None)
    holds = tuple(
        HoldBack(h.rule, moment, h.detail if exact else f"{h.detail} It will be later than this.")
        if h.rule == "behind"
        else h
        for h in found.holds
    )
    return replace(found, next_at=moment, holds=holds)


def _played(conn: Connection, send_id: UUID, at: datetime, providers: Providers) -> tuple[datetime | None, bool]:
    """The moment at which the send is claimed, and whether it is exact; None where it never is."""
    send = store.send(conn, send_id)
    with store.nothing_kept(conn):
        store.rehearse(conn, UUID(send["account_id"]), send["channel"])
        moment = at
        for _ in range(MOST_STEPS):
            this = run.Run(
                conn, providers, partial(_same, moment), "rehearsal", Filters(channel=send["channel"]), asking=False
            )
            claimed = run.take(this, 1000, run.Report(), patient=False)
            if any(c.send_id == send_id for c in claimed):
                return moment, True
            store.rehearse_sent(conn, moment)
            if not claimed:
                report = run.Report()
                run.say_why(this, report, counting=False)
                if report.next_at is None or report.next_at <= moment:
                    return None, True
                moment = report.next_at
        return moment, False


def _same(moment: datetime) -> datetime:
    return moment
