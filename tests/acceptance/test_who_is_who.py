"""One recipient is one, however they are written: nobody on the list is written to, nobody is written to twice."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb
from spellings import WAYS

from acceptance.conftest import DAY, HOUR, MONDAY, Queue

PEOPLE = int(os.environ.get("SEND_QUEUE_TEST_SPELLINGS", "1000"))
"""How many pairs of spellings are suppressed one way and queued the other: 10,000 are all."""

FREE = {"email": "free{}@example.org", "sms": "+1415555{:04}", "linkedin_invite": "free-{}"}


@pytest.fixture
def all_ways(queue: Queue) -> Queue:
    """An account and a campaign for each channel that writes to people."""
    queue.env |= {
        "TWILIO_BASE_URL": queue.sandbox.url, "TWILIO_AUTH_TOKEN": "any", "SENDGRID_BASE_URL": queue.sandbox.url,
        "SENDGRID_API_KEY": "SG.any",
    }  # fmt: skip
    for channel, provider, settings in (
        ("email", "sendgrid", {"from": "carla@example.org"}),
        ("sms", "twilio", {"from": "+15005550006"}),
        ("linkedin_invite", "unipile", {}),
    ):
        queue.put("account", channel, provider=provider, provider_account_id=f"AC{channel[0]}{'0' * 31}"[:34],
                  settings=settings)  # fmt: skip
        queue.lane(channel, channel, daily_cap=None, weekly_cap=None, max_in_flight=50)
        queue.campaign(channel, channel, quiet_from="00:00", quiet_until="00:00")
    return queue


def put(queue: Queue, channel: str, recipients: list[str]) -> None:
    """Enqueue by SQL, as any program may."""
    queue.conn.execute(
        "select send_enqueue(%s, %s, r, 'Hello', subject => 'Hello', at => %s) from unnest(%s::text[]) r",
        (channel, channel, MONDAY - HOUR, recipients),
    )


def suppress(queue: Queue, channel: str, recipients: list[str]) -> None:
    queue.conn.execute(
        "select send_suppress(w.id, %s, %s) from send_workspaces w",
        (Jsonb([{"recipient": recipient, "channel": channel} for recipient in recipients]), MONDAY - HOUR),
    )


@pytest.mark.slow
def test_nobody_on_the_list_is_written_to_by_any_spelling(all_ways: Queue) -> None:
    """Suppressed one way and queued the other, before or after, or made pending again by hand: the provider's journal
    has none of them, and all who are not on the list."""
    queue, chance = all_ways, random.Random(12)
    for channel, way in WAYS.items():
        pairs = [way(chance, nth) for nth in range(PEOPLE // len(WAYS) + 1)]
        half = len(pairs) // 2
        suppress(queue, channel, [listed for listed, _ in pairs[:half]])
        put(queue, channel, [queued for _, queued in pairs])
        suppress(queue, channel, [listed for listed, _ in pairs[half:]])
        put(queue, channel, [FREE[channel].format(n) for n in range(10)])
    queue.conn.execute("update send_queue set status = 'pending' where status = 'skipped' and left(id::text, 1) < '8'")
    queue("run", "--concurrency", "20")
    free = {FREE[channel].format(n) for channel in WAYS for n in range(10)}
    assert set(queue.accepted()) == free
    assert queue.statuses() == {"skipped": 3 * (PEOPLE // len(WAYS) + 1), "sent": len(free)}


def test_both_spellings_in_a_file_are_stored_once(all_ways: Queue, tmp_path: Path) -> None:
    """One row and one prospect for a person, and the file's second line for them is named; enqueued by SQL in another
    spelling, they are the same prospect."""
    queue, chance, file = all_ways, random.Random(13), tmp_path / "people.csv"
    for channel, way in WAYS.items():
        pairs = [way(chance, nth) for nth in range(60)]
        with file.open("w", newline="", encoding="utf-8") as text:
            csv.writer(text).writerows([["recipient"], *([spelling] for pair in pairs for spelling in pair)])
        words = ("import", file, "--campaign", channel, "--channel", channel, "--message", "Hi", "--subject", "Hi")
        done = queue.json(*words)
        assert (done["created"], done["there"], done["differing"], len(done["twice"])) == (60, 60, [], 60)
        assert done["twice"][0]["first"] == 2
        said = queue(*words).stderr
        assert "twice" not in said  # all are in the queue by now
        put(queue, channel, [chance.choice(pair) for pair in pairs])
    [[rows, people]] = queue.conn.execute("select count(*), count(distinct prospect_id) from send_queue").fetchall()
    assert (rows, people) == (360, 180)
    assert queue.conn.execute("select count(*) from send_prospects").fetchall() == [(180,)]


def test_import_says_who_is_in_another_campaign_and_leaves_out_whom_it_wrote_to(queue: Queue, tmp_path: Path) -> None:
    """In a sentence and in JSON; with --skip-contacted, or a rule of the campaign, those written to are not stored."""
    queue.ready(rows=3)  # ACoAA-0 to ACoAA-2 in the campaign fall
    queue.campaign("winter")
    queue.run_once()
    assert queue.accepted() == ["ACoAA-0"]
    file = tmp_path / "people.csv"
    file.write_text("recipient\nhttps://www.linkedin.com/in/ACoAA-0/\nACoAA-1\nnew\n")
    words = ("import", file, "--campaign", "winter", "--channel", "linkedin_invite", "--message", "Hi")
    done = queue.json(*words, "--dry-run")
    assert (done["created"], done["elsewhere"], done["contacted"]) == (3, 2, 0)
    assert "2 of 3 are in another campaign of this workspace too: fall (2)." in queue(*words, "--dry-run").stderr
    done = queue.json(*words, "--dry-run", "--skip-contacted", "90d")
    assert (done["created"], done["elsewhere"], done["contacted"]) == (2, 1, 1)
    queue("campaign", "set", "winter", "--skip-contacted", "90d")
    done = queue(*words)
    assert "One recipient was left out: another campaign of this workspace wrote to them recently." in done.stderr
    assert done.stdout == "2 enqueued, 0 there already.\n"
    assert queue.json("campaign", "show", "winter")["skip_contacted"] == "90 days"
    later = queue.json(*words, now=MONDAY + 91 * DAY)
    assert (later["created"], later["there"]) == (1, 2)


def test_enqueue_says_who_is_in_another_campaign(queue: Queue) -> None:
    """On stderr; under a rule of the workspace it is stored as skipped, and says so."""
    queue.ready()
    queue.campaign("winter")
    queue.run_once()
    words = (
        "enqueue",
        "--campaign",
        "winter",
        "--channel",
        "linkedin_invite",
        "--recipient",
        "ACoAA-0",
        "--message",
        "Hi",
    )
    assert "'ACoAA-0' is in the campaign 'fall' of this workspace too" in queue(*words).stderr
    queue("workspace", "set", "default", "--skip-contacted", "90d")
    done = queue(*words)
    assert (
        "'ACoAA-0' was contacted, so the message is stored as skipped. The campaign fall wrote to them" in done.stderr
    )
