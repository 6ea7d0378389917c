"""Templates through the command: what will be sent is made when it is enqueued, and can be read in the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Queue

TEXT = """Hi {{ first_name or "there" }},
{% if company %}
I follow {{ company }}.
{% endif %}
{% for pet in (attributes.pets or "").split() %}
- {{ pet }}
{% endfor %}
"""
HTML = "<p>Hi {{ first_name }} of <b>{{ company }}</b></p>\n"
PEOPLE = "email,first_name,company,pets\nada@example.org,Ada,A & E,cat dog\nben@example.org,Ben,B,\n"


@pytest.fixture
def folder(queue: Queue, tmp_path: Path) -> Path:
    """A campaign for email, and files."""
    queue.account(channel="email", provider="log")
    queue.campaign()
    for name, text in (("hi.txt", TEXT), ("hi.html", HTML), ("people.csv", PEOPLE)):
        (tmp_path / name).write_text(text)
    return tmp_path


def rows(queue: Queue) -> list[tuple[Any, ...]]:
    return queue.conn.execute("select subject, message, payload->>'html' from send_queue order by recipient").fetchall()


def test_a_file_of_people_and_templates_become_mails(queue: Queue, folder: Path) -> None:
    """Subject, text and HTML of each line, its columns as fields; only HTML is escaped."""
    files = (folder / "people.csv", "--template", folder / "hi.txt", "--html", folder / "hi.html")
    subject = ("--subject", "{{ company }} and {{ attributes.pets | default('nobody', true) }}")
    args = ("import", *files, *subject, "--campaign", "fall", "--channel", "email")
    assert queue(*args, "--dry-run").stdout.endswith("\n2 would be enqueued, 0 there already.\n")
    queue(*args)
    assert rows(queue) == [
        ("A & E and cat dog", "Hi Ada,\nI follow A & E.\n- cat\n- dog", "<p>Hi Ada of <b>A &amp; E</b></p>"),
        ("B and nobody", "Hi Ben,\nI follow B.", "<p>Hi Ben of <b>B</b></p>"),
    ]


def test_every_line_that_lacks_a_field_is_named(queue: Queue, folder: Path) -> None:
    """With the line of the file and that of the template; nothing is stored."""
    (folder / "people.csv").write_text("email,first_name,company\na@x.org,Ada,\nb@x.org,,B\nc@x.org,Carl,C\n")
    (folder / "hi.txt").write_text("Hi\n{{ first_name }}\n{{ company }}")
    done = queue("import", folder / "people.csv", "--template", folder / "hi.txt", "--subject", "Hi",
                 "--campaign", "fall", "--channel", "email", check=False)  # fmt: skip
    assert (done.returncode, rows(queue)) == (2, [])
    assert done.stderr.splitlines()[1:3] == [
        "send-queue: people.csv, line 2: the template needs {{ company }} (hi.txt, line 3), which is empty",
        "send-queue: people.csv, line 3: the template needs {{ first_name }} (hi.txt, line 2), which is empty",
    ]


@pytest.mark.parametrize(("text", "args", "said"), [
    ("{{ nick_name }}", ("--subject", "Hi"), "{{ nick_name }} (hi.txt, line 1), and there is no such field, only a"),
    ("Hi\n{% if %}", (), "hi.txt, line 2: "),
    ("Hi", ("--subject", "{{ first_name"), "--subject, line 1: "),
    ("Hi", ("--subject", "{{ attributes.nick }}"), "attributes.nick }} (--subject, line 1), and there is no such"),
    ("Hi", ("--message", "x"), "The text is given twice"),
    ("Hi", ("--subject", "Hi", "--html", "nowhere.html"), "There is no file nowhere.html"),
    ("Hi", ("--subject", "a{{ '\\n' }}b"), "line 2: the subject has a line break, and must be one line"),
])  # fmt: skip
def test_a_template_that_is_wrong_is_refused(queue: Queue, folder: Path, text: str, args: Any, said: str) -> None:
    """In one sentence, with its line, and nothing is stored."""
    (folder / "hi.txt").write_text(text)
    done = queue("import", folder / "people.csv", "--template", folder / "hi.txt", *args, "--campaign", "fall",
                 "--channel", "email", check=False)  # fmt: skip
    assert (done.returncode, done.stdout, rows(queue)) == (2, "", [])
    assert said in done.stderr


def test_html_is_for_email(queue: Queue, folder: Path) -> None:
    """Other channels have no place for it."""
    done = queue("import", folder / "people.csv", "--message", "Hi", "--html", folder / "hi.html", "--campaign", "fall",
                 "--channel", "sms", check=False)  # fmt: skip
    assert "An HTML text is for the channel email, not for sms: leave out --html." in done.stderr


def test_a_subject_of_an_import_may_have_simple_fields(queue: Queue, folder: Path) -> None:
    """It is of the same kind as the text beside it."""
    queue("import", folder / "people.csv", "--message", "Hi {first_name}", "--subject", "For {company}",
          "--campaign", "fall", "--channel", "email")  # fmt: skip
    assert rows(queue) == [("For A & E", "Hi Ada", None), ("For B", "Hi Ben", None)]


# --- one message ------------------------------------------------------------------------------------------


def enqueue(queue: Queue, *args: str | Path, **more: Any) -> Any:
    return queue("enqueue", "--campaign", "fall", "--channel", "email", "--recipient", "Ada@example.org", *args, **more)


def test_one_message_from_a_template(queue: Queue, folder: Path) -> None:
    """Its fields are what is known of the recipient, and what is given, which goes before."""
    queue("import", folder / "people.csv", "--message", "x", "--subject", "x", "--campaign", "fall", "--channel",
          "email")  # fmt: skip
    queue.conn.execute("delete from send_queue")
    enqueue(queue, "--template", folder / "hi.txt", "--html", folder / "hi.html", "--field", "company=C",
            "--subject", "{{ recipient }}", "--payload", '{"reply_to": "us@example.org"}')  # fmt: skip
    assert rows(queue) == [("Ada@example.org", "Hi Ada,\nI follow C.\n- cat\n- dog", "<p>Hi Ada of <b>C</b></p>")]
    assert queue.conn.execute("select payload->>'reply_to' from send_queue").fetchall() == [("us@example.org",)]


def test_one_message_as_it_stands(queue: Queue, folder: Path) -> None:
    """Without --template nothing is read as one; with --html alone, the subject stands as it is."""
    enqueue(queue, "--literal", "--message", "{{ x }} {y}", "--subject", "{{ z }}", "--html", folder / "hi.html",
            "--field", "first_name=Ada", "--field", "company=A=E")  # fmt: skip
    assert rows(queue) == [("{{ z }}", "{{ x }} {y}", "<p>Hi Ada of <b>A=E</b></p>")]


def test_what_looks_like_a_placeholder_is_refused(queue: Queue, folder: Path) -> None:
    """A field that import would fill in is not one in enqueue; in a template, neither is that of another tool."""
    done = enqueue(queue, "--message", "Hi {firstName}", "--subject", "Hi", check=False)
    assert (done.returncode, rows(queue)) == (2, [])
    assert ("The message has {firstName}, which would be sent unchanged: write a template with {{ first_name }} and "
            "give it with --template, or add --literal if you mean that.") in done.stderr  # fmt: skip
    assert "The subject has [Name]" in enqueue(queue, "--message", "Hi", "--subject", "[Name]", check=False).stderr
    (folder / "hi.txt").write_text("Hi {{ Recipient }} %NICK%")
    done = enqueue(queue, "--template", folder / "hi.txt", "--subject", "Hi", check=False)
    assert "hi.txt has %NICK%, which would be sent unchanged: use one of the fields (company, email" in done.stderr
    enqueue(queue, "--message", 'Hi {"a": 1} {}', "--subject", "Hi")
    enqueue(queue, "--template", folder / "hi.txt", "--subject", "Hi", "--literal")
    assert {row[1] for row in rows(queue)} == {'Hi {"a": 1} {}', "Hi Ada@example.org %NICK%"}


@pytest.mark.parametrize(("args", "said"), [
    ((), "The text is missing or given twice: give --message TEXT or --template FILE."),
    (("--message", "x", "--template", "hi.txt"), "The text is missing or given twice"),
    (("--message", "x", "--field", "a=b"), "--field has no template"),
    (("--template", "hi.txt", "--field", "a"), "'a' is not a field: write it as first_name=Ada"),
    (("--template", "hi.html"), "The template needs {{ first_name }} (hi.html, line 1), which is empty: mend it, or"
                                " give the field with --field."),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(queue: Queue, folder: Path, args: tuple[str, ...], said: str) -> None:
    """One sentence, and nothing is stored."""
    done = enqueue(queue, "--subject", "Hi", *(folder / arg if arg.startswith("hi.") else arg for arg in args),
                   check=False)  # fmt: skip
    assert (done.returncode, rows(queue)) == (2, [])
    assert said in done.stderr
