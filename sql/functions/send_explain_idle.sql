-- Explain why nothing went out, and when a send can, in one snapshot of the stored windows.
--
-- Returns {due, first, remaining}: the earliest due row and, of the rows at the head of each lane's campaigns, the one
-- that can go first, each as send_explain returns it, or null; and the rows remaining, or null. Raises SQ005 for a
-- filter with an unknown name.
create or replace function send_explain_idle(at timestamptz default null, account text default null,
    channel text default null, campaign text default null, counting boolean default true)
returns jsonb language plpgsql set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_sort = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_explain_idle.at, clock_timestamp());
    v_due   uuid;
    v_head  record;
    v_next  uuid;
    v_one   jsonb;
    v_first jsonb;
begin
    perform send_check_filters(account, channel, campaign);

    -- One index probe for each lane's campaign, however many rows wait there (why in this form: send_claim).
    select head.id into v_due
    from send_lanes l
    cross join lateral (
        select from send_accounts a where a.id = l.account_id
          and (send_explain_idle.account is null or a.name = send_explain_idle.account) limit 1) a
    cross join lateral (select p.campaign_id from send_campaign_accounts p where p.account_id = l.account_id offset 0) p
    cross join lateral (
        select from send_campaigns c where c.id = p.campaign_id
          and (send_explain_idle.campaign is null or c.name = send_explain_idle.campaign) limit 1) c
    cross join lateral send_first_pending(l.account_id, l.channel, p.campaign_id, 1) head
    where head.scheduled_for <= v_at
      and (send_explain_idle.channel is null or l.channel = send_explain_idle.channel)
    order by head.scheduled_for, head.id limit 1;

    -- Best first: not_before is the earliest moment at which a head can go; once a head's exact moment precedes all
    -- later not_before, it is the first.
    for v_head in
        select head.id, l.account_id, l.channel, p.campaign_id, case when s.id is not null then
                case when s.window_since <= v_at then array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)
                     else '{}' end end as windows,
            greatest(head.scheduled_for, l.next_at, v_at,
                case when s.window_since <= v_at and v_at < s.closes_at then s.opens_at end) as not_before
        from send_lanes l
        cross join lateral (
            select a.workspace_id, a.schedule_id from send_accounts a
            where a.id = l.account_id and a.status = 'active'
              and (send_explain_idle.account is null or a.name = send_explain_idle.account) limit 1) a
        cross join lateral (
            select from send_workspaces w where w.id = a.workspace_id and w.paused_at is null limit 1) w
        cross join lateral (
            select p.campaign_id from send_campaign_accounts p where p.account_id = l.account_id offset 0) p
        cross join lateral (
            select c.schedule_id from send_campaigns c
            where c.id = p.campaign_id and c.status = 'active'
              and (send_explain_idle.campaign is null or c.name = send_explain_idle.campaign) limit 1) c
        left join lateral (
            select * from send_schedules s where s.id = coalesce(c.schedule_id, a.schedule_id) limit 1) s on true
        cross join lateral send_first_pending(l.account_id, l.channel, p.campaign_id, 1) head
        where l.paused_at is null
          and (send_explain_idle.channel is null or l.channel = send_explain_idle.channel)
        order by not_before, head.id limit 20
    loop
        exit when v_head.not_before >= (v_first ->> 'next_at')::timestamptz;
        v_one := send_explain(v_head.id, v_at, null, false);
        -- Quiet hours cover all stored windows: try the first of the next hundred rows with an opening outside them.
        if v_one ->> 'next_at' is null and (v_one -> 'holds') @> '[{"rule": "quiet_hours"}]'::jsonb then
            select n.id into v_next
            from send_first_pending(v_head.account_id, v_head.channel, v_head.campaign_id, 100) n
            where send_quiet_opening(n.id, greatest(n.scheduled_for, v_at), v_head.windows) is not null
            order by n.scheduled_for limit 1;
            if found then
                v_one := send_explain(v_next, v_at, null, false);
            end if;
        end if;
        if v_first is null or (v_one ->> 'next_at')::timestamptz < (v_first ->> 'next_at')::timestamptz
           or v_first ->> 'next_at' is null then
            v_first := v_one;
        end if;
    end loop;

    return jsonb_build_object('first', v_first,
        'due', case when v_due is not null then send_explain(v_due, v_at, null, false) end,
        'remaining', case when counting then send_remaining(account, channel, campaign) end);
end
$$;
