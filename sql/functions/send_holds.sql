-- Every rule that holds a send back at a moment, the calendar aside: what the claim would find there, by the claim's
-- own rules and counts (send_room). Explain asks for now, and then for each later moment that the answers name.
--
-- Returns {status, error_code, error_message, expires_at, schedule: {...} or null, ahead: n, at: moment,
--          holds: [{rule, until, detail}]}; until is null where only a person can end it; ahead counts the rows of the
-- same lane that are due and go first. Raises SQ002 where there is no such send.
create or replace function send_holds(id uuid, at timestamptz default null) returns jsonb language plpgsql stable set timezone = 'UTC' as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_holds.at, clock_timestamp());
    v_send  record;
    v_holds jsonb;
begin
    select q.*, c.name as campaign, c.status as campaign_status, c.pause_reason as campaign_reason,
        a.name as account, a.status as account_status, a.status_reason, w.name as workspace,
        w.paused_at as workspace_paused_at, w.pause_reason as workspace_reason, l.paused_at as lane_paused_at,
        l.pause_reason as lane_reason, l.next_at, l.next_at_reason, l.next_at_detail, to_jsonb(s) as schedule
    into v_send
    from send_queue q
    join send_campaigns c on c.id = q.campaign_id
    join send_accounts a on a.id = q.account_id
    join send_workspaces w on w.id = q.workspace_id
    join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
    left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
    where q.id = send_holds.id;
    if not found then
        raise exception 'There is no send %: see which there are with `send-queue list`.', send_holds.id
            using errcode = 'SQ002';
    end if;

    if v_send.status = 'pending' then
        select jsonb_agg(jsonb_build_object('rule', h.rule, 'until', h.until, 'detail', h.detail)) into v_holds
        from (
            select 'scheduled_for' as rule, v_send.scheduled_for as until, 'It is scheduled for later.' as detail
            where v_send.scheduled_for > v_at
            union all
            select 'paused', null, p.detail
            from (values (v_send.workspace_paused_at is not null, format('The workspace %s is paused%s.',
                     v_send.workspace, ': ' || v_send.workspace_reason)),
                 (v_send.account_status = 'paused', format('The account %s is paused%s.', v_send.account,
                     ': ' || v_send.status_reason)),
                 (v_send.lane_paused_at is not null, format('The lane %s %s is paused%s.', v_send.account,
                     v_send.channel, ': ' || v_send.lane_reason)),
                 (v_send.campaign_status <> 'active', format('The campaign %s is %s%s.', v_send.campaign,
                     v_send.campaign_status, ': ' || v_send.campaign_reason))) p (so, detail)
            where p.so
            union all
            select 'disconnected', null, format('The account %s is disconnected%s.', v_send.account,
                ': ' || v_send.status_reason)
            where v_send.account_status = 'disconnected'
            union all
            -- While the lane waits, nothing is counted; afterwards everything is.
            select coalesce(v_send.next_at_reason, 'min_gap'), nullif(v_send.next_at, '9999-12-31'),
                coalesce(v_send.next_at_detail, case when v_send.next_at_reason = 'min_gap'
                    then 'The gap after the last send is not over.' else 'The lane waits.' end)
            where v_send.next_at > v_at
            union all
            select r.rule, r.until, r.detail from send_room(v_send.account_id, v_send.channel, v_at) r
            where r.room <= 0 and (v_send.next_at <= v_at or r.rule is distinct from v_send.next_at_reason)
        ) h;
    end if;
    return jsonb_build_object('status', v_send.status, 'error_code', v_send.error_code,
        'error_message', v_send.error_message, 'expires_at', v_send.expires_at, 'schedule', v_send.schedule,
        'account', v_send.account, 'channel', v_send.channel, 'at', v_at, 'holds', coalesce(v_holds, '[]'),
        'ahead', case when v_send.status = 'pending' then (
            select count(*) from (
                select from send_campaign_accounts p
                join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
                join send_queue q on q.account_id = p.account_id and q.channel = v_send.channel
                    and q.campaign_id = p.campaign_id and q.status = 'pending' and q.scheduled_for <= v_at
                where p.account_id = v_send.account_id
                  and (q.priority, q.scheduled_for, q.id) < (v_send.priority, v_send.scheduled_for, v_send.id)
                limit 10000) before) else 0 end);
end
$$;
