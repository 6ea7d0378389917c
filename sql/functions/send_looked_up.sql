-- What a look-up came to: `sent` (the provider has it), `not_sent` (surely not there: pending again, or failed where
-- all tries are used up), `absent` (not there, but it may be listed late: ask again), `early` (asked before its absence
-- could mean anything: ask again), `unknown` (it could not be asked or cannot tell, which is counted: ask again, if
-- `again` says when; else it is left to a person, or pending again where its campaign says `resend` and tries are left),
-- `repeat` (nobody was asked, for the provider accepts the same send once: it is pending again after `again`, and its
-- attempt, which may have been accepted, stays counted).
--
-- attempt_id, until   what send_look_ups gave: which attempt was asked about, and until when its look-up is the asker's
-- repeat_by           of a `repeat`: until when the provider knows the send again; null: for ever
--
-- An answer is about that attempt and no other: it is believed only while that attempt is the one in doubt and nobody
-- else was given its look-up, for a run that was suspended with an answer in hand may find another attempt in doubt, of
-- which nobody was ever asked. Only that it was sent is true for ever. But a message that is known already, as another
-- send's, is not this one's: then the provider cannot tell.
-- Returns the status that the row has afterwards; null where somebody has deleted it.
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
    v_doubts  boolean; -- whether another attempt is in doubt too
begin
    select b.* into v_attempt from send_attempts b where b.id = attempt_id;
    if not found then
        return null;
    end if;
    perform send_lock_lanes(array[v_attempt.account_id], array[v_attempt.channel],
        case when verdict = 'not_sent' then array[v_attempt.account_id] end);
    select q.* into v_send from send_queue q where q.id = v_attempt.send_id for no key update;
    select b.* into v_attempt from send_attempts b where b.id = attempt_id; -- as it is, now that the row is ours
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
        -- A repeat that came too late never began: what was asked about are the tries that it was to repeat.
        perform send_release(v_send.id,
            case when v_attempt.error_code is distinct from 'too_late_to_repeat' then v_attempt.id end);
        -- An older attempt in doubt was given up before, by a person or as its campaign says: while tries are left.
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
                                when verdict = 'unknown' then q.absent_since end, -- silence takes nothing back
            repeat_by = null,
            status = case when again is null and v_resends and q.attempts < v_tries then 'pending' else q.status end
        where q.id = v_send.id
        returning q.status into v_send.status;
    end if;
    return v_send.status;
end
$$;
