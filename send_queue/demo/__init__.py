"""Simulate cron's runs of a week with a holiday, in seconds, and show their effect.

    set up    the usual commands, on the demo's own Postgres
    play      one pass of `run-once` for each account at each of cron's moments
    witness   the sandbox's journal: accepted messages by account and day, and no recipient twice

Time is an argument of each pass and of the sandbox. Every reason shown comes from a run's report or `explain`. The demo
uses neither DATABASE_URL nor the data folder, and leaves nothing behind.
"""

from __future__ import annotations

import shlex
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import islice, pairwise
from uuid import UUID

from send_queue import store
from send_queue.core import explain, run
from send_queue.demo.stage import (
    ANNA,
    ASKED_AT,
    BEN,
    CRON,
    ENDS,
    FAULTS,
    INTRODUCTION,
    MESSAGE,
    NEXT,
    PEOPLE,
    Account,
    Day,
    Stage,
    Typed,
    Week,
    _server,
)
from send_queue.model import Explanation
from send_queue.providers import Providers
from send_queue.sandbox import Sandbox
from send_queue.store import Filters

WIDTH = 100
"""Characters of a printed line."""


def play(say: Callable[[str], None], typed: Typed) -> None:
    """Run the week and pass its lines to `say`, each of at most 100 characters."""
    with _server() as (folder, url), store.connected(url) as conn:
        stage = Stage(say, url, conn, Sandbox(folder / "journal.jsonl", sync=False, clock=lambda: stage.now))
        with stage.sandbox:
            say(INTRODUCTION)
            _set_up(stage, typed)
            week = _play(stage, typed)
            _say_asked(stage, week)
            _say_status(stage)
            _say_journal(stage, week)
    say(NEXT)


# --- set up -----------------------------------------------------------------------------------------------


def _set_up(stage: Stage, typed: Typed) -> None:
    stage.say("\nSET UP, by these commands")
    _type(stage, typed, ["migrate"])
    for account in (ANNA, BEN):
        _type(stage, typed, ["schedule", "add", account.schedule, "--timezone", account.zone, "--hours", account.hours,
                             "--holidays", account.country])  # fmt: skip
        _type(stage, typed, ["account", "add", account.name, "--provider", "unipile", "--provider-account-id",
                             f"seat-{account.name}", "--schedule", account.schedule])  # fmt: skip
        _type(stage, typed, ["lane", "set", account.name, "linkedin_invite", "--daily-cap", str(account.cap),
                             "--cap-timezone", account.zone, "--min-gap", account.gap, "--jitter", "0m"])  # fmt: skip
    _type(stage, typed, ["campaign", "add", "new-year", "--account", ANNA.name, "--account", BEN.name])
    stage.say(
        _type(stage, typed, ["import", str(PEOPLE), "--campaign", "new-year", "--channel", "linkedin_invite",
                             "--message", MESSAGE])
    )  # fmt: skip

    stage.say("\n  The file comes from a spreadsheet, has two people twice, and begins:")
    with PEOPLE.open(encoding="utf-8-sig") as file:
        for line in islice(file, 5):
            stage.say(_cut("    " + line.rstrip()))
    [first] = store.sends(stage.conn, Filters(), None, 1)
    stage.say("  The first invitation:")
    stage.say(_cut("    " + store.send(stage.conn, UUID(first["id"]))["message"]))


def _type(stage: Stage, typed: Typed, args: Sequence[str]) -> str:
    """Print a command, wrapped at its options if it is long, and run it."""
    lines = ["  $ send-queue"]
    options = (i for i, arg in enumerate(args) if arg.startswith("--"))
    first = next(options, len(args))
    starts = [0, first, *options, len(args)]
    for words in filter(None, (shlex.join(args[begin:end]) for begin, end in pairwise(starts))):
        if len(lines[-1]) + len(words) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append("      ")
        lines[-1] += f" {words}"
    stage.say("\n".join(lines))
    return textwrap.indent(typed(args, url=stage.url, at=stage.now).rstrip(), "  ")


# --- play -------------------------------------------------------------------------------------------------


def _play(stage: Stage, typed: Typed) -> Week:
    """Run a pass for each account at each of cron's moments, Monday to Sunday."""
    stage.say(
        "\nTHE WEEK: every 10 minutes cron starts `run-once --account anna`, and `run-once --account ben`\n"
        f"  {'':11} account  cap    from-to      held back, from when (the account's own clock)"
    )
    week = Week()
    began = time.monotonic()
    while stage.now <= ENDS:
        if stage.now in FAULTS:
            stage.sandbox.order(FAULTS[stage.now])
        for account in (ANNA, BEN):
            _pass(stage, account, week)
        if stage.now == ASKED_AT:
            week.asked = _ask(stage, typed)
        if ANNA.date(stage.now) != ANNA.date(stage.now + CRON) or stage.now == ENDS:
            _say_day(stage, week, ANNA.date(stage.now))
        stage.now += CRON
    stage.now = ENDS
    nothing = ", ".join(f"{n:,} {reason}" for reason, n in week.nothing.most_common())
    stage.say("\n" + _filled(
        f"{week.passes:,} passes in {time.monotonic() - began:.0f} s: {week.sent} sent, {week.uncertain} in doubt, "
        f"{week.held} held by the provider, and {week.nothing.total():,} with nothing to send ({nothing}).", "  "
    ))  # fmt: skip
    return week


def _pass(stage: Stage, account: Account, week: Week) -> None:
    """Do one start of `run-once --account NAME`; only the database carries state between two starts."""
    providers = Providers(stage.env)
    try:
        database = store.Database(stage.conn, lambda: stage.now)
        this = run.Pass(database, providers, "demo", Filters(account=account.name))
        _note(stage, account, run.run(this), week)
    finally:
        providers.close()


def _note(stage: Stage, account: Account, report: run.RunReport, week: Week) -> None:
    """Add a pass to the week."""
    day = week.days.setdefault((account, account.date(stage.now)), Day())
    clock = account.clock(stage.now)
    week.passes += 1
    week.sent += report.sent
    week.uncertain += report.uncertain
    week.held += report.held
    if report.sent or report.uncertain:
        day.used += 1
        day.first, day.last = day.first or clock, clock
        day.held_for = ""
        if report.uncertain and report.send_id:
            error = store.send(stage.conn, report.send_id)["error_message"]
            day.notes.append((clock, f"one in doubt: {error}"))
        return
    reason = report.reason or ""
    if not report.processed:
        week.nothing[reason] += 1
    if reason not in (day.held_for, "min_gap"):
        day.held_for = reason
        day.notes.append((clock, _why(stage, account, report)))


def _why(stage: Stage, account: Account, report: run.RunReport) -> str:
    """Return the run's reason; for a closed schedule `explain`'s, which tells hours, weekends and holidays apart."""
    if report.reason == "outside_schedule":
        for hold in explain.explain(stage.conn, _next_of(stage, account), stage.now).holds:
            if hold.rule in ("weekend", "holiday"):
                return f"{hold.rule}: {hold.detail}"
            if hold.rule == "schedule":
                return "outside hours"
    return report.message


def _next_of(stage: Stage, account: Account) -> UUID:
    [head] = store.sends(stage.conn, Filters(account=account.name), "pending", 1)
    return UUID(head["id"])


def _ask(stage: Stage, typed: Typed) -> tuple[Explanation, str]:
    """Explain the next message from New York; keep the output for later."""
    asked = _next_of(stage, ANNA)
    printed = typed(["explain", str(asked)], url=stage.url, at=stage.now)
    return explain.explain(stage.conn, asked, stage.now), printed


# --- say --------------------------------------------------------------------------------------------------


def _say_day(stage: Stage, week: Week, of: date) -> None:
    for account in (ANNA, BEN):
        day = week.days[account, of]
        notes = day.notes[1:] if day.used else day.notes  # a working day starts outside hours
        start = (
            f"  {f'{of:%a %d %b}' if account is ANNA else '':11} {account.name:8} {f'{day.used}/{account.cap}':6} "
            f"{f'{day.first}-{day.last}' if day.used else '-':12} "
        )
        held = [f"{clock} {why.rstrip('.')}" for clock, why in notes]
        if len(start) + len("; ".join(held)) <= WIDTH:
            held = ["; ".join(held)]
        for text in held:
            stage.say(_filled(text, start))
            start = " " * len(start)


def _say_asked(stage: Stage, week: Week) -> None:
    """Print the explanation, and whether it came true."""
    if week.asked is None:
        return
    asked, printed = week.asked
    stage.say("\nONE MESSAGE, explained on Wednesday at 16:00 in New York")
    stage.say(f"  $ send-queue explain {asked.send_id}")
    for line in printed.splitlines():
        stage.say(_filled(line.strip(), "  " if line[0] != " " else "    "))
    send = store.send(stage.conn, asked.send_id)
    sent_at = datetime.fromisoformat(send["sent_at"]) if send["sent_at"] else None
    if sent_at is None:
        stage.say(f"  By Sunday it is {send['status']}.")
    else:
        right = "at that moment" if sent_at == asked.next_at else "at another moment"
        stage.say(f"  It went out {right}: {sent_at:%a %d %b, %H:%M} UTC, {ANNA.clock(sent_at)} in New York.")


def _say_status(stage: Stage) -> None:
    status = store.status(stage.conn, stage.now)
    counts = ", ".join(f"{n:,} {name}" for name, n in sorted(status["queue"].items(), key=lambda item: -item[1]))
    stage.say("\nTHE QUEUE on Sunday night (`send-queue status`)")
    stage.say(f"  {sum(status['queue'].values()):,} in all: {counts}.")
    for lane in status["lanes"]:
        if lane["channel"] == "linkedin_invite":
            text = f"{lane['account']:5} {lane['used_week']:3} of {lane['weekly_cap']} in seven days; "
            if lane["next_at"]:
                text += f"goes on {datetime.fromisoformat(lane['next_at']):%a %d %b, %H:%M} UTC "
            stage.say(_filled(f"{text}({lane['why']})", "  "))
    for send in store.sends(stage.conn, Filters(), "uncertain", 10):
        stage.say(
            "  The uncertain one may have arrived: it counts against the cap, and waits until a person\n"
            "  looks on LinkedIn and settles it:\n"
            f"    send-queue settle {send['id']} --sent   (or --not-sent)"
        )


def _say_journal(stage: Stage, week: Week) -> None:
    """Print the sandbox's own record of accepted messages, which the queue does not write."""
    accepted = stage.sandbox.accepted()
    days = sorted({day for _, day in week.days})
    stage.say("\nARRIVED, by the sandbox's own journal")
    stage.say(f"  {'':14}" + "".join(f"{day:%a %d}".rjust(8) for day in days) + "   total")
    kept = True
    for account in (ANNA, BEN):
        at = [datetime.fromisoformat(e["at"]) for e in accepted if e["account_id"] == f"seat-{account.name}"]
        per_day = Counter(map(account.date, at))
        kept = kept and max(per_day.values(), default=0) <= account.cap
        numbers = "".join(f"{per_day[day]:8}" for day in days)
        stage.say(f"  {account.name:5}{f'(cap {account.cap})':9}{numbers}{len(at):8}")
    twice = sum(n > 1 for n in Counter(entry["recipient"] for entry in accepted).values())
    stage.say(
        f"  {len(accepted)} accepted, {twice} recipients twice, the caps {'held' if kept else 'BROKEN'} each day."
    )


def _filled(text: str, start: str) -> str:
    """Wrap a paragraph that begins with `start` and continues below its end."""
    return textwrap.fill(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
