"""Who is suppressed is not written to: what waits and what comes is skipped, what is in flight is left alone."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, Connection, Meanwhile, Queue, at_once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

EMAIL = "ada@example.org"


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account()
    queue.campaign()
    for channel in ("email", "sms"):
        queue.lane(channel=channel, max_in_flight=9)
    return queue


def workspace_id(queue: Queue, name: str = "default") -> UUID:
    found: UUID = queue.one("select id from send_workspaces where name = %s", name)
    return found


def suppress(queue: Queue, *recipients: str, at: datetime = AT, workspace: str = "default", **more: Any) -> int:
    entries = Jsonb([{"recipient": recipient, **more} for recipient in recipients])
    added: int = queue.call("send_suppress", workspace_id=workspace_id(queue, workspace), entries=entries, at=at)
    return added


def fate(queue: Queue, send: UUID) -> tuple[str, str | None]:
    row = queue.row(send)
    return row["status"], row["error_code"]


SKIPPED, PENDING = ("skipped", "suppressed"), ("pending", None)


# --- who is meant -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "normal"), [
    (" Ada@Example.ORG ", "ada@example.org"),
    ("ada+tag@example.org", "ada+tag@example.org"),
    ("+49 (170) 123-45/67", "+491701234567"),
    ("0049 170 1234567", "+491701234567"),
    ("0170 1234567", "01701234567"),
    ("ACoAAB_c-D", "ACoAAB_c-D"),
    ("https://user@Host/Path", "https://user@Host/Path"),
    ("https://www.linkedin.com/in/Ada", "ada"),
    ("+", "+"),
])  # fmt: skip
def test_one_form_for_all_ways_to_write_a_recipient(conn: Connection, written: str, normal: str) -> None:
    """Addresses in small letters, phone numbers as digits, all else as it stands."""
    assert normal == Queue(conn).one("select send_normal_recipient(%s)", written)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.text(" @+0a:/A"))
def test_the_normal_form_is_normal(conn: Connection, written: str) -> None:
    """Made normal once more, it stays: else the rule of the table would refuse what its trigger has made."""
    once = Queue(conn).one("select send_normal_recipient(%s)", written)
    assert once == Queue(conn).one("select send_normal_recipient(%s)", once)


# --- what waits -------------------------------------------------------------------------------------------


def test_what_waits_is_skipped_at_once(queue: Queue) -> None:
    """On the channel that is meant, in whatever form the address is written, and it says why and since when."""
    ours, others = queue.enqueue(recipient="Ada@Example.org"), queue.enqueue(recipient="ben@example.org")
    by_sms = queue.enqueue(recipient="+49 170 1234567", channel="sms")
    assert suppress(queue, EMAIL, channel="email", reason="asked on the phone", at=AT + HOUR) == 1
    row = queue.row(ours)
    assert (row["status"], row["error_code"], row["updated_at"]) == ("skipped", "suppressed", AT + HOUR)
    assert row["error_message"] == "Nothing goes to this recipient since 2026-03-02: asked on the phone."
    assert [fate(queue, others), fate(queue, by_sms)] == [PENDING, PENDING]


def test_all_channels_are_meant_where_none_is_named(queue: Queue) -> None:
    """A suppression without a channel holds on each."""
    sends = [queue.enqueue(recipient="+49 170 1234567", channel=channel) for channel in ("sms", "log", "post")]
    suppress(queue, "0049-170-1234567")
    assert {fate(queue, send) for send in sends} == {SKIPPED}


def test_all_addresses_of_a_person_are_meant_where_no_channel_is_named(queue: Queue) -> None:
    """Those that the workspace's prospect has beside it, once each; with a channel, the address alone."""
    queue.lane(channel="linkedin_invite")
    queue.workspace("acme")
    by_id, by_sms = queue.enqueue(recipient="in/Ada-L", channel="linkedin_invite"), queue.enqueue(
        recipient="+49 170 1234567", channel="sms")  # fmt: skip
    queue.do("update send_prospects set email = 'Ada@Example.org', phone = '+49 170 999' "
             "where linkedin_user_id is not null")  # fmt: skip
    entries = Jsonb([{"recipient": EMAIL}])
    effect = queue.call("send_suppression_effect", workspace_id=workspace_id(queue), entries=entries)
    assert effect == {"waiting": 1, "others": ["+49170999", "ada-l"]}
    suppress(queue, EMAIL, channel="email")
    suppress(queue, EMAIL, workspace="acme")
    assert fate(queue, by_id) == PENDING
    assert suppress(queue, EMAIL, "ada@EXAMPLE.org", "in/ada-l", reason="asked") == 2
    assert [fate(queue, by_id), fate(queue, by_sms)] == [SKIPPED, PENDING]
    stored = queue.all("select recipient, reason from send_suppressions where channel is null and workspace_id = %s",
                       workspace_id(queue))  # fmt: skip
    assert sorted(stored) == [("+49170999", "asked"), ("ada-l", "asked"), ("ada@example.org", "asked")]
    assert suppress(queue, EMAIL) == 0


def test_a_workspace_suppresses_for_itself_alone(queue: Queue) -> None:
    """What one tenant's people have asked for says nothing of another's."""
    queue.workspace("acme")
    send = queue.enqueue(recipient=EMAIL)
    suppress(queue, EMAIL, workspace="acme")
    assert fate(queue, send) == PENDING


def test_what_is_in_flight_or_over_is_left_alone(queue: Queue) -> None:
    """A call that is being made cannot be taken back, and what is recorded stays."""
    sent, flying = queue.enqueue(recipient=EMAIL), queue.enqueue(recipient=EMAIL)
    queue.send("sent")
    assert [flying] == queue.took()
    suppress(queue, EMAIL)
    assert [queue.row(sent)["status"], queue.row(flying)["status"]] == ["sent", "sending"]


def test_an_insert_by_hand_is_as_good(queue: Queue) -> None:
    """SQL by hand is made normal, and skips what waits; so does an update that means somebody else."""
    ada, ben = queue.enqueue(recipient=EMAIL), queue.enqueue(recipient="ben@example.org")
    queue.do("insert into send_suppressions (workspace_id, recipient, reason) "
             "select id, ' ADA@example.org', 'by hand' from send_workspaces")  # fmt: skip
    assert [fate(queue, ada), fate(queue, ben)] == [SKIPPED, PENDING]
    queue.do("update send_suppressions set recipient = 'Ben@example.org'")
    assert fate(queue, ben) == SKIPPED


def test_nobody_is_suppressed_twice(queue: Queue) -> None:
    """The first reason stays; another channel is another suppression."""
    assert suppress(queue, EMAIL, "Ada@Example.org", channel="email", reason="first") == 1
    assert suppress(queue, EMAIL, channel="email", reason="second") == 0
    assert suppress(queue, EMAIL) == 1
    assert queue.all("select reason from send_suppressions order by since, reason") == ["by hand", "first"]


def test_it_waits_for_nobody(database: str, queue: Queue) -> None:
    """A row that somebody holds is passed by, since whoever suppresses may hold any locks; its claim skips it."""
    held, free = queue.enqueue(recipient=EMAIL), queue.enqueue(recipient=EMAIL)
    with psycopg.connect(database) as other:
        other.execute("select from send_queue where id = %s for update", (held,))
        suppress(queue, EMAIL)
        assert [fate(queue, held), fate(queue, free)] == [PENDING, SKIPPED]


def test_what_waits_is_found_by_an_index(queue: Queue) -> None:
    """However much waits for others, only the rows of the recipient are met."""
    queue.fill(3000)
    queue.do("analyze send_queue")
    queue.do("set enable_seqscan = off")
    plan = "\n".join(queue.all(
        "explain select from send_suppressions s join send_queue q on q.workspace_id = s.workspace_id"
        " and send_normal_recipient(q.recipient) = s.recipient where q.status = 'pending'"))  # fmt: skip
    assert "send_queue_recipient" in plan


def test_two_who_suppress_the_same_people_at_once(database: str, queue: Queue) -> None:
    """In whatever order they name them, neither waits for the other in a circle, and each is suppressed once."""
    people = [f"p{n}@example.org" for n in range(200)]
    added = at_once(database, 4, lambda own, i: suppress(own, *(people if i % 2 else people[::-1])))
    assert (sum(added), queue.one("select count(*) from send_suppressions")) == (200, 200)


# --- what comes -------------------------------------------------------------------------------------------


def test_what_is_enqueued_later_is_stored_as_skipped(queue: Queue) -> None:
    """It is not refused, for a list is worked off whole; a notice says so."""
    notices: list[str] = []
    queue.conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    suppress(queue, EMAIL, reason="unsubscribed")
    assert fate(queue, queue.enqueue(recipient=" Ada@example.org")) == SKIPPED
    assert notices == ["'Ada@example.org' is suppressed, so the message is stored as skipped. "
                       "Nothing goes to this recipient since 2026-03-02: unsubscribed."]  # fmt: skip
    assert fate(queue, queue.enqueue(recipient="ben@example.org")) == PENDING


def test_what_is_inserted_by_hand_later_is_skipped(queue: Queue) -> None:
    """A plain insert that names its campaign, as docs/sql.md has it."""
    suppress(queue, EMAIL)
    queue.do("insert into send_queue (campaign_id, channel, recipient, message) "
             "select id, 'email', 'ada@example.org', 'Hi' from send_campaigns")  # fmt: skip
    assert queue.statuses() == {"skipped": 1}


def test_a_claim_takes_only_who_may_be_written_to(queue: Queue) -> None:
    """A row that an operator made pending again is skipped; the others keep their order."""
    first, blocked, last = (queue.enqueue(recipient=f"p{n}@example.org") for n in range(3))
    suppress(queue, "p1@example.org")
    queue.do("update send_queue set status = 'pending', error_code = null where id = %s", blocked)
    [going] = queue.all("select send_skip_suppressed(%s, %s)", [last, blocked, first], AT + DAY)
    assert [last, first] == going
    assert (fate(queue, blocked), queue.row(blocked)["updated_at"]) == (SKIPPED, AT + DAY)
    assert fate(queue, first) == PENDING


def test_what_is_enqueued_while_somebody_is_suppressed(database: str, queue: Queue) -> None:
    """Neither sees the other: the claim that takes the row does."""
    with psycopg.connect(database) as other:
        send = Queue(other).enqueue(recipient=EMAIL)
        suppress(queue, EMAIL)
        other.commit()
    assert fate(queue, send) == PENDING
    assert queue.all("select send_skip_suppressed(%s, %s)", [send], AT) == [[]]
    assert fate(queue, send) == SKIPPED


# --- what a provider says ---------------------------------------------------------------------------------


def test_who_refuses_is_suppressed_on_that_channel(queue: Queue) -> None:
    """The recipient of a failed send, with its error code as the reason; of a send that has not failed, nobody."""
    failed, waits = (
        queue.enqueue(recipient="+49 170 1234567", channel="sms"),
        queue.enqueue(recipient="+491701234567", channel="sms"),
    )
    queue.send("failed", error_code="opted_out")
    queue.one("select send_suppress_of(%s, %s)", [failed, waits], AT + HOUR)
    assert queue.all("select channel, recipient, reason, since from send_suppressions") == [
        ("sms", "+491701234567", "opted_out", AT + HOUR)
    ]
    assert fate(queue, waits) == SKIPPED
    queue.one("select send_suppress_of(%s, %s)", [failed], AT + DAY)
    assert queue.one("select count(*) from send_suppressions") == 1


# --- taking it back ---------------------------------------------------------------------------------------


def test_who_is_no_longer_suppressed_is_written_to_again(queue: Queue) -> None:
    """From then on; what was skipped stays skipped."""
    send = queue.enqueue(recipient=EMAIL)
    suppress(queue, EMAIL, channel="email")
    suppress(queue, EMAIL)
    assert queue.call("send_unsuppress", workspace_id=workspace_id(queue), recipient="ADA@example.org") == 2
    assert fate(queue, send) == SKIPPED
    assert fate(queue, queue.enqueue(recipient=EMAIL)) == PENDING


@pytest.mark.parametrize(("named", "said"), [
    ({"recipient": "ben@example.org"}, "'ben@example.org' is not suppressed: see"),
    ({"recipient": EMAIL, "channel": "sms"}, "'ada@example.org' is not suppressed on the channel sms"),
    ({"recipient": "all@example.org", "channel": "email"}, "is suppressed on all channels: leave out the channel"),
    ({"recipient": EMAIL, "channel": "fax"}, "There is no channel 'fax'"),
])  # fmt: skip
def test_what_cannot_be_taken_back_is_said(queue: Queue, named: dict[str, str], said: str) -> None:
    """And nothing is: who stays suppressed is not thought to be free."""
    suppress(queue, EMAIL, channel="email")
    suppress(queue, "all@example.org")
    with pytest.raises(psycopg.Error, match=said):
        queue.call("send_unsuppress", workspace_id=workspace_id(queue), **named)
    assert queue.one("select count(*) from send_suppressions") == 2


def test_a_claim_and_a_suppression_at_once(database: str, queue: Queue) -> None:
    """Whoever holds the row first decides: what a claim has taken is in flight, and goes."""
    send = queue.enqueue(recipient=EMAIL)
    with psycopg.connect(database) as other:
        assert [send] == Queue(other).took()
        suppressing = Meanwhile(database, lambda own: suppress(own, EMAIL))
        suppressing.end()
        other.commit()
    assert queue.row(send)["status"] == "sending"


def test_the_list_is_of_whom_is_asked(queue: Queue) -> None:
    """Newest first; by recipient in whatever form, by channel, by workspace."""
    suppress(queue, EMAIL, channel="email", reason="unsubscribed")
    suppress(queue, "ben@example.org", at=AT + HOUR)
    assert [row["recipient"] for row in queue.rows("send_suppression_list")] == ["ben@example.org", EMAIL]
    [row] = queue.rows("send_suppression_list", recipient="ADA@example.org ", workspace="default", channel="email")
    assert (row["reason"], row["channel"]) == ("unsubscribed", "email")
    assert queue.rows("send_suppression_list", max_rows=1)[0]["recipient"] == "ben@example.org"


# --- in a claim, a result and an import -------------------------------------------------------------------


def test_a_claim_skips_who_is_suppressed(queue: Queue) -> None:
    """It counts them with what has expired, and takes the next ones, also where all that it had taken are skipped."""
    blocked = [queue.enqueue(recipient=f"p{n}@example.org") for n in range(3)]
    free = queue.enqueue(recipient="free@example.org")
    suppress(queue, *(f"p{n}@example.org" for n in range(3)))
    queue.do("update send_queue set status = 'pending', error_code = null")
    claim = queue.claim(AT + HOUR)
    assert ([UUID(send["send_id"]) for send in claim["sends"]], claim["expired"]) == ([free], 3)
    assert {fate(queue, send) for send in blocked} == {SKIPPED}


def test_a_claim_of_many_takes_the_others(queue: Queue) -> None:
    """In their order, and no more than that."""
    sends = [queue.enqueue(recipient=f"p{n}@example.org", at=AT) for n in range(5)]
    suppress(queue, "p0@example.org", "p3@example.org")
    queue.do("update send_queue set status = 'pending', error_code = null")
    assert [sends[n] for n in (1, 2, 4)] == queue.took(AT + HOUR, 9, batches={"log": 9})
    queue.assert_tally_is_the_ledger()


def test_a_result_may_suppress(queue: Queue) -> None:
    """Where the send has failed; not where it goes again."""
    failed, retried = queue.enqueue(recipient="a@example.org"), queue.enqueue(recipient="b@example.org")
    assert failed == queue.send("failed", error_code="hard_bounce", suppress=True)
    assert retried == queue.send("retry", suppress=True)
    assert queue.all("select recipient, channel, reason from send_suppressions") == [
        ("a@example.org", "email", "hard_bounce")
    ]


def test_an_import_stores_them_as_skipped(queue: Queue) -> None:
    """And says how many."""
    suppress(queue, EMAIL, "p1@example.org")
    with queue.conn.transaction():
        queue.one("select send_import_stage()")
        queue.do("insert into send_import_lines (line, recipient, message, attributes, payload, dedupe_key) "
                 "select n, 'P' || n || '@example.org', 'Hi', '{}', '{}', n from generate_series(1, 3) n")  # fmt: skip
        answer = queue.call("send_import", campaign="spring", channel="email", at=AT)
    assert (answer["created"], answer["suppressed"], answer["there"]) == (3, 1, 0)
    assert queue.all("select recipient, error_code, error_message from send_queue where status = 'skipped'") == [
        ("P1@example.org", "suppressed", "Nothing goes to this recipient since 2026-03-02: by hand.")
    ]


def test_the_statement_of_the_documents_suppresses(conn: psycopg.Connection[Any]) -> None:
    """The endpoint of examples/unsubscribe.py stores a recipient as it is written, and it is folded."""
    page = (Path(__file__).parents[2] / "examples" / "unsubscribe.py").read_text()
    [statement] = re.findall(r'SUPPRESS = """(.*?)"""', page, re.DOTALL)
    [[workspace]] = conn.execute("select id from send_workspaces").fetchall()
    for _ in range(2):
        conn.execute(statement.encode(), (workspace, "email", "Ana@Example.com "))
    assert conn.execute("select recipient, reason from send_suppressions").fetchall() == [
        ("ana@example.com", "unsubscribed")
    ]
