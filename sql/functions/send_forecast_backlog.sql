-- The rows that wait in lanes and campaigns that nobody has stopped, for a forecast: a row for each lane's campaign, in
-- it what follows each other in the lane's order and is alike (priority, scheduled_for, expires_at), as counts.
--
-- One that is due in its recipient's quiet hours counts as scheduled for their end. nth says where in the lane's whole order (priority, scheduled_for, id) each of these begins. Moments are microseconds
-- since 1970; an expires_at of 0 is none.
create or replace function send_forecast_backlog(at timestamptz)
returns table (account_id uuid, channel text, campaign_id uuid, priorities int[], scheduled bigint[], expires bigint[],
    counts int[], nths int[])
language sql stable set work_mem = '128MB'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with waiting as (
        select q.account_id, q.channel, q.campaign_id, q.priority, d.due as scheduled_for, q.expires_at,
            row_number() over lane as nth,
            (q.campaign_id, d.due, q.priority, q.expires_at) is distinct from
                (lag(q.campaign_id) over lane, lag(d.due) over lane, lag(q.priority) over lane,
                 lag(q.expires_at) over lane) as differs
        from send_queue q
        join send_lanes l on l.account_id = q.account_id and l.channel = q.channel and l.paused_at is null
        join send_accounts a on a.id = q.account_id and a.status = 'active'
        join send_workspaces w on w.id = a.workspace_id and w.paused_at is null
        join send_campaigns c on c.id = q.campaign_id and c.status = 'active'
        cross join lateral (
            select coalesce(case when c.quiet_from is not null
                                      or q.channel in (select h.channel from send_quiet_hours h) then (
                    select h.until from send_quiet_until(q.id, greatest(q.scheduled_for, send_forecast_backlog.at)) h)
                end, q.scheduled_for) as due) d
        where q.status = 'pending' and (q.expires_at is null or q.expires_at > send_forecast_backlog.at)
        window lane as (partition by q.account_id, q.channel order by q.priority, d.due, q.id)
    ), alike as (
        select w.*, coalesce(lead(w.nth) over (partition by w.account_id, w.channel order by w.nth), e.past) - w.nth as n
        from waiting w
        join (select w.account_id, w.channel, max(w.nth) + 1 as past from waiting w group by 1, 2) e
            using (account_id, channel)
        where w.differs
    )
    select account_id, channel, campaign_id, array_agg(priority::int order by nth),
        array_agg(send_microseconds(scheduled_for) order by nth),
        array_agg(coalesce(send_microseconds(expires_at), 0) order by nth),
        array_agg(n::int order by nth), array_agg(nth::int order by nth)
    from alike group by account_id, channel, campaign_id
$$;
