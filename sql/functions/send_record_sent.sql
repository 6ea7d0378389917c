-- Record sends that went out, all at once: as send_record would each, in a few statements.
--
-- send_ids, attempt_ids   the rows, and the attempt of each
-- told                    {attempt_id: [http_status, provider_message_id]}, for answers that had either
--
-- Returns the attempts left to send_record: recovery finished one, its lane has a series of holds, another transaction
-- holds its row, or a provider gave two messages one id. Locks come in send_record's order.
--
-- Each row is found by its id, in a lateral query with a limit instead of a join: with stale statistics a join could
-- compare the batch with all attempts.
create or replace function send_record_sent(send_ids uuid[], attempt_ids uuid[], told jsonb default null,
    at timestamptz default null)
returns setof uuid language plpgsql set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_record_sent.at, clock_timestamp());
    v_sends    uuid[]; -- locked rows, and the attempt of each
    v_attempts uuid[];
begin
    perform send_rehearse(send_record_sent.at);
    if exists (select from send_lanes l where l.consecutive_holds > 0) then
        perform from unnest(attempt_ids) i (id)
        cross join lateral (select b.account_id, b.channel from send_attempts b where b.id = i.id limit 1) b
        cross join lateral (
            select from send_lanes l
            where l.account_id = b.account_id and l.channel = b.channel and l.consecutive_holds > 0 limit 1) l;
        if found then
            return query select unnest(attempt_ids);
            return;
        end if;
    end if;
    select array_agg(ours.id), array_agg(ours.attempt_id) into v_sends, v_attempts
    from unnest(send_ids, attempt_ids) o (send_id, attempt_id)
    cross join lateral (
        select q.id, q.attempt_id from send_queue q where q.id = o.send_id and q.attempt_id = o.attempt_id
        limit 1 for no key update skip locked) ours;
    perform from send_attempts b where b.send_id = any (v_sends) order by b.send_id, b.number for no key update;
    begin
        with finished as (
            update send_attempts b
            set outcome = 'sent', finished_at = v_at, http_status = (told -> b.id::text ->> 0)::int,
                provider_message_id = told -> b.id::text ->> 1
            where b.id = any (v_attempts) and b.outcome is null
            returning b.id, b.send_id
        )
        select array_agg(f.id), array_agg(f.send_id) into v_attempts, v_sends from finished f;
        update send_queue q
        set status = 'sent', claimed_by = null, lease_expires_at = null, attempt_id = null, updated_at = v_at,
            attempts = q.attempts + 1, sent_at = v_at, look_up_at = null, look_ups = 0, absent_since = null,
            error_code = null, error_message = null,
            provider_message_id = coalesce(told -> q.attempt_id::text ->> 1, q.provider_message_id)
        where q.id = any (v_sends);
        perform send_after_sent(i.id, v_at) -- in the order of people: two batches wait for each other in no circle
        from (select q.id from send_queue q where q.id = any (v_sends) and q.channel = 'linkedin_invite'
              order by q.prospect_id offset 0) i;
    exception when unique_violation then
        v_attempts := null; -- see send_set_message_id
    end;
    if v_attempts is null or cardinality(v_attempts) < cardinality(attempt_ids) then
        return query select unnest(attempt_ids) except select unnest(v_attempts);
    end if;
end
$$;
