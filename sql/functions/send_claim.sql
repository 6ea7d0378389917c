-- Claim due rows: the heart of the queue. One call, one short transaction, one round trip.
--
-- Take lanes that may send now one at a time, oldest turn first, and of those the one served longest ago:
--   1. lock the lane, and the limits that it shares with others;
--   2. in later statements, with a new snapshot, look again whether it may send and count what is left of each limit;
--   3. lock that many due rows (send_choose_rows), mark them sending with a lease, write their attempts, add to the
--      tally, give the lane its next turn.
-- A lane at a limit gets the moment when that ends (next_at), and claims do not meet it before. So with lanes without
-- due rows (send_mark_idle).
--
-- It waits for no lane, limit or row, so it cannot deadlock: it passes one that somebody holds, and says so
-- (`lock_skipped`).
--
-- Its plans walk indexes whatever the statistics say, and are made once: planning was half of a claim's cost. Accounts,
-- campaigns and the like are looked up by id in lateral queries with a limit: a join taken the wrong way around reads
-- all of them for each lane. JIT is off: up to Postgres 17 each setting below adds 1e10 to a node's cost, so the server
-- would compile each query on each call (measured: 350 ms against 2.7).
--
-- max_rows  how many rows at most           lease  how long a send may last; then it counts as left by a dead run
-- batches   {provider: rows} of providers that take several rows of a lane in one call: these count as one of max_rows
-- without   accounts to skip
-- at        the moment that the caller believes; null: the database's clock, read again after each lock
-- account, channel, campaign   only rows of these (names)
-- keeping   false: the caller rolls back, perhaps after a while. Then mark no lane idle: that lock blocks its writers
--
-- Returns {claimed, expired, lock_skipped, in_flight, expired_leases, look_ups_due, stale, at, lacking, refused}:
-- `claimed` as send_attempt_details gives it; `expired`, how many rows it skipped; `lock_skipped`, whether locks kept
-- it from a lane that may send, or it stopped after a thousand rows that were put off or came back; `in_flight` of
-- send_idle_reason; `expired_leases`, `look_ups_due` and `stale` of send_sweep; `lacking`, a sentence on a lane or row
-- that waits since the server does not know its time zone; `refused`, the refused secret that due rows wait for
-- (send_refused_secret).
create or replace function send_claim(worker text, max_rows int default 1, lease interval default '5 minutes',
    at timestamptz default null, account text default null, channel text default null, campaign text default null,
    batches jsonb default '{}', without uuid[] default '{}', keeping boolean default true)
returns json language plpgsql set timezone = 'UTC' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
set enable_incremental_sort = off as $$
#variable_conflict use_column
declare
    v_at         timestamptz := coalesce(send_claim.at, clock_timestamp());
    v_rehearsing boolean := send_rehearse(send_claim.at); -- marks what it writes, for send_end_rehearsal to undo
    v_sweep      record;
    v_lane       record;
    v_turn       timestamptz := '-infinity'; -- of the last lane taken: those before it have nothing for this claim
    v_passed     text[] := '{}';             -- lanes that this claim is done with, and whose turn may not have moved
    v_room       int;
    v_wait       record;
    v_batch      int;
    v_rows       record;
    v_put_off    int := 0;
    v_calls      int := 0;                   -- rows taken, counted as max_rows counts them
    v_day        date;
    v_attempts   uuid[];
    v_written    int;
    v_taken      int;
    v_claimed    uuid[] := '{}';             -- attempts
    v_expired    int;
    v_busy       boolean := false;
    v_in_flight  text;
    v_lacking    text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'send_claim counts after it locks, which needs READ COMMITTED, not %',
            upper(current_setting('transaction_isolation')) using errcode = 'serialization_failure';
    end if;
    perform send_refuse_copy();
    perform send_check_filters(account, channel, campaign);
    select * into v_sweep from send_sweep(v_at, v_rehearsing);
    v_expired := v_sweep.expired;

    while v_calls < max_rows loop
        select l.account_id, l.channel, greatest(l.next_at, l.closed_until, l.idle_until) as turn into v_lane
        from send_lanes l
        where greatest(l.next_at, l.closed_until, l.idle_until) between v_turn and v_at and l.paused_at is null
          and (send_claim.channel is null or l.channel = send_claim.channel) and l.account_id <> all (without)
          and l.account_id::text || l.channel <> all (v_passed)
          and exists (select from send_due(l.account_id, l.channel, v_at, send_claim.account, send_claim.campaign))
          and l.max_in_flight > (
              select count(*) from (
                  select from send_queue f
                  where f.account_id = l.account_id and f.channel = l.channel and f.status = 'sending'
                  order by f.account_id desc, f.channel desc, f.lease_expires_at desc limit l.max_in_flight) newest)
        order by greatest(l.next_at, l.closed_until, l.idle_until), l.served_at
        limit 1 for no key update of l skip locked;
        if not found then
            v_turn := v_at;
            exit;
        end if;
        v_turn := v_lane.turn;
        if send_claim.at is null then
            v_at := clock_timestamp(); -- the lock may have taken a while, and midnight may have passed
        end if;

        -- Lanes that share a limit count under its lock. Whoever gives back to it holds it too (send_lock_lanes).
        perform from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
        where a.id = v_lane.account_id and (m.account_id is null or m.account_id = a.id)
          and (m.channel is null or m.channel = v_lane.channel)
        for update of m skip locked;
        get diagnostics v_room = row_count;
        if v_room < (select count(*) from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
                     where a.id = v_lane.account_id and (m.account_id is null or m.account_id = a.id)
                       and (m.channel is null or m.channel = v_lane.channel))  then
            v_busy := true;
            v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel);
            continue;
        end if;

        -- From here on every statement sees all that was committed before the lock.
        select l.*, a.workspace_id, case when l.channel = 'log' then 'log' else a.provider end as provider, array(
                select d.campaign_id
                from send_due(l.account_id, l.channel, v_at, send_claim.account, send_claim.campaign) d) as campaigns,
            (select count(*) from (
                select from send_campaign_accounts p where p.account_id = l.account_id limit 2) two) > 1 as is_shared,
            exists (select from send_first_deferred(l.account_id, l.channel, 1) d
                    where d.scheduled_for <= v_at) as has_woken,
            not v_rehearsing and exists (
                select from send_rehearsed_lanes r where r.account_id = l.account_id and r.channel = l.channel
                union all
                select from send_rehearsed_rows r
                where r.account_id = l.account_id and r.channel = l.channel) as rehearsed
        into v_lane
        from send_lanes l join send_accounts a on a.id = l.account_id
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel
          and l.next_at <= v_at and l.paused_at is null;
        continue when not found; -- paused or held in between: the next look at the lanes does not meet it

        select min(r.room) into v_room
        from send_remaining_capacity(v_lane.account_id, v_lane.channel, v_at, null, null) r;
        if v_room <= 0 and not v_lane.rehearsed then
            select r.* into v_wait
            from send_remaining_capacity(v_lane.account_id, v_lane.channel, v_at, null, null) r
            where r.room <= 0 and r.rule <> 'in_flight'
            order by r.reach = 'lane', r.until desc nulls first limit 1;
            if found and v_wait.reach <> 'lane' then -- all lanes that count together wait from now on
                update send_lanes l
                set next_at = v_wait.until, next_at_reason = v_wait.rule, next_at_detail = v_wait.detail
                from (select o.account_id, o.channel from send_lanes o join send_accounts a on a.id = o.account_id
                      where a.workspace_id = v_lane.workspace_id and o.next_at <= v_at
                        and (v_wait.reach = 'workspace' or o.channel = v_lane.channel)
                      for no key update of o skip locked) waiting
                where l.account_id = waiting.account_id and l.channel = waiting.channel;
            elsif found then
                update send_lanes l
                set next_at = coalesce(v_wait.until, case when v_wait.rule = 'cap_timezone'
                        then v_at + interval '1 hour' else '9999-12-31' end), next_at_reason = v_wait.rule,
                    next_at_detail = v_wait.detail
                where l.account_id = v_lane.account_id and l.channel = v_lane.channel;
            end if;
            continue; -- the next look skips this lane, also where another claim filled it: its in-flight count is full
        end if;
        v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel);

        -- Skip a lane whose rehearsal is not undone yet: somebody holds it or a row of it. Give rows whose morning has
        -- come their places back first; where there are very many, the next claim goes on from here.
        if v_lane.rehearsed or v_lane.has_woken
           and send_restore_places(v_lane.account_id, v_lane.channel, v_at) >= 1000 then
            v_busy := true;
            continue;
        end if;
        continue when cardinality(v_lane.campaigns) = 0; -- closed in between

        v_batch := coalesce((batches->>v_lane.provider)::int, 1);
        loop
            select * into v_rows from send_choose_rows(v_lane.account_id, v_lane.channel, v_lane.workspace_id,
                v_lane.campaigns, v_lane.is_shared, case when v_lane.min_gap_seconds + v_lane.jitter_seconds > 0 then 1
                    else least(v_room, (max_rows - v_calls)::bigint * v_batch)::int end, v_at);
            v_expired := v_expired + v_rows.skipped;
            v_put_off := v_put_off + v_rows.put_off;
            v_lacking := coalesce(v_lacking, v_rows.unknown_zone);
            exit when not v_rows.again or v_put_off >= 1000;
        end loop;
        if cardinality(v_rows.ids) = 0 or v_rows.again then
            v_busy := v_busy or v_rows.again or v_rows.left_alone > 0; -- the next claim goes on from here
            continue;
        end if;

        v_day := (v_at at time zone v_lane.cap_timezone)::date;
        -- The attempts are written before the sends: what may have gone out is never forgotten.
        v_attempts := array(select send_uuid() from unnest(v_rows.ids));
        insert into send_attempts (id, send_id, workspace_id, account_id, channel, number, day, started_at, worker,
            rehearsed)
        select i.attempt_id, i.id, v_lane.workspace_id, v_lane.account_id, v_lane.channel, 1 + coalesce(b.number, 0),
               v_day, v_at, worker, v_rehearsing
        from unnest(v_rows.ids, v_attempts) i (id, attempt_id)
        left join lateral (
            select max(b.number) as number from send_attempts b where b.send_id = i.id) b on true;
        get diagnostics v_written = row_count;
        update send_queue q
        set status = 'sending', claimed_by = worker, lease_expires_at = v_at + lease, updated_at = v_at,
            attempt_id = ( -- not by a join with v_attempts, which could be taken the wrong way around
                select b.id from send_attempts b where b.send_id = q.id order by b.send_id desc, b.number desc limit 1)
        where q.id = any (v_rows.ids) and v_written = cardinality(v_rows.ids);
        get diagnostics v_taken = row_count;
        -- A foreign trigger that returns null, or a rule, keeps rows as they are: they would be sent again and again.
        if v_taken < cardinality(v_rows.ids) then
            raise exception 'A trigger or rule of yours on send_queue or send_attempts drops changes of rows: make the '
                'trigger return new, or drop it.' using errcode = 'SQ006';
        end if;
        -- Force this commit to disk: with synchronous_commit off, a crash could lose it.
        if current_setting('synchronous_commit') = 'off' then
            perform set_config('synchronous_commit', 'local', true);
        end if;

        insert into send_usage as u (account_id, channel, day, used, rehearsed)
        values (v_lane.account_id, v_lane.channel, v_day, cardinality(v_rows.ids),
            case when v_rehearsing then cardinality(v_rows.ids) else 0 end)
        on conflict (account_id, channel, day) do update
        set used = u.used + excluded.used, rehearsed = u.rehearsed + excluded.rehearsed;

        -- The gap and its jitter are drawn now and kept on the lane, so that they survive this process.
        update send_lanes l
        set next_at = v_at + make_interval(secs => l.min_gap_seconds::float8 + random() * l.jitter_seconds::float8),
            next_at_reason = case when l.min_gap_seconds + l.jitter_seconds > 0 then 'min_gap' end,
            next_at_detail = null, served_at = clock_timestamp(), turns = l.turns + cardinality(v_rows.ids)
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel;
        if v_lane.is_shared then -- later than the lane, with which a rehearsal notes the turns that there were
            insert into send_turns as t (account_id, channel, campaign_id, turn)
            select v_lane.account_id, v_lane.channel, o.id, v_lane.turns + max(o.nth)
            from unnest(v_rows.row_campaigns) with ordinality o (id, nth) group by o.id
            on conflict (account_id, channel, campaign_id) do update set turn = excluded.turn;
        end if;

        v_claimed := array_cat(v_claimed, v_attempts);
        v_calls := v_calls + (cardinality(v_rows.ids) + v_batch - 1) / v_batch;
    end loop;

    -- Where the next claim would look at ten lanes in vain, mark those without due rows.
    if keeping and not v_rehearsing and (select count(*) from (
            select from send_lanes l
            where greatest(l.next_at, l.closed_until, l.idle_until) < v_turn and l.paused_at is null
            limit 10) early) = 10 then
        perform send_mark_idle(v_turn, v_at);
    end if;

    if v_calls = 0 then
        select v_busy or r.lock_skipped, r.in_flight into v_busy, v_in_flight
        from send_idle_reason(coalesce(send_claim.at, clock_timestamp()), account, channel, campaign, without,
            v_passed) r;
    end if;

    return json_build_object('claimed', (select coalesce(json_agg(s), '[]') from send_attempt_details(v_claimed) s),
        'expired', v_expired, 'lock_skipped', v_busy, 'in_flight', v_in_flight,
        'stale', v_sweep.stale, 'at', v_at, 'expired_leases', v_sweep.expired_leases,
        'look_ups_due', v_sweep.look_ups_due,
        'lacking', coalesce(v_lacking, case when exists (
                select from send_lanes l where l.next_at_reason = 'cap_timezone')
            then send_first_unknown_zone(v_at, account, channel, campaign) end),
        'refused', case when exists (select from send_accounts a where a.secret_refused is not null)
            then send_refused_secret(v_at, account, channel, campaign) end);
end
$$;
