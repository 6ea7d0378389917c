-- Record results of attempts, in one short transaction. Most sends went out, and send_record_sent records them; the
-- others come here, one by one.
--
-- A result counts only while its attempt is the current one, not finished by recovery: a worker declared dead neither
-- overwrites later results nor holds a lane. Only its late `sent` counts: the row becomes sent, whatever recovery
-- concluded.
--
-- results  [{attempt_id, outcome, http_status, provider_message_id, error_code, error_message, retry_seconds,
--            scope, hold_seconds, ceiling_seconds, suppress, secret}, ...]; outcome as in send_attempts; suppress, of a
--            failed send: suppress its recipient; secret, of a hold: the variable of the refused secret
--
-- All locks come before any write, in the one order of all functions: accounts, limits, lanes, rows, attempts, tally;
-- several by id (lanes and rows: account, channel, id; attempts: send, number). Lanes are locked only for results that
-- stop a lane, give something back, come late (they may be counted again) or end a series of holds; so plain sent ones
-- wait for no claim.
--
-- Each row is found by its id, in a lateral query with a limit instead of a join: with stale statistics a join could
-- compare the batch with all attempts.
create or replace function send_record(results jsonb, at timestamptz default null)
returns table (send_id uuid, recorded boolean, status text) language plpgsql set lock_timeout = '2s'
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_record.at, clock_timestamp());
    v_accounts uuid[]; -- and channels: the lanes to lock
    v_channels text[];
    v_giving   uuid[]; -- accounts that get caps or gaps back
    v_ids      uuid[];
    v_result   record;
    v_send     record;
    v_attempt  uuid;
    v_ours     uuid;
    v_counts   boolean;
    v_late     boolean;
    v_status   text;
    v_to_come  boolean := send_rehearse(send_record.at);
    v_traceless boolean := send_leaves_no_trace();
    v_refusing uuid[] := '{}'; -- sends whose recipients are to be suppressed
begin
    if exists (select from jsonb_to_recordset(results) r (outcome text, hold_seconds float8, secret text)
               where r.outcome = 'held' and (r.hold_seconds is null or r.secret is not null)) then
        if exists (select from jsonb_to_recordset(results) r (outcome text, hold_seconds float8)
                   where r.outcome = 'held' and r.hold_seconds is null) then
            perform send_lock_gates();
        end if;
        perform from send_accounts a
        where a.id = any (array(
            select b.account_id from jsonb_to_recordset(results) r (attempt_id uuid, outcome text, hold_seconds float8,
                secret text)
            cross join lateral (select b.account_id from send_attempts b where b.id = r.attempt_id limit 1) b
            where r.outcome = 'held' and (r.hold_seconds is null or r.secret is not null)))
        order by a.id for no key update;
    end if;
    select array_agg(l.account_id) filter (where n.lane), array_agg(l.channel) filter (where n.lane),
        array_agg(distinct b.account_id) filter (where r.outcome not in ('sent', 'uncertain')),
        array_agg(distinct b.send_id)
    into v_accounts, v_channels, v_giving, v_ids
    from jsonb_to_recordset(results) r (attempt_id uuid, outcome text, scope text, hold_seconds float8)
    cross join lateral (select * from send_attempts b where b.id = r.attempt_id limit 1) b
    cross join lateral (
        select * from send_lanes l where l.account_id = b.account_id
        and (l.channel = b.channel or r.outcome = 'held' and (r.scope = 'account' or r.hold_seconds is null))
        offset 0) l -- an account has few
    cross join lateral (
        select r.outcome not in ('sent', 'uncertain')
            or r.outcome = 'sent' and (b.outcome is not null or l.consecutive_holds > 0) as lane) n;
    if v_accounts is not null then
        perform send_lock_lanes(v_accounts, v_channels, v_giving);
    end if;
    perform from send_queue q where q.id = any (v_ids) order by q.account_id, q.channel, q.id for no key update;
    perform from send_attempts b where b.send_id = any (v_ids) order by b.send_id, b.number for no key update;

    -- A sent one ends the series of holds, unless a hold lasts: then it began before that hold.
    if v_accounts is not null then
        update send_lanes l set consecutive_holds = 0
        where l.consecutive_holds > 0 and (l.next_at_reason is distinct from 'provider_hold' or l.next_at <= v_at)
          and (l.account_id, l.channel) in (select * from unnest(v_accounts, v_channels)) -- locked above
          and exists (
              select from jsonb_to_recordset(results) r (attempt_id uuid, outcome text)
              cross join lateral (select * from send_attempts b where b.id = r.attempt_id limit 1) b
              where r.outcome = 'sent' and b.outcome is null and b.account_id = l.account_id and b.channel = l.channel);
    end if;

    if v_accounts is not null and not v_to_come and exists (
            select from send_rehearsed_lanes union all select from send_rehearsed_rows) then
        perform send_end_rehearsal(v_accounts); -- else undoing the rehearsal would undo this hold
    end if;

    for v_result in
        select r.*, b.send_id, b.account_id, b.channel
        from jsonb_to_recordset(results) r (attempt_id uuid, outcome text, http_status int, provider_message_id text,
            error_code text, error_message text, retry_seconds float8, scope text, hold_seconds float8,
            ceiling_seconds float8, suppress boolean, secret text)
        cross join lateral (select * from send_attempts b where b.id = r.attempt_id limit 1) b
        order by b.account_id, b.channel, b.send_id
    loop
        select q.*, c.max_attempts into v_send
        from send_queue q join send_campaigns c on c.id = q.campaign_id
        where q.id = v_result.send_id;

        update send_attempts b
        set outcome = v_result.outcome, finished_at = v_at, http_status = v_result.http_status,
            provider_message_id = v_result.provider_message_id, error_code = v_result.error_code,
            error_message = v_result.error_message
        where b.id = v_result.attempt_id and b.outcome is null and b.id = v_send.attempt_id
        returning b.id into v_attempt;
        if v_attempt is null then
            v_late := v_result.outcome = 'sent' and exists (select from send_attempts b where b.id = v_result.attempt_id
                                                            and (b.outcome is null or b.outcome in ('uncertain', 'released')));
            if v_late then
                perform send_mark_sent(v_result.attempt_id, v_result.provider_message_id, v_at);
            end if;
            return query select q.id, v_late, q.status from send_queue q where q.id = v_send.id;
            continue;
        end if;

        -- Only accepted and uncertain attempts count against caps.
        if v_result.outcome not in ('sent', 'uncertain') then
            perform send_give_back(v_attempt);
        end if;
        if v_result.outcome = 'held' then
            if v_traceless then -- a sandbox disconnects no account and refuses no secret: hold the lanes for a day
                v_result.hold_seconds := coalesce(v_result.hold_seconds, 86400);
                v_result.secret := null;
            end if;
            perform send_hold(v_result.account_id, v_result.channel, v_result.scope, v_result.error_code,
                v_result.error_message, v_result.hold_seconds, v_result.ceiling_seconds, v_at);
            if v_result.secret is not null then
                update send_accounts a
                set secret_refused = v_result.secret, secret_refused_as = v_result.error_code,
                    secret_refused_at = case when a.secret_refused = v_result.secret then a.secret_refused_at
                                             else v_at end
                where a.id = v_result.account_id;
            end if;
        end if;

        -- Done before by our own attempt, if one was ever in doubt (a release without a code never was); else by
        -- somebody else.
        if v_result.outcome = 'already_done' then
            select b.id into v_ours from send_attempts b
            where b.send_id = v_send.id
              and (b.outcome = 'uncertain' or b.outcome = 'released' and b.error_code is not null)
              and b.rehearsed = v_to_come
            order by b.outcome = 'uncertain' desc, b.number desc limit 1;
            if found then
                perform send_mark_sent(v_ours, null, v_at);
            end if;
        end if;

        v_counts := v_result.outcome not in ('held', 'released');
        v_status := case
            -- Also if an earlier attempt proved to be sent meanwhile.
            when exists (select from send_attempts b where b.send_id = v_send.id and b.outcome = 'sent') then 'sent'
            when v_result.outcome = 'already_done' then 'skipped'
            when v_result.outcome = 'retry' and v_send.attempts + 1 >= v_send.max_attempts then 'failed'
            when v_result.outcome in ('retry', 'held', 'released') then 'pending'
            else v_result.outcome -- failed, uncertain
        end;
        if v_status = 'failed' and exists (select from send_attempts b where b.send_id = v_send.id
                                                                         and b.outcome = 'uncertain') then
            if v_result.outcome = 'retry' then
                v_status := 'uncertain'; -- `failed` would claim that it did not go out; a look-up decides
            end if;
            v_result.error_message := concat_ws(' ', nullif(v_result.error_message, ''),
                'An earlier try may have gone out.');
        end if;
        update send_queue q
        set status = v_status, claimed_by = null, lease_expires_at = null, attempt_id = null, updated_at = v_at,
            attempts = q.attempts + v_counts::int,
            sent_at = case when v_status = 'sent' then v_at end,
            scheduled_for = case when v_result.outcome = 'retry' and v_status = 'pending'
                then v_at + make_interval(secs => v_result.retry_seconds) else q.scheduled_for end,
            look_up_at = case when v_status = 'uncertain' then v_at end, look_ups = 0, absent_since = null,
            -- Only a person retries a failed one, at any later time.
            repeat_by = case when v_status <> 'failed' then q.repeat_by end,
            error_code = case when v_status <> 'sent' then v_result.error_code end,
            error_message = case when v_status <> 'sent' then v_result.error_message end
        where q.id = v_send.id;
        perform send_set_message_id(v_send.id, v_result.provider_message_id);
        if v_result.suppress and v_status = 'failed' and not v_traceless then
            v_refusing := array_append(v_refusing, v_send.id);
        end if;

        if v_status = 'sent' then
            perform send_after_sent(v_send.id, v_at);
        elsif v_result.error_code = 'already_connected' and not v_traceless then
            update send_prospects p set status = 'connected' where p.id = v_send.prospect_id;
        end if;
        return query select v_send.id, true, v_status;
    end loop;
    if cardinality(v_refusing) > 0 then
        perform send_suppress_of(v_refusing, v_at);
    end if;
end
$$;
