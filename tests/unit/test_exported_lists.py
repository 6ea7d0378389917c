"""Lists as other tools export them, in shape, with invented people: read without any editing."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from workbooks import CONNECTIONS, workbook

from send_queue.intake import columns, tables
from send_queue.model import UserError

APOLLO = (
    "First Name,Last Name,Title,Company Name,Company Name for Emails,Email,Email Status,Seniority,Work Direct Phone,"
    "Home Phone,Mobile Phone,Corporate Phone,# Employees,Industry,Person Linkedin Url,Website,Company Linkedin Url,"
    "Facebook Url,City,State,Country\n"
    "Ada,Lovell,CTO,Analytical Ltd,Analytical,ada@analytical.example,Verified,C suite,+44 20 7946 0100,,"
    "+44 7700 900100,+44 20 7946 0000,40,software,http://www.linkedin.com/in/ada-lovell-x,http://analytical.example,"
    "http://www.linkedin.com/company/analytical,,London,,United Kingdom\n"
)
EVABOOT = (
    "First Name,Last Name,Full Name,Current Job,Company Name,Email,Email Status,Prospect Location,LinkedIn URL,"
    "Sales Navigator URL,Company LinkedIn URL,Matches Filters\n"
    "Bea,Stone,Bea Stone,Buyer,Stone SA,bea@stone.example,safe,Lyon,https://www.linkedin.com/in/bea-stone-x,"
    '"https://www.linkedin.com/sales/lead/ACwAAAbea1234,NAME_SEARCH,x1",https://www.linkedin.com/company/1,YES\n'
)
HUBSPOT = (
    '"Record ID","First Name","Last Name","Email","Phone Number","Contact owner","Lead Status",'
    '"Associated Company","LinkedIn URL"\n'
    '"101","Cy","Wolf","cy@wolf.example","+1 415 555 2671","","New","Wolf Inc","https://linkedin.com/in/cy-wolf-x"\n'
)
SALES_NAVIGATOR = (
    "profileUrl,fullName,firstName,lastName,companyName,title,companyId,companyUrl,regularCompanyUrl,summary,"
    "titleDescription,industry,location,vmid,linkedInProfileUrl,defaultProfileUrl\n"
    '"https://www.linkedin.com/sales/lead/ACwAAAdan1234,NAME_SEARCH,y",Dan Reed,Dan,Reed,Reed AG,CFO,1,x,y,,,,Berlin,'
    "ACwAAAdan1234,https://www.linkedin.com/in/ACwAAAdan1234,https://www.linkedin.com/in/dan-reed-x\n"
)


def read(content: bytes, tmp_path: Path, channel: str = "linkedin_invite", **mapped: str) -> tuple[Any, list[Any]]:
    """The table of a file, and its rows as {field: cell}, or the sentence on a row."""
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    given = {column.replace("_", " "): field for column, field in mapped.items()}
    with tables.opened(file, partial(columns.score, channel=channel, mapped=given), lambda _: None) as table:
        matched = columns.match(table.header, channel, given)
        return table, [cells if isinstance(cells, str) else dict(zip(matched.names, cells, strict=True))
                       for _, cells in table.rows]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (APOLLO, {"first_name": "Ada", "company": "Analytical Ltd", "email": "ada@analytical.example",
                  "phone": "+44 7700 900100", "linkedin_user_id": "http://www.linkedin.com/in/ada-lovell-x"}),
        (EVABOOT, {"name": "Bea Stone", "company": "Stone SA", "email": "bea@stone.example",
                   "linkedin_user_id": "https://www.linkedin.com/in/bea-stone-x"}),
        (HUBSPOT, {"first_name": "Cy", "company": "Wolf Inc", "phone": "+1 415 555 2671",
                   "linkedin_user_id": "https://linkedin.com/in/cy-wolf-x"}),
        (SALES_NAVIGATOR, {"name": "Dan Reed", "company": "Reed AG",
                           "linkedin_user_id": "https://www.linkedin.com/in/ACwAAAdan1234"}),
        (CONNECTIONS, {"first_name": "Eva", "company": "Noël & Fils",
                       "linkedin_user_id": "https://www.linkedin.com/in/eva-noel-x"}),
    ],
    ids=["apollo", "evaboot", "hubspot", "sales-navigator", "connections"],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_an_export_is_read_as_it_is(
    text: str, expected: dict[str, str], encoding: str, separator: str, tmp_path: Path
) -> None:
    """In each usual encoding and separator, the fields of a person are theirs and not their company's."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(csv.reader(io.StringIO(text)))
    table, [row] = read(out.getvalue().encode(encoding), tmp_path)
    assert {name: row[name] for name in expected} == expected
    said = {"utf-16": "was read as UTF-16", "utf-16-le": "was read as UTF-16"}.get(encoding)
    if encoding == "cp1252" and not text.isascii():
        said = "was read as Windows-1252"
    assert any(said in remark for remark in table.remarks) if said else not any("read as" in r for r in table.remarks)


def test_lines_before_the_header_are_skipped_and_counted(tmp_path: Path) -> None:
    """LinkedIn's own export begins with a note; rows keep their numbers."""
    table, _ = read(CONNECTIONS.encode(), tmp_path)
    assert table.remarks == ["The first 3 lines are not the header, and were skipped."]
    file = tmp_path / "list.csv"
    with tables.opened(file, partial(columns.score, channel="email", mapped={}), lambda _: None) as table:
        assert [number for number, _ in table.rows] == [5]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;\r"])
def test_a_separator_that_excel_names_is_obeyed(first: str, tmp_path: Path) -> None:
    _, [row] = read(f"{first}\nemail;note\na@x.example;1,2,3\n".encode(), tmp_path, "email")
    assert row == {"email": "a@x.example", "note": "1,2,3"}


def test_empty_columns_at_the_end_and_rows_of_blanks_count_for_nothing(tmp_path: Path) -> None:
    """Excel writes both; a cell with something in it beyond the header is an error of its line."""
    _, rows = read(b"email,first_name,,\na@x.example,Ada\n , ,,\n,,,\nb@x.example,Bea,,,\nc@x.example,Cy,,,x\n",
                   tmp_path, "email")  # fmt: skip
    assert [row if isinstance(row, str) else row["email"] for row in rows] == [
        "a@x.example", "b@x.example", "it has 5 fields, the header has 4",
    ]  # fmt: skip


def test_a_file_in_two_encodings_is_refused(tmp_path: Path) -> None:
    """A guess would write names wrongly."""
    with pytest.raises(UserError, match=r"is not text in utf-8 \(byte 0xe9\): save it as CSV UTF-8"):
        read("email,name\na@x.example,Zoë\n".encode() + b"b@x.example,Ren\xe9\n", tmp_path, "email")


@pytest.mark.parametrize("text", ["email,name\na@x.example,Zo\xe9", "email,name\na@x.example,\xe9t\xe9\n"])
def test_windows_1252_is_told_wherever_its_first_letter_stands(text: str, tmp_path: Path) -> None:
    """At the end of the file too, where UTF-8 could go on."""
    table, [row] = read(text.encode("cp1252"), tmp_path, "email")
    assert row["name"] == text.rpartition(",")[2].strip()
    assert "was read as Windows-1252" in table.remarks[0]


def test_two_columns_that_may_hold_the_address_are_named_with_the_option_to_add(tmp_path: Path) -> None:
    """Nothing is guessed where it decides who is written to; a mapping settles it."""
    text = b"Work Email,Business Email,Name\na@x.example,b@x.example,Ada\n"
    with pytest.raises(UserError) as error:
        read(text, tmp_path, "email")
    assert str(error.value) == (
        'The file has several columns for email: add one of --map "Work Email=email" or --map "Business Email=email" '
        "to say which."
    )
    _, [row] = read(text, tmp_path, "email", Business_Email="email")
    assert row == {"work_email": "a@x.example", "email": "b@x.example", "name": "Ada"}


@pytest.mark.parametrize(
    ("column", "field", "sentence"),
    [
        ("Nope", "email", "The file has no column 'Nope', which --map names: its columns are Mail, Note."),
        ("Note", "colour", '--map "Note=colour" names no field: use one of recipient, message,'),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(column: str, field: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read(b"Mail,Note\na@x.example,x\n", tmp_path, "email", **{column: field})
    assert str(error.value).startswith(sentence)


def test_a_column_that_may_hold_the_address_is_proposed() -> None:
    """Its name has the word, and it is not a company's."""
    header = ["Kontakt-LinkedIn", "Company LinkedIn", "E-Mail 2 (privat)"]
    assert columns.hint(header, "linkedin_invite") == '--map "Kontakt-LinkedIn=linkedin_user_id"'
    assert columns.hint(header, "email") == '--map "E-Mail 2 (privat)=email"'
    assert columns.hint(["Name"], "email") == ""


def test_a_url_is_a_profile_only_in_a_list_for_linkedin() -> None:
    """In a list of addresses it is mostly a website."""
    assert columns.match(["Email", "URL"], "email", {}).names == ("email", "url")
    assert columns.match(["Name", "URL"], "linkedin_invite", {}).names == ("name", "linkedin_user_id")


def test_texts_may_use_either_name_of_a_column() -> None:
    assert columns.match(["Email", "Company Name"], "email", {}).renamed == {"company_name": "company"}


def test_a_workbook_is_read_like_a_file_of_text(tmp_path: Path) -> None:
    """The first sheet with something on it; lines before the header are skipped there too."""
    file = workbook(tmp_path / "people.xlsx", [["Our list", ""], ["Email", "Full Name"], ["a@x.example", "Ada"]])
    with tables.opened(file, partial(columns.score, channel="email", mapped={}), lambda _: None) as table:
        assert (table.header, list(table.rows)) == (["Email", "Full Name"], [(3, ["a@x.example", "Ada"])])
        assert table.remarks == ["The first row is not the header, and was skipped."]


def test_a_broken_workbook_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "people.xlsx"
    file.write_bytes(b"PK\x03\x04 and nothing more")
    with (
        pytest.raises(UserError, match=r"cannot be read as an Excel workbook .*: save it as CSV UTF-8"),
        tables.opened(file, lambda _: 0, lambda _: None),
    ):
        pass


@pytest.mark.parametrize(("value", "written"), [(4155552671.0, "4155552671"), (1.5, "1.5"), ("", ""), (True, "True")])
def test_a_cell_is_written_as_a_person_would(value: object, written: str) -> None:
    assert tables._cell(value) == written


@pytest.mark.parametrize("name", ["x", "URL", "Company", "", "Email 2"])
def test_a_header_of_very_many_columns_takes_no_time(name: str) -> None:
    """In the order of its length, alike or not: the second of a name that means nothing has a number."""
    header = ["email", *[name] * 100_000]
    began = time.process_time()
    for _ in range(2):
        with suppress(UserError):
            columns.match(header, "email", {})
        columns.score(header, "email", {})
        columns.hint(header, "linkedin_invite")
    assert time.process_time() - began < 10
    assert columns.match(["email", "x", "X", "x"], "email", {}).names == ("email", "x", "x_2", "x_3")
