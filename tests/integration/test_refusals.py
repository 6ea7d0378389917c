"""What must not be cannot be, whoever writes: a constraint forbids it, or a trigger refuses it with a sentence."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from builders import AT, DAY, MINUTE, Connection, Queue


@pytest.fixture
def queue(conn: Connection) -> Queue:
    return Queue(conn)


def refused(queue: Queue, statement: str, *args: Any) -> str:
    """Run a statement that must not work; returns the rule that forbids it, or the sentence that refuses it."""
    with pytest.raises(psycopg.Error) as error:
        queue.do(statement, *args)
    if error.value.sqlstate in ("SQ002", "SQ005", "SQ006"):
        said = error.value.diag.message_primary or ""
        assert said.endswith("."), said
        return said
    assert error.value.diag.constraint_name, error.value
    return error.value.diag.constraint_name


def a_send(queue: Queue, outcome: str | None) -> UUID:
    """A row whose one attempt came to this; None: in flight."""
    [send_id] = queue.ready()
    [send] = queue.taken()
    if outcome is not None:
        queue.record(send, outcome)
    return send_id


STATES = ("pending", "sending", "sent", "failed", "skipped", "uncertain")
WHOLE = {
    "pending": "lease_expires_at = null, claimed_by = null, sent_at = null",
    "sending": "lease_expires_at = now(), claimed_by = 'me', sent_at = null",
    "sent": "lease_expires_at = null, claimed_by = null, sent_at = now()",
    "failed": "lease_expires_at = null, claimed_by = null, sent_at = null",
    "skipped": "lease_expires_at = null, claimed_by = null, sent_at = null, error_code = 'x'",
    "uncertain": "lease_expires_at = null, claimed_by = null, sent_at = null",
}
"""What each status must come with: so that only the transition itself is in question."""


# --- transitions of a row ---------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [status for status in STATES if status != "sent"])
def test_a_sent_row_becomes_nothing_else(queue: Queue, to: str) -> None:
    """Nobody sends it again, nobody hides that it went out."""
    send_id = a_send(queue, "sent")
    said = refused(queue, f"update send_queue set status = %s, {WHOLE[to]}", to)  # noqa: S608 — words of this module
    assert f"Send {send_id} was sent at" in said
    assert "enqueue a new message instead" in said


@pytest.mark.parametrize("to", [status for status in STATES if status != "sending"])
def test_a_row_in_flight_is_its_runs(queue: Queue, to: str) -> None:
    """Its attempt would stay open, and no other could begin."""
    send_id = a_send(queue, None)
    said = refused(queue, f"update send_queue set status = %s, {WHOLE[to]}", to)  # noqa: S608 — words of this module
    assert f"Send {send_id} is in flight" in said
    assert "lease_expires_at" in said


def test_a_status_is_one_of_six(queue: Queue) -> None:
    queue.ready()
    assert refused(queue, "update send_queue set status = 'done'") == "status_is_known"


# --- states of a row --------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["lease_expires_at", "claimed_by"])
def test_a_sending_row_has_a_lease(queue: Queue, column: str) -> None:
    """Without one, nobody would ever find out that its run is dead."""
    a_send(queue, None)
    wrong = f"update send_queue set {column} = null"  # noqa: S608 — words of this module
    assert refused(queue, wrong) == "sending_has_a_lease"


@pytest.mark.parametrize(
    "set", ["lease_expires_at = now()", "claimed_by = 'me'", "lease_expires_at = now(), claimed_by = 'me'"]
)
def test_a_lease_has_a_sending_row(queue: Queue, set: str) -> None:
    queue.ready()
    wrong = f"update send_queue set {set}"  # noqa: S608 — words of this module
    assert refused(queue, wrong) == "sending_has_a_lease"


def test_a_row_does_not_become_sending_by_its_status_alone(queue: Queue) -> None:
    queue.ready()
    assert refused(queue, "update send_queue set status = 'sending'") == "sending_has_a_lease"


def test_what_is_sent_has_a_moment(queue: Queue) -> None:
    queue.ready()
    assert refused(queue, "update send_queue set status = 'sent'") == "sent_has_a_moment"


def test_what_is_not_sent_has_no_moment(queue: Queue) -> None:
    queue.ready()
    assert refused(queue, "update send_queue set sent_at = now()") == "sent_has_a_moment"


def test_what_is_skipped_has_a_reason(queue: Queue) -> None:
    queue.ready()
    assert refused(queue, "update send_queue set status = 'skipped'") == "skipped_has_a_reason"


@pytest.mark.parametrize(
    ("set", "rule"),
    [
        ("recipient = ''", "recipient_is_not_empty"),
        ("attempts = -1", "attempts_are_not_negative"),
        ("scheduled_for = 'infinity'", "moments_are_before_the_year_9999"),
        ("expires_at = '12026-01-01'", "moments_are_before_the_year_9999"),
        ("scheduled_for = '-infinity'", "moments_are_after_the_year_1"),
        ("expires_at = '4713-01-01 BC'", "moments_are_after_the_year_1"),
        ("created_at = '-infinity'", "what_was_is_in_the_calendar"),
        ("updated_at = 'infinity'", "what_was_is_in_the_calendar"),
        ("payload = '[]'", "payload_is_an_object"),
        ("channel = 'pigeon'", "lane_exists"),
        ("channel = 'sms'", "lane_exists"),
    ],
)
def test_a_row_is_well_formed(queue: Queue, set: str, rule: str) -> None:
    queue.ready()
    assert refused(queue, f"update send_queue set {set}") == rule  # noqa: S608 — words of this module


def test_an_invitation_has_300_characters_at_the_most(queue: Queue) -> None:
    queue.ready(channel="linkedin_invite")
    queue.do("update send_queue set message = repeat('é', 300)")
    wrong = "update send_queue set message = repeat('é', 301)"
    assert refused(queue, wrong) == "invitation_fits_300_characters"


def test_a_dedupe_key_is_one_row_of_its_workspace(queue: Queue) -> None:
    queue.ready(2)
    assert refused(queue, "update send_queue set dedupe_key = 'k'") == "dedupe_key_is_unique_in_its_workspace"


def test_a_provider_message_is_one_send_of_its_lane(queue: Queue) -> None:
    """Two rows that name the same message: one of them is wrong about having gone out."""
    queue.ready(2)
    assert refused(queue, "update send_queue set provider_message_id = 'm'") == "provider_message_is_one_send"


# --- whose a row is ---------------------------------------------------------------------------------------


@pytest.fixture
def two_tenants(queue: Queue) -> Queue:
    """Each with an account and a campaign of its own; a row of the first."""
    queue.ready()
    queue.workspace("other")
    queue.account("eve", workspace="other")
    queue.campaign("theirs", ["eve"], workspace="other")
    queue.lane("eve")
    return queue


@pytest.mark.parametrize(
    "set",
    [
        "account_id = (select id from send_accounts where name = 'eve')",
        "campaign_id = (select id from send_campaigns where name = 'theirs')",
        "workspace_id = (select id from send_workspaces where name = 'other')",
        "workspace_id = (select id from send_workspaces where name = 'other'),"
        " account_id = (select id from send_accounts where name = 'eve')",
        "workspace_id = (select id from send_workspaces where name = 'other'),"
        " campaign_id = (select id from send_campaigns where name = 'theirs')",
    ],
)
def test_a_row_its_account_and_its_campaign_are_of_one_workspace(two_tenants: Queue, set: str) -> None:
    wrong = f"update send_queue set {set}"  # noqa: S608 — words of this module
    assert refused(two_tenants, wrong) == "account_sends_for_the_campaign"


def test_an_account_sends_only_for_campaigns_of_its_workspace(two_tenants: Queue) -> None:
    wrong = (
        "insert into send_campaign_accounts (workspace_id, campaign_id, account_id)"
        " select c.workspace_id, c.id, a.id from send_campaigns c, send_accounts a"
        " where c.name = 'spring' and a.name = 'eve'"
    )
    assert refused(two_tenants, wrong) == "account_is_of_the_workspace"


def test_a_limit_is_of_an_account_of_its_workspace(two_tenants: Queue) -> None:
    wrong = (
        "insert into send_limits (workspace_id, account_id, per, max_sends)"
        " select w.id, a.id, '1 hour', 1 from send_workspaces w, send_accounts a"
        " where w.name = 'default' and a.name = 'eve'"
    )
    assert refused(two_tenants, wrong) == "limit_of_an_account_of_its_workspace"


def test_a_prospect_keeps_an_account_of_its_workspace(two_tenants: Queue) -> None:
    two_tenants.enqueue()
    wrong = "update send_prospects set account_id = (select id from send_accounts where name = 'eve')"
    assert refused(two_tenants, wrong) == "prospect_keeps_an_account_of_its_workspace"


def test_a_row_written_by_hand_names_an_account_of_its_workspace(two_tenants: Queue) -> None:
    wrong = (
        "insert into send_queue (campaign_id, account_id, channel, recipient, message)"
        " select c.id, a.id, 'email', 'x@example.com', 'm' from send_campaigns c, send_accounts a"
        " where c.name = 'spring' and a.name = 'eve'"
    )
    assert refused(two_tenants, wrong) == "account_is_of_the_workspace"


@pytest.mark.parametrize("table", ["send_accounts", "send_campaigns", "send_lanes", "send_workspaces"])
def test_what_a_row_belongs_to_cannot_be_deleted(queue: Queue, table: str) -> None:
    """Only `send-queue prune` deletes sends: they do not go with their account or campaign."""
    queue.ready()
    assert refused(queue, f"delete from {table}")  # noqa: S608 — words of this module
    assert queue.statuses() == {"pending": 1}


# --- attempts ---------------------------------------------------------------------------------------------

OUTCOMES = ("sent", "already_done", "retry", "held", "failed", "uncertain", "released")
MAY_TURN_OUT = {("uncertain", "sent"), ("uncertain", "released"), ("released", "sent")}
"""A doubt ends; and what was taken for not sent may have been sent after all."""


@pytest.mark.parametrize("was", OUTCOMES)
def test_an_outcome_is_said_once(queue: Queue, was: str) -> None:
    """The ledger is the truth about what was tried, and caps are counted from it."""
    a_send(queue, was)
    for to in (*OUTCOMES, None):
        if to != was and (was, to) not in MAY_TURN_OUT:
            moment = "null" if to is None else "finished_at"
            said = refused(queue, f"update send_attempts set outcome = %s, finished_at = {moment}", to)  # noqa: S608 — words of this module
            assert f"is {was}: it cannot become {to or 'open'} again" in said
    assert queue.all("select outcome from send_attempts") == [was]


@pytest.mark.parametrize(("was", "to"), sorted(MAY_TURN_OUT))
def test_a_doubt_may_end(queue: Queue, was: str, to: str) -> None:
    a_send(queue, was)
    queue.do("update send_attempts set outcome = %s", to)
    assert queue.all("select outcome from send_attempts") == [to]


@pytest.mark.parametrize("was", OUTCOMES)
def test_a_second_result_of_an_attempt_is_not_an_error(queue: Queue, was: str) -> None:
    """A worker may say it again, or come late: `sent` ends a doubt, all else is passed over, and nothing raises."""
    queue.ready(len(OUTCOMES), max_in_flight=len(OUTCOMES))
    for send, late in zip(queue.taken(max_rows=len(OUTCOMES)), OUTCOMES, strict=True):
        queue.record(send, was)
        queue.record(send, late, AT + MINUTE)
        there = "sent" if late == "sent" and was in ("uncertain", "released") else was
        assert queue.all("select outcome from send_attempts where id = %s", send["attempt_id"]) == [there]
    queue.assert_tally_is_the_ledger()
    queue.assert_rows_say_why()


def test_a_send_in_flight_is_in_the_hand_of_one_attempt(queue: Queue) -> None:
    a_send(queue, None)
    assert refused(queue, "update send_queue set attempt_id = null") == "sending_has_one_attempt"


def test_attempts_are_numbered(queue: Queue) -> None:
    a_send(queue, "retry")
    wrong = (
        "insert into send_attempts (send_id, workspace_id, account_id, channel, number, day, started_at, worker)"
        " select send_id, workspace_id, account_id, channel, number, day, started_at, 'me' from send_attempts"
    )
    assert refused(queue, wrong) == "attempt_number_is_unique"


@pytest.mark.parametrize(
    ("set", "rule"),
    [
        ("number = 0", "attempt_number_is_positive"),
        ("outcome = 'sent'", "finished_has_an_outcome"),
        ("finished_at = now()", "finished_has_an_outcome"),
        ("outcome = 'lost', finished_at = now()", "outcome_is_known"),
    ],
)
def test_an_attempt_is_well_formed(queue: Queue, set: str, rule: str) -> None:
    a_send(queue, None)
    assert refused(queue, f"update send_attempts set {set}") == rule  # noqa: S608 — words of this module


def test_an_attempt_has_a_send(queue: Queue) -> None:
    a_send(queue, "retry")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        queue.do("update send_attempts set send_id = %s", uuid4())


@pytest.mark.parametrize("outcome", [None, "sent", "uncertain", "failed"])
def test_attempts_are_not_deleted_by_hand(queue: Queue, outcome: str | None) -> None:
    """Caps are counted from them."""
    a_send(queue, outcome)
    assert "send-queue prune" in refused(queue, "delete from send_attempts")
    assert queue.all("select count(*) from send_attempts") == [1]


def test_prune_takes_the_attempts_of_what_it_deletes(queue: Queue) -> None:
    a_send(queue, "sent")
    assert queue.call("send_prune", before=AT + 2 * MINUTE, at=AT + 30 * DAY) == 1
    assert queue.all("select count(*) from send_attempts") == [0]


# --- tallies, lanes, limits, calendars --------------------------------------------------------------------


def test_a_tally_is_not_negative(queue: Queue) -> None:
    a_send(queue, "sent")
    assert refused(queue, "update send_usage set used = -1") == "tally_is_not_negative"


@pytest.mark.parametrize(
    ("set", "rule"),
    [
        ("daily_cap = -1", "caps_are_not_negative"),
        ("weekly_cap = -1", "caps_are_not_negative"),
        ("min_gap_seconds = -1", "gaps_are_not_negative"),
        ("jitter_seconds = -1", "gaps_are_not_negative"),
        ("max_in_flight = 0", "max_in_flight_is_positive"),
        ("warm_up_start = 5", "warm_up_is_whole"),
        ("warm_up_start = -5, warm_up_step = 1, warm_up_began = now()", "warm_up_is_not_negative"),
        ("next_at_reason = 'tea'", "next_at_reason_is_known"),
        ("channel = 'pigeon'", "channel_is_known"),
    ],
)
def test_a_lane_is_well_formed(queue: Queue, set: str, rule: str) -> None:
    queue.account()
    queue.lane()
    assert refused(queue, f"update send_lanes set {set}") == rule  # noqa: S608 — words of this module


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ("'0', 1", "period_is_positive"),
        ("'-1 hour', 1", "period_is_positive"),
        ("'1 hour', 0", "max_sends_is_positive"),
    ],
)
def test_a_limit_is_well_formed(queue: Queue, values: str, rule: str) -> None:
    insert = f"insert into send_limits (workspace_id, per, max_sends) select id, {values} from send_workspaces"  # noqa: S608 — words of this module
    assert refused(queue, insert) == rule


def test_a_limit_is_said_once(queue: Queue) -> None:
    """Two rows for one period: which of them holds?"""
    insert = "insert into send_limits (workspace_id, per, max_sends) select id, '1 hour', 1 from send_workspaces"
    queue.do(insert)
    assert refused(queue, insert) == "limit_is_said_once"


@pytest.mark.parametrize(
    ("set", "rule"),
    [
        ("opens_at = closes_at", "opens_before_closes"),
        ("opens_at = null", "window_is_whole"),
        ("window_since = null", "window_is_whole"),
        ("hours = '[]'", "hours_are_by_weekday"),
        ("skip_holidays = true", "holidays_have_a_country"),
        ("closed_on = '{2026-12-24}', open_on = '{2026-12-24}'", "no_day_is_both_open_and_closed"),
    ],
)
def test_a_schedule_is_well_formed(queue: Queue, set: str, rule: str) -> None:
    queue.schedule("office", AT, AT + MINUTE)
    assert refused(queue, f"update send_schedules set {set}") == rule  # noqa: S608 — words of this module


def test_a_seat_is_listed_once(queue: Queue) -> None:
    """In two rows it would have its caps twice."""
    queue.account("ada", provider="unipile", provider_account_id="seat")
    queue.account("eve", provider="unipile")
    wrong = "update send_accounts set provider_account_id = 'seat'"
    assert refused(queue, wrong) == "provider_account_is_listed_once"


@pytest.mark.parametrize(
    ("set", "rule"),
    [
        ("status = 'gone'", "campaign_status_is_known"),
        ("max_attempts = 0", "max_attempts_is_positive"),
        ("backoff_seconds = '{}'", "backoff_is_not_empty"),
        ("backoff_seconds = '{-1}'", "backoff_is_not_empty"),
        ("on_uncertain = 'guess'", "on_uncertain_is_known"),
        ("name = ''", "campaign_has_a_name"),
    ],
)
def test_a_campaign_is_well_formed(queue: Queue, set: str, rule: str) -> None:
    queue.account()
    queue.campaign()
    assert refused(queue, f"update send_campaigns set {set}") == rule  # noqa: S608 — words of this module
