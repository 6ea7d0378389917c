-- Recount a lane's tally of a day from its attempts, and reopen lanes that wait for a cap. Returns the new count. Not
-- for a day with pruned or deleted rows: their use of the caps would be lost.
create or replace function send_rebuild_usage(account_id uuid, channel text, day date) returns int language plpgsql as $$
#variable_conflict use_column
declare
    v_used int;
    v_rehearsed int;
begin
    perform send_needs_read_committed();
    -- Lock, then count: the count includes any claim or record that held the lane.
    perform from send_lanes l
    where l.account_id = send_rebuild_usage.account_id and l.channel = send_rebuild_usage.channel for no key update;
    select count(*), count(*) filter (where b.rehearsed) into v_used, v_rehearsed from send_attempts b
    where b.account_id = send_rebuild_usage.account_id and b.channel = send_rebuild_usage.channel
      and b.day = send_rebuild_usage.day and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
      and b.started_at > send_rebuild_usage.day - interval '2 days'; -- matches the index; zones differ by less
    insert into send_usage as u (account_id, channel, day, used, rehearsed)
    values (send_rebuild_usage.account_id, send_rebuild_usage.channel, send_rebuild_usage.day, v_used, v_rehearsed)
    on conflict (account_id, channel, day) do update set used = excluded.used, rehearsed = excluded.rehearsed;
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    where l.account_id = send_rebuild_usage.account_id and l.channel = send_rebuild_usage.channel
      and l.next_at_reason in ('daily_cap', 'weekly_cap');
    return v_used;
end
$$;
