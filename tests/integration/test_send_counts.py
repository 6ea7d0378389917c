"""Rows are counted as they change, by campaign, account, channel and status: nobody counts the rows themselves."""

from __future__ import annotations

import psycopg
import pytest
from builders import AT, Connection, Queue
from test_send_claim_cost import pages

DIFFERENCES = """
    with said as (select campaign_id, account_id, channel, status, sum(n) as n from send_counts group by 1, 2, 3, 4
                  having sum(n) <> 0),
    there as (select campaign_id, account_id, channel, status, count(*) as n from send_queue group by 1, 2, 3, 4)
    select * from said full join there using (campaign_id, account_id, channel, status)
    where said.n is distinct from there.n
"""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Two accounts of two campaigns, with 30 rows."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    for name in ("spring", "fall"):
        queue.campaign(name, ["ada", "bob"])
    for account in ("ada", "bob"):
        queue.lane(account, max_in_flight=9)
        queue.lane(account, "sms")
    queue.fill(12)
    queue.fill(10, account="bob")
    queue.fill(5, account="bob", channel="sms")
    queue.fill(3, campaign="fall")
    return queue


def differences(queue: Queue) -> list[object]:
    """Keys whose count is not that of the rows."""
    return queue.all(DIFFERENCES)


def remaining(queue: Queue, account: str | None = None, channel: str | None = None, campaign: str | None = None) -> int:
    n: int = queue.one("select send_remaining(%s, %s, %s)", account, channel, campaign)
    return n


def test_counts_are_those_of_the_rows(queue: Queue) -> None:
    """Whoever changes rows, and however: a claim, a result, another account, an end, a delete by hand."""
    sends = queue.taken(max_rows=8)
    for send, outcome in zip(sends, ("sent", "uncertain", "failed", "retry", "held"), strict=False):
        assert queue.record(send, outcome)[0]
    assert differences(queue) == []
    queue.do("update send_queue set account_id = (select id from send_accounts where name = 'bob')")
    queue.do("delete from send_queue where status = 'sent'")
    assert differences(queue) == []
    queue.one("select send_fold_counts(2000)")
    assert differences(queue) == []


def test_remaining_is_of_what_the_filters_name(queue: Queue) -> None:
    """Of all, of an account, of a channel, of a campaign, and of what they have in common."""
    assert remaining(queue) == 30
    assert remaining(queue, "ada") == 15
    assert remaining(queue, "bob", "sms") == remaining(queue, channel="sms") == 5
    assert remaining(queue, "ada", "email", "fall") == remaining(queue, campaign="fall") == 3
    assert remaining(queue, "bob", campaign="fall") == 0


def test_what_remains_of_an_account_counts_no_rows(queue: Queue) -> None:
    """Fifty thousand rows cost it the pages that thirty do."""
    call = "send_remaining('bob') from (values (%s)) v"
    few = pages(queue, call)
    queue.fill(50_000, account="bob")
    assert remaining(queue, "bob") == 50_015
    assert pages(queue, call) <= few + 2


def test_folding_ends_with_one_sum_for_each_key(queue: Queue) -> None:
    """However many sums there are already, and more of them than a fold takes: each call takes lines that are new."""
    for n in range(12):
        queue.account(f"a{n}")
        queue.campaign(f"c{n}", [f"a{n}"])
        queue.fill(2, campaign=f"c{n}", account=f"a{n}")
    keys = len(queue.all("select distinct campaign_id, account_id, channel, status from send_queue"))
    for _ in range(10):
        queue.one("select send_fold_counts(5)")
    queue.fill(1)
    queue.one("select send_fold_counts(5)")
    assert queue.one("select count(*) from send_counts where folded") == keys
    assert queue.one("select count(*) from send_counts where not folded") == 0
    assert differences(queue) == []


def test_counts_are_exact_beside_a_transaction_that_stays_open(queue: Queue, database: str) -> None:
    """It has changed rows and folded, and has not committed: others count, fold and wait for nobody."""
    with psycopg.connect(database) as conn:
        other = Queue(conn)
        other.fill(7)
        other.one("select send_fold_counts(2000)")
        queue.do("set lock_timeout = '5s'")
        queue.fill(2)
        queue.one("select send_fold_counts(2000)")
        assert (remaining(queue, "ada"), remaining(other, "ada")) == (17, 24)
        assert differences(queue) == []
    assert remaining(queue, "ada") == 24
    queue.one("select send_fold_counts(2000)")
    assert differences(queue) == []


@pytest.mark.parametrize(
    "past_the_triggers",
    [
        "delete from send_queue where channel = 'sms'",
        "update send_queue set account_id = (select id from send_accounts where name = 'bob') where channel = 'email'",
        "update send_queue set status = 'skipped', error_code = 'cancelled' where channel = 'sms'",
        "delete from send_queue",
    ],
)
@pytest.mark.usefixtures("superuser")
def test_doctor_finds_counts_that_differ_from_the_rows(queue: Queue, past_the_triggers: str) -> None:
    """By any part of the key, finished or not; and what mends them is named."""
    assert counts_findings(queue) == []
    queue.do("set session_replication_role = replica")
    queue.do(past_the_triggers)
    queue.do("reset session_replication_role")
    [finding] = counts_findings(queue)
    assert finding["severity"] == "wrong"
    queue.one(finding["mend"])
    assert counts_findings(queue) == []
    assert differences(queue) == []


def counts_findings(queue: Queue) -> list[dict[str, str]]:
    found = queue.call("send_doctor", at=AT)["findings"]
    return [finding for finding in found if finding["check"] == "counts"]
