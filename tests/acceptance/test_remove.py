"""rename and remove, on the command line."""

from __future__ import annotations

from acceptance.conftest import Queue


def test_a_campaign_is_renamed_and_removed_with_its_sends(queue: Queue) -> None:
    """A refusal says what to do, a dry run counts, and removing says how many sends went along."""
    queue("account", "add", "ada", "--provider", "log")
    queue("campaign", "add", "fal", "--account", "ada")
    assert queue("rename", "campaign", "fal", "fall").stdout == "Renamed the campaign fal to fall.\n"
    queue("enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "you", "--message", "hi")
    done = queue("remove", "campaign", "fall", check=False)
    assert (done.returncode, "add --with-its-sends to remove them too" in done.stderr) == (2, True)
    tried = queue("remove", "campaign", "fall", "--with-its-sends", "--dry-run").stdout
    assert tried == "Would remove the campaign fall, with 1 send that had not been tried.\n"
    assert queue.json("remove", "campaign", "fall", "--with-its-sends")["sends"] == 1
    assert queue.json("status")["queue"] == {}
    assert queue("remove", "lane", "ada", "log").stdout == "Removed the lane ada log.\n"
    done = queue("remove", "lane", "ada", check=False)
    assert (done.returncode, "remove lane ACCOUNT CHANNEL" in done.stderr) == (2, True)
    assert queue("remove", "account", "ada").stdout == "Removed the account ada.\n"
