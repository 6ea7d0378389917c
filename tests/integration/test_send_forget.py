"""Whoever is forgotten is nowhere any more: no word of them is left in a table, and counts and caps stay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, Connection, Meanwhile, Queue

SECRETS = ("adaline", "lovelace", "analytical", "170123", "acoaa", "engine-7", "hello")
"""What is known of her, in small letters: in no table may it be found."""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account("anna")
    queue.campaign(accounts=("anna",))
    for channel in ("email", "sms", "linkedin_invite", "log"):
        queue.lane("anna", channel, max_in_flight=9)
    return queue


def ada(queue: Queue) -> tuple[UUID, dict[str, UUID]]:
    """A person with sends on all channels, which are over or wait; her id, and the sends by what became of them."""
    person: UUID = queue.one(
        "insert into send_prospects (workspace_id, name, first_name, last_name, company, linkedin_user_id, email,"
        " phone, timezone, attributes, status, follow_up_due_at) select id, 'Adaline L', 'Adaline', 'Lovelace',"
        " 'Analytical', 'ACoAA1', 'Adaline@Example.org', '+491701234567', 'Europe/London',"
        " '{\"pet\": \"engine-7\"}', 'x', now()"
        " from send_workspaces where name = 'default' returning id"
    )
    more: dict[str, Any] = {"subject": "Adaline", "payload": {"html": "<p>Adaline</p>"}}
    key = "spring:email:adaline@example.org"
    sends = {"sent": queue.enqueue(recipient="ADALINE@example.org ", dedupe_key=key, **more)}
    queue.send(provider_message_id="engine-7-mail")
    sends["failed"] = queue.enqueue(recipient="+49 170 1234567", channel="sms", **more)
    queue.send("failed", error_message="Adaline has no phone", provider_message_id="engine-7-sms")
    sends["tried"] = queue.enqueue(recipient="ACoAA1", channel="linkedin_invite", **more)
    queue.send("retry", error_message="Adaline is busy")
    sends["waits"] = queue.enqueue(recipient="someone@else.example", prospect=person, scheduled_for=AT + DAY, **more)
    sends["free"] = queue.enqueue(recipient="adaline@EXAMPLE.org", channel="log", scheduled_for=AT + DAY)
    return person, sends


def forget(queue: Queue, whom: object, **more: Any) -> dict[str, Any]:
    report: dict[str, Any] = queue.call("send_forget", whom=str(whom), at=AT + HOUR, **more)
    return report


def words(queue: Queue) -> set[str]:
    """Those of `SECRETS` that some table holds, suppressions aside."""
    tables = queue.all(
        "select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r'"
        " and relname like 'send_%%' and relname not in ('send_suppressions', 'send_phone_zones')"
    )
    held = " ".join(str(row) for table in tables for row in queue.all(f"select t::text from {table} t")).lower()  # noqa: S608
    return {secret for secret in SECRETS if secret in held}


def refusal(queue: Queue, whom: object, **more: Any) -> tuple[str | None, str]:
    with pytest.raises(psycopg.Error) as refused:
        forget(queue, whom, **more)
    return refused.value.sqlstate, str(refused.value.diag.message_primary)


@pytest.mark.parametrize("whom", ["adaline@example.org", " ADALINE@EXAMPLE.ORG", "0049 (170) 1234567", "ACoAA1", None])
def test_no_word_of_them_is_left_and_counts_stay(queue: Queue, whom: str | None) -> None:
    """By any of their addresses in any form, or by the prospect's id: on all channels, in all columns of all tables."""
    person, sends = ada(queue)
    queue.do("insert into send_suppressions (workspace_id, recipient, reason) select id, %s, 'no more'"
             " from send_workspaces", "adaline@example.org")  # fmt: skip
    assert words(queue) == set(SECRETS)
    counted = "select status, sum(n) from send_counts group by status having sum(n) <> 0"
    ledger = ("select send_id, number, outcome, error_code, http_status, started_at, finished_at from send_attempts "
              "order by id")  # fmt: skip
    before = queue.all(ledger), queue.all("select * from send_usage")
    waited = [sends[name] for name in ("tried", "waits", "free") if queue.row(sends[name])["status"] == "pending"]
    report = forget(queue, whom or person)
    assert report == {
        "workspace": "default", "sends": 5, "skipped": len(waited), "attempts": 3, "prospects": 1, "notifications": 0,
        "suppressions_kept": 1, "dry_run": False,
    }  # fmt: skip
    assert words(queue) == set()
    assert (queue.all(ledger), queue.all("select * from send_usage")) == before
    assert queue.statuses() == {"sent": 1, "failed": 1, "skipped": 3} == dict(queue.all(counted))
    assert {queue.row(send)["error_code"] for send in waited} <= {"forgotten", "suppressed"}
    assert queue.row(sends["sent"])["error_message"] == "Its recipient was forgotten on 2026-03-02."
    assert queue.one("select recipient from send_suppressions where reason = 'no more'") == "adaline@example.org"
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_others_stay_as_they_are(queue: Queue) -> None:
    """Nobody else is touched, not even who has a similar address."""
    ada(queue)
    ben, ada2 = queue.enqueue(recipient="ben@example.org"), queue.enqueue(recipient="adaline@example.org.uk")
    before = [
        queue.row(ben),
        queue.row(ada2),
        queue.one("select count(*) from send_prospects where email like 'ben%%'"),
    ]
    forget(queue, "adaline@example.org")
    after = [queue.row(ben), queue.row(ada2), queue.one("select count(*) from send_prospects where email like 'ben%%'")]
    assert after == before


def test_a_dry_run_counts_and_changes_nothing(queue: Queue) -> None:
    """It says what would be removed, and takes no lock that a claim would wait for."""
    ada(queue)
    rows = queue.all("select q::text from send_queue q order by id")
    report = forget(queue, "adaline@example.org", dry_run=True)
    assert (report["sends"], report["skipped"], report["dry_run"]) == (5, 3, True)
    assert queue.all("select q::text from send_queue q order by id") == rows
    assert forget(queue, "adaline@example.org") == report | {"dry_run": False}


@pytest.mark.parametrize("outcome", [None, "uncertain"])
def test_what_is_in_flight_or_in_doubt_is_waited_for(queue: Queue, outcome: str | None) -> None:
    """Its run, or the provider, still needs the words: the refusal says what to do, and nothing is removed."""
    send = queue.enqueue(recipient="adaline@example.org")
    [claimed] = queue.taken()
    if outcome:
        queue.record(claimed, outcome)
    state, said = refusal(queue, "adaline@example.org")
    assert state == "SQ006"
    assert said == (
        f"Send {send} may have reached them: settle it with `send-queue settle {send}`, then forget them."
        if outcome else f"Send {send} to them is in flight: wait for its run to end, then forget them."
    )  # fmt: skip
    assert refusal(queue, "adaline@example.org", dry_run=True)[0] == "SQ006"
    assert queue.row(send)["message"] == "Hello"
    if outcome:
        queue.call("send_settle", id=send, sent=True, at=AT)
    else:
        queue.record(claimed, "sent")
    assert forget(queue, "adaline@example.org")["sends"] == 1


def test_a_claim_that_takes_a_row_meanwhile_is_seen(queue: Queue, database: str) -> None:
    """The row is looked at again once its lock is there."""
    queue.enqueue(recipient="adaline@example.org")
    with queue.conn.transaction():
        queue.taken()
        other = Meanwhile(database, lambda q: forget(q, "adaline@example.org"))
    with pytest.raises(psycopg.Error, match="in flight"):
        other.end()


@pytest.mark.parametrize("whom", ["nobody@example.org", "forgotten", "00000000-0000-0000-0000-000000000000"])
def test_nothing_stored_is_said(queue: Queue, whom: str) -> None:
    """Nor is anybody forgotten twice."""
    person, _ = ada(queue)
    forget(queue, "adaline@example.org")
    for name in (whom, "adaline@example.org", person):
        state, said = refusal(queue, name)
        assert (state, said) == (
            "SQ005", f"Nothing is stored of '{name}': look for them with `send-queue list`, or name the workspace.",
        )  # fmt: skip
    assert refusal(queue, " ")[0] == "SQ002"


def test_what_was_forgotten_is_not_sent(queue: Queue) -> None:
    """Also where somebody makes it pending again, by a retry of all that failed or by hand: it has nobody to go to."""
    _, sends = ada(queue)
    forget(queue, "adaline@example.org")
    queue.call("send_retry", ids=[sends["failed"]], at=AT + HOUR)
    queue.do("update send_queue set status = 'pending', scheduled_for = %s where status = 'skipped'", AT)
    assert queue.taken(AT + DAY, max_rows=9) == []
    assert queue.statuses() == {"sent": 1, "skipped": 4}


def test_each_workspace_forgets_for_itself(queue: Queue) -> None:
    """Known in several, it must be said in which."""
    queue.workspace("other")
    queue.account("otto", workspace="other")
    queue.campaign("fall", ("otto",), workspace="other")
    here = queue.enqueue(recipient="adaline@example.org")
    there = queue.enqueue(recipient="adaline@example.org", campaign="fall", workspace="other")
    state, said = refusal(queue, "adaline@example.org")
    assert (state, said) == (
        "SQ002", "'adaline@example.org' is known in 2 workspaces (default, other): name the workspace.",
    )  # fmt: skip
    assert forget(queue, "adaline@example.org", workspace="other")["sends"] == 1
    assert (queue.row(here)["message"], queue.row(there)["message"]) == ("Hello", "")
    assert refusal(queue, "adaline@example.org", workspace="nowhere")[0] == "SQ005"


def test_one_person_in_two_rows_is_one(queue: Queue) -> None:
    """A number written in two ways is two prospects, who are one person with all their addresses."""
    for phone, email in (("+49 170 1234567", None), ("+491701234567", "Adaline@example.org")):
        queue.do("insert into send_prospects (workspace_id, name, phone, email) select id, 'Adaline', %s, %s"
                 " from send_workspaces", phone, email)  # fmt: skip
    queue.enqueue(recipient="adaline@example.org", message="x")
    assert {k: v for k, v in forget(queue, "0049 1701234567").items() if k in ("prospects", "sends")} == {
        "prospects": 2, "sends": 1,
    }  # fmt: skip
    assert words(queue) == set()


def test_notifications_to_them_are_removed(queue: Queue) -> None:
    """They hold the address, and would be sent to it."""
    url = "https://adaline.example/x"
    queue.call("send_set_notification", events=["failed"], recipient=url, provider="webhook", at=AT)
    assert forget(queue, url)["notifications"] == 1
    assert queue.all("select * from send_notifications") == []


def test_the_foreign_key_of_prospects_is_indexed(queue: Queue) -> None:
    """Whoever deletes a prospect does not read the whole queue for it."""
    queue.do("set enable_seqscan = off")
    plan = queue.all("explain select from send_queue where prospect_id = gen_random_uuid()")
    assert any("send_queue_prospect" in line for line in plan), plan
