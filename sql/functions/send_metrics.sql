-- Return the state of the queue at a moment for monitoring, as one JSON object of lists: lanes, attempts, waiting,
-- trouble, accounts, schedules, runs. Ages are in seconds.
--
-- waiting  pending rows by the rule that holds them, as `explain` names it; `scheduled_for`: for later; `due`: none,
--          the next runs send them. `ready`: how long a run could have taken one
-- trouble  rows in flight, failed or uncertain, from send_counts
--
-- Pending rows are counted from an index by lane and campaign, and the rule is found once for each of these.
create or replace function send_metrics(at timestamptz default null) returns jsonb language sql stable
set timezone = 'UTC' set extra_float_digits = 1
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with m as materialized (select coalesce(send_metrics.at, clock_timestamp()) as at),
    lane as materialized (
        select r.*, split_part(r.why, ':', 1) as held from m cross join lateral send_lane_report(m.at) r),
    backlog as materialized (
        select q.account_id, q.channel, q.campaign_id, count(*) as sends,
            count(*) filter (where q.scheduled_for <= m.at) as due, min(q.scheduled_for) as first
        from send_queue q cross join m where q.status = 'pending'
        group by q.account_id, q.channel, q.campaign_id),
    held as materialized (
        select w.name as workspace, b.channel, b.sends, b.due, b.first,
            case when c.status <> 'active' then 'paused'
                 when n.held <> 'schedule' then n.held
                 when s.id is not null and o.opens_at is null then 'schedule'
                 else 'due' end as reason,
            greatest(b.first, l.next_at, o.opens_at) as ready_since
        from backlog b
        join send_accounts a on a.id = b.account_id
        join send_workspaces w on w.id = a.workspace_id
        join send_campaigns c on c.id = b.campaign_id
        join send_lanes l on l.account_id = b.account_id and l.channel = b.channel
        left join lane n on n.workspace = w.name and n.account = a.name and n.channel = b.channel
        left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
        cross join m
        left join lateral ( -- by the stored windows, even if no run has renewed them
            select lower(o) as opens_at from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) o
            where s.window_since <= m.at and lower(o) <= m.at and m.at < upper(o) limit 1) o on true)
    select jsonb_build_object(
        'lanes', (select coalesce(jsonb_agg(to_jsonb(n)), '[]') from lane n),
        'attempts', (
            select coalesce(jsonb_agg(jsonb_build_object('workspace', w.name, 'account', a.name, 'channel', t.channel,
                'outcome', t.outcome, 'attempts', t.attempts) order by w.name, a.name, t.channel, t.outcome), '[]')
            from send_meter t
            join send_accounts a on a.id = t.account_id
            join send_workspaces w on w.id = a.workspace_id),
        'waiting', (
            select coalesce(jsonb_agg(to_jsonb(v) order by v.workspace, v.channel, v.reason), '[]')
            from (select h.workspace, h.channel, h.reason, sum(h.due) as sends,
                      extract(epoch from min(m.at) - min(h.first)) as oldest,
                      case when h.reason = 'due' then extract(epoch from min(m.at) - min(h.ready_since)) end as ready
                  from held h cross join m where h.due > 0
                  group by h.workspace, h.channel, h.reason
                  union all
                  select h.workspace, h.channel, 'scheduled_for', sum(h.sends - h.due), null, null
                  from held h where h.sends > h.due
                  group by h.workspace, h.channel) v),
        'trouble', (
            select coalesce(jsonb_agg(to_jsonb(v) order by v.workspace, v.channel, v.status), '[]')
            from (select w.name as workspace, n.channel, n.status, sum(n.n)::bigint as sends
                  from send_counts n
                  join send_campaigns c on c.id = n.campaign_id
                  join send_workspaces w on w.id = c.workspace_id
                  where n.status in ('failed', 'uncertain', 'sending')
                  group by w.name, n.channel, n.status having sum(n.n) > 0::numeric) v),
        'accounts', (
            select coalesce(jsonb_agg(jsonb_build_object('workspace', w.name, 'account', a.name, 'provider', a.provider,
                'connected', (a.status <> 'disconnected')::int) order by w.name, a.name), '[]')
            from send_accounts a join send_workspaces w on w.id = a.workspace_id),
        'schedules', (
            select coalesce(jsonb_agg(jsonb_build_object('schedule', s.name, 'open', (s.window_since <= m.at and exists (
                select from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) o
                where lower(o) <= m.at and m.at < upper(o)))::int) order by s.name), '[]')
            from send_schedules s cross join m where s.window_since is not null),
        'runs', (select coalesce(jsonb_agg(to_jsonb(r) || jsonb_build_object(
                     'last', extract(epoch from r.finished_at - r.began_at),
                     'finished', extract(epoch from r.finished_at)) order by r.command, r.filters), '[]')
                 from send_runs r))
$$;
