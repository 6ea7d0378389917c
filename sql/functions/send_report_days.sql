-- Return the use of the caps on each of the last days, by channel, and lane by lane for the busiest lanes. It reads the
-- tally by key: one probe for each lane and day, however many sends exist.
--
-- Returns {first, last, lanes_in_all, today: {sent, uncertain, cap, uncapped}, days: [{day, channel, used, cap,
-- uncapped}], lanes: [{workspace, account, channel, cap, total, used: [n of each day]}]}:
--
-- day       by each lane's cap zone
-- cap       the day's cap by the present settings, summed over the lanes in use with a cap: those that sent in these
--           days, or have pending rows
-- uncapped  number of lanes in use without a cap
--
-- The tally includes accepted, uncertain and in-flight attempts. Today's `sent` leaves out the few now in doubt or in
-- flight; a send in doubt that was sent again counts twice.
create or replace function send_report_days(at timestamptz, days int, lanes int) returns jsonb
language sql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with over as materialized (
        -- Up to the latest local date of any lane.
        select coalesce(max(send_local_time(send_report_days.at, z.cap_timezone)::date), send_report_days.at::date) as last
        from (select distinct cap_timezone from send_lanes) z
    ), each_day as materialized (
        select l.account_id, l.channel, send_local_time(send_report_days.at, l.cap_timezone)::date as today, d.day,
            coalesce((select u.used from send_usage u
                      where u.account_id = l.account_id and u.channel = l.channel and u.day = d.day), 0) as used,
            send_cap_on(l.daily_cap, l.warm_up_start, l.warm_up_step, l.warm_up_began, d.day) as cap
        from send_lanes l
        cross join (select o.last - n as day from over o, generate_series(0, send_report_days.days - 1) n) d
    ), in_use as materialized (
        select t.account_id, t.channel
        from (select e.account_id, e.channel, sum(e.used) > 0 as sent from each_day e group by 1, 2) t
        left join lateral ( -- one index probe for each lane
            select true as waits from send_queue q
            where q.status = 'pending' and q.account_id = t.account_id and q.channel = t.channel limit 1) w on not t.sent
        where t.sent or w.waits
    ), open_today as (
        select count(*) as tries, count(distinct q.id) filter (where q.status = 'uncertain') as uncertain
        from (select q.id, q.status from send_queue q
              where q.status = 'uncertain' and q.updated_at > send_report_days.at - interval '2 days'
              union all
              select q.id, q.status from send_queue q where q.status = 'sending') q
        cross join lateral (
            select b.account_id, b.channel, b.day from send_attempts b
            where b.send_id = q.id and not b.rehearsed and (b.outcome is null or b.outcome = 'uncertain') offset 0) b
        join send_lanes l on l.account_id = b.account_id and l.channel = b.channel
        where b.day = send_local_time(send_report_days.at, l.cap_timezone)::date
    ), busiest as (
        select e.account_id, e.channel, jsonb_agg(e.used order by e.day) as used, sum(e.used) as total,
            (array_agg(e.cap order by e.day desc))[1] as cap
        from each_day e group by e.account_id, e.channel
        order by total desc, e.account_id, e.channel limit send_report_days.lanes
    )
    select jsonb_build_object('first', o.last - send_report_days.days + 1, 'last', o.last,
        'lanes_in_all', (select count(*) from send_lanes),
        'today', (
            select jsonb_build_object('sent', greatest(coalesce(sum(e.used), 0) - (select t.tries from open_today t), 0),
                'uncertain', (select t.uncertain from open_today t),
                'cap', sum(e.cap), 'uncapped', count(*) filter (where e.cap is null))
            from each_day e join in_use using (account_id, channel) where e.day = e.today),
        'days', (
            select coalesce(jsonb_agg(to_jsonb(s) order by s.day, s.channel), '[]') from (
                select e.day, e.channel, sum(e.used) as used, sum(e.cap) as cap,
                    count(*) filter (where e.cap is null) as uncapped
                from each_day e join in_use using (account_id, channel) group by e.day, e.channel) s),
        'lanes', (
            select coalesce(jsonb_agg(jsonb_build_object('workspace', w.name, 'account', a.name, 'channel', b.channel,
                'cap', b.cap, 'total', b.total, 'used', b.used) order by b.total desc, w.name, a.name, b.channel), '[]')
            from busiest b
            join send_accounts a on a.id = b.account_id
            join send_workspaces w on w.id = a.workspace_id))
    from over o
$$;
