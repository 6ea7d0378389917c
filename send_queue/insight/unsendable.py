"""Rows that never go unless a person acts: why, and the command that mends it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from send_queue.insight.lanes import Lane
from send_queue.model import Json


@dataclass(frozen=True, slots=True)
class Unsendable:
    """Rows that do not go unless a person acts: why, in words, and what mends it."""

    reason: str
    sends: int
    detail: str
    mend: str


def stopped(row: Json) -> Unsendable:
    """Rows of the database that wait for a person."""
    reason, kind, name, channel = row["reason"], row["kind"], row["name"], row["channel"]
    what = " ".join(filter(None, (kind, name, channel)))
    match reason:
        case "expired":
            return expired({"campaign": name, "workspace": row["workspace"]}, row["sends"])
        case "failed":
            detail, mend = (
                f"Of the {what}: they did not go out.",
                _command("list", "--status", "failed", "--campaign", name),
            )
        case "uncertain":
            detail = f"Of the {what}: they may have gone out."
            mend = _command("list", "--status", "uncertain", "--campaign", name)
        case "contacted":
            detail = f"Of the {what}: another campaign writes, or wrote, to the same people, and a rule skips them."
            mend = _command("campaign", "set", name, "--workspace", row["workspace"], "--skip-contacted", "0d")
        case _:
            detail = f"The {what} is {reason}{': ' + row['said'].rstrip('.') if row['said'] else ''}."
            in_it = ("--workspace", row["workspace"]) if kind != "workspace" else ()
            mend = _command("resume", kind, name, channel or "", *in_it)
    return Unsendable(reason, row["sends"], detail, mend)


def expired(campaign: Json, rows: int) -> Unsendable:
    return Unsendable(
        "expired", rows, f"Of the campaign {campaign['campaign']}: they expire before their turn comes.",
        "raise what holds them, or enqueue them with a later --expires",
    )  # fmt: skip


def asleep(campaign: Json, why: str, rows: int) -> Unsendable:
    in_it = (campaign["campaign"], "--workspace", campaign["workspace"])
    return Unsendable("quiet_hours", rows, why, _command("campaign", "set", *in_it, "--schedule", "NAME"))


def shut(schedule: str, why: str, rows: int) -> Unsendable:
    return Unsendable("schedule", rows, why, _command("schedule", "show", schedule))


def full(row: Json, lane: Lane, rows: int) -> Unsendable:
    rule, detail = lane.why or ("provider_hold", "The lane waits.")
    of_it = (row["account"], row["channel"], "--workspace", row["workspace"])
    setting = {
        "daily_cap": ("--daily-cap", "N"), "weekly_cap": ("--weekly-cap", "N"), "cap_timezone": ("--cap-timezone", "TZ")
    }.get(rule)  # fmt: skip
    mend = _command("lane", "set", *of_it, *setting) if setting else _command("resume", "lane", *of_it)
    return Unsendable(rule, rows, f"The lane {lane.name} has no room, on any day: {detail.rstrip('.')}.", mend)


def _command(*words: str) -> str:
    """A command as it can be copied; the workspace is named where it is not the one that there always is."""
    text = shlex.join(["send-queue", *filter(None, words)])
    return text.replace(" --workspace default", "")
