-- Return the objects of a kind (workspace, account, lane, schedule, campaign or limit), one JSON object each, by name:
-- all, or the one with an id (a lane: its account's id and the channel).
create or replace function send_list(kind text, id uuid default null, channel text default null)
returns setof jsonb language plpgsql stable set timezone = 'UTC' set intervalstyle = 'postgres'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
begin
    case kind
        when 'workspace' then
            return query select to_jsonb(w) from send_workspaces w
            where send_list.id is null or w.id = send_list.id order by w.name;
        when 'schedule' then
            return query select to_jsonb(s) - '{window_since,later_windows,version}'::text[] from send_schedules s
            where send_list.id is null or s.id = send_list.id order by s.name;
        when 'account' then
            return query select to_jsonb(a) - '{workspace_id,schedule_id}'::text[]
                || jsonb_build_object('workspace', w.name, 'schedule', s.name)
            from send_accounts a join send_workspaces w on w.id = a.workspace_id
            left join send_schedules s on s.id = a.schedule_id
            where send_list.id is null or a.id = send_list.id order by w.name, a.name;
        when 'lane' then
            return query select jsonb_build_object('workspace', w.name, 'account', a.name)
                || (to_jsonb(l) - '{next_at, closed_until, idle_until, turns, served_at}'::text[])
                || jsonb_build_object('next_at', nullif(l.next_at, 'epoch'))
            from send_lanes l join send_accounts a on a.id = l.account_id
            join send_workspaces w on w.id = a.workspace_id
            where (send_list.id is null or l.account_id = send_list.id)
              and (send_list.channel is null or l.channel = send_list.channel)
            order by w.name, a.name, l.channel;
        when 'campaign' then
            return query select to_jsonb(c) - '{workspace_id,schedule_id}'::text[]
                || jsonb_build_object('workspace', w.name, 'schedule', s.name, 'accounts', to_jsonb(array(
                    select a.name from send_campaign_accounts p join send_accounts a on a.id = p.account_id
                    where p.campaign_id = c.id and p.in_pool order by a.name)))
            from send_campaigns c join send_workspaces w on w.id = c.workspace_id
            left join send_schedules s on s.id = c.schedule_id
            where send_list.id is null or c.id = send_list.id order by w.name, c.name;
        when 'limit' then
            return query select jsonb_build_object('id', m.id, 'workspace', w.name, 'account', a.name,
                'channel', m.channel, 'max_sends', m.max_sends, 'per', m.per)
            from send_limits m join send_workspaces w on w.id = m.workspace_id
            left join send_accounts a on a.id = m.account_id
            where send_list.id is null or m.id = send_list.id order by w.name, a.name nulls first, m.channel, m.per;
    end case;
end
$$;
