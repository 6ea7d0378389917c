-- Why did nothing go out? The earliest row that is due (what holds it, a person wants to know), and the rows that may
-- be the first to go: the head of each lane's campaigns, by the earliest moment that their lane could allow.
--
-- Returns {due: send id or null, first: [{id, not_before}], remaining: n or null}. Raises SQ002 for a filter that
-- names what is not there.
create or replace function send_why(at timestamptz default null, account text default null, channel text default null,
    campaign text default null, counting boolean default true)
returns jsonb language plpgsql set timezone = 'UTC' as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_why.at, clock_timestamp());
    v_due   uuid;
    v_first jsonb;
begin
    if account is not null and not exists (select from send_accounts a where a.name = send_why.account) then
        perform send_find('account', account);
    end if;
    if campaign is not null and not exists (select from send_campaigns c where c.name = send_why.campaign) then
        perform send_find('campaign', campaign);
    end if;
    perform send_check_channel(channel);

    select q.id into v_due
    from send_queue q
    join send_accounts a on a.id = q.account_id join send_campaigns c on c.id = q.campaign_id
    where q.status = 'pending' and q.scheduled_for <= v_at
      and (send_why.account is null or a.name = send_why.account)
      and (send_why.channel is null or q.channel = send_why.channel)
      and (send_why.campaign is null or c.name = send_why.campaign)
    order by q.scheduled_for, q.id limit 1;

    select jsonb_agg(jsonb_build_object('id', f.id, 'not_before', f.not_before) order by f.not_before) into v_first
    from (
        select head.id, greatest(head.scheduled_for, l.next_at, v_at,
            case when s.window_since <= v_at and v_at < s.closes_at then s.opens_at end) as not_before
        from send_lanes l
        join send_accounts a on a.id = l.account_id and a.status = 'active'
        join send_workspaces w on w.id = a.workspace_id and w.paused_at is null
        join send_campaign_accounts p on p.account_id = l.account_id
        join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
        left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
        cross join lateral (
            select q.id, q.scheduled_for from send_queue q
            where q.account_id = l.account_id and q.channel = l.channel and q.campaign_id = c.id
              and q.status = 'pending'
            order by q.scheduled_for limit 1) head
        where l.paused_at is null
          and (send_why.account is null or a.name = send_why.account)
          and (send_why.channel is null or l.channel = send_why.channel)
          and (send_why.campaign is null or c.name = send_why.campaign)
        order by not_before limit 20) f;

    return jsonb_build_object('due', v_due, 'first', coalesce(v_first, '[]'), 'at', v_at,
        'remaining', case when counting then send_remaining(account, channel, campaign) end);
end
$$;
