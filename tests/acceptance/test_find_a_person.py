"""A person is found by an address, however it is written, or by a part of their name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Queue

LIST = (
    "linkedin_user_id,email,name,first_name,last_name\n"
    "https://www.linkedin.com/in/ada-l,ada@bücher.example,,Ada,Lovell\n"
    "https://www.linkedin.com/in/bea-s,bea@x.example,Bea Stone,,\n"
)


@pytest.fixture
def people(queue: Queue, tmp_path: Path) -> Queue:
    queue.ready(rows=0)
    (tmp_path / "people.csv").write_text(LIST)
    queue("import", tmp_path / "people.csv", "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi")
    return queue


@pytest.mark.parametrize(
    "asked",
    [
        ("--recipient", "ada-l"),
        ("--recipient", "http://linkedin.com/in/Ada-L/?trk=x"),
        ("--recipient", "ADA@xn--bcher-kva.example"),
        ("--name", "lovell"),
        ("--name", "ADA LOV"),
    ],
    ids=["slug", "url", "another address", "last name", "both names"],
)
def test_a_person_is_found(people: Queue, asked: tuple[str, str]) -> None:
    """list, explain and history find the same sends; by a person the last two answer with a list."""
    [listed] = people.json("list", *asked)
    assert (listed["recipient"], listed["name"]) == ("https://www.linkedin.com/in/ada-l", "Ada Lovell")
    [explained] = people.json("explain", *asked)
    assert (explained["send_id"], explained["verdict"]) == (listed["id"], "due_now")
    steps = people.json("history", *asked)
    assert (steps[0]["event"], {step["send_id"] for step in steps}) == ("enqueued", {listed["id"]})


def test_a_list_as_csv_has_names(people: Queue) -> None:
    lines = people("list", "--csv").stdout.splitlines()
    assert lines[0].endswith(",error_message,name")
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["Ada Lovell", "Bea Stone"]


def test_a_row_of_somebody_unknown_is_found_by_its_recipient(people: Queue) -> None:
    """An INSERT by hand makes no prospect."""
    people.conn.execute(
        "insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message) select "
        "c.workspace_id, c.id, a.id, 'linkedin_invite', 'cy-w', 'm' from send_campaigns c, send_accounts a limit 1"
    )
    [row] = people.json("list", "--recipient", "https://linkedin.com/in/cy-w")
    assert (row["recipient"], row["name"]) == ("cy-w", None)


@pytest.mark.parametrize("command", ["explain", "history"])
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ((), "Name one send by its id, or a person with --recipient or --name."),
        (("--recipient", "nobody-x"), "Nothing was sent to such a person, and nothing waits"),
    ],
    ids=["nothing", "nobody"],
)
def test_what_names_nothing_is_refused(people: Queue, command: str, asked: tuple[str, ...], sentence: str) -> None:
    done = people(command, *asked, check=False)
    assert (done.returncode, sentence in done.stderr) == (2, True)


def test_each_send_of_a_person_is_told_in_turn(people: Queue) -> None:
    """With its id, so that it can be named afterwards."""
    people.enqueue(recipient="https://www.linkedin.com/in/ada-l")
    ids = [row["id"] for row in people.json("list", "--name", "Lovell")]
    told = people("history", "--name", "Lovell").stdout.splitlines()
    assert [line for line in told if line.startswith("Send ")] == [f"Send {each}:" for each in ids]
    assert len(json.loads(people("explain", "--name", "Lovell", "--json").stdout)) == len(ids) == 2
