"""Nobody is written to by two campaigns of a workspace within a time, where an operator says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, Connection, Queue

from send_queue.core.explain import explain
from send_queue.insight.forecast import forecast

SLUG, URL = "Ada-L", "https://uk.linkedin.com/in/ada-l/"


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Two campaigns of one account, each with a lane that takes any number."""
    queue = Queue(conn)
    queue.account()
    for campaign in ("spring", "summer"):
        queue.campaign(campaign)
    for channel in ("linkedin_invite", "linkedin_message"):
        queue.lane(channel=channel, daily_cap=None, max_in_flight=100)
    return queue


def put(queue: Queue, campaign: str, recipient: str = SLUG, channel: str = "linkedin_invite", **more: object) -> UUID:
    return queue.enqueue(campaign=campaign, recipient=recipient, channel=channel, **more)


def fate(queue: Queue, send: UUID) -> tuple[str, str | None]:
    row = queue.row(send)
    return row["status"], row["error_code"]


def rule(queue: Queue, kind: str, name: str, within: str | None) -> None:
    queue.put(kind, name, skip_contacted=within)


@pytest.mark.parametrize("status", ["pending", "sending", "sent"])
def test_enqueue_says_that_another_campaign_has_them(queue: Queue, status: str) -> None:
    """In a notice, by whichever spelling, whatever becomes of the message there but a failure; and stores it."""
    put(queue, "spring")
    if status != "pending":
        [send] = queue.taken()
        if status == "sent":
            queue.record(send, "sent")
    said: list[tuple[str | None, str | None]] = []
    queue.conn.add_notice_handler(lambda notice: said.append((notice.sqlstate, notice.message_primary)))
    assert fate(queue, put(queue, "summer", URL)) == ("pending", None)
    [notice] = said
    assert notice[0] == "SQ003"
    assert "is in the campaign 'spring' of this workspace too (send" in str(notice[1])
    put(queue, "summer", "ben")
    assert len(said) == 1


@pytest.mark.parametrize(("kind", "name"), [("workspace", "default"), ("campaign", "summer")])
def test_a_rule_skips_whom_another_campaign_wrote_to(queue: Queue, kind: str, name: str) -> None:
    """On any channel and by whichever spelling, until the time is over; that campaign's own messages go on."""
    put(queue, "spring")
    queue.send(at=AT)
    rule(queue, kind, name, "90 days")
    skipped = put(queue, "summer", URL, "linkedin_message", at=AT + 89 * DAY)
    assert fate(queue, skipped) == ("skipped", "contacted")
    assert queue.row(skipped)["error_message"] == (
        "The campaign spring wrote to them on 2026-03-02: nothing else goes to them within 90 days."
    )
    assert fate(queue, put(queue, "spring", URL, at=AT + DAY)) == ("pending", None)
    assert fate(queue, put(queue, "summer", "ben", at=AT + DAY)) == ("pending", None)
    assert fate(queue, put(queue, "summer", URL, at=AT + 90 * DAY)) == ("pending", None)


def test_a_campaign_s_rule_goes_before_its_workspace_s(queue: Queue) -> None:
    """No time at all skips nobody."""
    put(queue, "spring")
    queue.send()
    rule(queue, "workspace", "default", "90 days")
    rule(queue, "campaign", "summer", "0 days")
    assert fate(queue, put(queue, "summer", at=AT + HOUR)) == ("pending", None)
    rule(queue, "campaign", "summer", None)
    assert fate(queue, put(queue, "summer", at=AT + HOUR)) == ("skipped", "contacted")


@pytest.mark.parametrize("later", [1, 200])
def test_a_claim_takes_one_row_to_a_person(queue: Queue, later: int) -> None:
    """Of two campaigns' rows in one look the first goes; the other is skipped by the next claim, or goes if the first
    certainly did not go out."""
    first, other = put(queue, "spring", priority=1), put(queue, "summer", "ben")
    second = put(queue, "summer", URL, priority=later)
    rule(queue, "workspace", "default", "90 days")
    sends = queue.taken(max_rows=10)
    assert [UUID(send["send_id"]) for send in sends] == [first, other]
    assert fate(queue, second) == ("pending", None)
    queue.record(sends[0], "failed")
    assert queue.took(AT + HOUR) == [second]


def test_who_was_written_to_is_skipped_by_the_claim(queue: Queue) -> None:
    """Though they were enqueued while nothing had gone; follow-ups of the campaign that wrote go on."""
    put(queue, "spring")
    second = put(queue, "summer", URL, scheduled_for=AT + HOUR)
    follow_up = put(queue, "spring", URL, "linkedin_message", scheduled_for=AT + HOUR)
    rule(queue, "campaign", "summer", "90 days")
    queue.send()
    claim = queue.claim(AT + HOUR, max_rows=10)
    assert [UUID(send["send_id"]) for send in claim["sends"]] == [follow_up]
    assert claim["expired"] == 1
    assert fate(queue, second) == ("skipped", "contacted")


def test_two_claims_do_not_write_to_one_person(queue: Queue, database: str) -> None:
    """While a claim is not committed, another leaves the person's row; afterwards it is skipped."""
    put(queue, "spring")
    second = put(queue, "summer", URL, "linkedin_message")
    rule(queue, "workspace", "default", "90 days")
    with psycopg.connect(database) as other:
        assert len(Queue(other).taken(max_rows=1, channel="linkedin_invite")) == 1
        claim = queue.claim(max_rows=10, channel="linkedin_message")
        assert (claim["sends"], claim["lock_skipped"], fate(queue, second)) == ([], True, ("pending", None))
    assert queue.took(max_rows=10) == []
    assert fate(queue, second) == ("skipped", "contacted")


def test_rows_put_in_by_hand_count_as_contacts(queue: Queue) -> None:
    """Though no prospect is made for them: by the key of the recipient."""
    rule(queue, "workspace", "default", "90 days")
    queue.do(
        "insert into send_queue (campaign_id, channel, recipient, message, scheduled_for) "
        "select id, 'linkedin_invite', %s, 'm', %s from send_campaigns where name = 'spring'",
        SLUG, AT,
    )  # fmt: skip
    queue.send()
    assert queue.one("select count(*) from send_prospects") == 0
    assert fate(queue, put(queue, "summer", URL, at=AT + timedelta(minutes=1))) == ("skipped", "contacted")


def twins(queue: Queue) -> None:
    """Two prospects with one key, as two programs make that enqueue at once in two spellings."""
    for slug in (SLUG, URL):
        queue.do("insert into send_prospects (workspace_id, linkedin_user_id, created_at) "
                 "select id, %s, '2026-01-01' from send_workspaces", slug)  # fmt: skip
    first, second = queue.all("select id from send_prospects order by linkedin_user_id")
    put(queue, "spring", SLUG, prospect=first)
    put(queue, "summer", URL, prospect=second)
    rule(queue, "workspace", "default", "90 days")


def strangers(queue: Queue) -> None:
    """Two rows without prospects, to one person."""
    for campaign, recipient in (("spring", SLUG), ("summer", URL)):
        queue.do(
            "insert into send_queue (campaign_id, channel, recipient, message, scheduled_for) "
            "select id, 'linkedin_invite', %s, 'm', %s from send_campaigns where name = %s",
            recipient, AT, campaign,
        )  # fmt: skip
    rule(queue, "workspace", "default", "90 days")


@pytest.mark.parametrize("people", [twins, strangers])
@pytest.mark.parametrize("claims", [1, 2])
def test_a_person_is_known_by_their_key(queue: Queue, database: str, people: Callable[[Queue], None],
                                        claims: int) -> None:  # fmt: skip
    """One claim takes one of their rows; two claims at once, of two accounts, take one; the other is skipped."""
    people(queue)
    if claims == 1:
        assert len(queue.taken(max_rows=10)) == 1
    else:
        queue.account("bob")
        for campaign in ("spring", "summer"):
            queue.put("campaign", campaign, accounts=["ada", "bob"])
        queue.lane("bob", "linkedin_invite", daily_cap=None, max_in_flight=100)
        queue.do("update send_queue q set account_id = a.id from send_accounts a, send_campaigns c "
                 "where a.name = 'bob' and c.id = q.campaign_id and c.name = 'summer'")  # fmt: skip
        with psycopg.connect(database) as other:
            assert len(Queue(other).taken(max_rows=10, account="ada")) == 1
            claim = queue.claim(max_rows=10, account="bob")
            assert (claim["sends"], claim["lock_skipped"]) == ([], True)
    assert queue.taken(max_rows=10) == []
    assert queue.all("select c.name, q.status, q.error_code from send_queue q join send_campaigns c "
                     "on c.id = q.campaign_id order by c.name") == [
        ("spring", "sending", None), ("summer", "skipped", "contacted"),
    ]  # fmt: skip


def test_explain_says_that_a_rule_will_skip_a_send(queue: Queue) -> None:
    """As soon as another campaign wrote, and not where the time is over before it can go."""
    put(queue, "spring")
    second = put(queue, "summer", URL, "linkedin_message")
    later = put(queue, "summer", URL, "linkedin_message", scheduled_for=AT + 91 * DAY)
    rule(queue, "workspace", "default", "90 days")
    assert explain(queue.conn, second, AT).holds == ()
    assert len(queue.taken(channel="linkedin_invite")) == 1
    told = explain(queue.conn, second, AT + HOUR)
    assert (told.verdict, told.next_at, [hold.rule for hold in told.holds]) == ("needs_person", None, ["contacted"])
    assert told.holds[0].detail == (
        "The campaign spring wrote to them on 2026-03-02: nothing else goes to them within 90 days. A run skips it."
    )
    assert "contacted" not in [hold.rule for hold in explain(queue.conn, later, AT + HOUR).holds]


def test_a_forecast_foresees_whom_a_rule_skips(queue: Queue) -> None:
    """Of two campaigns to the same people, and of one to people of the past, each person is written to once."""
    people = [f"person-{n}" for n in range(10)]
    for campaign in ("spring", "summer"):
        for person in people:
            put(queue, campaign, person)
    rule(queue, "campaign", "summer", "30 days")
    told = forecast(queue.conn, AT)
    assert (sum(day.sends for day in told.days), [(n.reason, n.sends) for n in told.never]) == (10, [("contacted", 10)])
    assert told.never[0].mend == "send-queue campaign set summer --skip-contacted 0d"
    for _ in range(9):
        for send in queue.taken(max_rows=100):
            queue.record(send, "sent")
    assert queue.statuses() == {"sent": 10, "skipped": 10}
