"""An account takes another's place: what waits moves, what may have gone out stays, and people have one who writes."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from builders import AT, MINUTE, Connection, Queue, at_once

from send_queue.model import CHANNELS

NOBODY = {"campaign": None, "channel": None, "workspace": None, "dry_run": False}


def reassign(queue: Queue, account: str, target: str, **named: Any) -> dict[str, Any]:
    """As the command does it: the place, then the rows, batch by batch."""
    place: dict[str, Any] = queue.call("send_reassign", account=account, target=target, **(NOBODY | named))
    moved = 0
    while batch := queue.call(
        "send_reassign_rows", account_id=place["account_id"], target_id=place["target_id"],
        campaign_id=place["campaign_id"], channel=named.get("channel"), max_rows=7, at=AT,
    ):  # fmt: skip
        moved += batch
    return place | {"moved": moved}


def by_account(queue: Queue, status: str = "pending") -> dict[str, int]:
    return dict(
        queue.all(
            "select a.name, count(*) from send_queue q join send_accounts a on a.id = q.account_id "
            "where q.status = %s group by 1",
            status,
        )
    )


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Two mailboxes and a seat; ada is the pool of spring."""
    queue = Queue(conn)
    for name, provider in {"ada": "smtp", "bea": "smtp", "seat": "unipile"}.items():
        queue.account(name, provider=provider)
    queue.campaign("spring", ["ada"])
    queue.lane("ada", max_in_flight=9)
    return queue


def test_what_may_have_gone_out_stays(queue: Queue) -> None:
    """Rows that are in flight, sent, in doubt, or that wait after a try in doubt; the others move, due as they were."""
    queue.fill(8)
    claimed = queue.taken(max_rows=6)
    for send, outcome in zip(claimed, ("sent", "retry", "uncertain", "uncertain", "uncertain"), strict=False):
        queue.record(send, outcome)
    doubts = queue.all("select id from send_queue where status = 'uncertain' order by id")
    queue.call("send_settle", id=doubts[0], sent=False)
    queue.do("update send_queue set status = 'pending' where id = %s", doubts[1])  # as a campaign does that resends
    before = dict(queue.all("select id, scheduled_for from send_queue"))
    [account_id] = queue.all("select id from send_accounts where name = 'ada'")
    stays = {"movable": 4, "doubtful": 1, "posts": 0, "sending": 1, "uncertain": 1}
    assert queue.call("send_staying", account_id=account_id, campaign_id=None, channel=None) == stays
    assert reassign(queue, "ada", "bea")["moved"] == 4
    assert by_account(queue) == {"ada": 1, "bea": 4}
    assert (by_account(queue, "sending"), by_account(queue, "uncertain")) == ({"ada": 1}, {"ada": 1})
    assert dict(queue.all("select id, scheduled_for from send_queue")) == before
    assert queue.all("select status, sum(n) from send_counts group by 1 order by 1") == queue.all(
        "select status, count(*) from send_queue group by 1 order by 1"
    )


def test_a_moved_row_goes_out_on_the_next_run(queue: Queue) -> None:
    """Also where the lane of the account that takes the place slept, or was not there."""
    queue.fill(3)
    queue.lane("bea", max_in_flight=9)
    bea = "(select id from send_accounts where name = 'bea')"
    queue.do(f"update send_lanes set idle_until = %s where account_id = {bea}", AT + 60 * MINUTE)  # noqa: S608 — ours
    assert reassign(queue, "ada", "bea")["joined"] == ["spring"]
    assert len(queue.taken(max_rows=9)) == 3
    assert by_account(queue, "sending") == {"bea": 3}


def test_an_account_that_does_not_serve_the_channel_is_refused(queue: Queue) -> None:
    """Nothing is moved, and nobody has joined a pool; posts do not move at all."""
    queue.fill(2)
    with pytest.raises(psycopg.Error, match=r"seat's provider unipile does not send email, .*name an account"):
        reassign(queue, "ada", "seat")
    with pytest.raises(psycopg.Error, match="same account"):
        reassign(queue, "ada", "ada")
    with pytest.raises(psycopg.Error, match="Posts go to"):
        reassign(queue, "ada", "bea", channel="post")
    queue.workspace("acme")
    queue.account("theirs", provider="smtp", workspace="acme")
    with pytest.raises(psycopg.Error, match="no account 'theirs' in the workspace 'default'"):
        reassign(queue, "ada", "theirs")
    assert by_account(queue) == {"ada": 2}
    assert queue.one("select count(*) from send_campaign_accounts") == 1


def test_the_people_of_an_account_that_left_are_not_written_to_by_another(queue: Queue) -> None:
    """Not by enqueue, INSERT or import, until it is said who does; then by that one, and by it alone."""
    queue.put("campaign", "spring", accounts=["bea"])
    person = {"channel": "email", "recipient": "p@example.org"}
    queue.enqueue(**person, account="ada")
    queue.put("campaign", "spring", remove_accounts=["ada"])
    insert = (
        "insert into send_queue (campaign_id, prospect_id, channel, recipient, message) "
        "select c.id, p.id, 'email', p.email, 'Hi' from send_campaigns c, send_prospects p "
        "where p.email = 'p@example.org'"
    )
    left = "'ada', which has left the pool of the campaign 'spring': name its successor"
    with pytest.raises(psycopg.Error, match=left):
        queue.enqueue(**person)
    with pytest.raises(psycopg.Error, match=left):
        queue.do(insert)
    queue.enqueue(channel="email", recipient="new@example.org")
    assert reassign(queue, "ada", "bea", campaign="spring")["moved"] == 1
    queue.enqueue(**person)
    queue.do(insert)
    assert by_account(queue) == {"bea": 4}


def test_who_succeeds_is_succeeded(queue: Queue) -> None:
    """Ada, then bea, then cat; and who comes back writes to their own people again."""
    queue.account("cat", provider="smtp")
    person = {"channel": "email", "recipient": "p@example.org"}
    queue.enqueue(**person)
    for account, target in (("ada", "bea"), ("bea", "cat")):
        queue.put("campaign", "spring", remove_accounts=[account])
        reassign(queue, account, target)
    queue.enqueue(**person)
    assert by_account(queue) == {"cat": 2}
    reassign(queue, "cat", "ada")
    queue.put("campaign", "spring", remove_accounts=["cat"])
    queue.enqueue(**person)
    assert by_account(queue) == {"ada": 3}


def test_doctor_finds_rows_that_wait_where_nobody_serves_them(queue: Queue) -> None:
    """Rows of old; the remedy moves them to an account that serves the channel."""
    queue.fill(5)
    queue.do("update send_accounts set provider = 'unipile' where name = 'ada'")
    findings = queue.call("send_doctor", at=AT)["findings"]
    [found] = [finding for finding in findings if finding["check"] == "not_served"]
    assert found["command"] == ["reassign", "ada", "--to", "bea", "--channel", "email"]
    assert found["what"].endswith("and sends wait there: 5.")
    assert reassign(queue, "ada", "bea", channel="email")["moved"] == 5


def test_claims_and_moves_at_once_do_not_meet(queue: Queue, database: str) -> None:
    """Four claim and two move, over and over: nothing deadlocks, and no row is in flight from two accounts."""
    queue.lane("bea", max_in_flight=1000)
    queue.lane("ada", max_in_flight=1000)
    queue.fill(300)

    def work(other: Queue, n: int) -> int:
        done = 0
        for _ in range(12):
            if n < 4:
                done += len(other.taken(max_rows=5))
            else:
                reassign(other, *(("ada", "bea") if n == 4 else ("bea", "ada")))
        return done

    claimed = sum(at_once(database, 6, work))
    assert queue.statuses() == {"sending": claimed, "pending": 300 - claimed}
    assert queue.all("select q.id from send_queue q join send_attempts b on b.send_id = q.id "
                     "where b.account_id <> q.account_id or b.outcome is not null") == []  # fmt: skip


def test_no_row_is_moved_where_its_channel_is_not_served(queue: Queue) -> None:
    """Forty pools by chance: each move is to an account that serves what it takes, or nothing moves."""
    chance = random.Random(3)
    providers = {"unipile": ["linkedin_invite"], "smtp": ["email"], "twilio": ["sms"], "log": list(CHANNELS)}
    moved = 0
    for n in range(40):
        with queue.conn.transaction(force_rollback=True):
            names = {f"x{n}y{i}": chance.choice(list(providers)) for i in range(3)}
            for name, provider in names.items():
                queue.account(name, provider=provider)
            queue.campaign("fall", list(names))
            for i in range(6):
                name = chance.choice(list(names))
                channel = chance.choice([c for c in providers[names[name]] if c != "post"])
                person = {"email": f"r{i}@example.org", "sms": f"+1415555010{i}"}.get(channel, f"r{i}")
                queue.enqueue(campaign="fall", account=name, channel=channel, recipient=person)
            try:
                with queue.conn.transaction():
                    moved += reassign(queue, *chance.sample(list(names), 2))["moved"]
            except psycopg.Error as error:
                moved += "does not send" not in str(error)  # fails below
            wrong = (
                "select q.channel, a.provider from send_queue q join send_accounts a on a.id = q.account_id "
                "where send_unserved(a.id, q.channel) is not null"
            )
            assert queue.all(wrong) == []
    assert moved > 30
