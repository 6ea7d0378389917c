"""Everything at once: whatever falls together, nothing deadlocks, nothing is lost, no limit is passed."""

from __future__ import annotations

import random
from datetime import timedelta

import psycopg
from builders import AT, DAY, GIVES_BACK, HOUR, MINUTE, NEVER, Connection, Queue, at_once, result
from psycopg.types.json import Jsonb

ACCOUNTS = ("ada", "bob", "eve")
SELDOM = tuple(f"seldom-{n}" for n in range(20))
"""Accounts that have nothing to do most of the time: their lanes fall asleep, and are woken."""
CHANNELS = ("email", "sms")
CAMPAIGNS = ("spring", "summer")
OUTCOMES = ("sent", "sent", "sent", "uncertain", *GIVES_BACK)
ROUNDS, THREADS = 120, 10
CAP = 40


def act(queue: Queue, chance: random.Random, n: int) -> None:
    """One thing that a run, a program or a person may do."""
    at = AT + n * timedelta(minutes=59) / ROUNDS  # an hour in which no zone's day turns
    account, channel, campaign = chance.choice(ACCOUNTS), chance.choice(CHANNELS), chance.choice(CAMPAIGNS)
    ids = queue.all("select id from send_queue order by random() limit 2")
    kinds: list[dict[str, str]] = [
        {"kind": "workspace", "name": "default"}, {"kind": "account", "name": account},
        {"kind": "lane", "name": account, "channel": channel}, {"kind": "campaign", "name": campaign},
    ]  # fmt: skip
    match chance.choice(
        ["run"] * 14
        + ["enqueue", "seldom", "sleep"] * 3
        + ["pause", "pause", "hand", "limit", "no limit", "cap", "zone", "cancel", "retry", "settle", "doubts"]
        + ["recover", "prune", "look", "set"]
    ):
        case "run":
            sends = queue.taken(at, chance.randrange(1, 6), lease=chance.choice([MINUTE, HOUR]))
            results = []
            for send in sends:
                outcome = chance.choice(OUTCOMES)
                more: dict[str, object] = {}
                if outcome == "held":
                    more = {"scope": chance.choice(["lane", "account"]), "hold_seconds": chance.choice([0, 30, None])}
                elif outcome == "retry":
                    more = {"retry_seconds": 0}
                elif outcome == "sent":
                    more = {"provider_message_id": chance.choice([None, "same", send["attempt_id"]])}
                if chance.random() < 0.9:  # else this run is killed
                    results.append(result(send["attempt_id"], outcome, **more))
            if chance.random() < 0.5:
                queue.rows("send_record", results=Jsonb(results), at=at)
            else:
                for one in results:
                    queue.rows("send_record", results=Jsonb([one]), at=at)
        case "seldom":
            queue.enqueue(
                campaign=campaign, channel=channel, account=chance.choice(SELDOM),
                recipient=f"p{chance.randrange(50)}@x.org",
                scheduled_for=at + chance.choice([-MINUTE, MINUTE, HOUR]),
            )  # fmt: skip
        case "sleep":
            queue.taken(at, 1, campaign=campaign)
            queue.assert_nothing_oversleeps()
        case "enqueue":
            for _ in range(3):
                queue.enqueue(
                    campaign=campaign, channel=channel, recipient=f"p{chance.randrange(50)}@x.org",
                    dedupe_key=chance.choice([None, str(chance.randrange(400))]), priority=chance.choice([1, 100]),
                )  # fmt: skip
        case "pause":
            for paused in (True, False):
                queue.call("send_pause", paused=paused, **chance.choice(kinds))
        case "hand":
            queue.do("update send_workspaces set paused_at = now() where name = 'default'")
            queue.do("update send_workspaces set paused_at = null where name = 'default'")
            queue.do("update send_accounts set status = 'active' where name = %s", account)
            queue.do("update send_campaigns set status = 'active' where name = %s", campaign)
            for of in queue.all("select account_id from send_lanes"):
                queue.do("update send_lanes set paused_at = null where account_id = %s and channel = %s", of, channel)
        case "limit":
            named = chance.choice([{}, {"account": account}, {"account": account, "channel": channel}])
            queue.limit(chance.randrange(20, 60), chance.choice([MINUTE, HOUR]), **named)
        case "no limit":
            queue.do("delete from send_limits where id in (select id from send_limits order by random() limit 1)")
        case "cap":
            queue.lane(account, channel, daily_cap=chance.choice([CAP, CAP - 5]), min_gap_seconds=chance.choice([0, 1]))
        case "zone":
            zone = chance.choice(["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12"])
            queue.lane(account, channel, cap_timezone=zone)
        case "cancel":
            queue.call("send_cancel", ids=ids)
        case "retry":
            queue.call("send_retry", campaign=chance.choice([None, campaign]), at=at)
        case "settle":
            doubts = queue.all("select id from send_queue where status = 'uncertain' order by random() limit 1")
            for send_id in doubts:
                queue.call("send_settle", id=send_id, sent=chance.random() < 0.5, at=at)
        case "doubts":
            queue.call("send_settle_campaign", campaign=campaign, at=at)
        case "recover":
            queue.rows("send_recover", at=at)
        case "prune":
            queue.call("send_prune", before=at, batch=1, at=at + 15 * DAY)
        case "look":
            queue.call("send_explain_idle", at=at)
            queue.call("send_status", at=at)
        case "set":
            queue.put("campaign", campaign, max_attempts=chance.randrange(2, 9))


def test_invariants_1_4_6_and_9_in_a_storm(database: str, conn: Connection) -> None:
    """Ten at once do all that can be done, in any order: only refusals with a sentence, and what must hold does."""
    queue = Queue(conn)
    for account in ACCOUNTS:
        queue.account(account)
    for account in SELDOM:
        queue.account(account)
    for campaign in CAMPAIGNS:
        queue.campaign(campaign, ACCOUNTS)
    for account in ACCOUNTS:
        for channel in CHANNELS:
            queue.lane(account, channel, daily_cap=CAP, max_in_flight=10)
            for campaign in CAMPAIGNS:
                queue.fill(60, account=account, channel=channel, campaign=campaign)
    queue.limit(50, HOUR)

    deadlocks: list[psycopg.Error] = []

    def work(queue: Queue, thread: int) -> int:
        chance, refused = random.Random(thread), 0
        for n in range(ROUNDS):
            try:
                act(queue, chance, n)
            except psycopg.Error as error:
                if error.sqlstate == "40P01":  # one of many thousand; the command tries such a statement again
                    deadlocks.append(error)
                elif error.sqlstate not in ("SQ002", "SQ005", "SQ006"):
                    raise
                refused += 1
        return refused

    refused = at_once(database, THREADS, work)
    assert sum(refused) < THREADS * ROUNDS / 5
    assert len(deadlocks) < 3, deadlocks

    for account in (*ACCOUNTS, *SELDOM):
        queue.call("send_pause", paused=False, kind="account", name=account)
    queue.do("update send_campaigns set status = 'active'")
    queue.do("update send_workspaces set paused_at = null")
    queue.do("update send_lanes set paused_at = null")
    queue.rows("send_recover", at=AT + DAY)
    queue.assert_rows_say_why()
    queue.assert_nothing_oversleeps()
    tally_is_not_less_than_the_ledger(queue)
    assert queue.all("select day, used from send_usage where used > %s", CAP) == []
    the_queue_runs_dry(queue)
    queue.taken(AT + 60 * DAY)
    assert queue.one("select count(*) from send_lanes where idle_until > 'epoch'") > len(SELDOM)


def tally_is_not_less_than_the_ledger(queue: Queue) -> None:
    """Pruning deletes attempts and leaves the tally; but for that they agree."""
    assert (
        queue.all(
            "select b.day, count(*), u.used from send_attempts b "
            "left join send_usage u using (account_id, channel, day) "
            "where b.outcome is null or b.outcome in ('sent', 'uncertain') "
            "group by b.account_id, b.channel, b.day, u.used having count(*) > coalesce(u.used, 0)"
        )
        == []
    )


def the_queue_runs_dry(queue: Queue) -> None:
    """No lane is stuck: with days enough, and nobody changing anything, everything that waits goes."""
    moment, last = AT + DAY, AT + 60 * DAY
    while moment < last and queue.statuses().get("pending", 0):
        sends = queue.taken(moment, 50)
        for send in sends:
            assert queue.record(send, "sent", moment) == (True, "sent")
        if not sends:
            [soonest] = queue.all(  # a lane's next turn, or the morning of one whose recipient sleeps
                "select min(at) from (select next_at as at from send_lanes union all "
                "select scheduled_for from send_queue where status = 'pending') m where at > %s", moment,
            )  # fmt: skip
            assert soonest not in (None, NEVER)
            moment = max(soonest, moment + MINUTE)
    assert queue.statuses().get("pending", 0) == 0
