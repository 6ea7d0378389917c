"""What a statement costs, in pages that it looks at, does not depend on what the server knows of the tables.

States of statistics: `never` analysed; analysed while `empty`, then filled; `fresh`; `stale`, from before the queue was
drained, or from before it was filled again. All are measured on the same rows, in the same places. And `grown`: on a
connection that made its plans while there was nothing, as that of a program that enqueues or of a run that sends.
"""

from __future__ import annotations

from contextlib import suppress
from typing import LiteralString

import psycopg
import pytest
from builders import AT, Connection, Queue
from conftest import fresh_database

STATES = ("never", "empty", "grown", "fresh", "stale")

# Accounts a0 … with a lane each, five campaigns that share them, a schedule that is open. Of each ten rows eight are
# due (one in a fifth of the lanes where `drained`), one was sent long ago, one failed; two hundred are uncertain, and
# twenty were left by a dead run. Triggers are passed by, since nothing that they guard against is done here.
STRUCTURE: LiteralString = """
set session_replication_role = replica;
insert into send_schedules (name, timezone, hours, opens_at, closes_at, window_since)
values ('open', 'UTC', '{"mon": [["00:00", "24:00"]]}', %(at)s - interval '1 hour', %(at)s + interval '1 day',
    %(at)s - interval '1 hour');
insert into send_accounts (workspace_id, name, provider, schedule_id)
select w.id, 'a' || n, 'log', s.id from send_workspaces w, send_schedules s, generate_series(0, %(lanes)s - 1) n;
insert into send_lanes (account_id, channel, daily_cap, max_in_flight, next_at)
select id, 'email', 1000, 100, %(at)s - substr(name, 2)::int * interval '1 second' from send_accounts;
insert into send_campaigns (workspace_id, name) select id, 'c' || n from send_workspaces, generate_series(0, 4) n;
insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
select c.workspace_id, c.id, a.id from send_campaigns c, send_accounts a;
insert into send_limits (workspace_id, per, max_sends) select id, interval '1 hour', 1000000 from send_workspaces;
reset session_replication_role;
"""

ROWS: LiteralString = """
set session_replication_role = replica;
insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, scheduled_for, created_at,
    updated_at, status, attempts, attempt_id, claimed_by, lease_expires_at, sent_at, error_code, look_up_at)
select c.workspace_id, c.id, a.id, 'email', 'p' || i, 'Hello', m.at, m.at, m.at, s.status, (s.status <> 'pending')::int,
    case s.status when 'sending' then send_uuid() end, case s.status when 'sending' then 'dead' end,
    case s.status when 'sending' then %(at)s - interval '1 minute' end, case s.status when 'sent' then m.at end,
    case when s.status in ('failed', 'uncertain') then 'lost' end,
    case s.status when 'uncertain' then %(at)s - interval '1 minute' end
from generate_series(0, %(rows)s - 1) i
join send_accounts a on a.name = 'a' || i %% %(lanes)s
join send_campaigns c on c.name = 'c' || i %% 5
cross join lateral (select case when i < 20 then 'sending' when i < 220 then 'uncertain'
    when i / %(lanes)s %% 10 = 9 then 'failed' when i / %(lanes)s %% 10 = 8 then 'sent' else 'pending' end as status) s
cross join lateral (select %(at)s - interval '30 days' + i * interval '1 second' as at) m order by i;
insert into send_attempts (id, send_id, workspace_id, account_id, channel, number, day, started_at, finished_at,
    outcome, error_code, worker)
select coalesce(attempt_id, send_uuid()), id, workspace_id, account_id, channel, 1, updated_at::date, updated_at,
    case when status <> 'sending' then updated_at end, case when status <> 'sending' then status end, error_code, 'w'
from send_queue where status <> 'pending' order by id;
insert into send_usage (account_id, channel, day, used)
select account_id, channel, day, count(*) from send_attempts group by 1, 2, 3;
select send_rebuild_counts();
reset session_replication_role;
"""

DRAIN: LiteralString = """
set session_replication_role = replica;
with gone as (
    update send_queue q set status = 'sent', attempts = 1, sent_at = %(at)s - interval '2 days',
        updated_at = %(at)s - interval '2 days'
    where q.status = 'pending' and q.id not in (
        select (array_agg(o.id order by o.id))[1] from send_queue o join send_accounts a on a.id = o.account_id
        where o.status = 'pending' and substr(a.name, 2)::int %% 5 = 0 group by o.account_id)
    returning q.*)
insert into send_attempts (send_id, workspace_id, account_id, channel, number, day, started_at, finished_at, outcome,
    worker)
select id, workspace_id, account_id, channel, 1, updated_at::date, updated_at, updated_at, 'sent', 'w'
from gone order by id;
insert into send_usage (account_id, channel, day, used)
select account_id, channel, day, count(*) from send_attempts where outcome = 'sent' group by 1, 2, 3
on conflict (account_id, channel, day) do update set used = excluded.used;
select send_rebuild_counts();
reset session_replication_role;
"""

REFILL: LiteralString = """
set session_replication_role = replica;
delete from send_attempts b using send_queue q where q.id = b.send_id and q.updated_at = %(at)s - interval '2 days';
update send_queue q set status = 'pending', attempts = 0, sent_at = null, updated_at = q.created_at
where q.updated_at = %(at)s - interval '2 days';
select send_rebuild_counts();
reset session_replication_role;
"""

# A statement, and what is done before it, in the same transaction. What writes comes last: though it is taken back, the
# pages that it touched are not known to be visible to all any more.
STATEMENTS: dict[str, tuple[LiteralString, ...]] = {
    "why": ("select send_explain_idle(%(at)s)",),
    "why, nothing due": ("select send_explain_idle(%(at)s - interval '300 days')",),
    "explain": ("select send_explain(%(pending)s, %(at)s)",),
    "status": ("select send_status(%(at)s)",),
    "list": ("select send_sends()",),
    "list --status": ("select send_sends(status => 'failed')",),
    "list --account": ("select send_sends(account => 'a7')",),
    "list --campaign": ("select send_sends(campaign => 'c3')",),
    "list --channel": ("select send_sends(channel => 'email')",),
    "list --recipient": ("select send_sends(recipient => 'p7@example.org')",),
    "list of all four": ("select send_sends(null, 'failed', 'a7', 'email', 'c2')",),
    "list --newest": ("select send_sends(newest => true)",),
    "list --since": ("select send_sends(since => now() - interval '1 minute', until => now(), newest => true)",),
    "list --status sent --since": (
        "select send_sends(status => 'sent', since => %(at)s - interval '30 days', newest => true)",
    ),
    "list --status pending --until": (
        "select send_sends(status => 'pending', account => 'a7', until => %(at)s, newest => true)",
    ),
    "show": ("select send_sends(%(sent)s)",),
    "history": ("select send_history(%(sent)s)",),
    "trouble": ("select send_needs_attention('failed', 25)",),
    "lane report": ("select send_lane_report(%(at)s)",),
    "report": ("select send_report(%(at)s, tries => 100)",),
    "results": ("select send_results('day', %(at)s - interval '30 days', 100)",),
    "metrics": ("select send_metrics(%(at)s)",),
    "doctor": ("select send_doctor(%(at)s)",),
    "end_run, counting": ("select send_end_run('run', 'w', 1, at => %(at)s, account => 'a7', counting => true)",),
    "send_failures": ("select * from send_failures limit 20",),
    "send_uncertain": ("select * from send_uncertain limit 20",),
    "send_queue_status": ("select * from send_queue_status",),
    "send_campaign_progress": ("select * from send_campaign_progress",),
    "claim": ("select send_claim(worker => 'w', at => %(at)s)",),
    "claim of 100": ("select send_claim(worker => 'w', max_rows => 100, at => %(at)s)",),
    "idle claim": (
        "select send_claim(worker => 'w', at => %(at)s - interval '300 days')",
    ),
    "record_sent": (
        "select send_claim(worker => 'w', max_rows => 50, at => %(at)s)",
        "select send_record_sent(array_agg(q.id), array_agg(q.attempt_id), at => %(at)s) from send_queue q "
        "where q.claimed_by = 'w' and q.status = 'sending'",
    ),
    "record": (
        "select send_claim(worker => 'w', max_rows => 10, at => %(at)s)",
        "select send_record((select jsonb_agg(jsonb_build_object('attempt_id', q.attempt_id, 'outcome', 'retry', "
        "'error_code', 'dns', 'retry_seconds', 60)) from send_queue q where q.claimed_by = 'w'), %(at)s)",
    ),
    "recover": ("select send_recover(%(at)s)",),
    "look_ups": ("select send_look_ups(20, '5 minutes', %(at)s)",),
    "looked_up": (
        "update send_queue set look_up_at = %(at)s + interval '5 minutes' where id = %(uncertain)s",
        "select send_looked_up(b.id, %(at)s + interval '5 minutes', 'not_sent', at => %(at)s) from send_attempts b "
        "where b.send_id = %(uncertain)s",
    ),
    "set_windows": (
        "select send_set_windows((select jsonb_agg(jsonb_build_object('id', s.id, 'version', s.version, "
        "'opens_at', s.opens_at, 'closes_at', s.closes_at, 'window_since', s.window_since, 'later_windows', '{}')) "
        "from send_schedules s))",
    ),
    "enqueue": ("select send_enqueue('c1', 'email', 'x@example.org', 'Hello', at => %(at)s)",),
    "enqueue, named": ("select send_enqueue('c1', 'email', 'x@example.org', 'Hello', account => 'a3', at => %(at)s)",),
    "notify": (
        "select send_set_notification(array['failed', 'finished'], 'webhook', 'https://example.org', null, "
        "interval '1 minute', 'default', %(at)s)",
        "select send_notify(%(at)s + interval '5 minutes')",
    ),
    "end_run": ("select send_end_run('run', 'w', 1, at => %(at)s)",),
    "cancel": ("select send_cancel(array[%(pending)s])",),
    "retry": ("select send_retry(array[%(failed)s])",),
    "settle": ("select send_settle(%(uncertain)s, false)",),
}  # fmt: skip


OF_LONG_SESSIONS = (
    "claim",
    "claim of 100",
    "idle claim",
    "record_sent",
    "record",
    "recover",
    "look_ups",
    "looked_up",
    "set_windows",
    "why",
    "end_run",
    "enqueue",
    "enqueue, named",
    "notify",
)
"""What runs and programs ask again and again on one connection, whose plans are from when there was next to nothing."""


OF_ALL_LANES = (
    "why", "why, nothing due", "status", "lane report", "report", "metrics", "notify", "looked_up", "settle"
)  # fmt: skip
"""What looks at each lane (and its five campaigns), by keys, or at tables of a few pages as a whole: both are well."""

CATALOG = 15_000
"""Pages of the server's own tables that doctor looks at, whose statistics are as old as those of the queue's."""


def build(conn: Connection, rows: int, lanes: int, drained: bool, state: str) -> None:
    given = {"at": AT, "rows": rows, "lanes": lanes}
    if state in ("empty", "grown"):
        conn.execute("analyze")
    with psycopg.ClientCursor(conn) as cursor:
        cursor.execute(STRUCTURE, given)
        if state == "grown":
            for name in OF_LONG_SESSIONS:
                with suppress(psycopg.Error):
                    pages(conn, STATEMENTS[name])
        cursor.execute(ROWS, given)
        if state == "stale" and drained:
            conn.execute("analyze")
        if drained or state != "grown":
            cursor.execute(DRAIN, given)
        if state == "stale" and not drained:
            conn.execute("analyze")
        if not drained and state != "grown":
            cursor.execute(REFILL, given)
    if state == "fresh":
        conn.execute("analyze")


def pages(conn: Connection, steps: tuple[LiteralString, ...]) -> int:
    """The pages that the last of the steps looks at: planned for its values, or once for all, whichever is more."""
    given = {"at": AT} | {
        status: Queue(conn).one("select max(id::text)::uuid from send_queue where status = %s", status)
        for status in ("pending", "sent", "failed", "uncertain")
    }
    seen: list[int] = []
    for _ in range(9):
        with conn.transaction(force_rollback=True), psycopg.ClientCursor(conn) as cursor:
            for step in steps[:-1]:
                cursor.execute(step, given)
            cursor.execute("explain (analyze, buffers, timing off, format json) " + steps[-1], given)
            row = cursor.fetchone()
            assert row is not None
        plan = row[0][0]["Plan"]
        seen.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return max(min(seen[1:4]), min(seen[6:]))


@pytest.mark.parametrize(
    ("rows", "lanes", "drained"),
    [
        (3_000, 60, False),
        pytest.param(3_000, 60, True, marks=pytest.mark.slow),
        pytest.param(30_000, 20, False, marks=pytest.mark.slow),
        (30_000, 20, True),
    ],
)
def test_costs_do_not_depend_on_statistics(server: str, template: str, rows: int, lanes: int, drained: bool) -> None:
    """No state of statistics makes a statement look at half as many pages again as the best one does, and a few."""
    seen: dict[str, dict[str, int]] = {name: {} for name in STATEMENTS}
    for state in STATES:
        if state == "grown" and drained:
            continue  # what is dead cannot be cleaned up without plans made anew
        for url in fresh_database(server, template):
            with psycopg.connect(url, autocommit=True) as conn:
                build(conn, rows, lanes, drained, state)
                if state == "grown":
                    for name in OF_LONG_SESSIONS:
                        seen[name][state] = pages(conn, STATEMENTS[name])
            if state != "grown":
                with psycopg.connect(url, autocommit=True) as conn:
                    for _ in range(3):  # until all that is there is known to be visible to all: one does not do
                        conn.execute("vacuum (freeze) send_queue, send_attempts")
                    assert Queue(conn).one("select sum(relpages - relallvisible) from pg_class where relname = %s",
                                           "send_queue") == 0  # fmt: skip
                for name, steps in STATEMENTS.items():
                    with psycopg.connect(url, autocommit=True) as conn:
                        seen[name][state] = pages(conn, steps)
    few = dict.fromkeys(OF_ALL_LANES, 5 * 8 * lanes) | {"doctor": CATALOG}
    bad = {
        name: costs
        for name, costs in seen.items()
        if max(costs.values()) > 1.5 * min(costs.values()) + 150 + few.get(name, 0)
    }
    for name, costs in seen.items():
        print(f"{'BAD ' if name in bad else '    '}{name:25} {costs}")
    assert bad == {}
