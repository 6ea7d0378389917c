-- Give back what an attempt had taken from the caps of its day, since it certainly did not go out, and let the lanes
-- that wait for that room look again. The caller holds the lane.
create or replace function send_give_back(account_id uuid, channel text, day date) returns void language plpgsql as $$
#variable_conflict use_column
begin
    update send_usage u set used = u.used - 1
    where u.account_id = send_give_back.account_id and u.channel = send_give_back.channel
      and u.day = send_give_back.day;
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    where l.account_id = send_give_back.account_id and l.channel = send_give_back.channel
      and l.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit');
    -- A limit of the account or the workspace may keep other lanes waiting too; one that is locked just now is
    -- counting anyway.
    if exists (select from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
               where a.id = send_give_back.account_id) then
        update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
        from (select o.account_id, o.channel from send_lanes o
              join send_accounts a on a.id = o.account_id
              join send_accounts mine on mine.workspace_id = a.workspace_id
              where mine.id = send_give_back.account_id and o.next_at_reason = 'rate_limit'
              for no key update of o skip locked) waiting
        where l.account_id = waiting.account_id and l.channel = waiting.channel;
    end if;
end
$$;
