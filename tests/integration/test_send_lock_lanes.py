"""Lanes that wait for a limit which they share: they look again when another lane gives something back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, MINUTE, Connection, Json, Meanwhile, Queue, at_once, look_up, result
from psycopg.types.json import Jsonb


def one_awake_one_asleep(queue: Queue, **limit: Any) -> tuple[Json, str]:
    """A send in flight that has used up what two lanes share, for a week, and the channel that sleeps over it."""
    queue.ready(1)
    queue.lane(channel="sms")
    queue.fill(1, channel="sms")
    queue.limit(1, 7 * DAY, **limit)
    [send] = queue.taken(max_rows=5)
    assert queue.taken(AT + MINUTE) == []
    [asleep] = {"email", "sms"} - {send["channel"]}
    assert queue.the_lane(channel=asleep)["next_at_reason"] == "rate_limit"
    return send, asleep


def give_back(queue: Queue, send: Json, how: str) -> None:
    match how:
        case "record":
            queue.record(send, "failed", AT + MINUTE)
        case "settle":
            queue.call("send_settle", id=UUID(send["send_id"]), sent=False, at=AT + MINUTE)
        case "settle_campaign":
            queue.call("send_settle_campaign", campaign="spring", at=AT + MINUTE)
        case _:
            doubt = look_up(queue, AT + MINUTE)
            queue.call(
                "send_looked_up", attempt_id=doubt["attempt_id"], until=doubt["until"], verdict="not_sent",
                at=AT + MINUTE,
            )  # fmt: skip


@pytest.mark.parametrize("limit", [{"account": "ada"}, {}])
@pytest.mark.parametrize("how", ["record", "settle", "settle_campaign", "look_up"])
def test_a_lane_that_somebody_holds_for_a_moment_is_woken_all_the_same(
    database: str, conn: Connection, how: str, limit: dict[str, Any]
) -> None:
    """Else it would sleep until the limit's period is over, with room for it all the time."""
    queue = Queue(conn)
    send, asleep = one_awake_one_asleep(queue, **limit)
    if how != "record":
        queue.record(send, "uncertain", AT)
    with psycopg.connect(database) as other:
        Queue(other).all("select 1 from send_lanes where channel = %s for no key update", asleep)
        gives = Meanwhile(database, lambda own: give_back(own, send, how))
        other.commit()
    gives.end()
    assert [s["channel"] for s in queue.taken(AT + 2 * MINUTE, channel=asleep)] == [asleep]


def test_who_waits_for_a_lane_that_sleeps_keeps_no_claim_out(database: str, conn: Connection) -> None:
    """While a sleeper is held by somebody's hand, others of the workspace are claimed."""
    queue = Queue(conn)
    send, asleep = one_awake_one_asleep(queue, account="ada")
    queue.account("bob")
    queue.campaign("bobs", ["bob"])
    queue.lane("bob")
    queue.limit(5, DAY, account="bob")
    queue.fill(1, campaign="bobs", account="bob")
    with psycopg.connect(database) as other:
        Queue(other).all("select 1 from send_lanes where channel = %s for no key update", asleep)
        gives = Meanwhile(database, lambda own: own.record(send, "failed", AT + MINUTE))
        assert [s["account"] for s in queue.taken(AT + MINUTE)] == ["bob"]
        other.commit()
    gives.end()


def test_waking_never_waits_for_what_waits_for_it(database: str, conn: Connection) -> None:
    """Lanes that share a limit, with results, doubts, pauses and claims at once: no deadlock, and none sleeps on."""
    queue = Queue(conn)
    names = ["ada", "bob", "eve"]
    for name in names:
        queue.account(name)
    queue.campaign(accounts=names)
    for name in names:
        for channel in ("email", "sms"):
            queue.lane(name, channel, max_in_flight=1000)
            queue.fill(60, account=name, channel=channel)
    queue.limit(3, DAY)

    def work(queue: Queue, thread: int) -> None:
        for n in range(60):
            if thread == 0:
                queue.call("send_pause", paused=n % 2 == 0, kind="account", name=names[n % 3])
            elif thread == 1:
                queue.do("update send_lanes l set min_gap_seconds = 0 from (select account_id, channel from send_lanes"
                         " where channel = 'sms' order by account_id for no key update) o"
                         " where (l.account_id, l.channel) = (o.account_id, o.channel)")  # fmt: skip
            else:
                sends = queue.taken(AT, 4)
                queue.rows("send_record", at=AT, results=Jsonb([
                    result(s["attempt_id"], ("failed", "uncertain", "released", "retry")[(i + thread) % 4])
                    for i, s in enumerate(sends)]))  # fmt: skip
                queue.call("send_settle_campaign", campaign="spring", at=AT)

    at_once(database, 6, work)
    queue.call("send_settle_campaign", campaign="spring", at=AT)
    for name in names:
        queue.call("send_pause", paused=False, kind="account", name=name)
    assert queue.all("select account_id, channel from send_lanes where next_at_reason = 'rate_limit'"
                     " except select account_id, channel from send_wakes") == []  # fmt: skip
    assert len(queue.taken(AT, 9)) == 3
    queue.assert_rows_say_why()
