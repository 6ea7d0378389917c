-- Undo a rehearsal: lane by lane, restore the lane and its rows as they were before (send_on_rehearsal), and delete the
-- rehearsed attempts. A lane's wait for a limit is not restored: the lane checks the limit again.
--
-- Like a claim it waits for no lock: a lane that is locked, or has a locked row among those noted, is left for the next
-- run, and claims skip it until then.
--
-- account_ids  the accounts whose lanes the caller is about to change in earnest; if one of them stays noted, raises
--              lock_not_available, after which callers retry
create or replace function send_end_rehearsal(account_ids uuid[]) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_lane  record;
    v_ids   uuid[];
    v_held  int;
    v_after timestamptz;
begin
    for v_lane in
        select l.account_id, l.channel, l.min_gap_seconds
        from (select r.account_id, r.channel from send_rehearsed_lanes r
              union select r.account_id, r.channel from send_rehearsed_rows r) noted
        cross join lateral (
            select * from send_lanes l where l.account_id = noted.account_id and l.channel = noted.channel limit 1) l
        order by l.account_id, l.channel
    loop
        perform from send_lanes l
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel for no key update skip locked;
        continue when not found;
        -- Read after the lock: the statement sees all that the rehearsal committed.
        v_ids := array(
            select r.send_id from send_rehearsed_rows r
            where r.account_id = v_lane.account_id and r.channel = v_lane.channel order by r.send_id);
        perform from send_queue q where q.id = any (v_ids) order by q.id for no key update skip locked;
        get diagnostics v_held = row_count;
        continue when v_held < cardinality(v_ids);

        -- Skip rows that changed since, except rows that a rehearsed attempt holds or ended: it never went out.
        v_ids := array(
            select q.id from send_rehearsed_rows r
            cross join lateral (select * from send_queue q where q.id = r.send_id limit 1) q
            left join lateral (
                select b.rehearsed from send_attempts b where b.send_id = q.id
                order by b.send_id desc, b.number desc limit 1) b on true
            where r.account_id = v_lane.account_id and r.channel = v_lane.channel
              and (q.updated_at = r.left_at or b.rehearsed and q.status in ('sending', 'uncertain', 'sent', 'failed'))
            order by q.id);
        delete from send_usage u
        where u.account_id = v_lane.account_id and u.channel = v_lane.channel and u.used = u.rehearsed;
        update send_usage u set used = u.used - u.rehearsed, rehearsed = 0
        where u.account_id = v_lane.account_id and u.channel = v_lane.channel and u.rehearsed > 0;
        delete from send_attempts b
        where b.rehearsed and b.send_id in (
            select r.send_id from send_rehearsed_rows r
            where r.account_id = v_lane.account_id and r.channel = v_lane.channel);
        perform set_config('send_queue.undoing', 'on', true); -- a row sent in rehearsal went to no recipient
        update send_queue q
        set status = r.status, scheduled_for = case when q.scheduled_for = r.left_for then r.scheduled_for
                                                    else q.scheduled_for end,
            place = case when q.scheduled_for = r.left_for then r.place end, attempts = r.attempts, claimed_by = null,
            lease_expires_at = null, attempt_id = null, sent_at = r.sent_at,
            provider_message_id = r.provider_message_id, error_code = r.error_code, error_message = r.error_message,
            look_up_at = r.look_up_at, look_ups = r.look_ups, absent_since = r.absent_since, repeat_by = r.repeat_by,
            updated_at = r.updated_at
        from send_rehearsed_rows r where r.send_id = q.id and q.id = any (v_ids);
        perform set_config('send_queue.undoing', '', true);
        delete from send_rehearsed_rows r where r.account_id = v_lane.account_id and r.channel = v_lane.channel;

        v_after := send_after_gap(v_lane.account_id, v_lane.channel, v_lane.min_gap_seconds);
        update send_lanes l
        set next_at = case when n.gap then v_after when n.limited then 'epoch' else r.next_at end,
            next_at_reason = case when n.gap then 'min_gap' when not n.limited then r.next_at_reason end,
            next_at_detail = case when not n.gap and not n.limited then r.next_at_detail end,
            consecutive_holds = r.consecutive_holds, turns = coalesce(r.turns, l.turns),
            served_at = coalesce(r.served_at, l.served_at), idle_until = 'epoch'
        from send_rehearsed_lanes r
        cross join lateral (
            select coalesce(r.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit'), false) as limited,
                v_after > clock_timestamp() and v_after > r.next_at as gap) n
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel
          and r.account_id = l.account_id and r.channel = l.channel;
        delete from send_turns t
        using send_rehearsed_lanes r
        where t.account_id = v_lane.account_id and t.channel = v_lane.channel
          and r.account_id = t.account_id and r.channel = t.channel and r.turns is not null;
        insert into send_turns (account_id, channel, campaign_id, turn)
        select r.account_id, r.channel, c.id, (r.campaign_turns ->> c.id::text)::bigint
        from send_rehearsed_lanes r
        cross join lateral jsonb_object_keys(r.campaign_turns) k (campaign)
        join send_campaigns c on c.id = k.campaign::uuid
        where r.account_id = v_lane.account_id and r.channel = v_lane.channel;
        delete from send_rehearsed_lanes r where r.account_id = v_lane.account_id and r.channel = v_lane.channel;
    end loop;
    if cardinality(account_ids) > 0 and exists (
        select from (select r.account_id from send_rehearsed_lanes r
                     union all select r.account_id from send_rehearsed_rows r) noted
        where noted.account_id = any (account_ids)) then
        raise exception 'A rehearsed lane is locked by another transaction: retry.'
            using errcode = 'lock_not_available';
    end if;
end
$$;
