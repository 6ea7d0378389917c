"""SMS by Twilio, from the first command to what the provider has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from acceptance.conftest import HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault

SID = "AC0123456789abcdef0123456789abcdef"


@pytest.fixture
def texts(queue: Queue) -> Queue:
    """The account texts, which sends from a number of its own for the campaign fall."""
    queue.env |= {"TWILIO_BASE_URL": queue.sandbox.url, "TWILIO_AUTH_TOKEN": "a-token-that-any-sandbox-takes",
                  "TWILIO_STATUS_CALLBACK_URL": "https://hooks.example.org/twilio"}  # fmt: skip
    queue.put("account", "texts", provider="twilio", provider_account_id=SID, settings={"from": "+15005550006"})
    queue.campaign("fall", "texts", quiet_from="00:00", quiet_until="00:00")  # see test_quiet_hours
    return queue


def enqueued(queue: Queue, message: str = "Hello", to: str = "+1 (415) 555-2671") -> str:
    words = ("enqueue", "--campaign", "fall", "--channel", "sms", "--recipient", to, "--message", message)
    return str(queue.json(*words, now=MONDAY - HOUR)["id"])


def test_an_sms_goes_from_the_command_to_the_provider(texts: Queue) -> None:
    """Enqueue, explain, run, journal, status: one form of the number, segments counted, our id in the callback."""
    send_id = enqueued(texts, "Price: 5 € " + "a" * 160)
    explained = texts.explain(send_id)
    assert (explained["verdict"], explained["segments"], explained["encoding"]) == ("due_now", 2, "GSM-7")
    assert "Its text is 2 segments of SMS (GSM-7)." in texts("explain", send_id).stdout
    assert texts.json("show", send_id)["segments"] == 2
    report = texts.run_once()
    assert (report["sent"], report["sent_to"]) == (1, "+14155552671")
    [entry] = texts.sandbox.accepted()
    assert (entry["provider"], entry["account_id"], entry["recipient"], entry["from"]) == (
        "twilio", SID, "+14155552671", "+15005550006",
    )  # fmt: skip
    assert entry["status_callback"] == f"https://hooks.example.org/twilio/{send_id}"
    row = texts.row(send_id)
    assert (row["status"], row["provider_message_id"]) == ("sent", entry["id"])
    assert texts.json("status")["queue"] == {"sent": 1}


def test_a_number_that_is_none_is_refused_and_nothing_is_stored(texts: Queue, tmp_path: Path) -> None:
    """By enqueue with a sentence, by import with one for each bad line."""
    words = ("enqueue", "--campaign", "fall", "--channel", "sms", "--message", "Hello", "--recipient")
    refused = texts(*words, "415 555 2671", check=False)
    assert refused.returncode == 2
    assert "does not say its country" in refused.stderr
    file = tmp_path / "people.csv"
    file.write_text("phone,message\n+14155552671,Hi\n4155552672,Hi\n+1415,Hi\n")
    refused = texts("import", file, "--campaign", "fall", "--channel", "sms", check=False)
    assert refused.returncode == 2
    assert "line 3: the phone number '4155552672' does not say its country" in refused.stderr
    assert "line 4: '+1415'" in refused.stderr
    assert not texts.statuses()


@pytest.mark.parametrize(("fault", "accepted"), [
    (Fault(op="sms", drop="after", times=1), 1), (Fault(op="sms", status=503, accept=True, times=1), 1),
    (Fault(op="sms", drop="before", times=1), 0),
])  # fmt: skip
def test_invariant_3_a_lost_answer_is_looked_up(texts: Queue, fault: Fault, accepted: int) -> None:
    """Found, it was sent; surely not there, it goes again: once, in either case."""
    texts.sandbox.order(fault)
    send_id = enqueued(texts)
    texts.run_once()
    assert len(texts.sandbox.accepted()) == accepted
    for n in range(1, 4):
        texts.run_once(MONDAY + n * 3 * MINUTE)
    assert texts.row(send_id)["status"] == "sent"
    assert texts.accepted() == ["+14155552671"]


def test_somebody_who_has_answered_stop_has_failed_for_good(texts: Queue) -> None:
    send_id = enqueued(texts, to="+15005550004")
    assert texts.run_once()["failed"] == 1
    assert texts.attempts(send_id) == [("failed", "opted_out")]


def test_too_many_requests_hold_the_lane_and_cost_no_attempt(texts: Queue) -> None:
    texts.sandbox.order(Fault(op="sms", status=429, times=1))
    send_id = enqueued(texts)
    report = texts.run_once()
    assert (report["held"], report["reason"]) == (1, "provider_hold")
    assert texts.row(send_id)["attempts"] == 0
    assert texts.run_once(MONDAY + timedelta(seconds=50))["sent"] == 1


def test_a_number_without_its_country_is_read_as_the_campaign_has_it(texts: Queue, tmp_path: Path) -> None:
    """By enqueue and by import; without a country it is refused, and the sentence names the option."""
    words = ("enqueue", "--campaign", "fall", "--channel", "sms", "--message", "Hello", "--recipient", "020 7946 0958")
    refused = texts(*words, check=False)
    assert refused.returncode == 2
    assert "or give its campaign a country: `send-queue campaign set C --country GB`" in refused.stderr
    assert "there is no country 'XX'" in texts("campaign", "set", "fall", "--country", "XX", check=False).stderr
    texts("campaign", "set", "fall", "--country", "gb")
    assert texts.json("campaign", "show", "fall")["country"] == "GB"
    assert texts.row(texts.json(*words)["id"])["recipient"] == "+442079460958"
    file = tmp_path / "people.csv"
    file.write_text("phone,message\n(020) 7946 0958,Hi\n+1 415 555 2671,Hi\n020 7946,Hi\n")
    into = ("import", file, "--campaign", "fall", "--channel", "sms")
    assert "line 4: '020 7946' is not a phone number that anybody can have" in texts(*into, check=False).stderr
    file.write_text("phone,message\n(020) 7946 0958,Hi\n+1 415 555 2671,Hi\n+44 20 7946 0958,Hi\n")
    done = texts.json(*into)
    assert (done["created"], done["there"]) == (2, 1)
    found = texts.conn.execute("select distinct recipient from send_queue order by 1").fetchall()
    assert found == [("+14155552671",), ("+442079460958",)]
    texts("campaign", "set", "fall", "--country", "none")
    assert texts(*words, check=False).returncode == 2
