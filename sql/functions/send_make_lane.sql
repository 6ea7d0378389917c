-- Make a missing lane with the caps and pauses of its channel and the account's tier (no tier: the most careful), and
-- the rolling limits of the channel: the account's own and, with a workspace's first lane of that channel, the
-- workspace's. A removed limit is not made again. Returns whether the lane was made. Raises SQ002 if the account does
-- not serve the channel.
--
-- Make limits first: of two transactions that make a workspace's first lanes, the second waits there, before it holds
-- any lock that the first may need. No other transaction waits: these limits hold no lane yet (send_on_limit_change).
create or replace function send_make_lane(account_id uuid, channel text) returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    v_unserved text;
begin
    if exists (select from send_lanes l
               where l.account_id = send_make_lane.account_id and l.channel = send_make_lane.channel) then
        return false;
    end if;
    v_unserved := send_unserved(send_make_lane.account_id, send_make_lane.channel);
    if v_unserved is not null then
        raise exception '%: name an account that does, or use another channel.', v_unserved using errcode = 'SQ002';
    end if;
    insert into send_limits (workspace_id, account_id, channel, per, max_sends)
    select a.workspace_id, case d.scope when 'account' then a.id end, d.channel, d.per, d.max_sends
    from send_accounts a join send_limit_defaults d on d.channel = send_make_lane.channel
    where a.id = send_make_lane.account_id
      and (d.scope = 'account' or not exists (
          select from send_lanes l join send_accounts o on o.id = l.account_id
          where o.workspace_id = a.workspace_id and l.channel = d.channel))
    order by d.scope = 'workspace' desc, d.per
    on conflict do nothing;
    insert into send_lanes (account_id, channel, daily_cap, weekly_cap, min_gap_seconds, jitter_seconds, max_in_flight)
    select a.id, send_make_lane.channel, d.daily_cap, d.weekly_cap, coalesce(d.min_gap_seconds, 0),
        coalesce(d.jitter_seconds, 0), coalesce(d.max_in_flight, 1)
    from send_accounts a
    left join send_lane_defaults d on d.channel = send_make_lane.channel and d.tier = coalesce(a.tier, 'free')
    where a.id = send_make_lane.account_id
    on conflict do nothing;
    return found;
end
$$;
