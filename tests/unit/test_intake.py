"""Getting messages in, as far as it needs no database: filling in a message, and reading the lines of a file."""

from __future__ import annotations

import doctest
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue.intake import columns, csv_file, tables, wording
from send_queue.intake.csv_file import Imported
from send_queue.intake.wording import Wording, check_template, render
from send_queue.model import UserError
from send_queue.store import STAGED

FIELDS = {"first_name": "Zoë", "company": "Analytical {Engines}", "empty": ""}


def test_examples_in_docstrings_hold() -> None:
    """The example of render is its specification."""
    failed, tried = doctest.testmod(wording)
    assert (failed, tried > 0) == (0, True)


# --- render -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("template", "message"), [
    ("Hi {first_name}", "Hi Zoë"),
    ("Hi { first_name }!", "Hi Zoë!"),
    ("{first_name}{first_name}", "ZoëZoë"),
    ("no fields", "no fields"),
    ("", ""),
    ("{{first_name}}", "Zoë"), ("{{ First Name }} {firstName} {{FIRST-NAME}}", "Zoë Zoë Zoë"),
    ("{{{first_name}}}", "{Zoë}"), ('{{"a": {{1, 2}} }}', '{"a": {1, 2} }'),
    ("at {company}", "at Analytical {Engines}"),
    ("two\n{first_name}\nlines", "two\nZoë\nlines"),
    ("100 % {first_name} \\n %s", "100 % Zoë \\n %s"),
])  # fmt: skip
def test_render(template: str, message: str) -> None:
    """Fields are filled in once, doubled braces are braces, and all else stays as it stands."""
    assert render(template, FIELDS) == message


@pytest.mark.parametrize(("template", "missing"), [
    ("Hi {name}", "{name}"), ("Hi {empty}", "{empty}"), ("Hi {{nick}}", "{nick}"), ("Hi {}", "{}"),
    ("{first_name} {name}", "{name}"), ("{first_name.__class__}", "{first_name.__class__}"),
])  # fmt: skip
def test_a_field_that_is_missing_or_empty_is_named(template: str, missing: str) -> None:
    """Nobody wants to be greeted with "Hi ,", nor to see the insides of a program."""
    with pytest.raises(ValueError, match="the message needs") as refused:
        render(template, FIELDS)
    assert missing in str(refused.value)


@pytest.mark.parametrize(("template", "hint"), [
    ("Hi {first_name", "a { without its }"), ("Hi first_name}", "a } without its {"), ("{a}}", "write }}"),
    ("{{{a}}", "write }}"), ("{a{b}}", "a { without"),
])  # fmt: skip
def test_a_single_brace_is_refused(template: str, hint: str) -> None:
    """It would be sent as it stands; the sentence says how a brace is written that is meant."""
    with pytest.raises(UserError) as refused:
        check_template(template)
    assert hint in str(refused.value)


@pytest.mark.parametrize("template", ["", "Hi {a}", "{{a}}", "{{{a}}}", "{{", "}}", "{}"])
def test_closed_and_doubled_braces_are_not_refused(template: str) -> None:
    """They are a field, or the braces themselves."""
    check_template(template)


@given(st.text())
def test_what_is_filled_in_is_not_filled_in_again(name: str) -> None:
    """Whatever somebody is called, their name is not read as a template."""
    if name:
        assert render("{name}", {"name": name, "secret": "x"}) == name


@given(st.text())
def test_doubled_braces_give_any_text(text: str) -> None:
    """Every text can be written as a template that is literal."""
    assert render(text.replace("{", "{{").replace("}", "}}"), {}, literal=True) == text


# --- the lines of a file ----------------------------------------------------------------------------------

Line = dict[str, Any]


def lines(
    text: str, template: str | None = None, channel: str = "linkedin_invite"
) -> tuple[list[Line], list[tuple[int, str]]]:
    """The good lines and the wrong ones of a file."""
    lines, imported = read(text, template, channel)
    return lines, imported.wrong


def staged_lines(content: bytes, wording: Wording, channel: str, **others: Any) -> tuple[Imported, list[Sequence[Any]]]:
    """A file as an import reads it, without a database."""
    imported, mapped = Imported(), others.pop("mapped", {})
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        Path(file.name).write_bytes(content)
        score = partial(columns.score, channel=channel, mapped=mapped)
        with tables.opened(Path(file.name), score, lambda _: None) as table:
            matched = columns.match(table.header, channel, mapped)
            csv_file._check_header(table.header, matched, channel, wording)
            staged = list(csv_file._lines(table, matched, "fall", channel, wording, imported, **others))
    imported.remarks += table.remarks
    return imported, staged


def read(text: str, template: str | None = None, channel: str = "linkedin_invite") -> tuple[list[Line], Imported]:
    """The good lines of a file, and what is said of it."""
    imported, staged = staged_lines(text.encode(), Wording(template), channel)
    return [dict(zip(STAGED, line, strict=True)) for line in staged], imported


def test_the_recipient_may_stand_under_the_channels_own_name() -> None:
    """linkedin_user_id, email or phone, where there is no column recipient; that one wins where there is."""
    for channel, column, to in (
        ("linkedin_message", "linkedin_user_id", "x"), ("email", "email", "x@y.org"), ("sms", "phone", "+14155552671"),
    ):  # fmt: skip
        [line], wrong = lines(f"{column},message,subject\n{to},m,s\n", channel=channel)
        assert (line["recipient"], line[column], wrong) == (to, to, [])
    [line], _ = lines("recipient,email,message,subject\nr@x.org,e,m,s\n", channel="email")
    assert (line["recipient"], line["email"]) == ("r@x.org", "e")


def test_phone_numbers_are_stored_in_one_form_and_bad_ones_named_by_line() -> None:
    """So that one number, written in two ways, is one recipient with one key."""
    both, wrong = lines("recipient,message\n+1 (415) 555-2671,m\n415 555 2671,m\n+14155552671,m\n", channel="sms")
    assert [line["recipient"] for line in both] == ["+14155552671"] * 2
    assert len({line["dedupe_key"] for line in both}) == 1
    assert [(number, "does not say its country" in why) for number, why in wrong] == [(3, True)]


def test_one_person_written_in_several_ways_has_one_key() -> None:
    """What is stored as the recipient stays as it was written."""
    urls = ["https://www.linkedin.com/in/Ada/?trk=x", "linkedin.com/in/ada", "in/ada"]
    both, _ = lines("recipient,message\n" + "".join(f"{url},m\n" for url in urls))
    assert [line["recipient"] for line in both] == urls
    assert {line["dedupe_key"] for line in both} == {"fall:linkedin_invite:ada"}
    both, _ = lines("email,message,subject\nAda@X.org,m,s\nada@x.org,m,s\n", channel="email")
    assert [line["recipient"] for line in both] == ["Ada@X.org", "ada@x.org"]
    assert {line["dedupe_key"] for line in both} == {"fall:email:ada@x.org"}


def test_what_no_provider_would_send_is_named_by_line() -> None:
    """A mail without a subject or to no address, a text that is too long."""
    _, wrong = lines("email,message,subject\nada@x.org,m,\nada,m,s\nada@x.org,m,s\n", channel="email")
    assert wrong == [(2, "the mail has no subject: give it one"),
                     (3, "'ada' is not a mail address: write it as ada@example.com")]  # fmt: skip
    long = f"phone,message\n+14155552671,{'x' * 1600}\n+14155552671,{'x' * 1601}\n"
    _, wrong = lines(long, channel="sms")
    assert wrong == [(3, "the text has 1,601 characters, and an SMS takes 1,600 at the most: shorten it")]
    with pytest.raises(UserError, match="The file has no column subject, and mails need one"):
        lines("email,message\nada@x.org,m\n", channel="email")


def test_a_line_gets_its_key_from_campaign_channel_and_recipient() -> None:
    """So that the same file twice is the same messages; a key of one's own wins."""
    both, _ = lines("recipient,message,dedupe_key\na,m,\nb,m,mine\n")
    assert [line["dedupe_key"] for line in both] == ["fall:linkedin_invite:a", "mine"]


def test_numbers_are_those_that_an_editor_shows() -> None:
    """A field with line breaks counts as the lines that it takes, an empty line as one."""
    good, wrong = lines('recipient,message\na,"1\n2\n3"\n,x\n\nb,y\n"","x\nz"\n,w\n')
    assert [line["line"] for line in good] == [2, 7]
    assert [number for number, _ in wrong] == [5, 8, 10]


def test_a_header_over_several_lines_is_counted_too() -> None:
    """Spreadsheets let a heading have line breaks."""
    good, wrong = lines('recipient,message,"job\ntitle"\na,m,t\n,m,t\n')
    assert [line["line"] for line in good] == [3]
    assert [number for number, _ in wrong] == [4]
    assert good[0]["attributes"] == '{"job_title": "t"}'


def test_known_columns_and_fields_are_known_however_they_are_written() -> None:
    """In spite of case, blanks, underscores and camelCase; other columns are what they were, and their fields too."""
    [line], wrong = lines(
        "linkedinUserId,firstName,Job Title\na,Ada,Countess\n", "{{ First Name }} {jobTitle} {{FIRSTNAME}}"
    )
    assert (line["recipient"], line["first_name"], line["message"], wrong) == ("a", "Ada", "Ada Countess Ada", [])
    assert line["attributes"] == '{"job_title": "Countess"}'


@pytest.mark.parametrize(("message", "said"), [
    ("Hi {{nick}}", "The message needs {{nick}}, and the file has no such column: use one of the fields (first_name, "
                    "recipient), or add --literal to send {nick}."),
    ("Hi [First Name]", "The message has [First Name], which would be sent unchanged: write {first_name}, or add "
                        "--literal if you mean that."),
    ("Hi %NICK%", "The message has %NICK%, which would be sent unchanged: use one of the fields (first_name, "
                  "recipient), or add --literal if you mean that."),
    ("{{#if first_name}}Hi{{/if}}", "{{#if first_name}}"), ("Hi <<first_name>>", "write {first_name}"),
])  # fmt: skip
def test_placeholders_of_others_are_refused(message: str, said: str) -> None:
    """In the text that is given with the file, once; --literal sends them."""
    with pytest.raises(UserError) as refused:
        lines("recipient,first_name\na,Ada\n", message)
    assert said in str(refused.value)


def test_placeholders_in_cells_are_refused_with_their_line() -> None:
    """A text of the file's own is sent as it stands, so nothing in it may look as if it were filled in."""
    good, wrong = lines("recipient,message,company\na,50 % [see here],x\nb,to {company},y\nc,to <<firm>>,z\n")
    assert [line["message"] for line in good] == ["50 % [see here]"]
    assert wrong == [
        (3, "the message has {company}, which would be sent unchanged: give the message with --message "
            "'… {company} …', or add --literal if you mean that"),
        (4, "the message has <<firm>>, which would be sent unchanged: use one of the fields (company, message, "
            "recipient), or add --literal if you mean that"),
    ]  # fmt: skip


def test_what_is_literal_is_sent_as_it_stands() -> None:
    """With --literal only {field} is filled in, and doubled braces are braces."""
    wording = Wording("{first_name} {{first_name}} [First Name] %NICK%", literal=True)
    _, [line] = staged_lines(b"recipient,first_name\na,Ada\n", wording, "linkedin_invite")
    assert line[STAGED.index("message")] == "Ada {first_name} [First Name] %NICK%"


@pytest.mark.parametrize(("text", "hint"), [
    ('recipient,message\na,m\nb,"m\n\n', "from line 3 on (a quote is opened and not closed)"),
    (f"recipient,message\na,m\nb,{'x' * 200_000}\n", "from line 3 on (field larger than"),
])  # fmt: skip
def test_what_is_no_csv_is_named_by_its_line(text: str, hint: str) -> None:
    """The line on which the record begins, and what is most likely wrong."""
    with pytest.raises(UserError) as refused:
        lines(text)
    assert hint in str(refused.value)


def test_a_zone_that_is_none_is_refused() -> None:
    """Also the abbreviations that Postgres would take."""
    _, [(_, reason)] = lines("recipient,message,timezone\na,m,EDT\nb,m,Europe/Paris\n")
    assert "There is no time zone 'EDT': write a name of the IANA database, such as America/New_York." in reason


def test_what_is_not_known_is_an_attribute() -> None:
    """Columns without a meaning are kept as JSON, empty ones left out; columns without a name are not kept."""
    [line], _ = lines("recipient,message,Favourite Colour,Empty,\na,m,blue,,x\n")
    assert line["attributes"] == '{"favourite_colour": "blue"}'


def test_moments_and_priorities_are_read() -> None:
    """As on the command line: with a zone, and whole numbers."""
    [line], _ = lines("recipient,message,scheduled_for,priority\na,m,2026-11-23T09:00:00+01:00,-3\n")
    assert line["scheduled_for"] == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert line["priority"] == -3


@pytest.mark.parametrize("priority", ["1.5", "40000", "-40000", "999999", "high"])
def test_a_priority_that_does_not_fit_is_named(priority: str) -> None:
    """It would not fit into its column."""
    _, [(number, reason)] = lines(f"recipient,message,priority\na,m,{priority}\n")
    assert (number, "whole number from -32768 to 32767" in reason) == (2, True)


def test_nul_characters_are_refused() -> None:
    """No text in Postgres may hold one."""
    _, [(number, reason)] = lines("recipient,message\na,m\0\n")
    assert (number, "NUL" in reason) == (2, True)


@pytest.mark.parametrize("header", ["", "message\n", "name,message\n"])
def test_a_file_without_a_recipient_is_refused_as_a_whole(header: str) -> None:
    """The sentence says that the first line names the columns."""
    with pytest.raises(UserError, match="no column recipient"):
        lines(header)
