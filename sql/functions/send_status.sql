-- Return all that `status` shows at a moment, as one JSON object: {at, copy, queue, lanes, campaigns, uncertain,
-- failed, failed_by_code, failed_most, limits, look_ups, retrying, stale}.
--
-- lanes           send_lane_report, each with `pending`, its number of pending sends of active campaigns
-- failed_by_code  number of failed sends by error code, of the newest 100
-- failed_most     the account with the most failed sends, and their number n; null: none
-- limits          rolling limits, each with `used`, its sends within the period: 10,000 at most are counted
-- look_ups        number of uncertain sends with a look-up to come, and its first moment
-- retrying        number of pending retries by error code
-- stale           schedules of accounts without a stored window for the moment, each with its accounts
create or replace function send_status(at timestamptz default null) returns jsonb language sql stable
set timezone = 'UTC' set intervalstyle = 'postgres'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with progress as materialized (select * from send_campaign_progress
    ), m as materialized (select coalesce(send_status.at, clock_timestamp()) as at
    ), lane as materialized (select r.* from m cross join lateral send_lane_report(m.at) with ordinality r
    ), waits as materialized (
        select w.name as workspace, a.name as account, n.channel, n.sends
        from (select o.account_id, o.channel, sum(o.n)::bigint as sends
              from send_counts o join send_campaigns c on c.id = o.campaign_id and c.status = 'active'
              where o.status = 'pending' group by o.account_id, o.channel) n
        join send_accounts a on a.id = n.account_id
        join send_workspaces w on w.id = a.workspace_id)
    select jsonb_build_object(
        'at', m.at,
        'copy', send_is_copy(),
        'queue', (select coalesce(jsonb_object_agg(s.status, s.sends), '{}') from (
                      select v.status, sum(v.sends) as sends
                      from progress p cross join lateral (values
                          ('pending', p.pending), ('sending', p.in_flight), ('sent', p.sent), ('failed', p.failed),
                          ('skipped', p.skipped), ('uncertain', p.uncertain)) v (status, sends)
                      where v.sends > 0 group by v.status) s),
        'lanes', (
            select coalesce(jsonb_agg(to_jsonb(r) - 'ordinality'::text
                || jsonb_build_object('pending', coalesce(p.sends, 0::bigint)) order by r.ordinality), '[]')
            from lane r left join waits p
                on p.workspace = r.workspace and p.account = r.account and p.channel = r.channel),
        'campaigns', (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from progress p),
        'uncertain', (select coalesce(sum(p.uncertain), 0) from progress p),
        'failed', (select coalesce(sum(p.failed), 0) from progress p),
        'failed_most', (select jsonb_build_object('account', a.name, 'n', f.n)
                        from (select n.account_id, sum(n.n)::bigint as n from send_counts n where n.status = 'failed'
                              group by n.account_id having sum(n.n) > 0::numeric) f
                        join send_accounts a on a.id = f.account_id order by f.n desc, a.name limit 1),
        'failed_by_code', (select coalesce(jsonb_object_agg(f.error_code, f.n), '{}') from (
                select coalesce(q.error_code, 'without code') as error_code, count(*) as n
                from (select q.error_code from send_queue q where q.status = 'failed'
                      order by q.updated_at desc limit 100) q
                group by 1) f),
        'limits', (
            select coalesce(jsonb_agg(jsonb_build_object('workspace', w.name, 'account', a.name, 'channel', l.channel,
                'per', l.per, 'max_sends', l.max_sends, 'used', u.used)
                order by w.name, a.name, l.channel, l.per), '[]')
            from send_limits l join send_workspaces w on w.id = l.workspace_id
            left join send_accounts a on a.id = l.account_id
            cross join lateral (select case when l.account_id is null then (
                    select count(*) from (
                        select from send_attempts t
                        where t.workspace_id = l.workspace_id and t.started_at > m.at - send_period(l.per)
                          and (t.outcome is null or t.outcome in ('sent', 'uncertain')) and not t.rehearsed
                          and (l.channel is null or t.channel = l.channel)
                        order by t.started_at desc limit least(l.max_sends, 10000)) s)
                else (
                    select count(*) from (
                        select from send_attempts t
                        where t.account_id = l.account_id and t.started_at > m.at - send_period(l.per)
                          and (t.outcome is null or t.outcome in ('sent', 'uncertain')) and not t.rehearsed
                          and (l.channel is null or t.channel = l.channel)
                        order by t.started_at desc limit least(l.max_sends, 10000)) s) end as used) u),
        'look_ups', (select jsonb_build_object('sends', count(*), 'first', min(q.look_up_at))
                     from send_queue q join send_accounts a on a.id = q.account_id and a.status = 'active'
                     where q.status = 'uncertain' and q.look_up_at is not null),
        'retrying', (select coalesce(jsonb_object_agg(r.error_code, r.n), '{}') from (
                         select q.error_code, count(*) as n from send_queue q
                         where q.status = 'pending' and q.attempts > 0 and q.error_code is not null
                         group by q.error_code) r),
        'stale', (select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('accounts', used.accounts)), '[]')
                  from send_schedules s
                  cross join lateral (
                      select jsonb_agg(jsonb_build_array(w.name, a.name)) as accounts
                      from send_accounts a join send_workspaces w on w.id = a.workspace_id
                      where a.schedule_id = s.id) used
                  where used.accounts is not null and not coalesce(s.window_since <= m.at and exists (
                      select from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) o
                      where upper(o) > m.at), false)))
    from m
$$;
