"""suppress: who is named is not written to, through the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.conftest import MINUTE, MONDAY, Queue
from send_queue.rules import unsubscribe, vault


@pytest.fixture
def queue(queue: Queue) -> Queue:
    """One account with three sends that are due."""
    queue.ready(rows=3, max_in_flight=9)
    return queue


def test_who_is_suppressed_is_not_written_to(queue: Queue) -> None:
    """The others are; the row says why, and the list names whom."""
    done = queue("suppress", "add", "ACoAA-1", "--reason", "asked by phone")
    assert done.stdout == "ACoAA-1 is suppressed.\nOne waiting send is skipped.\n"
    assert queue.json("run", now=MONDAY + MINUTE)["sent"] == 2
    assert sorted(queue.accepted()) == ["ACoAA-0", "ACoAA-2"]
    [row] = queue.json("list", "--status", "skipped")
    assert row["error_code"] == "suppressed"
    explained = queue("explain", row["id"]).stdout.splitlines()
    assert "asked by phone" in explained[1]
    assert explained[2] == "  To send it after all, first take that back: send-queue suppress remove ACoAA-1"
    assert explained[3].startswith("  Then: update send_queue set status = 'pending'")
    [listed] = queue.json("suppress", "list")
    assert (listed["recipient"], listed["channel"], listed["reason"]) == ("ACoAA-1", None, "asked by phone")
    assert "ACoAA-1" in queue("suppress", "list", "--recipient", "ACoAA-1").stdout
    assert queue("suppress", "list", "--channel", "sms").stdout == "There are none.\n"


def test_what_is_enqueued_for_them_is_skipped_and_said(queue: Queue) -> None:
    """It is stored, and stderr says that it will not go."""
    queue("suppress", "add", "ACoAA-9")
    message = ("--campaign", "fall", "--channel", "linkedin_invite", "--recipient", "ACoAA-9", "--message", "Hi")
    done = queue("enqueue", *message)
    assert "'ACoAA-9' is suppressed, so the message is stored as skipped" in done.stderr
    assert queue.statuses()["skipped"] == 1


def test_which_workspace_is_meant_is_said_where_there_are_several(queue: Queue) -> None:
    """The one from the start, where none is named: for somebody of another that would suppress nobody."""
    assert queue("suppress", "add", "ACoAA-9").stderr.count("workspace") == 0
    queue("workspace", "add", "growth")
    done = queue("suppress", "add", "ACoAA-8")
    assert "This changed the workspace default: for another (growth), give --workspace NAME." in done.stderr
    assert queue("suppress", "add", "ACoAA-8", "--workspace", "growth").stderr.count("workspace default") == 0


def test_again_and_back(queue: Queue) -> None:
    """Twice is once; taken back, they are written to again."""
    assert queue.json("suppress", "add", "ACoAA-9") == {"added": 1, "skipped": 0, "others": []}
    assert queue("suppress", "add", " ACoAA-9 ").stdout == "ACoAA-9 was suppressed already.\n"
    assert queue("suppress", "remove", "ACoAA-9").stdout == "ACoAA-9 may be written to again.\n"
    done = queue("suppress", "remove", "ACoAA-9", check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2, "send-queue: 'ACoAA-9' is not suppressed: see `send-queue suppress list`.")  # fmt: skip


@pytest.mark.parametrize(("args", "hint"), [
    ((), "The recipient is missing or given twice"),
    (("ada", "--token", "x"), "The recipient is missing or given twice"),
    (("--token", "x", "--channel", "email"), "A token names its channel"),
    ((" ",), "The recipient is missing"),
    (("Ada Lovelace",), "'Ada Lovelace' is no address, number, id or URL: write it as"),
    (("ada", "--channel", "email"), "Nobody was suppressed: 'ada' is not a mail address"),
    (("555 2671", "--channel", "sms"), "does not say its country"),
    (("ada", "--channel", "fax"), "There is no channel 'fax'"),
    (("ada", "--workspace", "acme"), "There is no workspace 'acme'"),
    (("(415) 555-2600",), "Nobody was suppressed: the phone number '(415) 555-2600' does not say its country: "),
    (("#N/A",), "Nobody was suppressed: '#N/A' is no address, number, id or URL: write it as"),
    (("*@example.com",), "Nobody was suppressed: '*@example.com' is a whole domain, not one recipient: name each"),
    (("--token", "x", "--country", "GB"), "A token names its channel"),
    (("555 2671", "--country", "XX"), "there is no country 'XX'"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(queue: Queue, args: tuple[str, ...], hint: str) -> None:
    """In one sentence that says what to do."""
    done = queue("suppress", "add", *args, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr


def test_a_number_is_suppressed_as_it_is_sent_to(queue: Queue, tmp_path: Path) -> None:
    """However it is written: with its country, or with that of --country, in a file too; else nothing is stored."""
    queue.account("desk", "sms", provider="twilio")
    queue.campaign("texts", "desk")
    for n in range(3):
        queue.enqueue(campaign="texts", channel="sms", recipient=f"+1415555260{n}")
    file = tmp_path / "gone.txt"
    file.write_text("(415) 555-2601\n14155552602\n")
    done = queue("suppress", "import", file, check=False)
    assert (done.returncode, queue.json("suppress", "list")) == (2, [])
    said = queue("suppress", "add", "(415) 555-2600", "--country", "us").stdout
    assert said == "+14155552600 is suppressed.\nOne waiting send is skipped.\n"
    done = queue.json("suppress", "import", file, "--country", "US", "--channel", "sms")
    assert (done["added"], done["skipped"]) == (2, 2)
    assert queue.statuses() == {"pending": 3, "skipped": 3}


def test_a_person_is_suppressed_with_each_address(queue: Queue, tmp_path: Path) -> None:
    """Without --channel all channels are meant: what is known of them beside the address is suppressed, and said."""
    file = tmp_path / "people.csv"
    file.write_text("linkedin_user_id,email\nduo-one,duo1@example.com\nduo-two,duo2@example.com\n")
    queue("import", file, "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi")
    assert queue("suppress", "add", "DUO1@example.com", "--channel", "email").stdout.count("\n") == 1
    assert queue.statuses() == {"pending": 5}
    said = queue("suppress", "add", "DUO1@example.com").stdout
    assert said.splitlines() == ["DUO1@example.com is suppressed.", "So is another address of theirs: duo-one.",
                                 "One waiting send is skipped."]  # fmt: skip
    assert queue.statuses() == {"pending": 4, "skipped": 1}
    done = queue.json("suppress", "add", "https://www.linkedin.com/in/duo-two")
    assert done == {"added": 1, "skipped": 1, "others": ["duo2@example.com"]}


def test_the_token_of_a_link_says_whom(queue: Queue) -> None:
    """Its workspace, channel and recipient; whoever makes one up suppresses nobody."""
    key = {"SEND_QUEUE_UNSUBSCRIBE_KEY": vault.new_key()}
    [[workspace_id]] = queue.conn.execute("select id from send_workspaces").fetchall()
    token = unsubscribe.Tokens(key).token(workspace_id, "email", "Ada@example.org")
    made_up = queue("suppress", "add", "--token", token[:-9] + "A" * 9, env=key, check=False)
    assert (made_up.returncode, made_up.stdout, queue.json("suppress", "list")) == (2, "", [])
    assert queue.json("suppress", "add", "--token", token, env=key)["added"] == 1
    [row] = queue.json("suppress", "list")
    assert (row["channel"], row["recipient"], row["reason"]) == ("email", "ada@example.org", "unsubscribed")


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "channel"), [
    ("ACoAA-0\nACoAA-1\n\n ACoAA-7 \n", None),
    ("recipient,reason\nACoAA-0,left\nACoAA-1,\nACoAA-7,x\n", None),
    ('\ufeffname,LinkedIn_User_ID,channel\n"A, B",ACoAA-0,linkedin_invite\nB,ACoAA-1,linkedin_invite\n'
     "C,ACoAA-7,linkedin_invite", "linkedin_invite"),
], ids=["one a line", "CSV", "CSV of another kind"])  # fmt: skip
def test_a_file_suppresses_all_in_it(queue: Queue, tmp_path: Path, text: str, channel: str | None) -> None:
    """Whatever form the list has that somebody exports."""
    file = tmp_path / "gone.csv"
    file.write_text(text)
    assert queue("suppress", "import", file, "--reason", "unsubscribed").stdout == (
        "3 suppressed, 0 there already.\n2 waiting sends are skipped.\n")  # fmt: skip
    assert queue.statuses() == {"skipped": 2, "pending": 1}
    assert {row["channel"] for row in queue.json("suppress", "list")} == {channel}
    assert queue("suppress", "import", file).stdout == "0 suppressed, 3 there already.\n"


def test_a_file_goes_in_whole_or_not_at_all(queue: Queue, tmp_path: Path) -> None:
    """Every bad line is named."""
    file = tmp_path / "gone.csv"
    file.write_text("recipient,channel\nACoAA-0,\n,sms\nACoAA-1,fax\nACoAA-2,sms,more\nACoAA-2,sms\nada,email\n")
    done = queue("suppress", "import", file, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    said = [line.removeprefix("send-queue: gone.csv, ") for line in done.stderr.splitlines() if "gone.csv, " in line]
    assert [line[:22] for line in said] == [
        "line 3: the recipient ",
        "line 4: there is no ch",
        "line 5: it has 3 field",
        "line 6: the phone numb",
        "line 7: 'ada' is not a",
    ]
    assert "Nothing was stored: mend 5 lines and import again." in done.stderr
    assert queue.json("suppress", "list") == []


def test_a_file_that_cannot_be_read_is_refused(queue: Queue, tmp_path: Path) -> None:
    """One sentence, whatever is wrong with it."""
    (tmp_path / "mixed").write_bytes("zoë".encode() + b"\xeb@example.org\n")
    for name, hint in (("gone", "There is no file"), (".", "is a folder"), ("mixed", "is not text in utf-8")):
        done = queue("suppress", "import", tmp_path / name, check=False)
        assert (done.returncode, hint in done.stderr) == (2, True)


def test_a_file_is_read_as_another_tool_exported_it(queue: Queue, tmp_path: Path) -> None:
    """As `import` reads it: encodings, separators, lines before the header, common names; the mail address counts
    before the phone number, a line without one goes by the next address, and a column of another name is proposed."""
    file = tmp_path / "gone.csv"
    rows = "First Name;E-Mail;Phone Number;Reason\r\nZoë;zoe@x.example;;left\r\nBo;;+44 7700 900100;\r\n"
    file.write_bytes(("Exported today\r\n\r\n" + rows.replace("E-Mail", "Work Email")).encode("cp1252"))
    done = queue("suppress", "import", file, "--reason", "unsubscribed")
    assert done.stdout == "2 suppressed, 0 there already.\n"
    assert "was read as Windows-1252" in done.stderr
    listed = {(row["recipient"], row["reason"]) for row in queue.json("suppress", "list")}
    assert listed == {("zoe@x.example", "left"), ("+447700900100", "unsubscribed")}
    file.write_text("Vorname,Kontakt-Mail\nZoe,zoe2@x.example\n", encoding="utf-16")
    assert '--map "Kontakt-Mail=email"' in queue("suppress", "import", file, check=False).stderr
    assert queue("suppress", "import", file, "--map", "Kontakt-Mail=email").stdout.startswith("1 suppressed")
