-- What was used of the caps on each of the last days, by channel and, of the lanes that sent most, one by one. From the
-- tally, lane by lane by its key: however many sends there were, it costs a look for each lane and day.
--
-- Returns {first, last, lanes_in_all, days: [{day, channel, used, cap, uncapped}], lanes: [{workspace, account, channel,
-- cap, total, used: [n of each day]}]}. Days are those of each lane's cap zone; cap is that of the day as the lanes are
-- set now, summed over those that have one, and uncapped says how many have none.
create or replace function send_report_days(at timestamptz, days int, lanes int) returns jsonb
language sql stable set timezone = 'UTC' as $$
    with over as materialized (
        -- To the latest date that any lane has.
        select coalesce(max((send_report_days.at at time zone z.cap_timezone)::date), send_report_days.at::date) as last
        from (select distinct cap_timezone from send_lanes) z
    ), each_day as materialized (
        select l.account_id, l.channel, d.day,
            coalesce((select u.used from send_usage u
                      where u.account_id = l.account_id and u.channel = l.channel and u.day = d.day), 0) as used,
            send_cap_on(l.daily_cap, l.warm_up_start, l.warm_up_step, l.warm_up_began, d.day) as cap
        from send_lanes l
        cross join (select o.last - n as day from over o, generate_series(0, send_report_days.days - 1) n) d
    ), busiest as (
        select e.account_id, e.channel, jsonb_agg(e.used order by e.day) as used, sum(e.used) as total,
            (array_agg(e.cap order by e.day desc))[1] as cap
        from each_day e group by e.account_id, e.channel
        order by total desc, e.account_id, e.channel limit send_report_days.lanes
    )
    select jsonb_build_object('first', o.last - send_report_days.days + 1, 'last', o.last,
        'lanes_in_all', (select count(*) from send_lanes),
        'days', (
            select coalesce(jsonb_agg(to_jsonb(s) order by s.day, s.channel), '[]') from (
                select e.day, e.channel, sum(e.used) as used, sum(e.cap) as cap,
                    count(*) filter (where e.cap is null) as uncapped
                from each_day e group by e.day, e.channel) s),
        'lanes', (
            select coalesce(jsonb_agg(jsonb_build_object('workspace', w.name, 'account', a.name, 'channel', b.channel,
                'cap', b.cap, 'total', b.total, 'used', b.used) order by b.total desc, w.name, a.name, b.channel), '[]')
            from busiest b
            join send_accounts a on a.id = b.account_id
            join send_workspaces w on w.id = a.workspace_id))
    from over o
$$;
