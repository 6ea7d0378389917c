-- Return the start of a forecast at a moment: all lanes that may send, their pace and gates, and the sends that never
-- go. Capacities (caps, weeks, limits) are read during the simulation (send_simulate_capacities).
--
-- send_id  only lanes that may share a limit with this send's, its own included, without counts; null: all
--
-- Returns {at, sought, lanes, schedules, campaigns, never}; moments are microseconds since 1970, which Python compares
-- fast.
--
-- lanes      the lanes not stopped, longest unserved first; gap and jitter in seconds; `gates`: the schedules of all
--            active campaigns of the account (null: always open), whose earliest opening is the lane's turn; `limits`:
--            its rolling limits, each with whether lanes of other accounts share it
-- sought     the lane of send_id
-- campaigns  those with pending rows, and their number
-- never      rows that go only after a person acts: {reason, sends, kind, name, channel, workspace, said}; reason is
--            paused, disconnected, done, expired, failed, uncertain or contacted
create or replace function send_forecast(at timestamptz default null, send_id uuid default null)
returns jsonb language sql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with moment as (select coalesce(send_forecast.at, clock_timestamp()) as at),
    sought as (select q.* from send_queue q where q.id = send_forecast.send_id),
    waiting as materialized (
        select q.account_id, q.channel, q.campaign_id, q.expires_at <= m.at as late, count(*) as sends
        from (select * from send_queue q where q.status = 'pending' order by q.scheduled_for offset 0) q
        cross join moment m
        where send_forecast.send_id is null
        group by 1, 2, 3, 4),
    stops as (
        -- Name the widest stop: a person ends it first.
        select v.sends, w.name as workspace, stop.*
        from waiting v
        join send_accounts a on a.id = v.account_id
        join send_workspaces w on w.id = a.workspace_id
        join send_lanes l on l.account_id = v.account_id and l.channel = v.channel
        join send_campaigns c on c.id = v.campaign_id
        cross join lateral (values
            (v.late, 'expired', 'campaign', c.name, null, null, 0),
            (w.paused_at is not null, 'paused', 'workspace', w.name, null, w.pause_reason, 1),
            (a.status <> 'active', a.status, 'account', a.name, null, a.status_reason, 2),
            (l.paused_at is not null, 'paused', 'lane', a.name, l.channel, l.pause_reason, 3),
            (c.status <> 'active', c.status, 'campaign', c.name, null, c.pause_reason, 4)
        ) stop (so, reason, kind, name, channel, said, nth)
        where stop.so and stop.nth = (case
            when v.late then 0 when w.paused_at is not null then 1 when a.status <> 'active' then 2
            when l.paused_at is not null then 3 else 4 end)),
    never as (
        select reason, kind, name, channel, workspace, said, sum(sends)::bigint as sends
        from stops group by 1, 2, 3, 4, 5, 6
        union all
        select q.status, 'campaign', c.name, null, w.name, null, count(*)
        from send_queue q join send_campaigns c on c.id = q.campaign_id join send_workspaces w on w.id = c.workspace_id
        where q.status in ('failed', 'uncertain') and send_forecast.send_id is null
        group by q.status, c.name, w.name
        union all
        select 'contacted', 'campaign', c.name, null, w.name, null, count(*)
        from moment m cross join lateral send_forecast_contacted(m.at) s
        join send_campaigns c on c.id = s.campaign_id join send_workspaces w on w.id = c.workspace_id
        where send_forecast.send_id is null
        group by c.name, w.name)
    select jsonb_build_object(
        'at', send_microseconds(m.at),
        'sought', (select jsonb_build_object('account_id', q.account_id, 'channel', q.channel) from sought q),
        'lanes', (select coalesce(jsonb_agg(jsonb_build_object(
                'account_id', l.account_id, 'channel', l.channel, 'account', a.name, 'workspace', w.name,
                'workspace_id', w.id, 'schedule_id', a.schedule_id, 'gap', l.min_gap_seconds,
                'jitter', l.jitter_seconds, 'next_at', send_microseconds(l.next_at),
                'next_at_reason', l.next_at_reason, 'next_at_detail', l.next_at_detail,
                'gates', array(select distinct coalesce(c.schedule_id, a.schedule_id)
                    from send_campaign_accounts p join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
                    where p.account_id = a.id),
                'limits', (select coalesce(jsonb_agg(jsonb_build_object('id', n.id, 'shared', n.account_id is null)), '[]')
                    from send_limits n
                    where n.workspace_id = w.id and (n.account_id is null or n.account_id = a.id)
                      and (n.channel is null or n.channel = l.channel))
                ) order by l.served_at), '[]')
            from send_lanes l
            join send_accounts a on a.id = l.account_id and a.status = 'active'
            join send_workspaces w on w.id = a.workspace_id and w.paused_at is null
            where l.paused_at is null and (send_forecast.send_id is null or exists (
                select from sought q where q.workspace_id = w.id and (
                    (q.account_id, q.channel) = (l.account_id, l.channel)
                    or q.account_id = l.account_id and exists (select from send_limits n where n.account_id = a.id)
                    or exists (select from send_limits n where n.workspace_id = w.id and n.account_id is null))))),
        'schedules', (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from send_schedules s),
        'campaigns', (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'campaign', c.name, 'workspace', w.name,
                'schedule_id', c.schedule_id, 'pending', p.pending) order by w.name, c.name), '[]')
            from send_campaigns c
            join send_workspaces w on w.id = c.workspace_id
            left join (select v.campaign_id, sum(v.sends)::bigint as pending from waiting v group by 1) p
                on p.campaign_id = c.id
            where p.campaign_id is not null or c.workspace_id = (select q.workspace_id from sought q)),
        'never', (select coalesce(jsonb_agg(to_jsonb(n) order by n.workspace, n.kind, n.name, n.reason), '[]')
            from never n))
    from moment m
$$;
