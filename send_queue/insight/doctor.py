"""Find problems and name the exact command that mends each. Reads only.

    the schema       this version's, else no other check runs
    the database     send_doctor, in one call: tallies, stale rows, indexes, autovacuum, old transactions, holds
    the environment  what the accounts' providers need (environment.py, which probes them too)
    the tokens       send_tokens_doctor: tokens that soon end, and variables that their renewal lacks
    the calendar     schedules that never open for their rows, years with unknown holidays
    the zones        zones unknown to the server, and zones with other rules there than in Python
    the clocks       the database's, which decides, against this machine's

Severity `wrong`: sends cannot go, or go when they should not. `worth knowing`: everything else.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

from send_queue import store
from send_queue.insight import environment
from send_queue.insight.environment import Finding
from send_queue.model import ConfigurationError, Json
from send_queue.providers.oauth.renew import missing_variables
from send_queue.rules import unsubscribe, zones
from send_queue.rules.vault import VARIABLE, Vault
from send_queue.store import Connection, schema

CLOCKS_MAY_DIFFER = timedelta(seconds=60)

YEARS_AHEAD = 10
"""Check holidays at most this far ahead, however late the last row is."""

ZONES_SHOWN = 5
"""Differing zones reported one by one; the rest are counted."""

ZONES_SINCE = datetime(2007, 1, 1, tzinfo=UTC)
"""Compare zone data from here on, to find the older."""

MAIL = frozenset({"sendgrid", "smtp"})
"""Providers of mail; with the right variables their mails have unsubscribe links."""


def examine(
    conn: Connection, env: Mapping[str, str], at: datetime | None, clock: Callable[[], datetime]
) -> list[Finding]:
    """Run all checks. `clock` is this machine's. Problems of severity `wrong` come first."""
    if unfit := list(_schema(conn)):
        return unfit
    before = clock()
    answer = store.doctor(conn, at)
    after = clock()
    accounts = store.doctor_accounts(conn)
    findings = [
        *map(_finding, answer["findings"]),
        *environment.check(accounts, env),
        *_tokens(store.tokens_doctor(conn, at), env),
        *_mail(accounts, env),
        *_calendar(answer["schedules"], datetime.fromisoformat(answer["at"])),
        *_quiet(conn, datetime.fromisoformat(answer["at"])),
        *_zones(conn, datetime.fromisoformat(answer["at"])),
        *_clocks(datetime.fromisoformat(answer["clock"]), before, after),
    ]
    return sorted(findings, key=lambda finding: finding.severity == "worth knowing")


def _finding(found: Json) -> Finding:
    """Read a finding of send_doctor; quote its command for a shell."""
    mend = found["mend"] if "mend" in found else shlex.join(["send-queue", *found["command"]])
    return Finding(found["check"], found["severity"], found["what"], mend)


# --- the schema -------------------------------------------------------------------------------------------


def _schema(conn: Connection) -> Iterator[Finding]:
    if (major := conn.info.server_version // 10000) < schema.OLDEST_SERVER:
        what = f"This server is Postgres {major} and send-queue needs {schema.OLDEST_SERVER} or newer."
        yield Finding("server", "wrong", what, "upgrade the server, or name another in DATABASE_URL")
    try:
        with store.translate_errors():
            schema.check(conn)
    except ConfigurationError as error:
        if "upgrade send-queue" in str(error):
            mend = "pip install --upgrade send-queue"
        elif "--grant-worker" in str(error):
            mend = f"send-queue migrate --grant-worker {shlex.quote(conn.info.user)} (as the owner of the tables)"
        elif "send-queue migrate" in str(error):
            mend = "send-queue migrate"
        else:
            raise  # the role may not read the version
        what, _, _ = str(error).rpartition(": ")
        yield Finding("schema", "wrong", f"{what}, so no other check ran.", mend)


# --- the tokens -------------------------------------------------------------------------------------------


def _tokens(answer: Json, env: Mapping[str, str]) -> Iterator[Finding]:
    """Check that tokens can be opened and renewed here, and report those that end. `answer` is send_tokens_doctor's."""
    if answer["sealed"]:
        try:
            vault = Vault(env)
            for sealed in answer["sealed"]:
                vault.open(sealed)
        except ConfigurationError as error:
            what, _, mend = str(error).partition(": ")
            mend = mend if env.get(VARIABLE, "").strip() else f"export {VARIABLE}=…"
            yield Finding("token_keys", "wrong", f"{what}, and the tokens of accounts cannot be read.", mend)
    for provider in answer["providers"]:
        for variable in missing_variables(provider, env):
            what = f"{variable} is not in this environment, and the tokens of {provider} cannot be renewed without it."
            yield Finding("token_client", "wrong", what, f"export {variable}=…")
    for row in answer["troubled"]:
        yield _troubled(row)
    if answer["more"]:
        what = f"There are {answer['more']:,} more accounts with tokens that end."
        yield Finding("token", "wrong", what, "send-queue tokens list")


def _troubled(row: Json) -> Finding:
    ends = f"{datetime.fromisoformat(row['expires_at']):%Y-%m-%d %H:%M} UTC" if row["expires_at"] else "no moment"
    again = f"connect it again, then {shlex.join(['send-queue', *row['command']])}"
    if row["hopeless"]:
        what = f"The token of the account {row['label']} ends at {ends}, and nothing can renew it."
        return Finding("token", "wrong" if row["within_a_day"] else "worth knowing", what, again)
    if row["error_code"]:
        what = (
            f"The token of the account {row['label']} ends at {ends} and could not be renewed so far"
            f" ({row['error_code']}: {row['error_message']})"
        )
        mend = "send-queue tokens refresh (or wait for the next one; if it fails again, check the provider)"
        return Finding("token", "wrong" if row["ended"] else "worth knowing", f"{what.rstrip('.')}.", mend)
    what = f"The token of the account {row['label']} ends at {ends}, and no refresh has tried its overdue renewal."
    return Finding("token", "wrong", what, "send-queue tokens refresh (as a line of the crontab: see crontab.example)")


def _mail(accounts: Sequence[store.AccountInUse], env: Mapping[str, str]) -> Iterator[Finding]:
    """Check variables whose lack shows only on mails already sent."""

    def lacks(*variables: str) -> list[str]:
        return [variable for variable in variables if not env.get(variable, "").strip()]

    waits = any(account.send.provider in MAIL and account.waiting for account in accounts)
    if waits and (lacking := lacks(unsubscribe.KEY, unsubscribe.URL)):
        are = "is" if len(lacking) == 1 else "are"
        what = (
            f"{' and '.join(lacking)} {are} not in this environment: mails have no link to unsubscribe by, which"
            " mailbox providers want of bulk mail."
        )
        yield Finding("unsubscribe", "worth knowing", what, f"export {lacking[0]}=…")


# --- the calendar -----------------------------------------------------------------------------------------


def _calendar(schedules: Sequence[Json], at: datetime) -> Iterator[Finding]:
    """Check that schedules open for their last waiting row, and that holidays are known until then."""
    from send_queue.rules import calendar, holiday_calendars, schedule_text  # late: it imports pendulum

    years: dict[str, tuple[str, int]] = {}
    for row in schedules:
        last = max(datetime.fromisoformat(row["last"]), at)
        name = shlex.quote(row["name"])
        try:
            schedule = schedule_text.schedule_from(row)
            calendar.next_window(schedule, last)
        except calendar.ScheduleError as error:
            yield Finding(
                "schedule",
                "wrong",
                f"The schedule {row['name']!r} never opens for its last sends, and {_wait(row['waiting'])}: {error}",
                f"send-queue schedule set {name} --hours 07:00-18:00 --days mon-fri",
            )
            continue
        for place in holiday_calendars.of_schedule(schedule):
            years[place] = max(years.get(place, (name, 0)), (name, last.year), key=lambda known: known[1])
    for place, (name, last_year) in years.items():
        for note in holiday_calendars.notes([place], at.year):
            yield Finding("holidays", "worth knowing", note, f"send-queue schedule show {name}")
        until = min(max(last_year, at.year + 1), at.year + YEARS_AHEAD)
        unknown = [year for year in range(at.year, until + 1) if not _holidays_are_known(place, year)]
        if unknown and unknown[0] > at.year:
            wrong = unknown[0] <= last_year
            yield Finding(
                "holidays",
                "wrong" if wrong else "worth knowing",
                f"The holidays of {place} are not known for {unknown[0]}"
                + (", and sends are scheduled for then." if wrong else ", which may come before the queue is empty."),
                f"pip install --upgrade holidays (or name the days: "
                f"send-queue schedule set {name} --closed {unknown[0]}-01-01)",
            )


def _holidays_are_known(place: str, year: int) -> bool:
    """Whether the package knows any holiday of the year; without one, all its days count as open."""
    from send_queue.rules import holiday_calendars

    return bool(holiday_calendars.holidays_of((place,), year))


def _quiet(conn: Connection, at: datetime) -> Iterator[Finding]:
    """Report rows whose schedules open in quiet hours only."""
    if waiting := store.quiet_doctor(conn):
        from send_queue.insight import forecast_inputs  # late, like the calendar

        for never in forecast_inputs.never_awake(conn, waiting, forecast_inputs.microseconds(at)):
            yield Finding("quiet_hours", "wrong", f"{never.detail} {never.sends:,} can never go.", never.mend)


# --- the zones --------------------------------------------------------------------------------------------


def _zones(conn: Connection, at: datetime) -> Iterator[Finding]:
    """Report zones unknown to the server, then zones whose offsets differ from Python's in the year ahead."""
    answer = store.zones_doctor(conn)
    at = at.replace(microsecond=0)  # changes fall on whole seconds: a fraction would make equal zones differ
    yield from map(_finding, answer["findings"])
    ahead = at + timedelta(days=366)
    differing = sorted(name for name, *_ in _differences(conn, answer["zones"], at, at, ahead))
    # The first difference, perhaps long ago, shows which data are older.
    for name, found in _differences(conn, differing[:ZONES_SHOWN], ZONES_SINCE, at, ahead):
        older, mend = _OLDER[found.older]
        older = older.format(zones.sources()[0].version or "no version")
        yield Finding(
            "zone_data",
            "wrong",
            f"Python and the database server have other clocks for {name} from {found.at:%Y-%m-%d %H:%M} UTC on "
            f"({_utc(found.ours)} and {_utc(found.theirs)}): {older}.",
            mend,
        )
    if more := len(differing[ZONES_SHOWN:]):
        named = ", ".join(differing[ZONES_SHOWN:][:ZONES_SHOWN]) + (", …" if more > ZONES_SHOWN else "")
        what = f"Python and the database server have other clocks for {more:,} more zones: {named}."
        yield Finding("zone_data", "wrong", what, _OLDER[None][1])


_OLDER: dict[Literal["ours", "theirs"] | None, tuple[str, str]] = {
    "ours": ("the data of Python ({}) are the older", "pip install --upgrade tzdata"),
    "theirs": (
        "the data of the server are the older (Python has {})",
        "upgrade the package tzdata on the database server, or the server where it has data of its own, and restart it",
    ),
    None: (
        "the data of one of them are old (Python has {})",
        "pip install --upgrade tzdata (and upgrade the time zone data of the database server, then restart it)",
    ),
}
"""For each older side: the words, and the remedy."""


def _differences(
    conn: Connection, names: Sequence[str], since: datetime, at: datetime, until: datetime
) -> Iterator[tuple[str, zones.Difference]]:
    """Compare the zones' changes from `since` on. Skips zones unknown to Python: `_calendar` reports them."""
    for name, theirs in store.zone_changes(conn, names, since, until).items():
        with suppress(LookupError):
            found = zones.first_difference(zones.changes(name, since, until), theirs, at)
            if found:
                yield name, found


def _utc(seconds: int) -> str:
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


# --- the clocks -------------------------------------------------------------------------------------------


def _clocks(database: datetime, before: datetime, after: datetime) -> Iterator[Finding]:
    apart = max(before - database, database - after)
    if apart > CLOCKS_MAY_DIFFER:
        yield Finding(
            "clock",
            "worth knowing",
            f"The database's clock, which decides, and this machine's differ by {round(apart.total_seconds()):,} s.",
            "timedatectl set-ntp true (on the machine whose clock is wrong)",
        )


def _wait(count: int) -> str:
    return {0: "nothing waits", 1: "1 send waits"}.get(count, f"{count:,} sends wait")
