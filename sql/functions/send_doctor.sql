-- Return the problems that the database can see, for `send-queue doctor`, which adds those that only Python can see.
--
-- at        the queue's moment; the server's own clock ages its transactions
-- patience  longest age of a transaction
--
-- Returns {clock, at, findings: [{check, severity, what, command or mend}], schedules}:
--
-- command    the words after `send-queue`; mend: SQL or text as it is
-- schedules  those that rows wait for
--
-- Of one check at most 20 findings are listed; a 21st counts the others. One statement, so one snapshot: tally and
-- attempts are of the same moment. The settings make it count a million attempts from an index, not read the history.
create or replace function send_doctor(at timestamptz default null, patience interval default '10 minutes')
returns jsonb language plpgsql stable
set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set quote_all_identifiers = off set work_mem = '64MB'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_doctor.at, clock_timestamp());
    v_day   date;
begin
    -- Compare tally and attempts for forty days, or those of the last 200,000 sends: a bound, however long the history.
    select coalesce(min(d.day), v_at::date) into v_day from (
        select u.day, sum(sum(u.used)) over (order by u.day desc) as total
        from send_usage u where u.day between v_at::date - 40 and v_at::date + 1 group by u.day) d
    where d.total <= 200000::numeric;
    return (
    with account as (
        select a.*, a.name || case when w.name <> 'default' then ' of ' || w.name else '' end as label,
            case when w.name <> 'default' then jsonb_build_array('--workspace', w.name) else '[]' end as place
        from send_accounts a join send_workspaces w on w.id = a.workspace_id
    ), waiting as materialized (
        select q.account_id, q.campaign_id, count(*) as n, max(q.scheduled_for) as last
        from send_queue q where q.status = 'pending' group by q.account_id, q.campaign_id
    ), ours as (
        select c.oid, c.relname, c.reloptions from pg_class c
        where c.relkind = 'r' and c.oid in (select o.oid from send_ours() o where o.catalog = 'pg_class')
    ), counted as (
        select b.account_id, b.channel, b.day, count(*) as n
        from send_workspaces w
        cross join lateral (
            select b.account_id, b.channel, b.day from send_attempts b
            where (b.workspace_id, b.started_at) -- two zones differ by less than two days
                  between (w.id, v_day - interval '2 days') and (w.id, 'infinity')
              and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
            order by b.workspace_id, b.started_at offset 0) b
        group by b.account_id, b.channel, b.day
    ), tally as (
        select account_id, channel, day, coalesce(u.used, 0) as said, coalesce(c.n, 0) as n
        from (select * from send_usage where day >= v_day) u
        full join (select * from counted where day >= v_day) c
            using (account_id, channel, day)
        where coalesce(u.used, 0) <> coalesce(c.n, 0)
          -- Before the days of the caps, pruned attempts leave their tally.
          and (coalesce(u.used, 0) < coalesce(c.n, 0) or day >= v_at::date - 8)
    ), wanted_index (name, columns, rows, as_shown) as (
        values ('send_queue_claim', '(account_id, channel, campaign_id, priority, scheduled_for, id)',
                'status = ''pending''', '(status = ''pending''::text)'),
               ('send_queue_due', '(account_id, channel, campaign_id, scheduled_for)',
                'status = ''pending''', '(status = ''pending''::text)'),
               ('send_queue_asleep', '(account_id, channel, scheduled_for)', 'status = ''pending'' and place is not null',
                '((status = ''pending''::text) AND (place IS NOT NULL))')
    ), index as (
        select w.name, w.columns, format('create index concurrently %s on send_queue %s where %s', w.name, w.columns,
                w.rows) as made_by,
            i.indexrelid is not null as there, i.indisvalid and i.indisready as valid,
            pg_get_indexdef(i.indexrelid) like '% USING btree ' || w.columns || ' WHERE ' || w.as_shown
                and i.indrelid = to_regclass('send_queue')::oid as meant
        from wanted_index w
        left join pg_index i on i.indexrelid = to_regclass(format('%I.%I', current_schema(), w.name))::oid
    ), dead as (
        select o.relname, s.n_dead_tup as n,
            coalesce(max(split_part(r, '=', 2)) filter (where r like 'autovacuum_vacuum_threshold=%'),
                current_setting('autovacuum_vacuum_threshold'))::float8
            + coalesce(max(split_part(r, '=', 2)) filter (where r like 'autovacuum_vacuum_scale_factor=%'),
                current_setting('autovacuum_vacuum_scale_factor'))::float8 * s.n_live_tup::float8 as vacuumed_at
        from ours o join pg_stat_user_tables s on s.relid = o.oid left join unnest(o.reloptions) r on true
        group by o.oid, o.relname, s.n_dead_tup, s.n_live_tup
    ), finding (rank, "check", severity, what, command, mend) as (
        select 0::float8, 'copy', 'wrong', 'This database is a copy, and a copy sends nothing by itself; sends that wait: '
                || (select coalesce(sum(n), 0) from waiting)::text || '.',
            null::jsonb, 'send-queue adopt --nothing-was-sent (or --since, with the moment of the copy: once the original '
                'sends no more)'
        where send_is_copy()

        union all
        select 1, 'tally', 'wrong', format('The tally of %s %s on %s says %s where its attempts say %s, so that its '
                'caps let too %s.', a.label, t.channel, t.day, t.said, t.n, case when t.said < t.n then 'many through'
                else 'few through (leave it if rows of that day were pruned or deleted)' end),
            null::jsonb, format('select send_rebuild_usage(%L, %L, %L)', t.account_id, t.channel, t.day)
        from tally t join account a on a.id = t.account_id

        union all
        select 2, 'left_in_flight', 'wrong', format('A run has died: sends in flight past their lease: %s, the first '
                'for %s.', count(*), date_trunc('second', v_at - min(q.lease_expires_at))),
            '["run-once"]', null
        from send_queue q where q.status = 'sending' and q.lease_expires_at <= v_at
        having count(*) > 0

        union all
        select 3, 'uncertain', 'wrong', format('Sends that may have gone out and wait for a person: %s, the first '
                'since %s: look for them at the provider (`send-queue list --status uncertain` names them).',
                count(*), date_trunc('second', min(q.updated_at))),
            null, format('send-queue settle %s --sent (or --not-sent)', (array_agg(q.id order by q.updated_at))[1])
        from send_queue q where q.status = 'uncertain' and q.look_up_at is null
        having count(*) > 0

        union all
        select 3, 'asleep', 'wrong', format('Lanes with due rows are marked idle: %s, the first of %s %s: rows were written '
                'past the triggers.', count(*), min(a.label), min(s.channel)),
            null, 'update send_lanes set idle_until = ''epoch'''
        from (
            select l.account_id, l.channel
            from send_lanes l cross join lateral (
                select q.scheduled_for from send_campaign_accounts p
                join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
                cross join lateral send_first_pending(l.account_id, l.channel, p.campaign_id, 1) q
                where p.account_id = l.account_id and q.scheduled_for <= v_at limit 1) due
            where l.idle_until > v_at and not exists (
                select from send_wakes w where w.account_id = l.account_id and w.channel = l.channel)) s
        join account a on a.id = s.account_id
        having count(*) > 0

        union all
        select 4, 'index', 'wrong', format('The index %s %s, so that claims grow slower with every row.', i.name,
                case when not i.there then 'is missing' when not i.meant then 'has another definition'
                     else 'is invalid' end),
            null, case when not i.there then i.made_by when not i.meant then format('drop index %s; ', i.name) || i.made_by
                       else format('reindex index concurrently %s', i.name) end
        from index i where not (i.there and i.meant and i.valid)
        union all
        select 5, 'index', 'wrong', format('The index %s is invalid: a build of it has failed.', i.indexrelid::regclass),
            null, format('reindex index concurrently %s', i.indexrelid::regclass)
        from ours o join pg_index i on i.indrelid = o.oid
        where not i.indisvalid and i.indexrelid::regclass::text not in (select name from wanted_index)

        union all
        select 6, 'autovacuum', 'wrong', format('The server has %s turned off, so that claims grow slower with every '
                'send.', s.name), null, format('alter system set %s = on; select pg_reload_conf()', s.name)
        from (values ('autovacuum'), ('track_counts')) s (name) where current_setting(s.name) = 'off'
        union all
        select 7, 'autovacuum', 'wrong', format('Autovacuum is turned off for the table %s, so that claims grow slower '
                'with every send.', o.relname), null, format('alter table %I reset (autovacuum_enabled)', o.relname)
        from ours o where exists (select from unnest(o.reloptions) r where r ~ '^autovacuum_enabled=(f|n|of|0)')
        union all
        select 8, 'dead_rows', 'wrong', format('Autovacuum is far behind on the table %s: %s dead rows.', d.relname, d.n),
            null, format('vacuum (analyze) %I', d.relname)
        from dead d where d.n::float8 > greatest(50000::float8, 5::float8 * d.vacuumed_at)

        union all
        select 9, 'old_transaction', 'wrong', format('The transaction of process %s (%s, %s) is open for %s and keeps '
                'dead rows from being cleaned up.', s.pid, s.usename, coalesce(nullif(s.application_name, ''), 'no name'),
                date_trunc('second', clock_timestamp() - s.xact_start)),
            null, format('select pg_terminate_backend(%s)', s.pid)
        from pg_stat_activity s
        where s.datname = current_database() and s.backend_type = 'client backend' and s.pid <> pg_backend_pid()
          and (s.backend_xid is not null or s.backend_xmin is not null)
          and s.xact_start <= clock_timestamp() - patience
        union all
        select 10, 'old_transaction', 'wrong', format('The prepared transaction %s (%s) is open for %s and keeps dead '
                'rows from being cleaned up: commit it, or roll it back.', p.gid, p.owner,
                date_trunc('second', clock_timestamp() - p.prepared)), null, format('rollback prepared %L', p.gid)
        from pg_prepared_xacts p
        where p.database = current_database() and p.prepared <= clock_timestamp() - patience
        union all
        select 11, 'old_transaction', 'worth knowing', format('The role %s may not see the transactions of others, so '
                'old ones are not checked.', current_user), null, format('grant pg_read_all_stats to %I', current_user)
        where not pg_has_role(current_user, 'pg_read_all_stats', 'usage')

        union all
        select * from send_rights_doctor()

        union all
        select 14::float8 - w.n / (w.n + 1::float8), -- the account with the most waiting sends first
            'disconnected', 'wrong', format('The account %s is disconnected%s, and sends wait for it: %s: connect it at '
                'its provider, then resume it, or move them with `send-queue reassign`.', a.label,
                ' (' || a.status_reason || ')', w.n::bigint),
            '["resume", "account"]' || jsonb_build_array(a.name) || a.place, null
        from account a
        join (select account_id, sum(n)::float8 as n from waiting group by account_id) w on w.account_id = a.id
        where a.status = 'disconnected'
        union all
        select 15, 'rehearsal', 'worth knowing', format('A rehearsal (%s) has changed %s %s: the next run that rehearses '
                'nothing undoes it.', date_trunc('second', r.rehearsed_at), a.label, r.channel),
            '["resume", "lane"]' || jsonb_build_array(a.name, r.channel) || a.place, null
        from send_rehearsed_lanes r join account a on a.id = r.account_id
        union all
        select 15, 'hold', 'wrong', format('The lane %s %s waits for a limit (%s, to %s) that has '
                'room: end the wait.', a.label, l.channel, l.next_at_reason, date_trunc('second', l.next_at)),
            '["resume", "lane"]' || jsonb_build_array(a.name, l.channel) || a.place, null
        from send_lanes l join account a on a.id = l.account_id
        cross join lateral (
            select min(r.room) as room from send_remaining_capacity(l.account_id, l.channel, v_at,
                '{daily_cap,weekly_cap,rate_limit}', null) r) c
        where l.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit') and l.next_at > v_at
          and coalesce(c.room, 1) > 0
          and not exists (
              select from send_rehearsed_lanes r where r.account_id = l.account_id and r.channel = l.channel)
        union all
        select 14, 'secret_refused', 'wrong', format('The provider %s refuses the secret in %s (%s: %s), and sends wait for '
                'it: %s: put a working one there, then resume one account.', a.provider, a.secret_refused,
                case when count(*) = 1 then 'account ' || min(a.label) else format('%s accounts', count(*)) end,
                min(a.secret_refused_as), sum(coalesce(w.n, 0))),
            '["resume", "account"]' || (array_agg(jsonb_build_array(a.name) || a.place order by a.label))[1], null
        from account a
        left join (select account_id, sum(n) as n from waiting group by account_id) w on w.account_id = a.id
        where a.secret_refused is not null and a.status = 'active'
        group by a.provider, a.secret_refused
        union all
        select 15, 'provider_hold', 'worth knowing', format('The provider holds %s %s until %s%s.', a.label, l.channel,
                date_trunc('second', l.next_at), ': ' || rtrim(l.next_at_detail, '.')),
            '["resume", "lane"]' || jsonb_build_array(a.name, l.channel) || a.place, null
        from send_lanes l join account a on a.id = l.account_id
        where l.next_at_reason = 'provider_hold' and l.next_at > v_at
          and (a.secret_refused is null or split_part(l.next_at_detail, ':', 1) <> a.secret_refused_as) -- see above

        union all
        select d.rank, d."check", d.severity, d.what, null, d.mend from send_doctor_settings() d
        union all
        select d.rank, d."check", d.severity, d.what, d.command, null from send_doctor_pacing() d
        union all
        select d.rank, d."check", d.severity, d.what, d.command, null from send_doctor_unserved() d
        union all
        select 5, d."check", 'wrong', d.what, null, d.mend from send_doctor_collations() d
        union all
        select 1, d."check", 'wrong', d.what, null, d.mend from send_doctor_counts() d

        union all
        select 16, 'split_days', 'worth knowing', d.said,
            '["lane", "set"]' || jsonb_build_array(a.name, d.channel, '--cap-timezone', d.timezone) || a.place, null
        from send_split_days(v_at) d join account a on a.id = d.account_id

        union all
        select 16, 'campaign_is_done', 'worth knowing', format('The campaign %s is done, and sends wait in it: %s.',
                c.name || case when w.name <> 'default' then ' of ' || w.name else '' end, n.n),
            '["resume", "campaign"]' || jsonb_build_array(c.name)
                || case when w.name <> 'default' then jsonb_build_array('--workspace', w.name) else '[]' end, null
        from send_campaigns c join send_workspaces w on w.id = c.workspace_id
        join (select campaign_id, sum(n) as n from waiting group by campaign_id) n on n.campaign_id = c.id
        where c.status = 'done'

        union all
        select 16, 'campaign_without_accounts',
            case when exists (select from send_campaign_accounts p where p.campaign_id = c.id) then 'worth knowing'
                 else 'wrong' end,
            format('The active campaign %s has no accounts in its pool: sends enqueued without an account are refused.',
                c.name || case when w.name <> 'default' then ' of ' || w.name else '' end),
            '["campaign", "set"]' || jsonb_build_array(c.name, '--account', coalesce(
                (select min(a.name) from send_accounts a where a.workspace_id = c.workspace_id), 'NAME'))
                || case when w.name <> 'default' then jsonb_build_array('--workspace', w.name) else '[]' end, null
        from send_campaigns c join send_workspaces w on w.id = c.workspace_id
        where c.status = 'active' and c.name not in ('notifications', 'posts') -- whose sends all name their account
          and not exists (select from send_campaign_accounts p where p.campaign_id = c.id and p.in_pool)
    ), numbered as (
        select f.*, row_number() over same as nth, count(*) over (partition by f."check", f.severity) as n
        from finding f window same as (partition by f."check", f.severity order by f.rank, f.what)
    ), listed as (
        select rank, "check", severity, what, command, mend from numbered where nth <= 20
        union all
        select rank, "check", severity, format('%s more of this kind are not listed.', n - 20), '["doctor"]', null
        from numbered where nth = 21
    )
    select jsonb_build_object('clock', clock_timestamp(), 'at', v_at,
        'findings', (select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(l) - 'rank'::text)
            order by l.severity = 'worth knowing', l.rank), '[]') from listed l),
        -- Equal schedules once.
        'schedules', (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from (
            select min(s.name) as name, s.timezone, s.hours, s.skip_holidays, s.holiday_country, s.holiday_subdivision,
                s.holiday_calendars, s.closed_on, s.open_on, sum(w.n) as waiting, max(w.last) as last
            from waiting w
            join send_campaigns c on c.id = w.campaign_id and c.status = 'active'
            join send_accounts a on a.id = w.account_id
            join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
            group by s.timezone, s.hours, s.skip_holidays, s.holiday_country, s.holiday_subdivision,
                s.holiday_calendars, s.closed_on, s.open_on) s)));
end
$$;
