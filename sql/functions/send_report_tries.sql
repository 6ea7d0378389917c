-- Return the outcomes of the newest tries, how long sends had been due, and how long providers took to answer.
--
-- Ids are ordered by time: the newest tries, `tries` at most, stand at the end of the primary key. Each row is fetched
-- by id, so no statistics can turn that into a scan of all rows.
--
-- Returns {looked_at, sends, since, again, outcomes: {outcome: n}, codes: [{outcome, code, n, last}], waited: {median,
-- slowest_tenth, within: [{seconds, n}]}, answered: {median, slowest_tenth}}:
--
-- again   number of second and later tries
-- waited  seconds from the moment for which a send was (last) scheduled to its start, caps and closed hours included
-- within  number that waited up to so many seconds, and longer than the bound before; null: longer than all bounds
create or replace function send_report_tries(at timestamptz, days int, tries int) returns jsonb
language sql stable set timezone = 'UTC' set extra_float_digits = 1
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with newest as materialized (
        select b.send_id, b.number, b.started_at, b.finished_at, b.outcome, b.error_code
        from (select * from send_attempts b where not b.rehearsed order by b.id desc limit send_report_tries.tries) b
        where b.started_at <= send_report_tries.at
          and b.started_at > send_report_tries.at - make_interval(days => send_report_tries.days)
    ), accepted as materialized (
        select extract(epoch from b.started_at - due.scheduled_for)::float8 as waited,
            extract(epoch from b.finished_at - b.started_at)::float8 as answered
        from newest b
        cross join lateral (select q.scheduled_for from send_queue q where q.id = b.send_id offset 0) due
        where b.outcome = 'sent'
    ), bound (above, seconds) as (
        values (null::float8, 60::float8), (60, 600), (600, 3600), (3600, 21600), (21600, 86400), (86400, 604800),
            (604800, null)
    )
    select jsonb_build_object('looked_at', count(*), 'sends', count(distinct b.send_id), 'since', min(b.started_at),
        'again', count(*) filter (where b.number > 1),
        'outcomes', (
            select coalesce(jsonb_object_agg(o.outcome, o.n), '{}') from (
                select n.outcome, count(*) as n from newest n where n.outcome is not null group by n.outcome) o),
        'codes', (
            select coalesce(jsonb_agg(to_jsonb(c) order by c.n desc, c.code), '[]') from (
                select n.outcome, n.error_code as code, count(*) as n, max(n.started_at) as last
                from newest n where n.outcome <> 'sent' and n.error_code is not null
                group by n.outcome, n.error_code order by count(*) desc, n.error_code limit 20) c),
        'waited', (
            select jsonb_build_object('median', percentile_cont(0.5) within group (order by s.waited),
                'slowest_tenth', percentile_cont(0.9) within group (order by s.waited),
                'within', (
                    select jsonb_agg(jsonb_build_object('seconds', o.seconds, 'n', (
                        select count(*) from accepted s where s.waited > coalesce(o.above, '-infinity')
                            and s.waited <= coalesce(o.seconds, 'infinity'))) order by o.seconds nulls last)
                    from bound o))
            from accepted s),
        'answered', (
            select jsonb_build_object('median', percentile_cont(0.5) within group (order by s.answered),
                'slowest_tenth', percentile_cont(0.9) within group (order by s.answered)) from accepted s))
    from newest b
$$;
