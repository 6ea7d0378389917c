"""amend: a typo in a text, a moment, a priority, an account of what waits is corrected; what went stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import DAY, HOUR, MONDAY, Queue, moment

LIST = "linkedin_user_id,first_name,title\nada-l,Ada,CTO\nbea-s,Bea,CFO\ncy-w,Cy,\n"


@pytest.fixture
def waiting(queue: Queue, tmp_path: Path) -> Queue:
    queue.ready(rows=0)
    (tmp_path / "people.csv").write_text(LIST)
    queue("import", tmp_path / "people.csv", "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Helo")
    return queue


def column(queue: Queue, name: str) -> list[Any]:
    return [row[0] for row in queue.conn.execute(f"select {name} from send_queue order by id".encode())]  # noqa: S608


def test_a_text_is_filled_in_again_for_each_person(waiting: Queue) -> None:
    """With columns and attributes of the list; what was sent before stays as it went."""
    waiting.run_once(MONDAY)
    done = waiting("amend", "--campaign", "fall", "--message", "Hello {first_name}", now=MONDAY + HOUR)
    assert done.stdout.splitlines()[-1] == "2 amended."
    assert sorted(column(waiting, "message")) == ["Hello Bea", "Hello Cy", "Helo"]


def test_a_preview_shows_three_texts_and_changes_nothing(waiting: Queue) -> None:
    shown = waiting("amend", "--campaign", "fall", "--message", "Hello {first_name}", "--dry-run").stdout
    assert shown.splitlines()[:2] == ["To ada-l:", "    Hello Ada"]
    assert shown.splitlines()[-1] == "3 would be amended."
    assert set(column(waiting, "message")) == {"Helo"}
    found = waiting.json("amend", "--campaign", "fall", "--priority", "5", "--dry-run")
    assert (found["changed"], found["fixed"], found["dry_run"], len(found["examples"])) == (3, 0, True, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--message", "As {title}"), "Nothing was changed: mend the text, or amend the others by their ids."),
        (("--message", "x" * 301), "300"),
        (("--message", "Hi {colour}"), "needs {colour}, and nobody of these has such a field: use one of the fields ("),
        (("--message", "Hi [First Name]"), "[First Name]"),
        (("--account", "nobody"), "There is no account"),
        ((), "No change is given"),
    ],
    ids=["empty field", "too long", "no field", "placeholder", "no account", "nothing"],
)
def test_one_that_would_be_refused_keeps_all_as_they_are(
    waiting: Queue, change: tuple[str, ...], sentence: str
) -> None:
    done = waiting("amend", "--campaign", "fall", *change, check=False)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert set(column(waiting, "message")) == {"Helo"}


def test_a_moment_a_priority_and_an_account(waiting: Queue) -> None:
    """Of those that are named; a row that was put off by quiet hours loses the place that it had."""
    waiting("account", "add", "bob", "--provider", "unipile", "--provider-account-id", "B", "--schedule", "always")
    waiting.conn.execute("update send_queue set place = scheduled_for - interval '1 hour'")
    one, *others = (row["id"] for row in waiting.json("list"))
    waiting("amend", one, "--at", (MONDAY + DAY).isoformat(), "--priority", "7", "--account", "bob")
    row = waiting.row(one)
    assert (moment(row["scheduled_for"]), row["priority"], row["place"]) == (MONDAY + DAY, 7, None)
    assert {send["account"] for send in waiting.json("list") if send["id"] == one} == {"bob"}
    assert {send["account"] for send in waiting.json("list") if send["id"] in others} == {"anna"}
    assert waiting.run_once(MONDAY + DAY + HOUR)["sent"] == 1


def test_what_does_not_wait_is_refused_by_its_id(waiting: Queue) -> None:
    waiting.run_once(MONDAY)
    [sent] = waiting.json("list", "--status", "sent")
    done = waiting("amend", sent["id"], "--priority", "1", check=False)
    assert (done.returncode, f"Send {sent['id']} is sent: only waiting sends can be amended" in done.stderr) == (
        2,
        True,
    )


def test_what_may_have_gone_out_keeps_its_text(waiting: Queue) -> None:
    """A repeat under the same key with another text would be another message."""
    waiting.conn.execute("update send_queue set repeat_by = now() + interval '1 day' where recipient = 'ada-l'")
    done = waiting("amend", "--campaign", "fall", "--message", "Hello")
    assert done.stdout.splitlines()[-2:] == [
        "2 amended.",
        "1 may have gone out with an earlier try, and stay as they are.",
    ]
    assert column(waiting, "message") == ["Helo", "Hello", "Hello"]


def test_what_was_cancelled_can_be_imported_again(waiting: Queue, tmp_path: Path) -> None:
    """The import names the option; the cancelled rows stay, and whoever got the message gets no second one."""
    waiting.run_once(MONDAY)
    waiting("cancel", "--campaign", "fall")
    again = ("import", tmp_path / "people.csv", "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi")
    done = waiting(*again)
    assert done.stdout == "0 enqueued, 3 there already.\n"
    assert "2 lines there were cancelled: add --again to enqueue such lines again." in done.stderr
    assert waiting(*again, "--again", "--dry-run").stdout.splitlines()[-1] == "2 would be enqueued, 1 there already."
    found = waiting.json(*again, "--again")
    assert (found["created"], found["there"], found["cancelled"]) == (2, 1, 0)
    assert waiting.statuses() == {"sent": 1, "skipped": 2, "pending": 2}
    assert waiting.json(*again, "--again")["created"] == 0
    waiting("run", now=MONDAY + DAY)
    assert sorted(waiting.accepted()) == sorted(set(waiting.accepted()))
