-- Explain why a send has not gone, and find the earliest moment at which it can. It follows the claim's own rules and
-- counts (send_remaining_capacity): the holds now, then those at the latest moment that these give, until none is left.
--
-- windows   the openings of the send's schedule from `at` on; null: the stored ones
-- counting  whether to count the rows ahead, which costs more the more there are
--
-- Returns {send_id, status, ..., holds: [{rule, until, detail, found_at}], next_at, contended, ahead, schedule, beyond,
-- reached}:
--
-- until      null if only a person can end the hold; then next_at is null too
-- found_at   the moment at which the rule was met
-- contended  whether other rows of the lane, or of lanes that may share a limit with it, are due by next_at: that place
--            may be another's
-- ahead      the rows of the lane that are due at next_at and go first, 10,000 at most
-- beyond     whether the windows ended too soon: pass more from `reached` on, to 400 days after it if quiet hours cover
--            them all. Quiet hours that cover more than a year of openings never end
--
-- A send whose recipient another campaign has written to by then is skipped then: rule `contacted`. Raises SQ005 if the
-- send does not exist.
create or replace function send_explain(id uuid, at timestamptz default null, windows tstzrange[] default null,
    counting boolean default true)
returns jsonb language plpgsql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_sort = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_explain.at, clock_timestamp());
    v_to_come boolean := send_rehearse(send_explain.at);
    v_moment  timestamptz;
    v_send    record;
    v_windows tstzrange[] := send_explain.windows;
    v_opens   timestamptz;
    v_holds   jsonb := '[]';
    v_now     jsonb;
    v_until   timestamptz;
    v_person  boolean;
    v_beyond  boolean := false;
    v_quiet   boolean;
    v_awake   timestamptz := '-infinity'; -- a moment outside quiet hours and within the schedule
begin
    select q.*, c.name as campaign, c.max_attempts, c.status as campaign_status,
        coalesce(c.skip_contacted, w.skip_contacted) as skip_contacted, c.pause_reason as campaign_reason,
        a.name as account, a.status as account_status, a.status_reason, w.name as workspace,
        w.paused_at as workspace_paused_at, w.pause_reason as workspace_reason, l.paused_at as lane_paused_at,
        l.pause_reason as lane_reason, l.next_at, l.next_at_reason, l.next_at_detail, s.id as schedule_id,
        s.name as schedule_name, s.timezone as schedule_timezone, to_jsonb(s) as schedule,
        case when s.window_since <= v_at then array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)
             else '{}' end as cached
    into v_send
    from send_queue q
    join send_campaigns c on c.id = q.campaign_id
    join send_accounts a on a.id = q.account_id
    join send_workspaces w on w.id = q.workspace_id
    join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
    left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
    where q.id = send_explain.id;
    if not found then
        raise exception 'There is no send %: find one with `send-queue list`.', send_explain.id
            using errcode = 'SQ005';
    end if;
    v_windows := coalesce(v_windows, v_send.cached);

    v_moment := v_at;
    for v_step in 1..2000 loop
        exit when v_send.status <> 'pending';
        v_opens := null;
        if v_send.schedule_id is not null then
            select min(greatest(lower(o), v_moment)) into v_opens from unnest(v_windows) o where upper(o) > v_moment;
            v_beyond := v_opens is null;
            exit when v_beyond;
        end if;
        select jsonb_agg(jsonb_build_object('rule', h.rule, 'until', h.until, 'detail', h.detail,
                   'found_at', v_moment)), max(h.until), coalesce(bool_or(h.until is null), false),
            coalesce(bool_or(h.rule = 'quiet_hours'), false)
        into v_now, v_until, v_person, v_quiet
        from (
            select case when v_send.error_code = 'quiet_hours' then 'quiet_hours' else 'scheduled_for' end as rule,
                v_send.scheduled_for as until,
                case when v_send.error_code in ('quiet_hours', 'timezone') then v_send.error_message
                     when v_send.attempts > 0 and v_send.error_code is not null then
                         format('It is retried then, attempt %s of %s; the last one met %s.', v_send.attempts + 1,
                             v_send.max_attempts, v_send.error_code)
                     else 'It is scheduled for later.' end as detail
            where v_send.scheduled_for > v_moment
            union all
            select 'quiet_hours', nullif(h.until, '9999-12-31'), h.detail from send_quiet_until(v_send.id, v_moment) h
            where h.until > v_moment and v_send.scheduled_for <= v_moment
            union all
            select 'schedule', v_opens, format('The schedule %s is closed until %s %s.', v_send.schedule_name,
                to_char(coalesce(send_local_time(v_opens, v_send.schedule_timezone), v_opens at time zone 'UTC'),
                    'Dy YYYY-MM-DD HH24:MI'), case when send_local_time(v_opens, v_send.schedule_timezone) is null
                    then 'UTC' else v_send.schedule_timezone end)
            where v_opens > v_moment
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
            -- Count limits only after the lane's wait ends.
            select coalesce(v_send.next_at_reason, 'min_gap'), case when v_send.next_at < '9999-12-31'
                and v_send.next_at_reason is distinct from 'cap_timezone' then v_send.next_at end,
                coalesce(v_send.next_at_detail, case when v_send.next_at_reason = 'min_gap'
                    then 'The gap after the last send is not over.' else 'The lane waits.' end)
            where v_send.next_at > v_moment
            union all
            select r.rule, r.until, r.detail from send_remaining_capacity(v_send.account_id, v_send.channel, v_moment, null, null) r
            where r.room <= 0 and v_send.next_at <= v_moment
        ) h;
        if v_now is null then
            select jsonb_build_array(jsonb_build_object('rule', 'contacted', 'until', null, 'detail',
                format('%s A run skips it.', w.reason), 'found_at', v_moment)) into v_now
            from (
                select send_contacted(v_send.workspace_id, v_send.campaign_id, v_send.channel, v_send.recipient,
                    v_send.prospect_id, v_send.skip_contacted, v_moment) as reason) w
            where w.reason is not null;
            v_holds := v_holds || coalesce(v_now, '[]');
            exit;
        end if;
        if v_quiet and not v_person and v_awake < v_moment then
            v_awake := send_quiet_opening(v_send.id, greatest(v_moment, v_send.scheduled_for),
                case when v_send.schedule_id is not null then v_windows end);
            if v_awake is null and (v_send.schedule_id is null or exists (
                    select from unnest(v_windows) o where upper(o) > v_moment + interval '400 days')) then
                v_holds := v_holds || (select jsonb_build_array(jsonb_build_object('rule', 'quiet_hours', 'until', null,
                    'detail', format('Quiet hours where the recipient is (%s), from %s to %s, %s: it can never go.',
                        array_to_string(z.zones, ', '), to_char(z.quiet_from, 'HH24:MI'), to_char(z.quiet_until, 'HH24:MI'),
                        coalesce(format('cover every opening of the schedule %s', v_send.schedule_name),
                            'never end in all of these zones')), 'found_at', v_moment)) from send_quiet_of(v_send.id) z);
                exit;
            end if;
            v_beyond := v_awake is null;
        end if;
        v_holds := v_holds || v_now;
        exit when v_beyond;
        exit when v_person or v_until <= v_moment;
        v_moment := v_until;
    end loop;

    return jsonb_build_object('send_id', v_send.id, 'status', v_send.status, 'error_code', v_send.error_code,
        'error_message', v_send.error_message, 'expires_at', v_send.expires_at,
        'lease_expires_at', v_send.lease_expires_at, 'sent_at', v_send.sent_at, 'updated_at', v_send.updated_at,
        'provider_message_id', v_send.provider_message_id,
        'look_up_at', case when v_send.account_status = 'active' then v_send.look_up_at end, 'at', v_at, 'account', v_send.account,
        'account_id', v_send.account_id, 'channel', v_send.channel, 'campaign', v_send.campaign,
        'workspace', v_send.workspace, 'recipient', v_send.recipient,
        'schedule', v_send.schedule, 'holds', v_holds, 'beyond', v_beyond, 'reached', v_moment,
        'next_at', case when v_send.status = 'pending' and v_now is null and not v_beyond then v_moment end,
        'contended', counting and v_send.status = 'pending' and v_now is null and not v_beyond and exists (
            select from (
                select v_send.account_id, v_send.channel
                union all
                select l.account_id, l.channel from send_accounts a join send_lanes l on l.account_id = a.id
                where a.workspace_id = v_send.workspace_id and exists (
                    select from send_limits n where n.workspace_id = a.workspace_id
                      and (n.account_id is null or n.account_id = a.id and a.id = v_send.account_id))) o
            cross join lateral (select p.campaign_id from send_campaign_accounts p where p.account_id = o.account_id) p
            cross join lateral (select from send_campaigns c where c.id = p.campaign_id and c.status = 'active' limit 1) c
            cross join lateral send_first_pending(o.account_id, o.channel, p.campaign_id, 2) q
            where q.id <> v_send.id and q.scheduled_for <= v_moment
            limit 1),
        'ahead', case when counting and v_send.status = 'pending' then (
            select count(*) from (
                select from send_campaign_accounts p
                join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
                cross join lateral (
                    select q.id from send_queue q
                    where q.status = 'pending' and q.scheduled_for <= v_moment
                      and (q.account_id, q.channel, q.campaign_id) >= (p.account_id, v_send.channel, p.campaign_id)
                      and (q.account_id, q.channel, q.campaign_id, q.priority, q.scheduled_for, q.id)
                        < (p.account_id, v_send.channel, p.campaign_id,
                           v_send.priority, v_send.scheduled_for, v_send.id)
                    order by q.account_id, q.channel, q.campaign_id, q.priority, q.scheduled_for, q.id
                    limit 10000) q -- why in this form: send_claim
                where p.account_id = v_send.account_id
                limit 10000) before) else 0 end);
end
$$;
