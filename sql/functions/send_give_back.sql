-- Give back the room that an attempt had taken, since it certainly did not go out: its part of the caps of its day, and
-- the lane's gap, unless a later attempt of the lane may have gone out. A provider that asks to wait (held) keeps the
-- gap: it has heard of the lane. The lane looks again if it waits for that room, at the turn that it had when the
-- attempt began: it does not go ahead of other lanes. A gap that was raised since is counted from the last send. The
-- caller holds the lane, has written the attempt's outcome, and has begun with send_lock_lanes.
create or replace function send_give_back(attempt_id uuid) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_attempt record;
begin
    select * into v_attempt from send_attempts b where b.id = send_give_back.attempt_id;
    update send_usage u set used = u.used - 1, rehearsed = u.rehearsed - v_attempt.rehearsed::int
    where u.account_id = v_attempt.account_id and u.channel = v_attempt.channel and u.day = v_attempt.day;
    update send_lanes l
    set next_at = case when l.next_at_reason = 'min_gap' then greatest(
            least(l.next_at, v_attempt.started_at), send_after_gap(l.account_id, l.channel, l.min_gap_seconds))
        else 'epoch' end,
        next_at_reason = null, next_at_detail = null
    where l.account_id = v_attempt.account_id and l.channel = v_attempt.channel
      and (l.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit')
        or l.next_at_reason = 'min_gap' and v_attempt.outcome <> 'held' and not exists (
            select from send_attempts b
            where b.account_id = v_attempt.account_id and b.channel = v_attempt.channel
              and b.started_at >= v_attempt.started_at and b.id <> v_attempt.id
              and (v_attempt.rehearsed or not b.rehearsed)
              and (b.outcome is null or b.outcome in ('sent', 'uncertain'))));
end
$$;
