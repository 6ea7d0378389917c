"""send_report: what the last days were, what the newest tries came to, and which rows need a person."""

from __future__ import annotations

from datetime import timedelta

from builders import AT, DAY, HOUR, MINUTE, Connection, Json, Queue


def report(queue: Queue, **named: object) -> Json:
    answer: Json = queue.call("send_report", **{"at": AT, "days": 3, **named})
    return answer


def test_days_are_the_tally_against_the_caps(conn: Connection) -> None:
    """Each day and channel with what was used and what the lanes in use allow: they sent, or something waits in them. A
    lane without a cap is counted apart."""
    queue = Queue(conn)
    queue.ready(9, daily_cap=5)
    queue.account("ben")
    queue.lane("ben", daily_cap=7)
    queue.account("carla")
    queue.lane("carla", "log")
    queue.account("idle")
    queue.lane("idle", daily_cap=100)
    queue.lane("idle", "sms", daily_cap=100)
    queue.do("update send_queue set scheduled_for = %s", AT - 2 * DAY)
    queue.fill(1, account="ben", scheduled_for=AT + 9 * DAY)
    queue.fill(1, account="carla", channel="log", scheduled_for=AT + 9 * DAY)
    for at in (AT - 2 * DAY, AT - 2 * DAY, AT):
        queue.send("sent", at)
    queue.send("uncertain", AT)
    queue.send("failed", AT)

    usage = report(queue)["usage"]

    assert (usage["first"], usage["last"], usage["lanes_in_all"]) == ("2026-02-28", "2026-03-02", 5)
    email = [(d["day"], d["used"], d["cap"], d["uncapped"]) for d in usage["days"] if d["channel"] == "email"]
    assert email == [("2026-02-28", 2, 12, 0), ("2026-03-01", 0, 12, 0), ("2026-03-02", 2, 12, 0)]
    assert [(d["used"], d["cap"], d["uncapped"]) for d in usage["days"] if d["channel"] == "log"] == [(0, None, 1)] * 3
    assert [(lane["account"], lane["used"], lane["total"], lane["cap"]) for lane in usage["lanes"]] == [
        ("ada", [2, 0, 2], 4, 5), ("ben", [0, 0, 0], 0, 7), ("carla", [0, 0, 0], 0, None),
        ("idle", [0, 0, 0], 0, 100), ("idle", [0, 0, 0], 0, 100),
    ]  # fmt: skip
    assert {day["channel"] for day in usage["days"]} == {"email", "log"}
    assert usage["today"] == {"sent": 1, "uncertain": 1, "cap": 12, "uncapped": 1}
    assert len(report(queue, lanes=1)["usage"]["lanes"]) == 1


def test_what_was_sent_today_is_without_what_is_in_doubt_or_in_flight(conn: Connection) -> None:
    """The tally has all of these. What was sent or in doubt yesterday is not of today, nor is what was given back."""
    queue = Queue(conn)
    queue.ready(9, max_in_flight=9)
    queue.do("update send_queue set scheduled_for = %s", AT - DAY)
    queue.send("sent", AT - DAY)
    queue.send("uncertain", AT - DAY)
    for outcome in ("sent", "sent", "uncertain", "failed", "released"):
        queue.send(outcome, AT)
    [flying] = queue.taken()
    assert queue.one("select used from send_usage where day = %s", AT.date()) == 4
    today = {"sent": 2, "uncertain": 1, "cap": None, "uncapped": 1}
    assert report(queue)["usage"]["today"] == today
    queue.record(flying, "sent")
    [doubtful] = queue.all("select id from send_queue where status = 'uncertain' and updated_at = %s", AT)
    queue.call("send_settle", id=doubtful, sent=True, at=AT)
    assert report(queue)["usage"]["today"] == today | {"sent": 4, "uncertain": 0}


def test_days_are_those_of_the_cap_zones(conn: Connection) -> None:
    """The last day is the latest date that any lane has."""
    queue = Queue(conn)
    queue.ready(1, cap_timezone="Pacific/Auckland")
    assert report(queue, at=AT + 3 * HOUR)["usage"]["last"] == "2026-03-03"


def test_tries_say_what_was_met_and_how_long_sends_had_been_due(conn: Connection) -> None:
    """Outcomes, their codes, second tries, and the two waits: from due to start, and for the answer."""
    queue = Queue(conn)
    queue.ready(5)
    for wait, outcome in ((MINUTE, "sent"), (2 * HOUR, "sent"), (3 * HOUR, "failed"), (3 * HOUR, "retry")):
        [send] = queue.taken(AT + wait)
        queue.record(send, outcome, AT + wait + timedelta(seconds=2))
    for _ in "a row that was left", "the second try":
        queue.send("sent", AT + 4 * HOUR)

    tries = report(queue, at=AT + 5 * HOUR)["tries"]

    assert (tries["looked_at"], tries["sends"], tries["again"]) == (6, 5, 1)
    assert tries["outcomes"] == {"sent": 4, "failed": 1, "retry": 1}
    assert [(c["outcome"], c["code"], c["n"]) for c in tries["codes"]] == [
        ("retry", "http_503", 1), ("failed", "invalid_recipient", 1)
    ]  # fmt: skip
    assert tries["answered"]["slowest_tenth"] == 2
    within = {row["seconds"]: row["n"] for row in tries["waited"]["within"]}
    assert (within[60], within[600], sum(within.values())) == (1, 0, 4)
    assert report(queue, at=AT + 5 * HOUR, tries=2)["tries"]["looked_at"] == 2
    assert report(queue, at=AT + 9 * DAY)["tries"]["looked_at"] == 0


def test_rows_that_need_a_person_are_told_newest_first(conn: Connection) -> None:
    """Failures with their causes, doubts with when the provider is asked; as many as are asked for."""
    queue = Queue(conn)
    queue.ready(5)
    for n, outcome in enumerate(["failed", "uncertain", "failed", "sent"]):
        queue.send(outcome, AT + n * HOUR)

    told = report(queue, at=AT + DAY)

    assert [(r["since"][:16], r["error_code"], r["recipient"]) for r in told["failed"]] == [
        ("2026-03-02T11:00", "invalid_recipient", "p3"), ("2026-03-02T09:00", "invalid_recipient", "p1"),
    ]  # fmt: skip
    assert [(c["code"], c["n"], c["message"]) for c in told["causes"]] == [("invalid_recipient", 2, "Nobody there.")]
    assert [(r["account"], r["campaign"], r["attempts"]) for r in told["uncertain"]] == [("ada", "spring", 1)]
    assert len(report(queue, at=AT + DAY, rows=1)["failed"]) == 1
    assert (told["oldest_due"], told["next_due"]) == ("2026-03-02T09:00:00+00:00", None)
    assert report(queue, at=AT - HOUR)["next_due"] == "2026-03-02T09:00:00+00:00"


def test_schedules_that_are_used_are_told(conn: Connection) -> None:
    """Each with how many accounts and campaigns go by it; those that nobody uses are not."""
    queue = Queue(conn)
    queue.schedule("office", AT, AT + 8 * HOUR)
    queue.schedule("nobody's", None, None)
    queue.account(schedule="office")
    queue.campaign(schedule="office")
    assert [(s["name"], s["accounts"], s["campaigns"]) for s in report(queue)["schedules"]] == [("office", 1, 1)]


def test_an_empty_queue_has_a_report(conn: Connection) -> None:
    """Nothing is there, and nothing is wrong."""
    told = report(Queue(conn))
    assert (told["usage"]["days"], told["failed"], told["tries"]["looked_at"]) == ([], [], 0)
    assert told["tries"]["waited"]["median"] is None
