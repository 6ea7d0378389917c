"""A seat leaves: what waits for it is said, and moved to another; its people are not written to by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.conftest import Queue


@pytest.fixture
def leaving(queue: Queue) -> Queue:
    """Three invitations wait for anna, who leaves the pool; bea and a mailbox are there."""
    queue.ready(rows=3)
    queue.account("bea")
    queue("account", "add", "box", "--provider", "smtp")
    return queue


def waiting(queue: Queue) -> list[tuple[str, int]]:
    return queue.conn.execute(
        "select a.name, count(*) from send_queue q join send_accounts a on a.id = q.account_id "
        "where q.status = 'pending' group by 1 order by 1"
    ).fetchall()


def test_what_waits_for_an_account_that_leaves_is_said(leaving: Queue) -> None:
    """As text with the command that moves it, and in JSON by account."""
    said = leaving("campaign", "set", "fall", "--remove-account", "anna").stdout
    assert "anna has left the pool, and 3 sends wait for it" in said
    assert "`send-queue reassign anna --to NAME --campaign fall`" in said
    assert leaving.json("campaign", "set", "fall", "--remove-account", "anna")["waiting"] == {"anna": 3}


def test_a_dry_run_moves_nothing(leaving: Queue) -> None:
    """It counts what would move."""
    would = leaving.json("reassign", "anna", "--to", "bea", "--dry-run")
    assert (would["moved"], would["joined"], would["dry_run"]) == (3, ["fall"], True)
    assert "3 would be moved from anna to bea." in leaving("reassign", "anna", "--to", "bea", "--dry-run").stdout
    assert waiting(leaving) == [("anna", 3)]


def test_what_moved_goes_out_from_the_other(leaving: Queue) -> None:
    """On the next run; and the command says that anna is given new sends while it is in the pool."""
    done = leaving("reassign", "anna", "--to", "bea", "--campaign", "fall")
    assert done.stdout == "3 moved from anna to bea.\nbea joined the pool of fall.\n"
    assert "anna still gets new sends, from the pool of fall" in done.stderr
    leaving("run")
    used = leaving.conn.execute(
        "select distinct a.name from send_attempts b join send_accounts a on a.id = b.account_id"
    )
    assert (leaving.statuses(), used.fetchall()) == ({"sent": 3}, [("bea",)])


def test_an_account_of_another_channel_is_refused(leaving: Queue) -> None:
    """Nothing moves, and the exit status is that of a user's error."""
    refused = leaving("reassign", "anna", "--to", "box", check=False)
    assert (refused.returncode, waiting(leaving)) == (2, [("anna", 3)])
    assert "The account box's provider smtp does not send linkedin_invite" in refused.stderr


def test_a_file_with_people_of_one_who_left_is_refused_until_it_is_said_who_writes(
    leaving: Queue, tmp_path: Path
) -> None:
    """With how many they are, and the command; then it goes to the one who took the place."""
    people = tmp_path / "people.csv"
    people.write_text("recipient,message\nACoAAone,Hi\nACoAAtwo,Hi\nACoAAnew,Hi\n")
    for person in ("ACoAAone", "ACoAAtwo"):
        leaving(
            "enqueue", "--campaign", "fall", "--channel", "linkedin_invite", "--recipient", person, "--message", "A"
        )
    leaving("campaign", "set", "fall", "--account", "bea", "--remove-account", "anna")
    load = ("import", people, "--campaign", "fall", "--channel", "linkedin_invite")
    refused = leaving(*load, check=False)
    assert refused.returncode == 2
    assert (
        "2 of these people were written to by the account 'anna', which has left the pool of the campaign 'fall': name "
        "its successor with `send-queue reassign anna --to NAME --campaign fall`"
    ) in refused.stderr
    assert waiting(leaving) == [("anna", 5)]
    leaving("reassign", "anna", "--to", "bea", "--campaign", "fall")
    leaving(*load)
    assert waiting(leaving) == [("bea", 8)]
