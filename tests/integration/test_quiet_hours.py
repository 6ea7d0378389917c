"""Nobody is written to at night, by the clock where they are: in the claim, in explain and in a forecast alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from builders import DAY, HOUR, MINUTE, SECOND, Queue
from conftest import Connection

NIGHT = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)
"""Tuesday, 20:30 in Los Angeles, 23:30 in New York, 5:30 in Paris."""


@pytest.fixture
def queue(conn: Connection) -> Queue:
    queue = Queue(conn)
    queue.account()
    queue.lane(channel="sms", daily_cap=None, max_in_flight=1000)
    queue.lane(channel="email", daily_cap=None, max_in_flight=1000)
    queue.campaign()
    return queue


def put(queue: Queue, recipient: str, channel: str = "sms", campaign: str = "spring") -> UUID:
    named = {"campaign": campaign, "channel": channel, "recipient": recipient, "message": "Hi", "at": NIGHT - DAY}
    sent: UUID = queue.call("send_enqueue", **named)[0]
    return sent


@pytest.mark.parametrize(
    ("recipient", "opens_at"),
    [
        ("+14155550100", None),  # Los Angeles: 20:30
        ("+12125550100", datetime(2026, 3, 3, 13, tzinfo=UTC)),  # New York: 23:30
        ("+33612345678", datetime(2026, 3, 3, 7, tzinfo=UTC)),  # Paris: 5:30
        (
            "+351912345678",
            datetime(2026, 3, 3, 9, tzinfo=UTC),
        ),  # Lisbon or the Azores: both are awake at 8 of the Azores
        (
            "+18005550100",
            datetime(2026, 3, 3, 8, tzinfo=UTC),
        ),  # anywhere in America: the workspace's zone, which is UTC
    ],
)
def test_it_is_night_by_the_first_digits_of_a_number(queue: Queue, recipient: str, opens_at: datetime | None) -> None:
    """The longest prefix that is known decides, and of several zones the one where it is still night."""
    send = put(queue, recipient)
    if opens_at is None:
        assert [send] == queue.took(NIGHT)
        return
    assert queue.took(NIGHT, 9) == []
    row = queue.row(send)
    assert (row["status"], row["attempts"], row["scheduled_for"], row["error_code"]) == (
        "pending", 0, opens_at, "quiet_hours",
    )  # fmt: skip
    assert queue.took(opens_at - SECOND) == []
    assert [send] == queue.took(opens_at)


def test_what_is_known_of_a_person_goes_before_their_number(queue: Queue) -> None:
    """Somebody from Los Angeles who lives in Tokyo is awake when Tokyo is (13:30)."""
    send = put(queue, "+12125550100")
    queue.do("update send_prospects set timezone = 'Asia/Tokyo' where phone = '+12125550100'")
    assert [send] == queue.took(NIGHT)


def test_a_campaign_may_ask_for_it_or_do_without(queue: Queue) -> None:
    """Other channels have no quiet hours unless their campaign asks; sms has some unless it says none."""
    queue.put("campaign", "spring", quiet_from="20:00", quiet_until="09:00")
    mail = put(queue, "ada@example.org", "email")
    queue.do("update send_prospects set timezone = 'America/Los_Angeles' where email = 'ada@example.org'")
    text = put(queue, "+14155550100")
    assert queue.took(NIGHT, 9) == []
    assert {queue.row(mail)["scheduled_for"], queue.row(text)["scheduled_for"]} == {
        datetime(2026, 3, 3, 17, tzinfo=UTC)
    }
    queue.put("campaign", "spring", quiet_from="00:00", quiet_until="00:00")
    assert [put(queue, "+12125550101")] == queue.took(NIGHT, 9)


def test_who_is_awake_goes_past_those_who_sleep(queue: Queue) -> None:
    """However many of them are due first, and in one claim."""
    for n in range(300):
        put(queue, f"+1212555{n:04}")
    awake = put(queue, "+14155550100")
    assert [awake] == queue.took(NIGHT)
    assert queue.one("select count(*) from send_queue where error_code = 'quiet_hours'") == 300
    assert queue.one("select count(*) from send_attempts") == 1


def test_an_hour_that_is_left_out_in_spring_is_no_trap(queue: Queue) -> None:
    """Quiet hours that end in the gap of the clocks end behind it."""
    queue.put("campaign", "spring", quiet_from="21:00", quiet_until="02:30")
    send = put(queue, "+12125550100")
    at = datetime(2026, 3, 8, 6, 30, tzinfo=UTC)  # 1:30 in New York, where 2:00 is 3:00 that day
    assert queue.took(at) == []
    opens_at = queue.row(send)["scheduled_for"]
    assert at < opens_at <= datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert [send] == queue.took(opens_at)


def test_explain_says_so_before_a_claim_has_met_it(queue: Queue) -> None:
    """The exact moment, and why; and after a claim the same."""
    send = put(queue, "+12125550100")
    opens_at = datetime(2026, 3, 3, 13, tzinfo=UTC)
    for _ in ("before", "after"):
        explained = queue.call("send_explain", id=send, at=NIGHT)
        assert datetime.fromisoformat(explained["next_at"]) == opens_at
        [hold] = explained["holds"]
        assert (hold["rule"], "America/New_York" in hold["detail"]) == ("quiet_hours", True)
        assert queue.took(NIGHT) == []


def test_quiet_hours_by_day_are_hours_too(queue: Queue) -> None:
    """From noon to two, say."""
    queue.put("campaign", "spring", quiet_from="12:00", quiet_until="14:00")
    send = put(queue, "+33612345678")
    noon = datetime(2026, 3, 3, 11, tzinfo=UTC)
    assert queue.took(noon + MINUTE) == []
    assert queue.row(send)["scheduled_for"] == noon + 2 * HOUR
    assert [send] == queue.took(noon + 2 * HOUR + timedelta(0))
