-- Let claims meet lanes again into which somebody wrote an earlier row (send_on_waiting), or that wait for a limit that
-- has room again (send_lock_lanes). A lane that somebody holds is left for the next call.
create or replace function send_apply_wakes() returns void language plpgsql
set enable_hashjoin = on set enable_sort = on as $$
#variable_conflict use_column
declare
    v_accounts uuid[];
    v_channels text[];
begin
    select array_agg(had.account_id), array_agg(had.channel) into v_accounts, v_channels
    from (
        select l.account_id, l.channel from send_lanes l
        where (l.account_id, l.channel) in (select w.account_id, w.channel from send_wakes w)
        for no key update of l skip locked) had;
    update send_lanes l set idle_until = 'epoch'
    where (l.account_id, l.channel) in (select * from unnest(v_accounts, v_channels)) and l.idle_until > 'epoch';
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    where (l.account_id, l.channel) in (select * from unnest(v_accounts, v_channels))
      and l.next_at_reason = 'rate_limit';
    -- Also what was said in between: the lanes are ours, and awake.
    delete from send_wakes w where (w.account_id, w.channel) in (select * from unnest(v_accounts, v_channels));
end
$$;
