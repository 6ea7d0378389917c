"""Rows that are written with INSERT, by hand or by a program that knows nothing but the table."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, Connection, Queue

INSERT = "insert into send_queue (campaign_id, channel, recipient, message) values (%s, %s, %s, %s) returning id"


def test_an_insert_with_just_the_contract_s_columns_is_sent(conn: Connection) -> None:
    """Workspace, account, lane and place in the campaign are filled in as send_enqueue would."""
    queue = Queue(conn)
    account = queue.account()
    campaign = queue.campaign()
    send_id = queue.one(INSERT, campaign, "linkedin_invite", "p1", "Hello")
    row = queue.row(send_id)
    assert ("pending", account, 100, 0) == (row["status"], row["account_id"], row["priority"], row["attempts"])
    assert queue.the_lane("ada", "linkedin_invite")["daily_cap"] == 20
    assert [send_id] == queue.took(None)


def test_an_insert_may_name_an_account_outside_the_pool(conn: Connection) -> None:
    """Its lane and its place in the campaign are made, outside the pool."""
    queue = Queue(conn)
    queue.account("ada")
    bob = queue.account("bob")
    campaign = queue.campaign(accounts=["ada"])
    send_id = queue.one(
        "insert into send_queue (campaign_id, account_id, channel, recipient, message) "
        "values (%s, %s, 'sms', '+14155552671', 'Hello') returning id",
        campaign, bob,
    )  # fmt: skip
    assert queue.all("select in_pool from send_campaign_accounts where account_id = %s", bob) == [False]
    assert [send_id] == queue.took(None)


def test_many_rows_in_one_insert(conn: Connection) -> None:
    """Dealt out over the pool, as far as one statement can see."""
    queue = Queue(conn)
    queue.account("ada")
    queue.account("bob")
    campaign = queue.campaign(accounts=["ada", "bob"])
    queue.do(
        "insert into send_queue (campaign_id, channel, recipient, message, scheduled_for) "
        "select %s, 'email', 'p' || n || '@example.org', 'Hello', %s from generate_series(1, 40) n",
        campaign, AT,
    )  # fmt: skip
    assert {20} == set(queue.all("select count(*) from send_queue group by account_id"))
    assert len(queue.taken(AT + DAY)) == 1


@pytest.mark.parametrize(
    ("values", "state", "says"),
    [
        ((UUID(int=1), "email", "p", "m"), "SQ005", "There is no campaign with the id"),
        (("campaign", "fax", "p", "m"), "23514", "channel_is_known"),
        (("campaign", "email", "", "m"), "SQ002", "The recipient is missing"),
        (("campaign", "email", "p", "m"), "SQ002", "'p' is not a mail address"),
        (("campaign", "email", "p@example.org", None), "23502", "message"),
        (("campaign", "linkedin_invite", "p", "x" * 301), "23514", "invitation_fits_300_characters"),
        (("empty", "email", "p@x.org", "m"), "SQ006", "has no accounts"),
    ],
)
def test_an_insert_that_cannot_be_sent_is_refused(
    conn: Connection, values: tuple[Any, ...], state: str, says: str
) -> None:
    """By a sentence, or by the constraint that says the rule; and nothing is stored."""
    queue = Queue(conn)
    queue.account()
    ids = {"campaign": queue.campaign(), "empty": queue.campaign("empty", [])}
    with pytest.raises(psycopg.Error, match=says) as refused:
        queue.one(INSERT, ids.get(values[0], values[0]), *values[1:])
    assert (state, {}) == (refused.value.sqlstate, queue.statuses())


def test_an_account_of_another_workspace_is_refused(conn: Connection) -> None:
    """Tenants are kept apart by the foreign keys."""
    queue = Queue(conn)
    queue.workspace("other")
    queue.account()
    campaign = queue.campaign()
    eve = queue.account("eve", workspace="other")
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="account_is_of_the_workspace"):
        queue.do(
            "insert into send_queue (campaign_id, account_id, channel, recipient, message) "
            "values (%s, %s, 'email', 'p@x.org', 'm')",
            campaign, eve,
        )  # fmt: skip


def test_an_account_joins_a_campaign_by_hand(conn: Connection) -> None:
    """Into the pool, without saying the workspace."""
    queue = Queue(conn)
    account = queue.account()
    campaign = queue.campaign(accounts=[])
    queue.do("insert into send_campaign_accounts (campaign_id, account_id) values (%s, %s)", campaign, account)
    assert [queue.enqueue()] == queue.took()


@pytest.mark.parametrize("known", [False, True])
def test_two_transactions_insert_rows_to_the_same_people_in_either_order(
    conn: Connection, database: str, known: bool
) -> None:
    """Neither waits for the other."""
    queue = Queue(conn)
    queue.account()
    queue.lane()
    campaign = queue.campaign()
    people = ["a@example.org", "b@example.org"]
    for person in people if known else ():
        queue.do("insert into send_prospects (workspace_id, email) select id, %s from send_workspaces", person)
    with psycopg.connect(database) as one, psycopg.connect(database) as other:
        for each in (one, other):
            each.execute("set lock_timeout = '2s'")
        for mine, yours in zip(people, reversed(people), strict=True):
            one.execute(INSERT, (campaign, "email", mine, "m"))
            other.execute(INSERT, (campaign, "email", yours, "m"))
    assert queue.statuses() == {"pending": 4}
    assert queue.one("select count(*) from send_queue where prospect_id is not null") == 4 * known
