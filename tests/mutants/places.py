"""The faults: where each goes, and which tests must find it."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A fault: `old`, which stands in the file exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str


TESTS = {
    "sql/functions/send_claim.sql": (
        "send_due", "send_claim", "send_remaining_capacity", "lanes_take_turns", "turns", "send_suppress",
        "send_contacted",
        "quiet_hours", "send_adopt", "run", "stateful", "explain_is_exact",
    ),
    "sql/functions/send_choose_rows.sql": (
        "send_claim", "turns", "send_suppress", "send_contacted", "quiet_hours", "stateful", "explain_is_exact",
    ),
    "sql/functions/send_sweep.sql": ("send_due", "send_claim", "send_recover", "run", "stateful"),
    "sql/functions/send_due.sql": ("send_due", "send_claim", "send_close_lanes", "stateful", "explain_is_exact"),
    "sql/functions/send_remaining_capacity.sql": (
        "send_due", "send_remaining_capacity", "send_claim", "limit_defaults", "stateful", "explain_is_exact",
    ),
    "sql/functions/send_cap_on.sql": ("send_due", "send_remaining_capacity", "forecast_is_exact"),
    "sql/functions/send_record.sql": (
        "send_record", "send_hold", "send_looked_up", "send_recover", "run", "send_suppress", "stateful",
    ),
    "sql/functions/send_record_sent.sql": ("send_record", "send_hold", "run", "stateful"),
    "sql/functions/send_give_back.sql": ("send_record", "send_hold", "send_lock_lanes", "stateful"),
    "sql/functions/send_mark_sent.sql": ("send_record", "send_looked_up", "send_recover", "stateful"),
    "sql/functions/send_hold.sql": ("send_hold", "send_record", "stateful"),
    "sql/functions/send_recover.sql": ("send_recover", "send_record", "send_looked_up", "stateful"),
    "sql/functions/send_look_ups.sql": ("send_recover", "send_looked_up", "send_adopt", "stateful"),
    "sql/functions/send_looked_up.sql": ("send_looked_up", "send_recover", "send_record", "stateful"),
    "send_queue/core/look_up.py": ("run", "acceptance/outcomes", "acceptance/crashes"),
    "send_queue/core/results.py": ("unit/results", "run", "strangers", "acceptance/outcomes", "acceptance/hostile"),
    "send_queue/rules/calendar.py": ("unit/calendar", "acceptance/invariant_2_calendar"),
    "send_queue/providers/unipile/errors.py": ("unit/provider_unipile",),
}  # fmt: skip
"""The tests of each file, nearest first: tests/integration/test_NAME.py, or test_NAME.py of another folder."""

CLAIM = "sql/functions/send_claim.sql"
CHOOSE_ROWS = "sql/functions/send_choose_rows.sql"
DUE = "sql/functions/send_due.sql"
SWEEP = "sql/functions/send_sweep.sql"
CAPACITY = "sql/functions/send_remaining_capacity.sql"
RECORD = "sql/functions/send_record.sql"
RECORD_SENT = "sql/functions/send_record_sent.sql"
GIVE_BACK = "sql/functions/send_give_back.sql"
MARK_SENT = "sql/functions/send_mark_sent.sql"
HOLD = "sql/functions/send_hold.sql"
RECOVER = "sql/functions/send_recover.sql"
LOOK_UPS = "sql/functions/send_look_ups.sql"
LOOKED_UP = "sql/functions/send_looked_up.sql"
LOOK_UP = "send_queue/core/look_up.py"
RESULTS = "send_queue/core/results.py"
CALENDAR = "send_queue/rules/calendar.py"
UNIPILE = "send_queue/providers/unipile/errors.py"
MEANING = "send_queue/providers/meaning.py"

MUTANTS = (
    # --- the claim
    Mutant("a row that has expired goes out", SWEEP, "late.expires_at <= send_sweep.at",
           "late.expires_at <= send_sweep.at - interval '1 day'"),
    Mutant("a claim waits for a limit that is held", CLAIM, "for update of m skip locked", "for update of m"),
    Mutant("a full lane is not told when to look again", CLAIM, "if v_room <= 0 and", "if v_room < 0 and"),
    Mutant("of two full limits the sooner one decides", CLAIM, "r.until desc nulls first", "r.until nulls last"),
    Mutant("each lane takes as many as the whole claim may", CLAIM, "(max_rows - v_calls)::bigint", "max_rows::bigint"),
    Mutant("jitter alone makes no gap", CLAIM, "v_lane.min_gap_seconds + v_lane.jitter_seconds > 0 then 1",
           "v_lane.min_gap_seconds > 0 then 1"),
    Mutant("campaigns forget whose turn it is", CHOOSE_ROWS, "t.turn nulls first, due.first_at", "due.first_at"),
    Mutant("a cap's day is that of UTC", CLAIM, "v_day := (v_at at time zone v_lane.cap_timezone)::date",
           "v_day := (v_at at time zone 'UTC')::date"),
    Mutant("the tally of a day starts anew with each claim", CLAIM, "set used = u.used + excluded.used",
           "set used = excluded.used"),
    Mutant("no jitter is drawn", CLAIM, "random() * l.jitter_seconds", "0.0 * l.jitter_seconds"),
    Mutant("asynchronous commit may forget a claim", CLAIM, "current_setting('synchronous_commit') = 'off'",
           "current_setting('synchronous_commit') = 'no'"),
    Mutant("who was suppressed meanwhile is written to", CHOOSE_ROWS, "if v_suppressing then", "if false then"),
    Mutant("a dead run's rows are not reported", SWEEP, "q.status = 'sending' and q.lease_expires_at <= send_sweep.at",
           "q.status = 'sending' and q.lease_expires_at <= send_sweep.at - interval '1 hour'"),
    Mutant("doubts of a disconnected account are reported", SWEEP, "a.id = q.account_id and a.status = 'active'",
           "a.id = q.account_id"),
    Mutant("a copy of the database sends", CLAIM, "perform send_refuse_copy();", ""),
    Mutant("a claim counts on an old snapshot", CLAIM, "<> 'read committed'", "= 'serializable'"),
    Mutant("the lease is twice as long", CLAIM, "lease_expires_at = v_at + lease",
           "lease_expires_at = v_at + 2 * lease"),
    Mutant("a paused campaign sends", DUE, "and c.status = 'active'", ""),
    Mutant("a window is open at its end", DUE, "at < s.closes_at", "at <= s.closes_at"),
    Mutant("cached windows are believed for ten weeks", DUE, "interval '168 hours'", "interval '1680 hours'"),
    # --- remaining capacity
    Mutant("an expired lease takes room", CAPACITY, "and q.lease_expires_at > send_remaining_capacity.at;", ";"),
    Mutant("a warm-up runs past its cap", "sql/functions/send_cap_on.sql", "least(daily_cap, ", "greatest(0, "),
    Mutant("a warm-up shrinks before it begins", "sql/functions/send_cap_on.sql", "greatest(day - warm_up_began, 0)",
           "(day - warm_up_began)"),
    Mutant("a week has eight days", CAPACITY, "between v_today - 6 and v_today", "between v_today - 7 and v_today"),
    Mutant("a week's cap is free a day late", CAPACITY, "between v_today + k - 6", "between v_today + k - 7"),
    Mutant("uncertain sends do not count in a workspace's limit", CAPACITY,
           "where t.workspace_id = v_lane.workspace_id and t.started_at > send_remaining_capacity.at - v_limit.period\n"
           "                  and (t.outcome is null or t.outcome in ('sent', 'uncertain'))",
           "where t.workspace_id = v_lane.workspace_id and t.started_at > send_remaining_capacity.at - v_limit.period\n"
           "                  and (t.outcome is null or t.outcome in ('sent'))"),
    Mutant("sends in flight do not count in an account's limit", CAPACITY,
           "where t.account_id = v_lane.account_id and t.started_at > send_remaining_capacity.at - v_limit.period\n"
           "                  and (t.outcome is null or t.outcome in ('sent', 'uncertain'))",
           "where t.account_id = v_lane.account_id and t.started_at > send_remaining_capacity.at - v_limit.period\n"
           "                  and (t.outcome in ('sent', 'uncertain'))"),
    Mutant("a full limit never has room again", CAPACITY, "then v_last + v_limit.period end",
           "then send_remaining_capacity.at + v_limit.period end"),
    Mutant("a limit of one channel counts in all", CAPACITY, "and (l.channel is null or l.channel = v_lane.channel)",
           ""),
    Mutant("rehearsed sends use up the cap",
           CAPACITY, "coalesce((select u.used - u.rehearsed * v_real from send_usage u",
           "coalesce((select u.used from send_usage u"),
    # --- the record
    Mutant("a worker declared dead writes over what followed", RECORD,
           "b.outcome is null and b.id = v_send.attempt_id", "true"),
    Mutant("a late success of a released attempt is lost", RECORD, "b.outcome in ('uncertain', 'released')",
           "b.outcome = 'uncertain'"),
    Mutant("an uncertain send gives its room back", RECORD,
           "if v_result.outcome not in ('sent', 'uncertain') then", "if v_result.outcome <> 'sent' then"),
    Mutant("one try more than the campaign has", RECORD, "v_send.attempts + 1 >= v_send.max_attempts",
           "v_send.attempts >= v_send.max_attempts"),
    Mutant("a released send uses up a try", RECORD, "not in ('held', 'released')", "not in ('held')"),
    Mutant("a send with a try in doubt fails for certain", RECORD, "if v_result.outcome = 'retry' then\n",
           "if false then\n"),
    Mutant("a retry does not wait", RECORD, "then v_at + make_interval(secs => v_result.retry_seconds)", "then v_at"),
    Mutant("an uncertain send is never looked up",
           RECORD, "look_up_at = case when v_status = 'uncertain' then v_at end",
           "look_up_at = null"),
    Mutant("a rehearsed doubt proves that it was done before", RECORD, "and b.rehearsed = v_to_come", ""),
    Mutant("one in flight before a hold ends its ladder", RECORD,
           "and (l.next_at_reason is distinct from 'provider_hold' or l.next_at <= v_at)", ""),
    Mutant("a fast record takes a row that is another attempt's", RECORD_SENT,
           "q.id = o.send_id and q.attempt_id = o.attempt_id", "q.id = o.send_id"),
    Mutant("a fast record leaves the ladder of holds", RECORD_SENT, "if found then", "if false then"),
    Mutant("caps are not given back", GIVE_BACK, "set used = u.used - 1,", "set used = u.used,"),
    Mutant("a lane that was told to wait loses its gap", GIVE_BACK, "and v_attempt.outcome <> 'held'", ""),
    Mutant("a late success is not counted again", MARK_SENT, "not in ('sent', 'uncertain') then",
           "not in ('sent', 'uncertain', 'released') then"),
    Mutant("the ladder of holds has no steps", HOLD, "power(2, ", "power(1, "),
    Mutant("a shorter hold ends a longer one", HOLD, "set next_at = greatest(h.so_far, h.until)",
           "set next_at = h.until"),
    Mutant("each send of a burst is a step of the ladder", HOLD, "(ceiling_seconds is not null and not h.held)",
           "(ceiling_seconds is not null)"),
    # --- recovery and look-ups
    Mutant("a lost send uses up no try", RECOVER, "attempts = q.attempts + 1", "attempts = q.attempts"),
    Mutant("a rehearsal recovers what goes on in earnest", RECOVER,
           "and v_to_come = exists (select from send_attempts b where b.id = q.attempt_id and b.rehearsed)", ""),
    Mutant("a send that turned out sent is in doubt", RECOVER, "        if found then", "        if false then"),
    Mutant("a disconnected account's list is believed", LOOK_UPS,
           "and (select a.status from send_accounts a where a.id = q.account_id) = 'active'", ""),
    Mutant("two runs ask about one send", LOOK_UPS, "clock_timestamp()) + lease", "clock_timestamp())"),
    Mutant("a look-up reads from the newest attempt on", LOOK_UPS, "min(coalesce(b.may_have_begun_at, b.started_at))",
           "max(coalesce(b.may_have_begun_at, b.started_at))"),
    Mutant("one message settles two sends", LOOKED_UP, "(o.id <> v_send.id or o.status = 'sent')", "o.id = v_send.id"),
    Mutant("a late answer is believed", LOOKED_UP, "or v_send.look_up_at is distinct from send_looked_up.until", ""),
    Mutant("an answer settles another attempt", LOOKED_UP, "and b.number > v_attempt.number", "and false"),
    Mutant("silence takes an absence back", LOOKED_UP, "when verdict = 'unknown' then q.absent_since end", "end"),
    Mutant("the second absence restarts the lag", LOOKED_UP, "coalesce(q.absent_since, v_at)", "v_at"),
    Mutant("a lost send goes again without an end", LOOKED_UP, "when q.attempts < v_tries then 'pending' when v_doubts",
           "when true then 'pending' when v_doubts"),
    Mutant("one absence is proof", LOOK_UP, "doubt.absent_since is None or ", "doubt.absent_since is not None and "),
    Mutant("an absence counts before the lag is over", LOOK_UP, "if age < lag:", "if age < lag * 0:"),
    Mutant("a repeat comes when its provider has forgotten", LOOK_UP, "if doubt.at + wait < by else None",
           "if doubt.at < by else None"),
    # --- results
    Mutant("a provider's wait is cut short", RESULTS, "max(wait, after.total_seconds())",
           "min(wait, after.total_seconds())"),
    Mutant("the back-off starts one step late", RESULTS, "retry_seconds(send.attempts + 1,",
           "retry_seconds(send.attempts,"),
    Mutant("a hold lasts for ever", RESULTS, "min(value, MAX_HOLD_SECONDS)", "max(value, MAX_HOLD_SECONDS)"),
    Mutant("half a letter reaches the database", RESULTS, '.encode("utf-8", "replace").decode()', ""),
    # --- the calendar
    Mutant("a pair over midnight is forgotten", CALENDAR, "_local(at, zone).toordinal() - 2",
           "_local(at, zone).toordinal()"),
    Mutant("windows that touch stay two", CALENDAR, "window.opens_at <= joined[-1].closes_at",
           "window.opens_at < joined[-1].closes_at"),
    Mutant("yesterday's pair opens again", CALENDAR, "max(pair[0], taken)", "pair[0]"),
    Mutant("a pair runs into a holiday",
           CALENDAR, "_MIDNIGHT + min(ends, _closes(schedule, day + timedelta(days=1)))", "_MIDNIGHT + ends"),
    Mutant("a half day closes no pair", CALENDAR, "return min(ends, closes) if begins < ends else closes",
           "return ends if begins < ends else closes"),
    Mutant("a day in open_on without hours stays closed", CALENDAR,
           "    if day in schedule.open_on:\n        return first", "    if False:\n        return first"),
    Mutant("the first hour of a spring night is lost", CALENDAR, "begin - max(offsets)", "begin - min(offsets)"),
    Mutant("a window closes a moment late", CALENDAR, "if at < window.closes_at:", "if at <= window.closes_at:"),
    Mutant("a later day in open_on is not tried", CALENDAR, "in chain(days, later)", "in chain(days, ())"),
    # --- Unipile's errors
    Mutant("a brand new 5xx is refused for ever", UNIPILE, "status >= 500 and (status, code) !=",
           "status > 500 and (status, code) !="),
    Mutant("LinkedIn's throttle burns the list", UNIPILE, '"cannot_resend_yet": THROTTLED',
           '"cannot_resend_yet": REFUSED'),
    Mutant("a Retry-After is not heard", MEANING, "after = max(after, wait or after)", "pass"),
    Mutant("a ceiling is below its hold", MEANING, "ceiling = max(after, ceiling)", "pass"),
    Mutant("a 429 without a type is a stranger's", UNIPILE, "(code is None and status != 429)", "code is None"),
    Mutant("an unknown 401 fails each message", UNIPILE, "{401: BROKEN, 429: THROTTLED}", "{429: THROTTLED}"),
    Mutant("a yes that is an error counts as sent", UNIPILE, "if isinstance(body, dict) and code is None:",
           "if isinstance(body, dict):"),
    Mutant("a lane is held by one message for ever", UNIPILE, "held=held)", "held=0)"),
)  # fmt: skip
