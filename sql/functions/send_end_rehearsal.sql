-- End what a rehearsal of a moment to come has left, so that it changes nothing now: lanes wait as before it, or for the
-- gap after the last send of ours; its attempts count no more (they are released, with the code rehearsed), nor does the
-- tally of its days; what it had in hand, in doubt, or let expire before its time waits again. What it sent or failed is
-- over: rehearse with a queue of its own. Attempts within the hour count: they may be of a server whose clock is ahead.
-- A lane whose rehearsed moment has come by now stays as it is.
--
-- Like a claim it passes lanes by that somebody holds. Returns how many lanes it has set back.
create or replace function send_end_rehearsal() returns int language plpgsql set lock_timeout = '2s' as $$
#variable_conflict use_column
declare
    v_at       timestamptz := clock_timestamp();
    v_ahead    timestamptz := v_at + interval '1 hour';
    v_n        int := 0;
    v_lane     record;
    v_attempts uuid[];
    v_sends    uuid[];
    v_after    timestamptz;
begin
    for v_lane in
        select r.*, l.min_gap_seconds from send_rehearsed_lanes r
        join send_lanes l on l.account_id = r.account_id and l.channel = r.channel
        order by r.account_id, r.channel for no key update of l skip locked
    loop
        delete from send_rehearsed_lanes r where r.account_id = v_lane.account_id and r.channel = v_lane.channel;
        continue when v_lane.rehearsed_at <= v_at;
        v_attempts := array(
            select b.id from send_attempts b
            where b.account_id = v_lane.account_id and b.channel = v_lane.channel and b.started_at > v_ahead
              and (b.outcome is null or b.outcome in ('sent', 'uncertain')));
        v_sends := array(select distinct b.send_id from send_attempts b where b.id = any (v_attempts));
        perform from send_queue q where q.id = any (v_sends) order by q.id for no key update;
        perform from send_attempts b where b.id = any (v_attempts) order by b.send_id, b.number for no key update;
        update send_usage u set used = u.used - d.n
        from (select b.day, count(*)::int as n from send_attempts b where b.id = any (v_attempts) group by b.day) d
        where u.account_id = v_lane.account_id and u.channel = v_lane.channel and u.day = d.day;
        update send_attempts b set outcome = 'released', finished_at = coalesce(b.finished_at, b.started_at),
            error_code = 'rehearsed', error_message = 'It was rehearsed.'
        where b.id = any (v_attempts);
        update send_queue q
        set status = 'pending', attempt_id = null, claimed_by = null, lease_expires_at = null, look_up_at = null,
            look_ups = 0, absent_since = null, error_code = null, error_message = null, updated_at = v_at
        where q.id = any (v_sends) and q.status in ('sending', 'uncertain') and not exists (
            select from send_attempts b where b.send_id = q.id and (b.outcome is null or b.outcome = 'uncertain'));
        update send_queue q set status = 'pending', error_code = null, error_message = null, updated_at = v_at
        where q.account_id = v_lane.account_id and q.channel = v_lane.channel and q.status = 'skipped'
          and q.error_code = 'expired' and q.updated_at > v_ahead and q.expires_at > v_at;
        v_after := send_after_gap(v_lane.account_id, v_lane.channel, v_lane.min_gap_seconds);
        update send_lanes l
        set next_at = greatest(v_lane.next_at, v_after), consecutive_holds = v_lane.consecutive_holds, idle_until = 'epoch',
            next_at_reason = case when v_after > v_lane.next_at then 'min_gap' else v_lane.next_at_reason end,
            next_at_detail = case when v_after <= v_lane.next_at then v_lane.next_at_detail end
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel;
        v_n := v_n + 1;
    end loop;
    return v_n;
end
$$;
