"""Notifications: who is told of what, how often, and never of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, HOUR, MINUTE, SECOND, Connection, Json, Queue

URL = "https://example.com/hooks/send-queue"


@pytest.fixture
def queue(conn: Connection) -> Queue:
    """Nine rows that are due, on a lane without limits."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    return queue


def told(queue: Queue, *events: str, **more: Any) -> None:
    """Have the webhook told, at most every quarter of an hour."""
    given = {"events": list(events), "provider": "webhook", "recipient": URL, "at": AT}
    assert len(queue.rows("send_set_notification", **given | more)) == len(events)


def notify(queue: Queue, after: timedelta) -> int:
    made: int = queue.call("send_notify", at=AT + after)
    return made


def send(queue: Queue, outcome: str, at: datetime = AT, **fields: Any) -> UUID:
    """Send one row of the campaign spring; those for whom it may concern stay in the queue."""
    [taken] = queue.taken(at, campaign="spring")
    queue.record(taken, outcome, at, **fields)
    return UUID(taken["send_id"])


def messages(queue: Queue) -> list[tuple[str, Json]]:
    """What is in the queue for whom it may concern, in order."""
    return queue.all(
        "select q.message, q.payload from send_queue q join send_campaigns c on c.id = q.campaign_id"
        " where c.name = 'notifications' order by q.created_at, q.id"
    )


def test_failures_are_told_once_and_counted_together(queue: Queue) -> None:
    """One row says how many failed and with which codes; there is nothing more to say until more fail."""
    told(queue, "failed")
    send(queue, "sent")
    assert notify(queue, MINUTE) == 0
    ids = [send(queue, "failed", AT + 2 * MINUTE), send(queue, "failed", AT + 2 * MINUTE, error_code="blocked")]
    assert notify(queue, 3 * MINUTE) == 1
    [(message, payload)] = messages(queue)
    assert message == (
        "2 sends failed for good in the workspace default (1 × blocked, 1 × invalid_recipient; campaign spring). "
        "Look at them with `send-queue list --status failed`."
    )
    assert payload == {
        "type": "sends.failed",
        "data": {
            "workspace": "default", "count": 2, "codes": {"blocked": 1, "invalid_recipient": 1},
            "campaigns": ["spring"], "send_ids": [str(send_id) for send_id in ids],
        },
    }  # fmt: skip
    assert [notify(queue, n * HOUR) for n in (1, 2)] == [0, 0]


def test_what_happens_within_every_waits_for_its_end(queue: Queue) -> None:
    """At most one message in `every`; what happened meanwhile is in the next one."""
    told(queue, "failed", every=timedelta(minutes=30))
    send(queue, "failed", AT)
    assert notify(queue, MINUTE) == 1
    for n in (2, 10, 20):
        send(queue, "failed", AT + n * MINUTE)
        assert notify(queue, (n + 1) * MINUTE) == 0
    assert notify(queue, 31 * MINUTE) == 1
    assert [payload["data"]["count"] for _, payload in messages(queue)] == [1, 3]


def test_a_row_that_is_seen_late_is_told_and_none_twice(queue: Queue) -> None:
    """A row is seen when its transaction commits, which may be after the look that it should have been in."""
    told(queue, "failed", every=MINUTE)
    first, late = queue.taken(AT, 2)
    queue.record(first, "failed", AT + MINUTE - SECOND)
    assert notify(queue, MINUTE) == 1
    queue.record(late, "failed", AT + MINUTE - 2 * SECOND)  # it commits only now
    assert notify(queue, 2 * MINUTE) == 1
    assert notify(queue, 3 * MINUTE) == 0
    assert [payload["data"]["count"] for _, payload in messages(queue)] == [1, 1]


def test_doubts_are_told(queue: Queue) -> None:
    """Of a send that may have gone out, with what to do."""
    told(queue, "uncertain")
    send(queue, "uncertain", AT)
    assert notify(queue, MINUTE) == 1
    [(message, payload)] = messages(queue)
    assert message.startswith("1 send may have gone out in the workspace default (1 × read_timeout; campaign spring).")
    assert payload["type"] == "sends.uncertain"


def test_a_disconnected_account_is_told_of_when_it_is_and_when_it_is_again(queue: Queue) -> None:
    """Once each time; without what the provider said in words."""
    told(queue, "disconnected")
    assert notify(queue, MINUTE) == 0
    for n in (2, 4):
        queue.do("update send_accounts set status = 'disconnected', status_reason = 'account_restricted: Log in.'"
                 " where name = 'ada'")  # fmt: skip
        assert notify(queue, n * HOUR) == 1
        assert notify(queue, n * HOUR + 30 * MINUTE) == 0
        queue.do("update send_accounts set status = 'active', status_reason = null where name = 'ada'")
        assert notify(queue, (n + 1) * HOUR) == 0
    [(message, payload), again] = messages(queue)
    assert (message, payload) == again == (
        "An account was disconnected in the workspace default: ada (account_restricted). Mend it at the provider, then "
        "run `send-queue resume account NAME`.",
        {"type": "accounts.disconnected",
         "data": {"workspace": "default", "count": 1, "accounts": {"ada": "account_restricted"}}},
    )  # fmt: skip


def test_what_is_so_already_is_no_news(queue: Queue) -> None:
    """Accounts that are disconnected and campaigns that are finished when the notification is made are left out."""
    queue.campaign("autumn")
    queue.do("update send_accounts set status = 'disconnected' where name = 'ada'")
    told(queue, "disconnected", "finished", "failed")
    assert notify(queue, HOUR) == 0


def test_the_end_of_a_campaign_is_told(queue: Queue) -> None:
    """When nothing of it waits or is in flight any more, whatever became of the rows; and again when it is refilled."""
    told(queue, "finished", every=MINUTE)
    for _ in range(8):
        send(queue, "sent")
    [last] = queue.taken(AT)
    assert notify(queue, 2 * MINUTE) == 0
    queue.record(last, "failed", AT + 3 * MINUTE)
    assert notify(queue, 4 * MINUTE) == 1
    assert notify(queue, 6 * MINUTE) == 0
    queue.fill(1)
    assert notify(queue, 8 * MINUTE) == 0
    send(queue, "sent", AT + 9 * MINUTE)
    assert notify(queue, 10 * MINUTE) == 1
    assert [message for message, _ in messages(queue)] == [
        "A campaign is finished in the workspace default: spring. Nothing waits there any more."
    ] * 2


def test_notifications_do_not_tell_of_themselves(queue: Queue) -> None:
    """A message that cannot be delivered, its account and its campaign are nobody's news."""
    told(queue, "failed", "uncertain", "disconnected", "finished", every=MINUTE)
    send(queue, "failed", AT)
    assert notify(queue, MINUTE) == 1
    [taken] = queue.taken(AT + 3 * MINUTE, campaign="notifications")
    assert (taken["campaign"], taken["provider"], taken["recipient"]) == ("notifications", "webhook", URL)
    queue.record(taken, "failed", AT + 3 * MINUTE)
    queue.do("update send_accounts set status = 'disconnected' where name = 'notifications'")
    assert notify(queue, HOUR) == 0


def test_each_workspace_is_told_of_its_own(queue: Queue) -> None:
    """Nothing of another workspace's, not even a count."""
    queue.workspace("acme")
    told(queue, "failed", workspace="acme")
    send(queue, "failed")
    assert notify(queue, MINUTE) == 0


def test_a_thousand_failures_are_one_message(queue: Queue) -> None:
    """A look is bounded, and says so."""
    told(queue, "failed")
    queue.fill(1100)
    queue.do("update send_queue set status = 'failed', error_code = 'x', updated_at = %s", AT + MINUTE)
    assert notify(queue, 2 * MINUTE) == 1
    [(message, _)] = messages(queue)
    assert message.startswith("1,000 or more sends failed for good")


def test_it_looks_at_most_once_a_minute(queue: Queue) -> None:
    """Many runs at once cost one look; one in a rehearsal's future keeps nobody from looking now."""
    told(queue, "failed")
    send(queue, "failed", AT)
    assert notify(queue, 30 * SECOND) == 0
    queue.do("update send_notifications set looked_at = %s, told_at = %s", AT + 9 * HOUR, AT + 9 * HOUR)
    assert notify(queue, MINUTE) == 0
    send(queue, "failed", AT + 2 * MINUTE)
    assert notify(queue, 3 * MINUTE) == 1


def test_what_cannot_be_put_in_is_a_warning(queue: Queue) -> None:
    """A run does not fail because nobody can be told, and goes on to the next."""
    told(queue, "failed")
    send(queue, "failed", AT)
    queue.do("update send_notifications set recipient = repeat(' ', 3)")
    said: list[str] = []
    queue.conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    notify(queue, MINUTE)
    assert len(said) == 1
    assert said[0].startswith("The notification could not be enqueued (")


def test_telling_again_changes_how_often(queue: Queue) -> None:
    """An address is told of an event once."""
    told(queue, "failed", "finished")
    told(queue, "failed", every=HOUR)
    rows = queue.rows("send_list_notifications")
    assert [(row["event"], row["to"], row["every"]) for row in rows] == [
        ("failed", URL, "01:00:00"), ("finished", URL, "00:15:00")]  # fmt: skip
    queue.call("send_remove_notification", id=rows[0]["id"])
    assert [row["event"] for row in queue.rows("send_list_notifications")] == ["finished"]
    with pytest.raises(psycopg.Error, match="There is no notification"):
        queue.call("send_remove_notification", id=rows[0]["id"])


def test_an_account_of_that_name_is_not_taken_over(queue: Queue) -> None:
    """A sender that is called so, of another provider, stays what it is."""
    queue.account("notifications", provider="unipile")
    with pytest.raises(psycopg.Error, match="they need its name"):
        told(queue, "failed")


def test_a_message_that_was_not_delivered_in_a_day_is_not_news(queue: Queue) -> None:
    """It expires."""
    told(queue, "failed")
    send(queue, "failed", AT)
    notify(queue, MINUTE)
    assert queue.all("select expires_at from send_queue where expires_at is not null") == [
        AT + MINUTE + timedelta(days=1)
    ]
