-- Return the part of the report that send_status lacks, for the last days up to a moment, as one JSON object. Costs one
-- index probe for each lane and day, plus the bounds below, however many sends exist.
--
-- days   number of days, the one of `at` included
-- lanes  number of lanes shown day by day, the busiest first
-- tries  number of newest tries, and of newest failures, read
-- rows   number of failed rows, and of uncertain ones, shown
--
-- Returns {at, usage, tries, results, failed, uncertain, causes, oldest_due, next_due, schedules}:
--
-- usage              send_report_days
-- tries              send_report_tries
-- results            send_results, {day: [...], campaign: [...], account: [...], error_code: [...]}
-- failed, uncertain  send_needs_attention
-- causes             [{code, n, last, message}] of the newest failures
-- schedules          those in use, with the number of accounts and campaigns that use each
create or replace function send_report(at timestamptz default null, days int default 14, lanes int default 40,
    tries int default 10000, rows int default 25)
returns jsonb language sql stable set timezone = 'UTC' set extra_float_digits = 1
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select jsonb_build_object('at', m.at,
        'usage', send_report_days(m.at, send_report.days, send_report.lanes),
        'tries', send_report_tries(m.at, send_report.days, send_report.tries),
        'results', (
            select jsonb_object_agg(b.by, (
                select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(r))), '[]')
                from send_results(b.by, m.at - make_interval(days => send_report.days), send_report.tries) r))
            from unnest('{day,campaign,account,error_code}'::text[]) b (by)),
        'failed', send_needs_attention('failed', send_report.rows),
        'uncertain', send_needs_attention('uncertain', send_report.rows),
        'causes', (
            select coalesce(jsonb_agg(to_jsonb(c) order by c.n desc, c.code), '[]') from (
                select f.error_code as code, count(*) as n, max(f.updated_at) as last, min(f.error_message) as message
                from (select q.error_code, q.error_message, q.updated_at from send_queue q where q.status = 'failed'
                      order by q.updated_at desc limit send_report.tries) f
                group by f.error_code order by count(*) desc, f.error_code limit 12) c),
        'oldest_due', (
            select q.scheduled_for from send_queue q
            where q.status = 'pending' and q.scheduled_for <= m.at order by q.scheduled_for limit 1),
        'next_due', (
            select q.scheduled_for from send_queue q
            where q.status = 'pending' and q.scheduled_for > m.at order by q.scheduled_for limit 1),
        'schedules', (
            select coalesce(jsonb_agg(u.schedule order by u.users desc, u.name), '[]') from (
                select s.name, used.accounts + used.campaigns as users,
                    to_jsonb(s) - '{id,created_at,opens_at,closes_at,window_since,later_windows,version}'::text[]
                    || to_jsonb(used) as schedule
                from send_schedules s
                cross join lateral (
                    select (select count(*) from send_accounts a where a.schedule_id = s.id) as accounts,
                        (select count(*) from send_campaigns c
                         where c.schedule_id = s.id and c.status <> 'done') as campaigns) used
                where used.accounts + used.campaigns > 0) u))
    from (select coalesce(send_report.at, clock_timestamp()) as at) m
$$;
