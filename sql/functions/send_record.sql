-- Write down what became of sends: one short transaction for all of them.
--
-- A result counts only while its attempt is still the current one (not finished by recovery): a worker that was
-- declared dead cannot overwrite what came after it. What such a late worker knows is still used: it was sent, so the
-- row is sent, whatever recovery had thought of it.
--
-- results  [{attempt_id, outcome, http_status, provider_message_id, error_code, error_message, retry_seconds,
--            scope, hold_seconds, ceiling_seconds}, ...]; outcome as in send_attempts
--
-- Locks are taken in one order everywhere: account, lane, row, attempt, tally; of several, in the order of their ids
-- (of a row: by account, channel, id). So of an account's results those that stop all its lanes go first, and of a
-- lane's those that lock it.
create or replace function send_record(results jsonb, at timestamptz default null)
returns table (send_id uuid, recorded boolean, status text) language plpgsql as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_record.at, clock_timestamp());
    v_result  record;
    v_send    record;
    v_counts  boolean;
    v_status  text;
    v_attempt uuid;
    v_day     date;
    v_late    boolean;
    v_gave    uuid[] := '{}'; -- the accounts that have been given something back
begin
    for v_result in
        select r.*, b.send_id, b.account_id, b.channel, b.started_at
        from jsonb_to_recordset(results) r (attempt_id uuid, outcome text, http_status int, provider_message_id text,
            error_code text, error_message text, retry_seconds float8, scope text, hold_seconds float8,
            ceiling_seconds float8)
        join send_attempts b on b.id = r.attempt_id
        order by b.account_id, r.outcome = 'held' and (r.scope = 'account' or r.hold_seconds is null) desc, b.channel,
            r.outcome in ('sent', 'uncertain'), b.send_id
    loop
        if v_result.outcome = 'held' then
            perform send_hold(v_result.account_id, v_result.channel, v_result.scope, v_result.error_code,
                v_result.error_message, v_result.hold_seconds, v_result.ceiling_seconds, v_result.started_at, v_at);
        elsif v_result.outcome in ('sent', 'uncertain') then
            update send_lanes l set holds_in_a_row = 0
            where l.account_id = v_result.account_id and l.channel = v_result.channel and l.holds_in_a_row > 0
              and v_result.outcome = 'sent';
        else
            perform from send_lanes l
            where l.account_id = v_result.account_id and l.channel = v_result.channel for no key update;
        end if;

        select q.*, c.max_attempts into v_send
        from send_queue q join send_campaigns c on c.id = q.campaign_id
        where q.id = v_result.send_id for no key update of q;

        update send_attempts b
        set outcome = v_result.outcome, finished_at = v_at, http_status = v_result.http_status,
            provider_message_id = v_result.provider_message_id, error_code = v_result.error_code,
            error_message = v_result.error_message
        where b.id = v_result.attempt_id and b.outcome is null
        returning b.id, b.day into v_attempt, v_day; -- the day as it is now: the lane's zone may have changed
        if v_attempt is null then
            v_late := v_result.outcome = 'sent' and exists (select from send_attempts b where b.id = v_result.attempt_id
                                                            and b.outcome in ('uncertain', 'released'));
            if v_late then
                perform send_mark_sent(v_result.attempt_id, v_result.provider_message_id, v_at);
            end if;
            return query select q.id, v_late, q.status from send_queue q where q.id = v_send.id;
            continue;
        end if;

        -- Only what was or may have been accepted is spent.
        if v_result.outcome not in ('sent', 'uncertain') then
            perform send_give_back(v_result.account_id, v_result.channel, v_day);
            v_gave := v_gave || v_result.account_id;
        end if;

        v_counts := v_result.outcome not in ('held', 'released');
        v_status := case
            -- Also where an earlier attempt, once given up, has turned out to be sent meanwhile.
            when v_result.outcome = 'sent' or exists (
                select from send_attempts b where b.send_id = v_send.id and b.outcome = 'sent') then 'sent'
            -- It was done before: by an attempt of ours that nobody could be sure of, or by somebody else.
            when v_result.outcome = 'already_done' then case when exists (
                select from send_attempts b where b.send_id = v_send.id and b.outcome = 'uncertain')
                then 'sent' else 'skipped' end
            when v_result.outcome = 'retry' and v_send.attempts + 1 >= v_send.max_attempts then 'failed'
            when v_result.outcome in ('retry', 'held', 'released') then 'pending'
            else v_result.outcome -- failed, uncertain
        end;
        update send_queue q
        set status = v_status, claimed_by = null, lease_expires_at = null, updated_at = v_at,
            attempts = q.attempts + v_counts::int,
            sent_at = case when v_status = 'sent' then v_at end,
            scheduled_for = case when v_result.outcome = 'retry' and v_status = 'pending'
                then v_at + make_interval(secs => v_result.retry_seconds) else q.scheduled_for end,
            provider_message_id = coalesce(
                send_message_name(q.account_id, q.channel, v_result.provider_message_id, q.id), q.provider_message_id),
            look_up_at = case when v_status = 'uncertain' then v_at end, look_ups = 0, absent_since = null,
            error_code = case when v_status <> 'sent' then v_result.error_code end,
            error_message = case when v_status <> 'sent' then v_result.error_message end
        where q.id = v_send.id;

        if v_status = 'sent' then
            perform send_after_sent(v_send.id, v_at);
        elsif v_result.error_code = 'already_connected' then
            update send_prospects p set status = 'connected' where p.id = v_send.prospect_id;
        end if;
        return query select v_send.id, true, v_status;
    end loop;
    perform send_wake(v_gave);
end
$$;
