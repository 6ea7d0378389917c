"""The first minute of a new seat: what a user gets who sets nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from conftest import Cli

from acceptance.conftest import DAY, HOUR, MINUTE
from send_queue.sandbox import Sandbox

BERLIN = ZoneInfo("Europe/Berlin")
SUNDAY = datetime(2027, 1, 10, 3, tzinfo=UTC)
GAP = 10 * MINUTE


def test_a_seat_that_nobody_has_paced_sends_slowly_and_never_at_night(
    empty_database: str, cli: Cli, sandbox: Sandbox, env: dict[str, str], tmp_path: Path
) -> None:
    """200 people, drains on Sunday night and all Monday: the provider's journal shows the gap and the hours of the
    workspace's zone, and `doctor` has nothing to say of the seat's pace."""
    env = {**env, "DATABASE_URL": empty_database}
    people = tmp_path / "people.csv"
    people.write_text("linkedin_user_id,first_name\n" + "".join(f"ACoAA{n:04},Ann\n" for n in range(200)))
    cli("migrate", env=env)
    cli("workspace", "set", "default", "--timezone", "Europe/Berlin", env=env)
    cli("account", "add", "anna", "--provider", "unipile", "--provider-account-id", "a1", env=env)
    cli("campaign", "add", "fall", "--account", "anna", env=env)
    cli("import", people, "--campaign", "fall", "--channel", "linkedin_invite", "--message", "Hi {first_name}",
        env=env, now=SUNDAY - DAY)  # fmt: skip

    monday = datetime(2027, 1, 11, tzinfo=BERLIN)
    ticks = [SUNDAY, SUNDAY + 9 * HOUR, monday, monday + 20 * HOUR]
    for hour in range(8, 18):  # twice an hour, and the second time within the gap
        ticks += [monday + hour * HOUR, monday + hour * HOUR + 5 * MINUTE]
    went: list[datetime] = []
    for tick in sorted(ticks):
        before = len(sandbox.accepted())
        cli("run", env=env, now=tick)
        went += [tick] * (len(sandbox.accepted()) - before)

    assert len(went) == 8
    assert all(9 <= moment.astimezone(BERLIN).hour < 17 and moment >= monday for moment in went)
    assert all(later - earlier >= GAP for earlier, later in pairwise(went))
    assert "unpaced" not in cli("doctor", "--json", env=env, now=monday + 20 * HOUR, check=False).stdout
