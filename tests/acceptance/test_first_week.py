"""A growth lead's first week, by the command alone: exported lists, a correction, a person, a seat that leaves, a
second campaign, a week played beforehand, the report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from workbooks import CONNECTIONS, workbook

from .conftest import DAY, HOUR, MINUTE, MONDAY, Queue

APOLLO = (
    "First Name,Last Name,Title,Company Name,Email,Corporate Phone,Person Linkedin Url,Website,Company Linkedin Url\n"
    "Ada,Lovell,CTO,Analytical Ltd,ada@analytical.example,,http://www.linkedin.com/in/ada-lovell-x,,"
    "http://www.linkedin.com/company/analytical\n"
    "Abe,Marsh,CEO,Marsh Ltd,abe@marsh.example,,http://www.linkedin.com/in/abe-marsh-x,,\n"
)
EVABOOT = (
    "First Name;Last Name;Full Name;Current Job;Company Name;LinkedIn URL;Sales Navigator URL;Company LinkedIn URL\r\n"
    "Zoë;Stone;Zoë Stone;Buyer;Stone SA;https://www.linkedin.com/in/zoe-stone-x;;https://www.linkedin.com/company/1\r\n"
)
HUBSPOT = (
    '"Record ID","First Name","Last Name","Email","Associated Company","Profile on LinkedIn"\n'
    '"101","Cy","Wolf","cy@wolf.example","Wolf Inc","https://linkedin.com/in/cy-wolf-x"\n'
    '"102","No","Profile","no@wolf.example","Wolf Inc",""\n'
)
SALES_NAVIGATOR = (
    ("profileUrl", "fullName", "firstName", "lastName", "companyName", "vmid", "defaultProfileUrl"),
    ("https://www.linkedin.com/sales/lead/ACwAAAdan1234,NAME_SEARCH,y", "Dan Reed", "Dan", "Reed", "Reed AG",
     "ACwAAAdan1234", "https://www.linkedin.com/in/dan-reed-x"),
)  # fmt: skip


FRIDAY = MONDAY + 4 * DAY


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Five lists as five tools export them."""
    (tmp_path / "apollo.csv").write_text(APOLLO)
    (tmp_path / "evaboot.csv").write_bytes(EVABOOT.encode("cp1252"))
    (tmp_path / "hubspot.csv").write_text(HUBSPOT)
    workbook(tmp_path / "navigator.xlsx", [list(row) for row in SALES_NAVIGATOR])
    (tmp_path / "Connections.csv").write_text(CONNECTIONS)
    return tmp_path


def test_the_first_week(queue: Queue, files: Path, empty_database: str) -> None:
    """No step edits a file or needs SQL; each refusal says the words to add."""
    setting_up = [
        ["schedule", "add", "office", "--timezone", "America/New_York", "--hours", "09:00-17:00", "--days", "mon-fri",
         "--holidays", "US"],
        *(["account", "add", seat, "--provider", "unipile", "--provider-account-id", seat, "--schedule", "office"]
          for seat in ("lena", "max")),
        *(["lane", "set", seat, "linkedin_invite", "--daily-cap", "20", "--min-gap", "15m"]
          for seat in ("lena", "max")),
        ["campaign", "add", "spring", "--account", "lena", "--account", "max"],
    ]  # fmt: skip
    for command in setting_up:
        queue(*command)

    def load(name: str, *more: str, campaign: str = "spring", check: bool = True) -> tuple[str, str]:
        channel = "linkedin_invite"
        done = queue("import", files / name, "--campaign", campaign, "--channel", channel, "--message",
                     "Hi {first_name}, I folow {company}.", *more, check=check)  # fmt: skip
        return done.stdout, done.stderr

    # Monday: the lists as they are.
    assert load("apollo.csv")[0] == "2 enqueued, 0 there already.\n"
    stored, said = load("evaboot.csv")
    assert (stored, "was read as Windows-1252" in said) == ("1 enqueued, 0 there already.\n", True)
    _, refused = load("hubspot.csv", check=False)
    assert '--map "Profile on LinkedIn=linkedin_user_id"' in refused
    mapped = ("--map", "Profile on LinkedIn=linkedin_user_id")
    _, refused = load("hubspot.csv", *mapped, check=False)
    assert "line 3: the recipient is missing" in refused
    assert "--skip-incomplete" in refused
    assert load("hubspot.csv", *mapped, "--skip-incomplete")[0].startswith("1 enqueued")
    assert load("navigator.xlsx")[0].startswith("1 enqueued")
    stored, said = load("Connections.csv")
    assert (stored, "The first 3 lines are not the header" in said) == ("1 enqueued, 0 there already.\n", True)
    assert queue("run-once", now=MONDAY).stdout.startswith("1 sent")

    # Tuesday: a typo in the text, in what waits. A person, by name.
    typo = ("amend", "--campaign", "spring", "--message", "Hi {first_name}, I follow {company}.")
    assert queue(*typo, "--dry-run", now=MONDAY + DAY).stdout.count(", I follow ") == 3
    assert "5 amended." in queue(*typo, now=MONDAY + DAY).stdout
    [found] = queue.json("list", "--name", "noël", now=MONDAY + DAY)
    assert found["recipient"].endswith("eva-noel-x")
    assert queue("explain", "--name", "Eva").stdout.startswith(f"Send {found['id']} is pending")

    # Wednesday: a seat leaves.
    queue("pause", "account", "max", "--reason", "leaves the company")
    assert "wait for it" in queue("campaign", "set", "spring", "--remove-account", "max").stdout
    moved = queue.json("reassign", "max", "--to", "lena")["moved"]
    assert moved in (2, 3)

    for minutes in range(0, 150, 30):
        queue("run", now=MONDAY + 2 * DAY + minutes * MINUTE)
    written = len(queue.accepted())
    assert written == len(set(queue.accepted())) == 6

    # Thursday: a second campaign leaves out whom the first one wrote to; and it is a holiday.
    queue("campaign", "add", "summer", "--account", "lena")
    with (files / "apollo.csv").open("a") as more:
        more.write("Ivy,Hale,CTO,Hale Ltd,ivy@hale.example,,http://www.linkedin.com/in/ivy-hale-x,,\n")
    done = queue("import", files / "apollo.csv", "--campaign", "summer", "--channel", "linkedin_invite", "--message",
                 "Hi again", "--skip-contacted", "90d", now=MONDAY + 3 * DAY)  # fmt: skip
    assert done.stdout == "1 enqueued, 0 there already.\n"
    assert "2 recipients were left out: another campaign of this workspace wrote to them recently." in done.stderr
    assert queue.run_once(MONDAY + 3 * DAY)["reason"] == "outside_schedule"
    assert "Thanksgiving" in queue("explain", "--name", "Ivy", now=MONDAY + 3 * DAY).stdout

    # The next week, played beforehand on a queue of its own; the real one stays as it is.
    before = queue.statuses()
    own = {"DATABASE_URL": empty_database}
    for command in (["migrate"], *setting_up):
        queue(*command, env=own)
    queue("import", files / "apollo.csv", "--campaign", "spring", "--channel", "linkedin_invite", "--message", "Hi",
          env=own)  # fmt: skip
    for hour in range(3):
        queue("run", now=MONDAY + 7 * DAY + hour * HOUR, env=own)
    played = json.loads(queue("list", "--status", "sent", "--newest", "--json", env=own).stdout)
    assert len(played) >= 2
    assert played[0]["sent_at"] >= played[1]["sent_at"]
    assert (queue.statuses(), len(queue.accepted())) == (before, written + len(played))

    # The report.
    assert "lena" in queue("status", now=FRIDAY).stdout
    queue("report", "--days", "7", "-o", files / "week.html", now=FRIDAY)
    assert "lena" in (files / "week.html").read_text()
    results = queue.json("report", "--days", "7", now=FRIDAY)["results"]
    assert [(row["of"], row["sent"]) for row in results["campaign"]] == [("spring", written)]
    assert datetime.fromisoformat(results["day"][0]["of"]).date() == MONDAY.date()
