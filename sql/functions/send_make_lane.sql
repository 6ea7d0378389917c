-- Make a lane where there is none yet, with the defaults of its channel and the account's tier (no tier: the most
-- careful). Returns whether it was made.
create or replace function send_make_lane(account_id uuid, channel text) returns boolean language plpgsql as $$
#variable_conflict use_column
begin
    if exists (select from send_lanes l
               where l.account_id = send_make_lane.account_id and l.channel = send_make_lane.channel) then
        return false;
    end if;
    insert into send_lanes (account_id, channel, daily_cap, weekly_cap)
    select a.id, send_make_lane.channel, d.daily_cap, d.weekly_cap
    from send_accounts a
    left join send_lane_defaults d on d.channel = send_make_lane.channel and d.tier = coalesce(a.tier, 'free')
    where a.id = send_make_lane.account_id
    on conflict do nothing;
    return found;
end
$$;
