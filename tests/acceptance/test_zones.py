"""Zones of other machines: a server that knows fewer of them, and one with other rules than Python."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Cli, Connection
from zone_data import HOUR, lay, tzif

from send_queue.store import embedded

AT = datetime(2026, 11, 24, 15, tzinfo=UTC)

OLD_NAMES = ("US", "Asia/Calcutta", "Canada", "GB")


@pytest.fixture
def fewer_zones(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server whose zones have no old names, as on Debian 13."""
    folder = Path(tempfile.mkdtemp(prefix="sq-zones-", dir="/tmp"))
    installed = embedded.bin_dir().parent  # its libraries lie beside its package
    copy = folder / "site" / installed.parent.name / installed.name
    shutil.copytree(installed, copy, ignore=shutil.ignore_patterns("include"), symlinks=True)
    for libraries in installed.parent.parent.glob(f"{installed.parent.name}.libs"):
        shutil.copytree(libraries, folder / "site" / libraries.name)
    [zones] = copy.rglob("timezone/America")
    for name in OLD_NAMES:
        path = zones.parent / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.setattr(embedded, "bin_dir", lambda: copy / "bin")
    try:
        yield embedded.url(folder / "data")
    finally:
        embedded.stop(folder / "data")
        shutil.rmtree(folder)


def in_old_name(conn: Connection, account: str) -> None:
    """Give a lane an old name of its zone past the triggers, as an older version stored it."""
    conn.execute("alter table send_lanes disable trigger user")
    conn.execute(
        "update send_lanes set cap_timezone = 'US/Eastern' where account_id = "
        "(select id from send_accounts where name = %s)",
        (account,),
    )
    conn.execute("alter table send_lanes enable trigger user")


def set_up(cli: Cli) -> None:
    for command in (
        "account add anna --provider log", "account add ben --provider log",
        "campaign add fall --account anna --account ben",
        "enqueue --campaign fall --channel log --account anna --recipient a@example.com --message hi",
        "enqueue --campaign fall --channel log --account ben --recipient b@example.com --message hi",
    ):  # fmt: skip
        cli(*shlex.split(command), now=AT)


def test_a_dump_is_restored_whole_on_a_server_that_knows_fewer_zones(
    cli: Cli, conn: Connection, database: str, fewer_zones: str
) -> None:
    """No lane is lost; that of the unknown zone waits, the others go, and each run and the doctor name the command that
    mends it."""
    set_up(cli)
    in_old_name(conn, "anna")
    programs = embedded.bin_dir()
    dump = subprocess.run([programs / "pg_dump", "--no-owner", database], capture_output=True, check=True).stdout
    subprocess.run(
        [programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", fewer_zones],
        input=dump,
        capture_output=True,
        check=True,
    )

    def there(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return cli(*args, now=AT + timedelta(minutes=5), env={"DATABASE_URL": fewer_zones}, check=check)

    with psycopg.connect(fewer_zones, autocommit=True) as restored:
        assert restored.execute("select cap_timezone from send_lanes order by 1").fetchall() == [
            ("US/Eastern",), ("UTC",),
        ]  # fmt: skip
    there("adopt", "--nothing-was-sent")
    command = "send-queue lane set anna log --cap-timezone America/New_York"
    for sent in (1, 0):  # in each run
        done = there("run", "--json", check=False)
        assert done.returncode == 78
        said = json.loads(done.stdout)
        assert (said["success"], said["sent"]) == (False, sent)
        assert "the time zone US/Eastern, in which the caps of the lane anna log are counted" in done.stderr
        assert f"run `{command}`" in done.stderr
    for looking in (["status"], ["lane", "list"], ["forecast"], ["report"], ["metrics"]):
        there(*looking)
    findings = json.loads(there("doctor", "--json", check=False).stdout)["findings"]
    assert [(f["severity"], f["mend"]) for f in findings if f["check"] == "timezone"] == [("wrong", command)]
    there(*shlex.split(command)[1:])
    assert json.loads(there("run", "--json").stdout)["sent"] == 1
    # Old names are stored as today's, though the server does not know them.
    there("schedule", "add", "india", "--timezone", "Asia/Calcutta", "--hours", "09:00-17:00")
    assert json.loads(there("schedule", "show", "india", "--json").stdout)["timezone"] == "Asia/Kolkata"


def doctor_on_zones(cli: Cli, **env: str) -> list[Any]:
    done = cli("doctor", "--json", now=datetime(2026, 10, 1, tzinfo=UTC), env=env, check=False)
    return [found for found in json.loads(done.stdout)["findings"] if found["check"] == "zone_data"]


def test_the_doctor_compares_the_zones_of_python_with_the_servers(cli: Cli, tmp_path: Path) -> None:
    """It names the zone, the first moment at which they differ, which side is older, and what mends it."""

    def stamp(*when: int) -> int:
        return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]

    # New York as it is until the spring of 2026; from then on it stays in summer time, as Python's data have it.
    changes = []
    for year, march, november in [
        (2007, 11, 4), (2008, 9, 2), (2009, 8, 1), (2010, 14, 7), (2011, 13, 6), (2012, 11, 4), (2013, 10, 3),
        (2014, 9, 2), (2015, 8, 1), (2016, 13, 6), (2017, 12, 5), (2018, 11, 4), (2019, 10, 3), (2020, 8, 1),
        (2021, 14, 7), (2022, 13, 6), (2023, 12, 5), (2024, 10, 3), (2025, 9, 2), (2026, 8, 1),
    ]:  # fmt: skip
        changes += [(stamp(year, 3, march, 7), -4 * HOUR), (stamp(year, 11, november, 6), -5 * HOUR)]
    zone = tzif(-5 * HOUR, changes[:-1], "EDT4")
    lay(tmp_path / "zones", "2999a", America__New_York=zone)
    cli("schedule", "add", "office", "--timezone", "America/New_York", "--hours", "09:00-17:00")
    assert doctor_on_zones(cli) == []
    assert doctor_on_zones(cli, PYTHONTZPATH=str(tmp_path / "zones")) == [{
        "check": "zone_data",
        "severity": "wrong",
        "what": "Python and the database server have other clocks for America/New_York from 2026-11-01 06:00 UTC on "
        "(UTC-04:00 and UTC-05:00): the data of the server are the older (Python has 2999a).",
        "mend": "upgrade the package tzdata on the database server, or the server where it has data of its own, and "
        "restart it",
    }]  # fmt: skip


def test_zones_that_agree_agree_at_each_part_of_a_second(cli: Cli) -> None:
    """The doctor's answer does not depend on the fraction of the second in which it is asked."""
    cli("schedule", "add", "office", "--timezone", "America/New_York", "--hours", "09:00-17:00")
    for part in ("", ".4", ".9", ".999999"):
        done = cli("doctor", "--json", now=f"2026-10-01T00:00:00{part}+00:00", check=False)
        assert [found for found in json.loads(done.stdout)["findings"] if found["check"] == "zone_data"] == []


def test_an_idle_tick_reads_no_zones(cli: Cli) -> None:
    """What a tick with nothing due does not use, it does not import."""
    done = cli("run-once", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "send_queue.core.run" in imported
    assert not imported & {"send_queue.rules.zones", "tzdata", "pendulum"}
