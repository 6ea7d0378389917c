"""Getting many messages in."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import psycopg

from . import queues
from .bed import Bed
from .measure import Line, in_turn, must


def import_(bed: Bed) -> list[Line]:
    """Lines a second of `import`, the whole process: rows alone, and with the people they go to made on the way.

    Beside it, to be compared with: a bare COPY of the same rows into the table with its indexes and constraints.
    """
    n = bed.size.lines
    rows, people = bed.folder / "rows.csv", bed.folder / "people.csv"
    _write(rows, ["recipient", "message"], ([f"person {i}", f"Hello number {i}"] for i in range(n)))
    header = ["linkedin_user_id", "first_name", "company"]
    _write(people, header, ([f"ACoAA{i}", f"Ada {i}", f"Company {i % 1000}"] for i in range(n)))
    bed.database("to import", lambda url: queues.build(url, lanes=10, pending=0, channel="linkedin_invite"))

    def imported(file: Path, channel: str, *more: str) -> float:
        with bed.copy("to import") as url:
            done = bed.send_queue("import", str(file), "--campaign", "c0", "--channel", channel, *more, url=url)
            stored = queues.value(url, "select count(*) from send_queue where status = 'pending'")
            must(stored == n, f"{stored} of {n} lines were stored")
        return n / done.seconds

    def copied() -> float:
        with bed.copy("to import") as url, psycopg.connect(url, autocommit=True) as conn:
            ids = conn.execute(
                "select p.workspace_id::text, p.campaign_id::text, p.account_id::text, 'linkedin_invite' "
                "from send_campaign_accounts p"
            ).fetchall()
            began = time.perf_counter()
            into = "copy send_queue (workspace_id, campaign_id, account_id, channel, recipient, message) from stdin"
            with conn.cursor().copy(into) as copy:
                for i in range(n):
                    copy.write_row((*ids[i % len(ids)], f"ACoAA{i}", f"Hi Ada {i}"))
            seconds = time.perf_counter() - began
            must(queues.value(conn, "select count(*) from send_queue") == n, "COPY has not stored all")
        return n / seconds

    alone, with_people, bare = in_turn(
        bed.size.rounds,
        lambda: imported(rows, "log"),
        lambda: imported(people, "linkedin_invite", "--message", "Hi {first_name}, I follow {company}."),
        copied,
    )
    return [
        Line("import", "lines/s", alone, at_least=40_000),
        Line("import, with people", "lines/s", with_people, at_least=40_000),
        Line("bare COPY of such rows", "lines/s", bare),
    ]


def _write(file: Path, header: list[str], lines: object) -> None:
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(header)
        writer.writerows(lines)  # type: ignore[arg-type]  # any iterable of lists
