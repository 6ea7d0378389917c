"""The first week of a person who does not program: lists as they were exported, corrections, a colleague who leaves, a
second campaign, a rehearsal, the report. Every step is a command; no step is SQL."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from conftest import Cli, fresh_database

from send_queue.sandbox import Sandbox

from .conftest import Done

MONDAY = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""10:00 in New York, in the past: the week stands as it was played."""

DAY, HALF_AN_HOUR = timedelta(days=1), timedelta(minutes=30)
APOLLO, EVABOOT, HUBSPOT, NAVIGATOR, CONNECTIONS = (
    "apollo-contacts-export.csv", "Evaboot leads.csv", "hubspot-contacts.xlsx", "sales-navigator.csv",
    "Connections.csv",
)  # fmt: skip
TYPO = "Hi {first_name}, I folow {company}."
TEXT = "Hi {first_name}, I follow {company}."


def exports(folder: Path) -> None:
    """Write five lists in the shape of their tools, with invented people."""
    (folder / APOLLO).write_text(
        "First Name,Last Name,Title,Company Name,Company Name for Emails,Email,Email Status,Mobile Phone,# Employees,"
        "Person Linkedin Url,Website,Company Linkedin Url,City,Country\n"
        "Ada,Lovell,CTO,Analytical Ltd,Analytical,ada@analytical.example,Verified,'+44 7700 900100,40,"
        "http://www.linkedin.com/in/ada-lovell-x,http://analytical.example,http://www.linkedin.com/company/a,London,UK\n"
        "Abe,Young,CFO,Young Inc,Young,abe@young.example,Verified,,12,http://www.linkedin.com/in/abe-young-x,,,Reno,US\n"
    )
    evaboot = io.StringIO()
    csv.writer(evaboot, delimiter=";").writerows([
        ["First Name", "Last Name", "Full Name", "Current Job", "Company Name", "Email", "LinkedIn URL",
         "Sales Navigator URL", "Company LinkedIn URL", "Matches Filters"],
        ["Béa", "Stone", "Béa Stone", "Buyer", "Stone SA", "bea@stone.example",
         "https://www.linkedin.com/in/bea-stone-x", "https://www.linkedin.com/sales/lead/ACwAAAbea1,NAME_SEARCH,x1",
         "https://www.linkedin.com/company/1", "YES"],
        ["", "", "", "", "", "", "", "", "", ""],
    ])  # fmt: skip
    (folder / EVABOOT).write_bytes(evaboot.getvalue().encode("cp1252"))
    workbook(folder / HUBSPOT, [
        ["Record ID", "First Name", "Last Name", "Email", "Lead Status", "Company Name", "LinkedIn page"],
        ["101", "Cy", "Wolf", "cy@wolf.example", "New", "Wolf Inc", "https://linkedin.com/in/cy-wolf-x"],
        ["102", "Nell", "Nolink", "nell@x.example", "New", "Nolink Inc", ""],
    ])  # fmt: skip
    (folder / NAVIGATOR).write_text(
        "profileUrl,fullName,firstName,lastName,companyName,title,companyId,companyUrl,regularCompanyUrl,location,vmid,"
        "linkedInProfileUrl,defaultProfileUrl\n"
        '"https://www.linkedin.com/sales/lead/ACwAAAdan1,NAME_SEARCH,y",Dan Reed,Dan,Reed,Reed AG,CFO,1,x,y,Berlin,'
        "ACwAAAdan1,https://www.linkedin.com/in/ACwAAAdan1,https://www.linkedin.com/in/dan-reed-x\n"
    )
    (folder / CONNECTIONS).write_text(
        "Notes:\n"
        '"When exporting your connection data, you may notice that some of the email addresses are missing."\n\n'
        "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
        "Eva,Noël,https://www.linkedin.com/in/eva-noel-x,,Noël & Fils,Founder,03 Nov 2025\n"
    )


def workbook(path: Path, rows: list[list[str]]) -> None:
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types">'
                      '<Default Extension="xml" ContentType="application/xml"/></Types>')  # fmt: skip
        file.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                      f'Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>')  # fmt: skip
        file.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>'
                      '<sheet name="Contacts" sheetId="1" r:id="r1"/></sheets></workbook>')  # fmt: skip
        file.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships"><Relationship '
                      f'Id="r1" Type="{rel}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')  # fmt: skip
        file.writestr("xl/worksheets/sheet1.xml",
                      f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>')  # fmt: skip


class Week(Protocol):
    """Run a command at a moment of the week; `rehearsal` runs it on the queue for rehearsals."""

    def __call__(self, *args: str, now: datetime = MONDAY, rehearsal: bool = False, check: bool = True) -> Done: ...


@pytest.fixture
def week(
    cli: Cli, empty_database: str, server: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Week]:
    exports(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*args: str, now: datetime = MONDAY, rehearsal: bool = False, check: bool = True) -> Done:
        env = {"UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "any",
               "DATABASE_URL": rehearsed if rehearsal else empty_database}  # fmt: skip
        return cli(*args, env=env, now=now, check=check)

    fresh = fresh_database(server, "template1")
    rehearsed = next(fresh)
    yield run
    next(fresh, None)


def set_up(week: Week, rehearsal: bool = False) -> None:
    """The commands of the page: a schedule, two seats, a campaign."""
    for line in (
        "migrate",
        "schedule add office --timezone America/New_York --hours 09:00-17:00 --days mon-fri --holidays US",
        "account add lena --provider unipile --provider-account-id Xb3cR1 --schedule office",
        "account add ben --provider unipile --provider-account-id Yc4dS2 --schedule office",
        "lane set lena linkedin_invite --warm-up 5+2 --cap-timezone America/New_York",
        "campaign add spring --account lena --account ben",
    ):
        week(*line.split(), rehearsal=rehearsal)


def load(week: Week, file: str, *more: str, campaign: str = "spring", text: str = TYPO, **how: Any) -> Done:
    return week("import", file, "--campaign", campaign, "--channel", "linkedin_invite", "--message", text, *more, **how)


def load_all(week: Week, rehearsal: bool = False) -> list[Done]:
    """Five lists as they are; the commands ask for one mapping and one option, and those are taken as they print."""
    done = [load(week, file, rehearsal=rehearsal) for file in (APOLLO, EVABOOT, NAVIGATOR, CONNECTIONS)]
    asked = load(week, HUBSPOT, check=False, rehearsal=rehearsal)
    proposed = re.search(r'--map "([^"]+)"', asked.stderr)
    assert (asked.returncode, proposed is not None) == (2, True), asked.stderr
    mapped = ("--map", proposed[1]) if proposed else ()
    asked = load(week, HUBSPOT, *mapped, check=False, rehearsal=rehearsal)
    assert "hubspot-contacts.xlsx, line 3: the recipient is missing" in asked.stderr
    assert "leave out lines without an address with --skip-incomplete" in asked.stderr
    return [*done, load(week, HUBSPOT, *mapped, "--skip-incomplete", rehearsal=rehearsal)]


def ids(week: Week, *filters: str, now: datetime = MONDAY) -> list[str]:
    return [line.split()[0] for line in week("list", *filters, now=now).stdout.splitlines()[1:]]


def day(week: Week, now: datetime, runs: int = 4, rehearsal: bool = False) -> list[str]:
    """Cron's runs of a morning, half an hour apart; their lines."""
    return [week("run-once", now=now + n * HALF_AN_HOUR, rehearsal=rehearsal).stdout for n in range(runs)]


def test_the_first_week(week: Week, sandbox: Sandbox, tmp_path: Path) -> None:
    """Six of five lists are invited, each once, with the corrected text; a colleague's share goes out from the one who
    stays; the second campaign leaves out whom the first one wrote to; the report shows it all."""
    # Monday: five lists, not edited.
    set_up(week)
    done = load_all(week)
    assert [line.stdout for line in done] == ["2 enqueued, 0 there already.\n"] + 4 * ["1 enqueued, 0 there already.\n"]
    assert "was read as Windows-1252: check a name with an accent" in done[1].stderr
    assert "The first 3 lines are not the header, and were skipped." in done[3].stderr
    assert "One line has no linkedin_user_id and was left out: line 3." in done[4].stderr
    assert load(week, APOLLO).stdout == "0 enqueued, 2 there already.\n"

    # One goes out before somebody sees the typo; what waits is corrected.
    assert "1 sent" in week("run-once").stdout
    preview = week("amend", "--campaign", "spring", "--message", TEXT, "--dry-run").stdout
    assert "I follow " in preview
    assert preview.endswith("5 would be amended.\n")
    assert week("amend", "--campaign", "spring", "--message", TEXT).stdout.endswith("5 amended.\n")

    # Somebody asks after a person: by name, three ways.
    tuesday = MONDAY + DAY
    assert "Ada Lovell" in week("list", "--name", "lovell").stdout
    assert "bea-stone-x" in week("list", "--name", "Béa").stdout
    [noel] = ids(week, "--name", "noël")
    explained = week("explain", "--name", "noël", now=MONDAY + DAY / 2).stdout
    assert re.search("it can go at (about )?2026-03-03T14:", explained), explained
    assert "enqueued" in week("history", "--name", "noël").stdout

    # Wednesday: ben leaves. The commands say which command comes next.
    day(week, tuesday, runs=1)
    wednesday = MONDAY + 2 * DAY
    waiting = ids(week, "--account", "ben", "--status", "pending", now=wednesday)
    assert waiting
    week("pause", "account", "ben", "--reason", "left us", now=wednesday)
    left = week("campaign", "set", "spring", "--remove-account", "ben", now=wednesday).stdout
    proposed = re.search(r"`send-queue (reassign ben --to) NAME (--campaign spring)`", left)
    assert proposed, left
    words = [*proposed[1].split(), "lena", *proposed[2].split()]
    assert week(*words, now=wednesday).stdout.startswith(f"{len(waiting)} moved from ben to lena.\n")
    assert ids(week, "--account", "ben", "--status", "pending", now=wednesday) == []
    day(week, wednesday)
    assert "There are none." in week("list", "--status", "pending", now=wednesday).stdout

    # Thursday: a second campaign, for people of a list of which one was written to.
    thursday = MONDAY + 3 * DAY
    (tmp_path / "fair.csv").write_text(
        "First Name,Last Name,Company,LinkedIn\nAda,Lovell,Analytical,linkedin.com/in/ada-lovell-x/\n"
        "Zed,New,New Ltd,linkedin.com/in/zed-new-x\n"
    )
    week("campaign", "add", "fair", "--account", "lena", now=thursday)
    second = load(
        week, "fair.csv", "--skip-contacted", "90d", campaign="fair", text="See you, {first_name}!", now=thursday
    )
    assert second.stdout.startswith("1 enqueued, 0 there already"), second.stdout
    assert len(ids(week, "--campaign", "fair", "--status", "pending", now=thursday)) == 1
    day(week, thursday, runs=1)

    # Friday: the report.
    friday = MONDAY + 4 * DAY
    week("report", "--days", "7", "-o", "week.html", now=friday)
    page = (tmp_path / "week.html").read_text()
    assert all(word in page for word in ("spring", "fair", "lena", "ben"))
    texts = {entry["recipient"]: entry["text"] for entry in sandbox.accepted()}
    assert len(sandbox.accepted()) == len(texts) == 7
    assert sum("folow" in text for text in texts.values()) == 1
    assert noel in ids(week, "--status", "sent", now=friday)


def test_a_week_is_rehearsed_on_a_queue_of_its_own(week: Week, sandbox: Sandbox) -> None:
    """The same lists, day by day, before anything is sent: the real queue knows nothing of it."""
    week("migrate")
    set_up(week, rehearsal=True)
    load_all(week, rehearsal=True)
    assert [sum("1 sent" in line for line in day(week, MONDAY + n * DAY, rehearsal=True)) for n in range(-1, 2)] == [
        0,
        4,
        2,
    ]
    assert len(sandbox.accepted()) == 6
    assert "There are none." in week("list").stdout
