"""Explain why a send waits, and when it can go.

send_explain applies the claim's rules and follows their moments until nothing holds the row. This module adds the
calendar: openings beyond the stored ones, and the reason of a closed schedule (weekend, holiday or hour).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from send_queue import store
from send_queue.model import Blocker, Explanation, Json, Rule, Verdict, Window
from send_queue.rules import sms
from send_queue.store import Connection

FORGOTTEN = "forgotten"
"""The recipient of a send whose person send_forget has removed: it cannot be retried."""

WRONG_RECIPIENT = frozenset({
    "invalid_recipient", "recipient_refused", "recipient_rejected", "mailbox_unknown", "mailbox_moved",
    "mailbox_disabled", "domain_unknown", "domain_takes_no_mail", "not_a_mobile_number", "landline",
})  # fmt: skip
"""Error codes that no retry mends: the person needs another address."""

OPENINGS = 64
"""Openings of the first look, weeks of them; each further look doubles them."""

LOOKS = 10
"""The most looks: 65,000 openings in all."""

REASONS: dict[Rule, str] = {
    "paused": "paused",
    "disconnected": "provider_hold",
    "schedule": "outside_schedule",
    "weekend": "outside_schedule",
    "holiday": "outside_schedule",
    "quiet_hours": "outside_schedule",
    "daily_cap": "daily_limit_reached",
    "weekly_cap": "weekly_limit_reached",
    "provider_hold": "provider_hold",
    "rate_limit": "rate_limited",
    "min_gap": "min_gap",
    "in_flight": "in_flight",
}
"""A run's reason for each rule, the weightiest first."""


_RULES: dict[str, Rule] = {"cap_timezone": "daily_cap"}


def reason(due: Json | None) -> tuple[str, str]:
    """Return the reason and a sentence for a run that sent nothing: those of the earliest due row."""
    if due is None:
        return "no_messages_due", "Nothing is due."
    now = [h for h in due["holds"] if h["found_at"] == due["at"]]
    for rule, word in REASONS.items():
        for hold in now:
            if _rule(hold) == rule:
                return word, _ended(hold["detail"])
    if due["beyond"]:
        return "outside_schedule", "The schedule is closed."
    return "in_flight", "Another run is sending the earliest due row."


def last(conn: Connection, send_id: UUID | None, at: datetime | None) -> tuple[str | None, str]:
    """Return the reason that holds a run's last send, which did not go out, and its error in the provider's words."""
    if send_id is None:
        return None, ""
    facts = store.explain(conn, send_id, at)
    held = any(hold["rule"] in REASONS and hold["found_at"] == facts["at"] for hold in facts["holds"])
    said = ": ".join(filter(None, (facts["error_code"], facts["error_message"])))
    return reason(facts)[0] if held and not _is_later(facts) else None, said


def _is_later(facts: Json) -> bool:
    return any(hold["rule"] == "scheduled_for" for hold in facts["holds"])


def status(conn: Connection, at: datetime | None) -> Json:
    """Return all that `send-queue status` shows: send_status, with the windows that no run has computed yet."""
    status = store.status(conn, at)
    if stale := status.pop("stale"):
        _with_windows(status["lanes"], stale, datetime.fromisoformat(status["at"]))
    return status


def _with_windows(lanes: list[Json], stale: list[Json], at: datetime) -> None:
    from send_queue.rules import calendar, schedule_text

    for row in stale:
        opens_at: datetime | None = None
        why: str | None = None
        try:
            opens_at = calendar.next_window(schedule_text.schedule_from(row), at).opens_at
        except calendar.ScheduleError as error:
            why = f"schedule: {row['name']} does not open: {error}"
        if opens_at and opens_at > at:
            why = f"schedule: {row['name']} is closed"
        for lane in lanes:
            # Rules before the schedule keep their place.
            if [lane["workspace"], lane["account"]] in row["accounts"] and str(lane["why"]).startswith("schedule: "):
                lane |= {"why": why, "next_at": opens_at.isoformat() if opens_at and opens_at > at else None}


def explain(conn: Connection, send_id: UUID, at: datetime | None) -> Explanation:
    """Explain one send. Raises `UserError` for an unknown id."""
    facts = store.explain(conn, send_id, at)
    holds: list[Blocker] = []
    if facts["schedule"] and facts["status"] == "pending":
        facts, holds = _with_calendar(conn, facts)
    else:
        holds = _merged([_hold(h) for h in facts["holds"]])
    found = _explanation(facts, holds)
    if facts["channel"] == "sms":
        counted = sms.segments(store.send(conn, send_id)["message"])
        found = replace(found, segments=counted.count, encoding=counted.encoding)
    return found


def _with_calendar(conn: Connection, facts: Json) -> tuple[Json, list[Blocker]]:
    from send_queue.rules import calendar, schedule_text

    at = datetime.fromisoformat(facts["at"])
    windows: list[Window] = []
    try:
        schedule = schedule_text.schedule_from(facts["schedule"])
        for look in range(LOOKS):
            since = max(windows[-1].closes_at, datetime.fromisoformat(facts["reached"])) if windows else at
            windows += calendar.openings(schedule, since, OPENINGS << look)
            facts = store.explain(conn, UUID(facts["send_id"]), at, windows)
            if not facts["beyond"]:
                break
    except calendar.ScheduleError as error:  # edited by hand, or its last opening is over
        never = f"The schedule {facts['schedule']['name']!r} does not open again: {error}"
        return facts | {"next_at": None}, [Blocker("schedule", None, never)]
    holds = []
    for hold in facts["holds"]:
        if hold["rule"] == "schedule":
            since, until = datetime.fromisoformat(hold["found_at"]), datetime.fromisoformat(hold["until"])
            holds += [Blocker(rule, until, why) for rule, why in calendar.closures(schedule, since, until)]
        else:
            holds.append(_hold(hold))
    return facts, _merged(holds)


def _rule(hold: Json) -> Rule:
    """Return the database's rule; an unknown day of a cap counts as its cap."""
    rule: Rule = hold["rule"]
    return _RULES.get(hold["rule"], rule)


def _hold(hold: Json) -> Blocker:
    return Blocker(
        _rule(hold), datetime.fromisoformat(hold["until"]) if hold["until"] else None, _ended(hold["detail"])
    )


def _ended(sentence: str) -> str:
    """End a sentence with one full stop, even if it ends with a quoted one."""
    return re.sub(r"(?<!\.)\.\.$", ".", sentence)


def _merged(holds: list[Blocker]) -> list[Blocker]:
    """Merge equal rules: all their details, the last moment. Rules without an end stay apart by detail."""
    merged: dict[tuple[str, str], Blocker] = {}
    for hold in holds:
        key = hold.rule, hold.detail if hold.until is None else ""
        said = merged[key].detail if key in merged else ""
        if said:
            hold = replace(hold, detail=said if hold.detail in said else f"{said}, {hold.detail}")
        merged[key] = hold
    return list(merged.values())


def _explanation(facts: Json, holds: list[Blocker]) -> Explanation:
    next_at = datetime.fromisoformat(facts["next_at"]) if facts["next_at"] else None
    expires_at = datetime.fromisoformat(facts["expires_at"]) if facts["expires_at"] else None
    verdict: Verdict
    match facts["status"]:
        case "pending":
            if n := facts["ahead"]:
                first = "1 goes" if n == 1 else f"{n:,}{'+' if n >= 10_000 else ''} go"
                holds = [*holds, Blocker("behind", next_at, f"{first} first from the same lane.")]
            if next_at and expires_at and expires_at <= next_at:
                holds = [
                    *holds,
                    Blocker(
                        "scheduled_for",
                        None,
                        expiring(expires_at, datetime.fromisoformat(facts["at"])),
                    ),
                ]
                next_at = None
            verdict = "needs_person" if next_at is None else "waiting" if holds else "due_now"
        case "sending":
            lease = datetime.fromisoformat(facts["lease_expires_at"])
            holds = [Blocker("in_flight", lease, "It is being sent.")]
            verdict = "waiting"
        case "uncertain":
            asked = datetime.fromisoformat(facts["look_up_at"]) if facts["look_up_at"] else None
            holds = [Blocker("uncertain", asked, facts["error_message"] or "It may have gone out.")]
            verdict = "needs_person"
        case _:
            verdict = "final"
    return Explanation(
        UUID(facts["send_id"]), facts["status"], verdict, next_at, tuple(holds), datetime.fromisoformat(facts["at"]),
        _epilogue(facts), contended=facts["contended"] and next_at is not None,
    )  # fmt: skip


def expiring(expires_at: datetime, at: datetime) -> str:
    """Return a sentence for a send that expires before it can go."""
    when = f"{expires_at:%Y-%m-%d %H:%M %Z}"
    if expires_at <= at:
        return f"It expired at {when}: the next run skips it."
    return f"It expires at {when}, before it can go: a run skips it then."


def _epilogue(facts: Json) -> tuple[str, ...]:
    """Return sentences about a finished send: reason, moment, remaining options."""
    send_id = facts["send_id"]
    why = ": ".join(filter(None, (facts["error_code"], facts["error_message"])))
    when = datetime.fromisoformat(facts["sent_at"] or facts["updated_at"])
    at = f"{when:%a %Y-%m-%d %H:%M} UTC"
    if facts["recipient"] == FORGOTTEN and facts["status"] in ("sent", "failed", "skipped"):
        return (f"It was {facts['status']} at {at}{': ' + why if why else ''}",)
    match facts["status"]:
        case "sent":
            known = facts["provider_message_id"]
            return (f"The provider took it at {at}" + (f", as {known}." if known else "."),)
        case "failed":
            failed = f"It failed at {at}{': ' + why if why else ''}"
            if facts["error_code"] in WRONG_RECIPIENT:
                return (
                    failed,
                    f"No retry helps: `send-queue cancel {send_id}`, and import the person with the right address.",
                )
            return (
                failed,
                f"Mend the cause, then `send-queue retry {send_id}`; or give it up with `send-queue cancel {send_id}`.",
            )
        case "skipped":
            was = f"It was skipped at {at}{': ' + why if why else ''}"
            update = f"update send_queue set status = 'pending', scheduled_for = now() where id = '{send_id}'"  # noqa: S608 — shown
            if facts["error_code"] != "suppressed":
                return was, f"To send it after all: {update}"
            # While the recipient is suppressed, the claim would undo the UPDATE alone.
            place = [] if facts["workspace"] == "default" else ["--workspace", facts["workspace"]]
            remove = shlex.join(["send-queue", "suppress", "remove", facts["recipient"], *place])
            return was, f"To send it after all, first take that back: {remove}", f"Then: {update}"
    return ()
