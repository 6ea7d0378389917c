-- Record the result of a look-up. Returns the row's status afterwards; null if the row is deleted.
--
-- sent      the provider has the send
-- not_sent  surely absent: pending again, or failed with all tries used up
-- absent    absent, but the provider may list it late: look up again
-- early     looked up before an absence could prove anything: look up again
-- unknown   no answer, or one without proof, which is counted: look up again after `again`; if that is null, leave it
--           to a person, or make it pending again if its campaign says `resend` and tries are left
-- repeat    no look-up, since the provider accepts the same send once: pending again after `again`; its attempt, which
--           may have been accepted, stays counted
--
-- attempt_id, until  as send_look_ups gave them
-- repeat_by          of a `repeat`: the provider recognizes the send until then; null: for ever
--
-- A result holds for its attempt alone: it counts only while that attempt is in doubt and no other run has claimed the
-- look-up, since a run that was suspended may return to a newer attempt, never looked up. Only `sent` holds for ever;
-- but if another send has the message id, the result counts as `unknown`.
create or replace function send_looked_up(attempt_id uuid, until timestamptz, verdict text,
    provider_message_id text default null, again interval default null, at timestamptz default null,
    repeat_by timestamptz default null)
returns text language plpgsql set lock_timeout = '2s'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_to_come boolean := send_rehearse(send_looked_up.at);
    v_at      timestamptz := coalesce(send_looked_up.at, clock_timestamp());
    v_verdict text := verdict;
    v_attempt send_attempts;
    v_send    send_queue;
    v_tries   int;
    v_resends boolean;
    v_doubts  boolean; -- whether an older attempt is in doubt too
begin
    select b.* into v_attempt from send_attempts b where b.id = attempt_id;
    if not found then
        return null;
    end if;
    perform send_lock_lanes(array[v_attempt.account_id], array[v_attempt.channel],
        case when verdict = 'not_sent' then array[v_attempt.account_id] end);
    select q.* into v_send from send_queue q where q.id = v_attempt.send_id for no key update;
    select b.* into v_attempt from send_attempts b where b.id = attempt_id; -- again, under the lock
    select c.max_attempts, c.on_uncertain = 'resend' into v_tries, v_resends
    from send_campaigns c where c.id = v_send.campaign_id;

    if v_verdict = 'sent' and exists (
        select from send_queue o
        where o.account_id = v_send.account_id and o.channel = v_send.channel
          and o.provider_message_id = send_looked_up.provider_message_id
          and (o.id <> v_send.id or o.status = 'sent')) then
        v_verdict := 'unknown';
    end if;
    if v_verdict = 'sent' then
        if v_attempt.outcome in ('uncertain', 'released') then
            perform send_mark_sent(v_attempt.id, send_looked_up.provider_message_id, v_at);
        end if;
        return (select q.status from send_queue q where q.id = v_send.id);
    end if;

    if v_send.status <> 'uncertain' or v_attempt.outcome <> 'uncertain'
       or v_send.look_up_at is distinct from send_looked_up.until
       or exists (select from send_attempts b where b.send_id = v_send.id and b.outcome = 'uncertain'
                                                and b.number > v_attempt.number) then
        return v_send.status;
    end if;

    if v_verdict = 'not_sent' then
        -- A repeat that came too late never began: the look-up was about the attempts that it was to repeat.
        perform send_release(v_send.id,
            case when v_attempt.error_code is distinct from 'too_late_to_repeat' then v_attempt.id end);
        -- A person, or the campaign's rule, gave up an older attempt in doubt earlier: that holds while tries are left.
        v_doubts := exists (select from send_attempts b where b.send_id = v_send.id and b.outcome = 'uncertain');
        update send_queue q
        set status = case when q.attempts < v_tries then 'pending' when v_doubts then q.status else 'failed' end,
            error_code = case when q.attempts < v_tries then null when v_doubts then q.error_code else 'not_sent' end,
            error_message = case when q.attempts < v_tries then null
                                 when v_doubts then 'The last try did not go out; an earlier one may have.'
                                 else 'The provider lost it each time it was tried.' end,
            look_up_at = null, updated_at = v_at
        where q.id = v_send.id
        returning q.status into v_send.status;
    elsif v_verdict = 'repeat' and v_send.attempts < v_tries then
        update send_queue q
        set status = 'pending', scheduled_for = v_at + coalesce(again, interval '0'),
            repeat_by = send_looked_up.repeat_by, look_up_at = null, updated_at = v_at
        where q.id = v_send.id
        returning q.status into v_send.status;
    else
        update send_queue q
        set look_up_at = v_at + again, look_ups = q.look_ups + (v_verdict = 'unknown')::int,
            absent_since = case when v_verdict = 'absent' then coalesce(q.absent_since, v_at)
                                when verdict = 'unknown' then q.absent_since end, -- no answer refutes no absence
            repeat_by = null,
            status = case when again is null and v_resends and q.attempts < v_tries then 'pending' else q.status end
        where q.id = v_send.id
        returning q.status into v_send.status;
    end if;
    return v_send.status;
end
$$;
