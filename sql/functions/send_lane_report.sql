-- Return the state of each lane at a moment: today's cap, its use and the rest, the next moment at which it may send,
-- and why not now. next_at and why are null if only the queue decides; next_at alone is null if no clock ends the wait.
--
-- Campaigns are read only for lanes closed for ever though lane, account and workspace are not stopped: the account has
-- no active campaign (send_close_lanes). For an account without any campaign, why is null.
create or replace function send_lane_report(at timestamptz default now())
returns table (workspace text, account text, channel text, cap int, used_today int, remaining int, weekly_cap int,
    used_week int, in_flight int, next_at timestamptz, why text)
language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select w.name, a.name, l.channel, today.cap, today.used,
        case when today.cap is not null then greatest(today.cap - today.used, 0) end, l.weekly_cap,
        week.used, flying.n,
        case when p.why is not null or l.next_at >= '9999-12-31' or d.day is null then null
             when l.next_at > send_lane_report.at then l.next_at
             when today.used >= today.cap then (
                 select send_day_start(today.day + k, l.cap_timezone) from generate_series(1, 400) k
                 where l.daily_cap is distinct from 0
                   and send_cap_on(l.daily_cap, l.warm_up_start, l.warm_up_step, l.warm_up_began, today.day + k) > 0
                 order by k limit 1)
             when flying.leased >= l.max_in_flight then flying.until
             when o.opens_at > send_lane_report.at then o.opens_at end,
        coalesce(p.why, case when d.day is null then
                'cap_timezone: ' || send_unknown_lane_zone(l.account_id, l.channel, l.cap_timezone) end,
            case when l.next_at > send_lane_report.at then
                concat_ws(': ', coalesce(l.next_at_reason, 'held'), l.next_at_detail) end,
            case when today.used >= today.cap then format('daily_cap: Daily limit reached (%s/%s)', today.used,
                today.cap) end,
            case when flying.leased >= l.max_in_flight then
                format('in_flight: %s of %s in flight', flying.leased, l.max_in_flight) end,
            case when o.opens_at > send_lane_report.at then format('schedule: %s is closed', s.name)
                 when s.id is not null and o.opens_at is null then
                     format('schedule: the window of %s is not worked out yet, the next run does it', s.name) end)
    from send_lanes l
    join send_accounts a on a.id = l.account_id
    join send_workspaces w on w.id = a.workspace_id
    left join send_schedules s on s.id = a.schedule_id
    left join lateral (
        -- The stored opening at this moment, else the next one.
        select min(lower(w)) as opens_at from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) w
        where s.window_since <= send_lane_report.at and upper(w) > send_lane_report.at) o on true
    cross join lateral (select send_local_time(send_lane_report.at, l.cap_timezone)::date as day) d
    cross join lateral (
        select d.day, send_cap_on(l.daily_cap, l.warm_up_start, l.warm_up_step, l.warm_up_began, d.day) as cap,
            coalesce((select u.used from send_usage u
                where u.account_id = l.account_id and u.channel = l.channel and u.day = d.day), 0) as used) today
    cross join lateral (
        select coalesce(sum(u.used), 0)::int as used from send_usage u
        where u.account_id = l.account_id and u.channel = l.channel and u.day between d.day - 6 and d.day) week
    cross join lateral (
        select count(*)::int as n, count(*) filter (where q.lease_expires_at > send_lane_report.at) as leased,
            min(q.lease_expires_at) filter (where q.lease_expires_at > send_lane_report.at) as until
        from send_queue q
        where q.account_id = l.account_id and q.channel = l.channel and q.status = 'sending') flying
    cross join lateral (
        select case
            when w.paused_at is not null then concat_ws(': ', 'paused', 'workspace', w.pause_reason)
            when a.status <> 'active' then concat_ws(': ', a.status, a.status_reason)
            when l.paused_at is not null then concat_ws(': ', 'paused', 'lane', l.pause_reason)
            when l.closed_until >= '9999-12-31' then (
                -- Name the paused campaigns, else the done ones; an active one, if any, stops nothing.
                select case when c.n > 1 then format('%s: %s campaigns', c.status, c.n)
                            else concat_ws(': ', c.status, 'campaign ' || c.name, c.reason) end
                from (select c.status, count(*) as n, min(c.name) as name, min(c.pause_reason) as reason
                      from send_campaign_accounts k join send_campaigns c on c.id = k.campaign_id
                      where k.account_id = l.account_id group by c.status
                      order by c.status = 'active' desc, c.status desc limit 1) c
                where c.status <> 'active') end as why) p
    order by w.name, a.name, l.channel
$$;
