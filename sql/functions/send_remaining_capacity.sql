-- What a lane has left of each of its limits at a moment: a row for each limit that it has.
--
-- This is the one place where limits are counted. The claim calls it while it holds the lane's lock, in a statement of
-- its own (a snapshot taken before the lock would miss what the last holder committed: measured, 117 to 144 sends
-- through a cap of 100); explain and forecast call it for moments to come. What was rehearsed counts in a rehearsal
-- only (send_rehearse). Room does not shrink as time goes by, only by what is sent: forecast keeps an answer until it
-- is used up (insight/simulation.py).
--
-- room       how many more may start now; 0 or less: none
-- until      where there is none: when room returns if nothing else is sent, exact; null: not by itself
-- reach      which lanes count together: this `lane` (or its account's), those of its `channel` in the workspace, or
--            all of the `workspace`
--
-- rules, limit_id   only these rules, of rolling limits only this one; null: all. Each costs something to count, and
--                   forecast asks of those whose room it has used up
create or replace function send_remaining_capacity(account_id uuid, channel text, at timestamptz, rules text[] default null,
    limit_id uuid default null)
returns table (rule text, room int, until timestamptz, detail text, reach text) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_lane  record;
    v_today date;
    v_cap   int;
    v_used  int;
    v_limit record;
    v_last  timestamptz;
    v_rehearsing boolean := coalesce(current_setting('send_queue.rehearsed_at', true), '') <> '';
    v_real    int := (not v_rehearsing)::int; -- 1: what was rehearsed is taken off the tally
begin
    select l.*, a.workspace_id into strict v_lane
    from send_lanes l join send_accounts a on a.id = l.account_id
    where l.account_id = send_remaining_capacity.account_id and l.channel = send_remaining_capacity.channel;
    v_today := send_local_time(send_remaining_capacity.at, v_lane.cap_timezone)::date;
    if v_today is null and rules is distinct from array['rate_limit'] then -- no day, so no cap to count
        return query select 'cap_timezone', 0, null::timestamptz,
            send_unknown_lane_zone(v_lane.account_id, v_lane.channel, v_lane.cap_timezone), 'lane';
        return;
    end if;

    if 'in_flight' = any (rules) is not false then
        select count(*), min(q.lease_expires_at) into v_used, v_last
        from send_queue q
        where q.account_id = v_lane.account_id and q.channel = v_lane.channel and q.status = 'sending'
          and q.lease_expires_at > send_remaining_capacity.at; -- a lease that has run out by then is recovered before anything is claimed
        return query select 'in_flight', v_lane.max_in_flight - v_used,
            case when v_used >= v_lane.max_in_flight then v_last end,
            format('%s of %s in flight', v_used, v_lane.max_in_flight), 'lane';
    end if;

    if 'daily_cap' = any (rules) is not false then
        v_cap := send_cap_on(v_lane.daily_cap, v_lane.warm_up_start, v_lane.warm_up_step, v_lane.warm_up_began, v_today);
    end if;
    if v_cap is not null then
        v_used := coalesce((select u.used - u.rehearsed * v_real from send_usage u
            where u.account_id = v_lane.account_id and u.channel = v_lane.channel and u.day = v_today), 0);
        return query select 'daily_cap', v_cap - v_used, case when v_used >= v_cap then (
                select send_day_start(v_today + k, v_lane.cap_timezone)
                from generate_series(1, case when v_lane.warm_up_start is null then 1 else 400 end) k
                where send_cap_on(v_lane.daily_cap, v_lane.warm_up_start, v_lane.warm_up_step, v_lane.warm_up_began,
                                  v_today + k) > 0
                order by k limit 1) end,
            format('Daily limit reached (%s/%s)', v_used, v_cap), 'lane';
    end if;

    if v_lane.weekly_cap is not null and 'weekly_cap' = any (rules) is not false then
        v_used := coalesce((select sum(u.used - u.rehearsed * v_real) from send_usage u
            where u.account_id = v_lane.account_id and u.channel = v_lane.channel
              and u.day between v_today - 6 and v_today), 0);
        return query select 'weekly_cap', v_lane.weekly_cap - v_used, case when v_used >= v_lane.weekly_cap then (
                select send_day_start(v_today + k, v_lane.cap_timezone)
                from generate_series(1, 7) k
                where v_lane.weekly_cap > coalesce((select sum(u.used - u.rehearsed * v_real) from send_usage u
                    where u.account_id = v_lane.account_id and u.channel = v_lane.channel
                      and u.day between v_today + k - 6 and v_today), 0)
                order by k limit 1) end,
            format('Weekly limit reached (%s/%s)', v_used, v_lane.weekly_cap), 'lane';
    end if;

    if 'rate_limit' = any (rules) is false then
        return;
    end if;
    for v_limit in
        select l.*, make_interval(secs => extract(epoch from l.per)::float8) as period
        from send_limits l
        where l.workspace_id = v_lane.workspace_id -- as limit_is_said_once has it: of the workspace, or of the account
          and coalesce(l.account_id, l.workspace_id) = any (array[v_lane.workspace_id, v_lane.account_id])
          and (l.channel is null or l.channel = v_lane.channel) and (limit_id is null or l.id = limit_id)
    loop
        -- Only the newest max_sends matter: when the oldest of those leaves the period, there is room again.
        if v_limit.account_id is null then
            select count(*), min(s.started_at) into v_used, v_last from (
                select t.started_at from send_attempts t
                where t.workspace_id = v_lane.workspace_id and t.started_at > send_remaining_capacity.at - v_limit.period
                  and (t.outcome is null or t.outcome in ('sent', 'uncertain'))
                  and (v_rehearsing or t.rehearsed is not true)
                  and (v_limit.channel is null or t.channel = v_limit.channel)
                order by t.started_at desc limit v_limit.max_sends) s;
        else
            select count(*), min(s.started_at) into v_used, v_last from (
                select t.started_at from send_attempts t
                where t.account_id = v_lane.account_id and t.started_at > send_remaining_capacity.at - v_limit.period
                  and (t.outcome is null or t.outcome in ('sent', 'uncertain'))
                  and (v_rehearsing or t.rehearsed is not true)
                  and (v_limit.channel is null or t.channel = v_limit.channel)
                order by t.started_at desc limit v_limit.max_sends) s;
        end if;
        return query select 'rate_limit', v_limit.max_sends - v_used,
            case when v_used >= v_limit.max_sends then v_last + v_limit.period end,
            format('Limit of the %s reached (%s/%s in %s)',
                case when v_limit.account_id is null then 'workspace' else 'account' end,
                v_used, v_limit.max_sends, v_limit.per),
            case when v_limit.account_id is not null then 'lane' when v_limit.channel is not null then 'channel'
                 else 'workspace' end;
    end loop;
end
$$;
