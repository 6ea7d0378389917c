-- Return the pending rows of lanes and campaigns not stopped, for a forecast: one row for each lane's campaign, with
-- arrays of runs of consecutive alike rows (same priority, scheduled_for, expires_at, quiet hours). Rows that a rule on
-- contacts will skip are left out (send_forecast_contacted).
--
-- turn       the turn of the lane that the campaign took last; 0: none
-- scheduled  microseconds since 1970; the end of time if the server does not know a zone
-- expires    microseconds since 1970; 0: none
-- counts     rows in each run
-- nths       position of each run's first row in the lane's order (priority, place, id)
-- places     scheduled_for as it was before quiet hours deferred it, in microseconds since 1970
-- quiets     quiet hours of the recipients as words: from, until, zones; empty: none
create or replace function send_forecast_backlog(at timestamptz)
returns table (account_id uuid, channel text, campaign_id uuid, turn bigint, priorities int[], scheduled bigint[],
    expires bigint[], counts int[], nths int[], places bigint[], quiets text[])
language sql stable set work_mem = '128MB'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with waiting as (
        select q.account_id, q.channel, q.campaign_id, q.priority, d.due as scheduled_for, q.expires_at, d.place, d.quiet,
            row_number() over lane as nth,
            (q.campaign_id, d.due, q.priority, q.expires_at, d.quiet) is distinct from
                (lag(q.campaign_id) over lane, lag(d.due) over lane, lag(q.priority) over lane,
                 lag(q.expires_at) over lane, lag(d.quiet) over lane) as differs
        from send_queue q
        join send_lanes l on l.account_id = q.account_id and l.channel = q.channel and l.paused_at is null
        join send_accounts a on a.id = q.account_id and a.status = 'active'
        join send_workspaces w on w.id = a.workspace_id and w.paused_at is null
        join send_campaigns c on c.id = q.campaign_id and c.status = 'active'
        left join lateral (
            select concat_ws(' ', to_char(z.quiet_from, 'HH24:MI'), to_char(z.quiet_until, 'HH24:MI'),
                    array_to_string(z.zones, ' ')) as words,
                exists (select from unnest(z.zones) zone
                        where send_local_time(send_forecast_backlog.at, zone) is null) as unknown
            from send_quiet_of(q.id) z where z.quiet_from is not null) asleep
            on c.quiet_from is not null or q.channel in (select h.channel from send_quiet_hours h)
        cross join lateral (
            select case when asleep.unknown then '9999-12-31' else q.scheduled_for end as due,
                coalesce(q.place, q.scheduled_for) as place, coalesce(asleep.words, '') as quiet) d
        where q.status = 'pending' and (q.expires_at is null or q.expires_at > send_forecast_backlog.at)
          and q.id not in (select s.id from send_forecast_contacted(send_forecast_backlog.at) s)
        window lane as (partition by q.account_id, q.channel order by q.priority, d.place, q.id)
    ), alike as (
        select w.*, coalesce(lead(w.nth) over (partition by w.account_id, w.channel order by w.nth), e.past) - w.nth as n
        from waiting w
        join (select w.account_id, w.channel, max(w.nth) + 1 as past from waiting w group by 1, 2) e
            using (account_id, channel)
        where w.differs
    )
    select account_id, channel, campaign_id, coalesce((
            select t.turn from send_turns t
            where t.account_id = alike.account_id and t.channel = alike.channel and t.campaign_id = alike.campaign_id), 0),
        array_agg(priority::int order by nth),
        array_agg(send_microseconds(scheduled_for) order by nth),
        array_agg(coalesce(send_microseconds(expires_at), 0) order by nth),
        array_agg(n::int order by nth), array_agg(nth::int order by nth),
        array_agg(send_microseconds(place) order by nth), array_agg(quiet order by nth)
    from alike group by account_id, channel, campaign_id
$$;
