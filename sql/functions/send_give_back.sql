-- Give back what an attempt had taken from the caps of its day, since it certainly did not go out, and let the lane
-- look again if it waits for that room. The caller holds the lane, and has begun with send_wake.
create or replace function send_give_back(account_id uuid, channel text, day date) returns void language plpgsql as $$
#variable_conflict use_column
begin
    update send_usage u set used = u.used - 1
    where u.account_id = send_give_back.account_id and u.channel = send_give_back.channel
      and u.day = send_give_back.day;
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    where l.account_id = send_give_back.account_id and l.channel = send_give_back.channel
      and l.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit');
end
$$;
