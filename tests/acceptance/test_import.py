"""import: a CSV file goes in whole or not at all, and every bad line is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import MINUTE, MONDAY, Done, Queue

HELLO = ("--message", "Hi {first_name}")


class Importing:
    """Write a file and import it into the campaign fall."""

    def __init__(self, queue: Queue, folder: Path) -> None:
        self.queue = queue
        self.file = folder / "people.csv"

    def __call__(self, text: str | bytes, *args: str, channel: str = "linkedin_invite", **more: Any) -> Done:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.queue("import", self.file, "--campaign", "fall", "--channel", channel, *args, **more)

    def rows(self, column: str = "recipient, message") -> list[tuple[Any, ...]]:
        return self.queue.conn.execute(f"select {column} from send_queue order by id".encode()).fetchall()  # noqa: S608 — our columns


@pytest.fixture
def importing(queue: Queue, tmp_path: Path) -> Importing:
    queue.ready(rows=0)
    return Importing(queue, tmp_path)


# --- what a file may look like ----------------------------------------------------------------------------


def test_a_file_becomes_messages(importing: Importing) -> None:
    """Each line is a message, its {fields} filled in from the columns, and goes."""
    done = importing("linkedin_user_id,first_name\nACoAA-a,Ada\nACoAA-b,Zoë\n", *HELLO)
    assert done.stdout == "2 enqueued, 0 there already.\n"
    assert importing.rows() == [("ACoAA-a", "Hi Ada"), ("ACoAA-b", "Hi Zoë")]
    assert importing.queue.json("run", now=MONDAY + MINUTE)["sent"] == 2
    assert [e["text"] for e in importing.queue.sandbox.accepted()] == ["Hi Ada", "Hi Zoë"]


@pytest.mark.parametrize("text", [
    "\ufeffrecipient,first_name\na,Ada\n",
    "recipient;first_name\na;Ada\n",
    "recipient\tfirst_name\na\tAda\n",
    '"recipient","first_name"\r\n"a","Ada"\r\n',
    "Recipient , First Name\n a , Ada \n\n",
    "recipient,first_name\na,Ada",
], ids=["BOM", "semicolons", "tabs", "quotes and CRLF", "capitals and spaces", "no end"])  # fmt: skip
def test_what_spreadsheets_write_is_read(importing: Importing, text: str) -> None:
    """A BOM, other separators, quotes, line ends and capitals do not matter."""
    importing(text, *HELLO)
    assert importing.rows() == [("a", "Hi Ada")]


def test_quotes_commas_and_line_breaks_in_fields(importing: Importing) -> None:
    """What is inside quotes is the field's, as it stands."""
    importing('recipient,message\na,"Hi ""Ada"", dear\nsecond line; third"\n')
    assert importing.rows() == [("a", 'Hi "Ada", dear\nsecond line; third')]


def test_windows_1252_is_read_and_said(importing: Importing) -> None:
    """Excel writes it where nobody chooses: names keep their accents, and a person is asked to look at one."""
    done = importing("recipient,first_name\na,Zoë\n".encode("cp1252"), *HELLO)
    assert importing.rows("message") == [("Hi Zoë",)]
    assert "is not UTF-8 and was read as Windows-1252: check a name with an accent." in done.stderr


def test_lines_without_an_address_are_refused_or_left_out(importing: Importing) -> None:
    """An exported list has people without a profile; the refusal says how to leave them out."""
    text = "First Name,URL,Connected On\nAda,,3 Nov\nBea,https://www.linkedin.com/in/bea-l,3 Nov\nCy,,3 Nov\n"
    done = importing(text, *HELLO, check=False)
    assert (done.returncode, importing.rows()) == (2, [])
    assert "line 2: the recipient is missing: it has no linkedin_user_id" in done.stderr
    assert "or leave out lines without an address with --skip-incomplete." in done.stderr
    done = importing(text, *HELLO, "--skip-incomplete", "--json")
    assert (json.loads(done.stdout)["created"], json.loads(done.stdout)["incomplete"]) == (1, [2, 4])
    assert "2 lines have no linkedin_user_id and were left out: line 2, 4." in done.stderr


def test_a_mapping_names_the_column(importing: Importing) -> None:
    """The refusal prints the complete option to add, and with it the import works."""
    text = "Kontakt LinkedIn,Vorname\nhttps://www.linkedin.com/in/ada-l,Ada\n"
    refused = importing(text, *HELLO, check=False)
    assert 'Add --map "Kontakt LinkedIn=linkedin_user_id".' in refused.stderr
    importing(text, *HELLO, "--map", "Kontakt LinkedIn=linkedin_user_id")
    assert importing.rows("message") == [("Hi Ada",)]


@pytest.mark.parametrize(("text", "hint"), [
    ("", "has no column recipient"),
    ("name,message\na,b\n", "has no column recipient or linkedin_user_id"),
    ("recipient\na\n", "has no column message"),
    ("recipient,message,recipient\na,b,c\n", "has the column 'recipient' twice"),
    ('recipient,message\na,"b\n', "cannot be read as CSV"),
], ids=["empty", "no recipient", "no message", "twice", "open quote"])  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_as_a_whole(importing: Importing, text: str, hint: str) -> None:
    """What is wrong with the file is one sentence."""
    done = importing(text, check=False)
    assert (done.returncode, done.stdout, importing.rows()) == (2, "", [])
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


# --- all or nothing ---------------------------------------------------------------------------------------


def test_every_bad_line_is_named_and_nothing_is_stored(importing: Importing) -> None:
    """One bad line keeps the whole file out, and all of them are said at once, by the number an editor shows."""
    importing.queue("lane", "set", "anna", "linkedin_invite")
    text = (
        "recipient,first_name,message,scheduled_for,expires_at,priority,account,timezone,payload\n"
        'a,Ada,"two\nlines",,,,,,\n'  # lines 2 and 3
        ",Ben,x,,,,,,\n"
        f"c,Carl,{'x' * 301},,,,,,\n"
        "d,Dan,x,2026-11-24T09:00:00,,,,,\n"
        "e,Eve,x,soon,,,,,\n"
        "f,Fay,x,,2020-01-01T00:00:00Z,,,,\n"
        "g,Gil,x,,,urgent,,,\n"
        "h,Hal,x,,,,nobody,,\n"
        "i,Ida,x,,,,,Mars/Base,\n"
        "j,Jon,x,,,,,,[1]\n"
        "k,Kim,x,,,,,\n"
        "l,Lea,,,,,,,\n"
        'm,Mia,"three\n\nlines",,,,,,\n'  # lines 15 to 17
        "n,,,,,,,,\n"
    )  # fmt: skip
    done = importing(text, "--json", check=False)

    assert (done.returncode, importing.rows()) == (2, [])
    wrong = {
        4: "the recipient is missing",
        5: "has 301 characters",
        6: "scheduled_for '2026-11-24T09:00:00' has no time zone",
        7: "scheduled_for 'soon' is not a time",
        8: "It would expire",
        9: "the priority 'urgent' is not a whole number",
        10: "There is no account 'nobody'",
        11: "There is no time zone 'Mars/Base'",
        12: "the payload is not a JSON object",
        13: "it has 8 fields, the header has 9",
        14: "The message is missing",
        18: "The message is missing",
    }
    reported = json.loads(done.stdout)
    assert list(reported) == ["created", "there", "differing", "elsewhere", "contacted", "twice", "wrong", "dry_run"]
    assert [entry["line"] for entry in reported["wrong"]] == list(wrong)
    for line, reason in wrong.items():
        assert any(f"people.csv, line {line}: " in said and reason in said for said in done.stderr.splitlines()), line
    assert "Nothing was stored: mend the 12 lines above and import the file again." in done.stderr
    [[prospects]] = importing.queue.conn.execute("select count(*) from send_prospects").fetchall()
    assert prospects == 0


def test_a_field_that_is_missing_or_empty_is_not_papered_over(importing: Importing) -> None:
    """Nobody is greeted with "Hi ,"."""
    done = importing("recipient,first_name\na,Ada\nb,\n", *HELLO, check=False)
    assert (done.returncode, importing.rows()) == (2, [])
    assert "line 3: the message needs {first_name}, which this person lacks" in done.stderr


@pytest.mark.parametrize(("message", "hint"), [
    ("Hi {first_name", "The message has a { without its }: close it, or write {{ for the brace itself."),
    ("Hi {frist_name}", "The message needs {frist_name}, and the file has no such column: write {first_name}."),
])  # fmt: skip
def test_a_message_that_cannot_be_filled_in_is_refused_once(importing: Importing, message: str, hint: str) -> None:
    """What is wrong with the template is one sentence, however many lines there are."""
    done = importing("recipient,first_name\na,Ada\nb,Ben\n", "--message", message, check=False)
    assert (done.returncode, done.stdout, importing.rows()) == (2, "", [])
    assert [line for line in done.stderr.splitlines() if "rehearsing" not in line] == [f"send-queue: {hint}"]


@pytest.mark.parametrize("message", [
    "Hi ${first_name}", "Hi {{ .FirstName }}", "Hi {{{first_name}}}", "Hi [FNAME]", "Hi <%= first_name %>",
    "Hi $first_name", "Hi @first_name", "Hi __first_name__", "Hi #FirstName#", "Hi ((first_name))", "Hi :first_name:",
    "Hi |first_name|",
    "Hi \uff1cfirst_name\uff1e",
])  # fmt: skip
def test_a_placeholder_of_another_tool_is_refused(importing: Importing, message: str) -> None:
    """In the message as in the subject, with how it is written here; --literal sends it as it stands."""
    text = "recipient,first_name\nada@example.com,Ada\n"
    args = ("--message", message, "--subject", "Hello")
    for texts in (args, ("--message", "Hello", "--subject", message)):
        done = importing(text, *texts, channel="email", check=False)
        assert done.returncode == 2
        assert "write {first_name}" in done.stderr or "use one of the fields (first_name, recipient)" in done.stderr
        assert "add --literal" in done.stderr
        assert importing.rows() == []


def test_what_a_spreadsheet_writes_for_nothing_is_not_sent(importing: Importing) -> None:
    """A line whose text would have it is wrong; in a column that the text has no need of, it is taken for empty."""
    cells = ("#N/A", "null", "-", "#REF!", "{{last_name}}")
    text = "recipient,first_name,last_name,email\n" + "".join(f"p{n},Ada,{c},#N/A\n" for n, c in enumerate(cells))
    done = importing(text, "--message", "Hi {first_name} {last_name}", check=False)
    assert (done.returncode, importing.rows()) == (2, [])
    for n, cell in enumerate(cells):
        said = f"this person has {cell!r} there, {'a placeholder' if '{' in cell else 'a word for nothing'}"
        assert any(f"line {n + 2}: " in line and said in line for line in done.stderr.splitlines()), done.stderr
    importing("recipient,message\np9,#N/A\n", check=False)
    assert importing.rows() == []
    importing(text.replace("{{last_name}}", "x"), *HELLO)
    assert len(set(importing.rows("prospect_id"))) == 5
    known = importing.queue.conn.execute("select distinct last_name, email from send_prospects").fetchall()
    assert sorted(known, key=str) == [("x", None), (None, None)]
    importing("recipient,last_name\np9,null\n", "--message", "Hi {last_name}", "--literal")
    assert importing.rows()[-1] == ("p9", "Hi null")


def test_of_many_bad_lines_twenty_are_said(importing: Importing) -> None:
    """And how many more there are; --json has all."""
    text = "recipient,message\n" + ",x\n" * 500
    done = importing(text, check=False)
    said = [line for line in done.stderr.splitlines() if "rehearsing" not in line]
    assert (done.returncode, len(said)) == (2, 22)
    assert said[20:] == ["send-queue: people.csv: … and 480 more lines are wrong; --json names them all.",
                         "send-queue: Nothing was stored: mend the 500 lines and import the file again, or leave out "
                         "lines without an address with --skip-incomplete."]  # fmt: skip
    assert len(json.loads(importing(text, "--json", check=False).stdout)["wrong"]) == 500


def test_a_channel_that_no_account_of_the_campaign_serves_is_refused(importing: Importing) -> None:
    """It would fail days later; a line may name an account that serves it."""
    text = "recipient,message,account\na@b.example,Hello,\n"
    done = importing(text, "--subject", "Hi", channel="email", check=False)
    assert (done.returncode, importing.rows()) == (2, [])
    assert "No account in the pool of the campaign 'fall' sends email: add one" in done.stderr
    named = importing(text.replace("Hello,", "Hello,anna"), "--subject", "Hi", channel="email", check=False)
    assert (named.returncode, importing.rows()) == (2, [])
    assert "line 2: The account anna's provider unipile does not send email, only" in named.stderr
    importing.queue("account", "add", "mail", "--provider", "log")
    importing("recipient,message,account\na@b.example,Hello,mail\n", "--subject", "Hi", channel="email")
    assert importing.rows() == [("a@b.example", "Hello")]


def test_a_dry_run_stores_nothing(importing: Importing) -> None:
    """--dry-run checks the whole file and says what would be stored, with three texts; --json says the same."""
    text = "recipient,first_name\na,Ada\nb,Ben\nc,Cleo\nd,Dan\n"
    shown = "".join(f"people.csv, line {n + 2}, to {to}:\n    Hi {name}\n"
                    for n, (to, name) in enumerate([("a", "Ada"), ("b", "Ben"), ("c", "Cleo")]))  # fmt: skip
    assert importing(text, *HELLO, "--dry-run").stdout == f"{shown}4 would be enqueued, 0 there already.\n"
    said = json.loads(importing(text, *HELLO, "--dry-run", "--json").stdout)
    assert (said["created"], said["dry_run"], len(said["examples"])) == (4, True, 3)
    assert said["examples"][0] == {"line": 2, "recipient": "a", "subject": None, "message": "Hi Ada"}
    assert importing.rows() == []
    [[prospects]] = importing.queue.conn.execute("select count(*) from send_prospects").fetchall()
    assert prospects == 0
    assert importing(text + "e,\n", *HELLO, "--dry-run", check=False).returncode == 2


def test_the_same_file_twice_adds_nothing(importing: Importing) -> None:
    """A file may be imported again after an addition; a line that says something else now is named, and left alone."""
    importing("recipient,first_name\na,Ada\nb,Ben\n", *HELLO)
    done = importing("recipient,first_name\na,Ada\nb,Bert\nc,Cleo\n", *HELLO)
    assert done.stdout == "1 enqueued, 2 there already.\n"
    said = (
        "Left unchanged, since the queue (or an earlier line) has them with another message or recipient:"
        " people.csv, line 3."
    )
    assert said in done.stderr
    assert importing.rows() == [("a", "Hi Ada"), ("b", "Hi Ben"), ("c", "Hi Cleo")]


def test_the_same_person_twice_in_one_file_is_written_to_once(importing: Importing) -> None:
    """Lists that were put together from several hold people twice."""
    assert importing("recipient,first_name\na,Ada\na,Ada\n", *HELLO).stdout == "1 enqueued, 1 there already.\n"
    assert importing.rows() == [("a", "Hi Ada")]


def test_the_same_person_written_in_another_way_is_there_already(importing: Importing) -> None:
    """Also when a later file writes them so; who is stored stays as they were written first."""
    text = "recipient,first_name\nhttps://www.linkedin.com/in/ada/,Ada\n"
    assert importing(text, *HELLO).stdout == "1 enqueued, 0 there already.\n"
    text = "recipient,first_name\nlinkedin.com/in/Ada?trk=x,Ada\nin/ada,Ada\n"
    assert importing(text, *HELLO).stdout == "0 enqueued, 2 there already.\n"
    assert importing.rows() == [("https://www.linkedin.com/in/ada/", "Hi Ada")]


# --- what is kept -----------------------------------------------------------------------------------------


def test_what_is_known_of_a_person_is_kept(importing: Importing) -> None:
    """Known columns are the prospect's, any other is an attribute; both may be used in the message."""
    importing(
        "recipient,first_name,last_name,company,timezone,Job Title\n"
        "a,Ada,Lovelace,Analytical Ltd,Europe/London,Countess\n",
        "--message", "Dear {job_title} {last_name} of {company}",
    )  # fmt: skip
    [[person]] = importing.queue.conn.execute(
        "select to_jsonb(p) from send_prospects p where linkedin_user_id = 'a'"
    ).fetchall()
    assert {k: person[k] for k in ("first_name", "last_name", "company", "timezone", "attributes")} == {
        "first_name": "Ada", "last_name": "Lovelace", "company": "Analytical Ltd", "timezone": "Europe/London",
        "attributes": {"job_title": "Countess"},
    }  # fmt: skip
    assert importing.rows("message") == [("Dear Countess Lovelace of Analytical Ltd",)]


def test_columns_that_steer_the_send(importing: Importing) -> None:
    """A line may say when, how urgent, until when, from whom, under which key and with what payload."""
    importing.queue.account("ben")
    importing(
        "recipient,message,scheduled_for,expires_at,priority,account,dedupe_key,payload\n"
        'a,Hello,2026-11-24T09:00:00+01:00,2026-12-01T00:00:00Z,5,ben,key-1,"{""user_email"": ""a@b.example""}"\n'
    )
    assert importing.rows(
        "scheduled_for = '2026-11-24 08:00Z', expires_at = '2026-12-01Z', priority, dedupe_key, payload, "
        "(select name from send_accounts a where a.id = account_id)"
    ) == [(True, True, 5, "key-1", {"user_email": "a@b.example"}, "ben")]


def test_lines_are_dealt_out_by_days_of_work(importing: Importing) -> None:
    """Accounts get shares by their daily caps: 60 lines over caps of 20 and 10 are two days of work for each."""
    importing.queue.lane("anna", daily_cap=20)
    importing.queue.account("ben", daily_cap=10)
    importing.queue("campaign", "set", "fall", "--account", "ben")
    importing("recipient,message\n" + "".join(f"p{n},Hello\n" for n in range(60)))
    shares = importing.queue.conn.execute(
        "select a.name, count(*) from send_queue q join send_accounts a on a.id = account_id group by 1 order by 1"
    ).fetchall()
    assert shares == [("anna", 40), ("ben", 20)]


def test_an_address_may_stand_under_its_own_name(importing: Importing) -> None:
    """For email the column email is the recipient."""
    importing.queue("account", "add", "mail", "--provider", "log")
    importing.queue("campaign", "set", "fall", "--account", "mail", "--remove-account", "anna")
    importing("email,message,subject\na@b.example,Hello,Hi\n", channel="email")
    assert importing.rows("recipient, channel") == [("a@b.example", "email")]


def test_a_big_file_is_stored_whole(importing: Importing) -> None:
    """Ten thousand lines are one transaction, in their order."""
    importing("recipient,message\n" + "".join(f"p{n},Hello {n}\n" for n in range(10_000)), timeout=60)
    [[count, first, last]] = importing.queue.conn.execute(
        "select count(*), (select recipient from send_queue order by id limit 1), "
        "(select recipient from send_queue order by id desc limit 1) from send_queue"
    ).fetchall()
    assert (count, first, last) == (10_000, "p0", "p9999")
    assert importing.queue.run_once(MONDAY + MINUTE)["sent_to"] == "p0"


def test_a_pipe_is_read_as_a_file_is(importing: Importing) -> None:
    """`psql … --csv | send-queue import /dev/stdin`, or `import <(…)`: what cannot be read twice is read once."""
    text = "recipient;first_name\n" + "".join(f"ACoAA-{n};Ada\n" for n in range(1100))
    done = importing.queue("import", "/dev/stdin", "--campaign", "fall", "--channel", "linkedin_invite", *HELLO,
                           input=text)  # fmt: skip
    assert done.stdout == "1,100 enqueued, 0 there already.\n"


def test_a_folder_is_not_a_file(importing: Importing, tmp_path: Path) -> None:
    """The sentence says what to name instead."""
    done = importing.queue("import", tmp_path, "--campaign", "fall", "--channel", "log", check=False)
    assert (done.returncode, "is a folder: name a CSV or Excel file" in done.stderr) == (2, True)
