"""The data, by plain SQL: queues to be drained, queues in which nothing can go, and one with years of history.

All is put in as the queue itself would have left it: caps, windows, tallies and the ledger agree. Triggers are passed
by while the bulk goes in, since nothing that they guard against is done here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from .bed import Connection


def noon() -> str:
    """A zone in which it is about noon, so that no day of the caps ends while something is measured."""
    east = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{'-' if east >= 0 else '+'}{abs(east)}"


# What all have: a schedule that is open and one that is closed, accounts a0 … with a lane each, campaigns of a hundred
# accounts. %(open_every)s: of the accounts, each so-many-th may send (0: none may), the others are blocked in turn by a
# cap, a pause of the lane, a pause of the account or their schedule; where idle lanes are asked for, every fifth of
# them has future rows only. What is blocked has been so for longer than what is open has waited for its turn, and so
# comes before it in the order of turns.
STRUCTURE: LiteralString = """
set session_replication_role = replica;
set synchronous_commit = off;

insert into send_schedules (name, timezone, hours, opens_at, closes_at, window_since)
select name, 'UTC', (select jsonb_object_agg(d, '[["00:00", "24:00"]]'::jsonb)
        from unnest('{mon,tue,wed,thu,fri,sat,sun}'::text[]) d),
    now() + opens, now() + interval '3 days', now() - interval '1 hour'
from (values ('open', interval '-1 hour'), ('closed', interval '1 day')) s (name, opens);

create table account as
select n, send_uuid() as id, 'a' || n as name, n / 100 as campaign, case
    when %(open_every)s > 0 and n %% nullif(%(open_every)s, 0) = 0 then 'open'
    else (array['capped', 'lane paused', 'account paused', 'closed', 'future'])[1 + n %% (4 + %(idle)s::int)]
    end as kind
from generate_series(0, %(lanes)s - 1) n;
create unique index on account (n);

insert into send_accounts (id, workspace_id, name, provider, provider_account_id, schedule_id, status)
select a.id, w.id, a.name, %(provider)s, 'seat' || a.n, s.id,
    case a.kind when 'account paused' then 'paused' else 'active' end
from account a, send_workspaces w, send_schedules s
where s.name = case a.kind when 'closed' then 'closed' else 'open' end order by a.n;

insert into send_lanes (account_id, channel, daily_cap, cap_timezone, max_in_flight, next_at, paused_at)
select id, %(channel)s, %(cap)s, %(zone)s, %(max_in_flight)s,
    now() - random() * interval '1 minute' - case kind when 'open' then interval '1 minute' else interval '1 day' end,
    case kind when 'lane paused' then now() - interval '1 day' end
from account order by n;
update send_lanes l
set daily_cap = 5, next_at = ((now() at time zone %(zone)s)::date + 1)::timestamp at time zone %(zone)s,
    next_at_reason = 'daily_cap', next_at_detail = '5/5'
from account a where a.id = l.account_id and a.kind = 'capped';

insert into send_campaigns (workspace_id, name)
select w.id, 'c' || n from send_workspaces w, generate_series(0, (%(lanes)s - 1) / 100) n;
insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
select c.workspace_id, c.id, a.id from account a join send_campaigns c on c.name = 'c' || a.campaign;
"""

# Every tenth row of an open lane is due in some weeks and more urgent than what is due: the claim must not step over
# those. The rows of a lane that waits for its future are due then, those of all others now.
PENDING: LiteralString = """
insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, priority, scheduled_for)
select c.workspace_id, c.id, a.id, %(channel)s, 'ACoAA' || i, 'Hello', case when later then 50 else 100 end,
    case when later or a.kind = 'future' then now() + interval '1 day' + random() * interval '30 days'
         else now() - interval '1 hour' + i * interval '1 millisecond' end
from generate_series(0, %(pending)s - 1) i
join account a on a.n = i %% %(lanes)s
join send_campaigns c on c.name = 'c' || a.campaign
cross join lateral (select %(with_future)s and a.kind = 'open' and (i / %(lanes)s) %% 10 = 9 as later) l
order by i;
"""

# Ninety days of it, none of them today; but those of a capped lane have used their cap up today.
HISTORY: LiteralString = """
create temp table past as
select send_uuid() as id, send_uuid() as attempt, i, i %% %(lanes)s as n,
    now() - interval '90 days' + i * (interval '88 days' / %(history)s) as at
from generate_series(0, %(history)s - 1) i
union all
select send_uuid(), send_uuid(), %(history)s + 5 * a.n + k, a.n, now() - interval '30 minutes'
from account a, generate_series(0, 4) k where a.kind = 'capped';

insert into send_queue (id, workspace_id, campaign_id, account_id, channel, recipient, message, status, attempts,
    sent_at, provider_message_id, scheduled_for, created_at, updated_at)
select p.id, c.workspace_id, c.id, a.id, %(channel)s, 'ACoAB' || p.i, 'Hello', 'sent', 1,
    p.at, 'm' || p.i, p.at, p.at, p.at
from past p join account a on a.n = p.n join send_campaigns c on c.name = 'c' || a.campaign order by p.i;

insert into send_attempts (id, send_id, workspace_id, account_id, channel, number, day, started_at, finished_at,
    outcome, provider_message_id, worker)
select p.attempt, p.id, w.id, a.id, %(channel)s, 1, (p.at at time zone %(zone)s)::date, p.at, p.at,
    'sent', 'm' || p.i, 'past'
from past p join account a on a.n = p.n, send_workspaces w order by p.i;

insert into send_usage (account_id, channel, day, used)
select account_id, channel, day, count(*) from send_attempts group by 1, 2, 3;
drop table past;
"""


def build(
    url: str,
    *,
    lanes: int,
    pending: int,
    history: int = 0,
    open_every: int = 1,
    cap: int = 1_000_000,
    max_in_flight: int = 1000,
    channel: str = "log",
    provider: str = "log",
    with_future: bool = False,
    idle: bool = False,
) -> None:
    """Fill the queue at `url`; see above."""
    given: dict[str, Any] = {
        "lanes": lanes, "pending": pending, "history": history, "open_every": open_every, "cap": cap, "zone": noon(),
        "max_in_flight": max_in_flight, "channel": channel, "provider": provider, "with_future": with_future,
        "idle": idle,
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute(STRUCTURE, given)
        if history:
            conn.execute(HISTORY, given)
        conn.execute(PENDING, given)
        # What triggers would have done, had they not been left out.
        conn.execute("select send_close_lanes(array_agg(id)) from send_accounts")
        conn.execute("select send_rebuild_counts()")
        conn.execute("drop table account")


def pause_beside(url: str, n: int) -> None:
    """Give the first account a paused campaign with n rows that are due, older than all others."""
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute(
            """
            set session_replication_role = replica;
            insert into send_campaigns (workspace_id, name, status) select id, 'paused', 'paused' from send_workspaces;
            insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
            select a.workspace_id, c.id, a.id from send_accounts a, send_campaigns c
            where a.name = 'a0' and c.name = 'paused';
            insert into send_queue (workspace_id, campaign_id, account_id, channel, recipient, message, scheduled_for)
            select a.workspace_id, c.id, a.id, l.channel, 'ACoAC' || i, 'Hello', now() - interval '1 day'
            from send_accounts a join send_lanes l on l.account_id = a.id, send_campaigns c, generate_series(1, %s) i
            where a.name = 'a0' and c.name = 'paused'
            """,
            (n,),
        )


# --- what became of it ------------------------------------------------------------------------------------


def value(conn: Connection | str, query: LiteralString) -> Any:
    """The one value of a query, on a connection or at a URL."""
    if isinstance(conn, str):
        with psycopg.connect(conn, autocommit=True) as made:
            return value(made, query)
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def sent(url: str) -> int:
    """How many rows were sent, of which every one has its attempt, and the tally says so too."""
    return int(
        value(
            url,
            """
            select case when q.n = b.n and q.n = u.n then q.n else -1 end from
                (select count(*) as n from send_queue where status = 'sent') q,
                (select count(*) as n from send_attempts where outcome = 'sent') b,
                (select coalesce(sum(used), 0) as n from send_usage) u
            """,
        )
    )
