"""Make the schedules `always` and office hours.

A LinkedIn account without a schedule gets office hours: sends at night look automatic and can cost the seat.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from send_queue import store
from send_queue.model import UserError
from send_queue.store import Connection

ALWAYS = "always"
AT_ANY_HOUR = ("email", "sms")
"""Other channels to people: without a schedule their accounts send round the clock."""
LINKEDIN = ("linkedin_invite", "linkedin_message")

NAMED = 5
"""Accounts that a sentence names."""


def give(conn: Connection, name: str, fields: dict[str, Any], workspace: str | None, at: datetime | None) -> str | None:
    """Give a new LinkedIn account office hours if it names no schedule.

    Returns a sentence about that, or about an account for other people's channels without hours; else None.
    """
    if "schedule" in fields:
        return None
    if not set(LINKEDIN) & set(fields["channels"]):
        if not set(AT_ANY_HOUR) & set(fields["channels"]):
            return None
        where = f" --workspace {shlex.quote(workspace)}" if workspace else ""
        return (f"{name} sends round the clock: give it hours with `send-queue account set {shlex.quote(name)} "
                f"--schedule NAME{where}`, or --schedule always if that is meant.")  # fmt: skip
    [home] = store.listed(conn, "workspace", store.find(conn, "workspace", workspace or "default", None))
    zone = home["timezone"]
    fields["schedule"] = f"office-hours-{zone}"
    _make(conn, fields["schedule"], zone, "mon-fri", "09:00-17:00", at)
    return (f"{name} sends in the hours of the schedule {fields['schedule']}, mon-fri 09:00-17:00 unless changed: name "
            "another with --schedule, or give --schedule always for round the clock.")  # fmt: skip


def keeping(conn: Connection, workspace: Mapping[str, Any]) -> str | None:
    """Name the accounts whose hours or caps have another time zone than their workspace now; None: there is none."""
    zone = workspace["timezone"]
    zones = {row["name"]: row["timezone"] for row in store.listed(conn, "schedule")}
    names = [row["name"] for row in store.listed(conn, "account")
             if row["workspace"] == workspace["name"] and zones.get(row["schedule"], zone) != zone]  # fmt: skip
    names += [row["account"] for row in store.listed(conn, "lane")
              if row["workspace"] == workspace["name"] and row["cap_timezone"] != zone]  # fmt: skip
    if not (names := list(dict.fromkeys(names))):
        return None
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return (f"Accounts keep the time zones that they have ({shown}): change them with `send-queue account set NAME "
            f"--schedule S` and `send-queue lane set NAME CHANNEL --cap-timezone {zone}`.")  # fmt: skip


def count_days(conn: Connection, account: Mapping[str, Any], at: datetime | None) -> None:
    """Begin the days of the account's caps at midnight of its schedule's zone."""
    [schedule] = store.listed(conn, "schedule", store.find(conn, "schedule", account["schedule"], None))
    for channel in LINKEDIN:
        if store.listed(conn, "lane", store.find(conn, "account", account["name"], account["workspace"]), channel):
            fields = {"channel": channel, "cap_timezone": schedule["timezone"]}
            store.upsert(conn, "lane", account["name"], fields, workspace=account["workspace"], at=at)


def make_always(conn: Connection, fields: Mapping[str, Any], at: datetime | None) -> None:
    """Make the schedule `always` if a field names it."""
    if fields.get("schedule") == ALWAYS:
        _make(conn, ALWAYS, "UTC", "mon-sun", "00:00-24:00", at)


def _make(conn: Connection, name: str, zone: str, days: str, hours: str, at: datetime | None) -> None:
    from send_queue.rules import schedule_text  # late: it imports pendulum

    if any(schedule["name"] == name for schedule in store.listed(conn, "schedule")):
        return
    try:
        with store.transaction(conn):
            said = {"timezone": zone, "hours": schedule_text.hours_from_text([hours], days)}
            store.upsert(conn, "schedule", name, said, adding=True, at=at)
    except UserError:  # made by another just now
        store.find(conn, "schedule", name, None)
