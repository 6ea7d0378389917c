"""The schedules that `--schedule` makes: `always`, and the office hours of an account that names none.

An account that writes to people on LinkedIn sends in office hours unless somebody says otherwise: sends at night look
like a machine's, and cost the seat. Round the clock is asked for by name.
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
"""The other channels to people: their accounts send round the clock unless they name a schedule."""
LINKEDIN = ("linkedin_invite", "linkedin_message")


def give(conn: Connection, name: str, fields: dict[str, Any], workspace: str | None, at: datetime | None) -> str | None:
    """Give a new account a schedule where it needs one and names none; returns a sentence that says so, or that an
    account that writes to people has no hours."""
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
    return (f"{name} sends in the hours of the schedule {fields['schedule']}, which begins as mon-fri 09:00-17:00 in "
            "its zone: name another with --schedule, or give --schedule always for round the clock.")  # fmt: skip


def count_days(conn: Connection, account: Mapping[str, Any], at: datetime | None) -> None:
    """Count the days of an account's caps in the zone of the schedule that was given to it."""
    [schedule] = store.listed(conn, "schedule", store.find(conn, "schedule", account["schedule"], None))
    for channel in LINKEDIN:
        if store.listed(conn, "lane", store.find(conn, "account", account["name"], account["workspace"]), channel):
            fields = {"channel": channel, "cap_timezone": schedule["timezone"]}
            store.upsert(conn, "lane", account["name"], fields, workspace=account["workspace"], at=at)


def make_always(conn: Connection, fields: Mapping[str, Any], at: datetime | None) -> None:
    """Make the schedule `always` where it is named and not there."""
    if fields.get("schedule") == ALWAYS:
        _make(conn, ALWAYS, "UTC", "mon-sun", "00:00-24:00", at)


def _make(conn: Connection, name: str, zone: str, days: str, hours: str, at: datetime | None) -> None:
    from send_queue.rules import schedule_text  # pendulum, which it needs, is dear

    if any(schedule["name"] == name for schedule in store.listed(conn, "schedule")):
        return
    try:
        with store.transaction(conn):
            said = {"timezone": zone, "hours": schedule_text.hours_from_text([hours], days)}
            store.upsert(conn, "schedule", name, said, adding=True, at=at)
    except UserError:  # somebody has made it at this moment
        store.find(conn, "schedule", name, None)
