-- Take due rows in hand: the heart of the queue. One call, one short transaction, one round trip.
--
-- For the lanes that may send now, oldest turn first and of those the one served longest ago, one at a time: lock the
-- lane; then, in later statements (a new snapshot), see again that it is open and count what it has left of every limit;
-- take that many due rows of its open campaigns; mark them sending with a lease, write their attempts, add to the tally,
-- give the lane its next turn.
-- A lane that turns out to be at a limit is told when to look again (next_at) and is not met until then; lanes that
-- have nothing due are told until when (send_mark_idle).
--
-- Rows are looked for between two points of an index, first to last, never by columns that equal something: so the
-- index that has that order is the only way there, whatever the statistics say. By equalities, a planner that takes
-- one lane for like another reads the whole queue for the first row of a lane that has none (measured: 1,000 pages
-- for 50,000 rows that wait, where this looks at 3). Accounts, campaigns and the like are looked up by id, in lateral
-- queries with a limit: a join that is taken the wrong way around reads all of them for each lane.
--
-- It never waits for a lock: a lane or a limit that somebody holds is passed by, so that claims cannot deadlock with
-- anything, and `lock_skipped` says that it was so. The lanes that need nothing more than a look are looked at without a lock.
--
-- Its plans are made once, and walk indexes, whatever the statistics say: there is one good way for each of its looks,
-- and planning them anew would be half of what a claim costs. JIT is off: up to Postgres 17 each setting below adds 1e10
-- to the cost of a node, so the server would compile each of these queries on each call (measured: 350 ms for 2.7).
--
-- max_rows  how many rows at most           lease  how long a send may last; then it counts as left by a dead run
-- batches   {provider: rows} of providers that take several rows of a lane in one call: so many count as one of max_rows
-- without   accounts to pass by
-- at        the moment that it is believed to be; null: the database's clock, read again after each lock
-- account, channel, campaign   only rows of these (names)
-- keeping   false: it is going to be taken back, perhaps after a while. Then no lane is let sleep meanwhile, which keeps
--           out who writes into it
--
-- Returns {claimed, expired, lock_skipped, in_flight, expired_leases, look_ups_due, stale, at, lacking, refused}: what was claimed (as
-- send_attempt_details says it); how many rows were skipped because nobody wants them any more; whether locks kept us from a lane
-- that may send, or a thousand rows that were put off or came back; a token that changes with the sends in flight that
-- keep us from a due row; whether a dead run left rows behind; whether the provider is to be asked
-- of an uncertain one; the schedules whose window must be worked out anew (until then those cached after it hold); a sentence
-- on a lane or row that waits since this server does not know its time zone; the secret that was refused, where due rows
-- wait for it (send_refused_secret).
create or replace function send_claim(worker text, max_rows int default 1, lease interval default '5 minutes',
    at timestamptz default null, account text default null, channel text default null, campaign text default null,
    batches jsonb default '{}', without uuid[] default '{}', keeping boolean default true)
returns json language plpgsql set timezone = 'UTC' set jit = off set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
set enable_incremental_sort = off as $$
#variable_conflict use_column
declare
    v_at        timestamptz := coalesce(send_claim.at, clock_timestamp());
    v_to_come   boolean := send_rehearse(send_claim.at); -- what it writes is marked, and undone (send_end_rehearsal)
    v_lane      record;
    v_turn      timestamptz; -- of the last lane that was taken; null: there was none left
    v_passed    text[] := '{}';  -- lanes that are done with for this call without having moved their next_at
    v_campaigns uuid[];
    v_room      int;
    v_wanted    int;
    v_wants     int;
    v_spare     int;
    v_put_off   int := 0;
    v_skipped   int;
    v_left      int;
    v_more      uuid[];
    v_suppressing boolean;
    v_again     boolean;
    v_batch     int;
    v_calls     int := 0; -- what was taken, counted as max_rows counts it
    v_wait      record;
    v_ids       uuid[];
    v_of        uuid[]; -- the campaigns of v_ids
    v_seen      uuid[];
    v_seen_of   uuid[];
    v_go        uuid[];
    v_priority  smallint;
    v_day       date;
    v_sends     uuid[] := '{}';  -- the attempts that were begun
    v_attempts  uuid[];
    v_expired   int;
    v_stale     jsonb;
    v_busy      boolean := false;
    v_in_flight text;
    v_lacking   text;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'send_claim counts after it locks, which needs READ COMMITTED, not %',
            upper(current_setting('transaction_isolation')) using errcode = 'serialization_failure';
    end if;

    perform send_refuse_copy();
    perform send_check_filters(account, channel, campaign);

    if not v_to_come and exists (
            select from send_rehearsed_lanes union all select from send_rehearsed_rows) then
        perform send_end_rehearsal('{}');
    end if;

    -- Rows past their expires_at are skipped, a few hundred a call, so that they never pile up before the due ones.
    update send_queue q
    set status = 'skipped', error_code = 'expired', updated_at = v_at,
        error_message = format('It could not go out before it expired (%s).',
            to_char(q.expires_at, 'YYYY-MM-DD HH24:MI:SSOF'))
    where q.id = any (array(
        select late.id from send_queue late
        where late.status = 'pending' and late.expires_at <= v_at
        order by late.expires_at limit 500 for update skip locked));
    get diagnostics v_expired = row_count;

    select jsonb_agg(to_jsonb(s)) into v_stale
    from (select * from send_schedules s
          where s.closes_at is null or s.closes_at <= v_at or s.window_since > v_at limit 200) s;

    if exists (select from send_wakes) then
        perform send_apply_wakes();
    end if;

    while v_calls < max_rows loop
        v_turn := null;
        select l.account_id, l.channel, a.workspace_id, greatest(l.next_at, l.closed_until, l.idle_until) as turn
        into v_lane
        from send_lanes l
        cross join lateral (select * from send_accounts a where a.id = l.account_id limit 1) a
        cross join lateral (select * from send_workspaces w where w.id = a.workspace_id limit 1) w
        where greatest(l.next_at, l.closed_until, l.idle_until) <= v_at and l.paused_at is null and a.status = 'active'
          and w.paused_at is null
          and (send_claim.account is null or a.name = send_claim.account)
          and (send_claim.channel is null or l.channel = send_claim.channel) and l.account_id <> all (without)
          and exists (
              select from send_open_campaigns(l.account_id, a.schedule_id, v_at, send_claim.campaign) c
              cross join lateral (
                  select q.id from send_queue q
                  where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                      between (l.account_id, l.channel, c.id, '-infinity') and (l.account_id, l.channel, c.id, v_at)
                  order by q.account_id, q.channel, q.campaign_id, q.scheduled_for limit 1) due)
          and l.max_in_flight > (
              select count(*) from (
                  select from send_queue f
                  where f.account_id = l.account_id and f.channel = l.channel and f.status = 'sending'
                  order by f.account_id desc, f.channel desc, f.lease_expires_at desc limit l.max_in_flight) newest)
          and l.account_id::text || l.channel <> all (v_passed)
        order by greatest(l.next_at, l.closed_until, l.idle_until), l.served_at
        limit 1 for no key update of l skip locked;
        exit when not found;
        v_turn := v_lane.turn;

        if send_claim.at is null then
            v_at := clock_timestamp(); -- the lock may have taken a while, and midnight may have passed
        end if;

        -- A limit that several lanes share is counted under its own lock, and while nobody gives back (send_reopen_limited).
        perform from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
        where a.id = v_lane.account_id and (m.account_id is null or m.account_id = a.id)
          and (m.channel is null or m.channel = v_lane.channel)
        for update of m skip locked;
        get diagnostics v_room = row_count;
        if v_room < (select count(*) from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
                     where a.id = v_lane.account_id and (m.account_id is null or m.account_id = a.id)
                       and (m.channel is null or m.channel = v_lane.channel))
           or v_room > 0 and not pg_try_advisory_xact_lock_shared(send_limits_key(v_lane.workspace_id)) then
            v_busy := true;
            v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel);
            continue;
        end if;

        -- From here on every statement sees what was committed before the lock was ours.
        select l.*, a.workspace_id, case when l.channel = 'log' then 'log' else a.provider end as provider, array(
            select c.id from send_open_campaigns(l.account_id, a.schedule_id, v_at, send_claim.campaign) c) as campaigns,
            exists (select from send_quiet_hours h where h.channel = l.channel) or exists (
                select from send_campaign_accounts p join send_campaigns c on c.id = p.campaign_id
                where p.account_id = l.account_id and c.quiet_from is not null) as quiet,
            (select count(*) from (
                select from send_campaign_accounts p where p.account_id = l.account_id limit 2) two) > 1 as is_shared,
            (select true from send_queue q
             where q.status = 'pending' and q.place is not null and (q.account_id, q.channel, q.scheduled_for)
                 between (l.account_id, l.channel, '-infinity') and (l.account_id, l.channel, v_at)
             order by q.account_id, q.channel, q.scheduled_for limit 1) as has_woken,
            w.skip_contacted is not null or exists (
                select from send_campaigns c
                where c.workspace_id = w.id and c.skip_contacted is not null) as skipping,
            not v_to_come and exists (
                select from send_rehearsed_lanes r where r.account_id = l.account_id and r.channel = l.channel
                union all
                select from send_rehearsed_rows r where r.account_id = l.account_id and r.channel = l.channel) as rehearsed
        into v_lane
        from send_lanes l
        join send_accounts a on a.id = l.account_id and a.status = 'active'
        join send_workspaces w on w.id = a.workspace_id and w.paused_at is null
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel
          and l.next_at <= v_at and l.paused_at is null;
        continue when not found; -- paused or held in between: the next look at the lanes will not meet it

        if v_lane.rehearsed then -- not undone yet, since somebody held it or a row of it
            v_busy := true;
            v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel);
            continue;
        end if;

        select min(r.room) into v_room from send_remaining_capacity(v_lane.account_id, v_lane.channel, v_at, null, null) r;
        if v_room <= 0 then
            select r.* into v_wait from send_remaining_capacity(v_lane.account_id, v_lane.channel, v_at, null, null) r
            where r.room <= 0 and r.rule <> 'in_flight'
            order by r.reach = 'lane', r.until desc nulls first limit 1;
            if found then
                if v_wait.reach <> 'lane' then -- all that count together are told at once, not met one by one
                    update send_lanes l
                    set next_at = v_wait.until, next_at_reason = v_wait.rule, next_at_detail = v_wait.detail
                    from (select o.account_id, o.channel from send_lanes o join send_accounts a on a.id = o.account_id
                          where a.workspace_id = v_lane.workspace_id and o.next_at <= v_at
                            and (v_wait.reach = 'workspace' or o.channel = v_lane.channel)
                          for no key update of o skip locked) waiting
                    where l.account_id = waiting.account_id and l.channel = waiting.channel;
                else
                    update send_lanes l
                    set next_at = coalesce(v_wait.until, case when v_wait.rule = 'cap_timezone'
                            then v_at + interval '1 hour' else '9999-12-31' end), next_at_reason = v_wait.rule,
                        next_at_detail = v_wait.detail
                    where l.account_id = v_lane.account_id and l.channel = v_lane.channel;
                end if;
            end if;
            continue; -- nor will it meet a lane that another claim has filled in between: those in flight are counted
        end if;

        -- Those whose morning has come go by the places that they had before. A claim is short: where there are very many,
        -- the next goes on from here, before any row of the lane is taken.
        if v_lane.has_woken and send_restore_places(v_lane.account_id, v_lane.channel, v_at) >= 1000 then
            v_busy := true;
            v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel);
            continue;
        end if;

        v_batch := coalesce((batches->>v_lane.provider)::int, 1);
        v_wanted := least(v_room, (max_rows - v_calls)::bigint * v_batch);
        if v_lane.min_gap_seconds + v_lane.jitter_seconds > 0 then
            v_wanted := 1;
        end if;
        -- At night many of those that are due may have to be put off, and many may be of people who want no more: a look
        -- at one more hundred costs little.
        v_suppressing := exists (select from send_suppressions s where s.workspace_id = v_lane.workspace_id);
        v_spare := case when v_lane.quiet or v_suppressing or v_lane.skipping then 100 else 0 end;
        v_again := false;
        v_left := 0;
        v_ids := '{}';
        v_of := '{}';
        for v_priority in select * from send_due_priorities(v_lane.account_id, v_lane.channel, v_lane.campaigns) loop
            v_wants := v_wanted - cardinality(v_ids);
            -- Campaigns take turns: first those that have taken none in this claim, by the turn that they took last; of
            -- those that never had one, that whose first row is older.
            select array_agg(look.id), array_agg(look.campaign_id) into v_seen, v_seen_of
            from (
                select due.id, c.id as campaign_id
                from unnest(v_lane.campaigns) c (id)
                cross join lateral (
                    select q.id, row_number() over () as round, first_value(q.scheduled_for) over () as first_at,
                        first_value(q.id) over () as first_id
                    from (
                        select q.id, q.scheduled_for from send_queue q
                        where q.status = 'pending' and (q.expires_at is null or q.expires_at > v_at) and q.place is null
                          and (q.account_id, q.channel, q.campaign_id, q.priority, q.scheduled_for)
                              between (v_lane.account_id, v_lane.channel, c.id, v_priority, '-infinity')
                              and (v_lane.account_id, v_lane.channel, c.id, v_priority, v_at)
                        order by q.account_id, q.channel, q.campaign_id, q.priority, q.scheduled_for, q.id
                        limit v_wants + v_spare / cardinality(v_lane.campaigns) for update skip locked) q) due
                left join lateral (
                    select t.turn from send_turns t
                    where v_lane.is_shared and t.account_id = v_lane.account_id and t.channel = v_lane.channel
                      and t.campaign_id = c.id limit 1) t on true
                order by due.round, (select max(o.nth) from unnest(v_of) with ordinality o (id, nth) where o.id = c.id)
                    nulls first, t.turn nulls first, due.first_at, due.first_id
                limit v_wants + v_spare) look;
            continue when v_seen is null;
            v_go := v_seen;
            -- Later than the lock on the rows: who was suppressed by then is seen.
            if v_suppressing then
                v_go := send_skip_suppressed(v_seen, v_at);
                v_expired := v_expired + cardinality(v_seen) - cardinality(v_go);
            end if;
            if v_lane.skipping then
                select s.may_go, s.skipped, s.left_alone into v_go, v_skipped, v_more
                from send_skip_contacted(v_go, v_ids, v_at) s;
                v_expired := v_expired + v_skipped;
                v_left := v_left + cardinality(v_more);
                if cardinality(v_more) > 0 then -- another claim has these people: as if it had the rows
                    select coalesce(array_agg(i.id order by i.n), '{}'), coalesce(array_agg(i.campaign order by i.n), '{}')
                    into v_seen, v_seen_of
                    from unnest(v_seen, v_seen_of) with ordinality i (id, campaign, n) where i.id <> all (v_more);
                end if;
            end if;
            if v_lane.quiet then
                v_go := send_defer_quiet(v_go, v_at);
                if v_lacking is null and cardinality(v_go) < cardinality(v_seen) then
                    select q.error_message into v_lacking from send_queue q
                    where q.id = any (v_seen) and q.error_code = 'timezone' limit 1;
                end if;
            end if;
            v_put_off := v_put_off + cardinality(v_seen) - cardinality(v_go);
            -- Where one of those at turn does not go, the next of its campaign may: that is for another look.
            v_again := cardinality(v_go) < cardinality(v_seen) and v_go[:v_wants]::text <> v_seen[:v_wants]::text;
            exit when v_again;
            v_ids := array_cat(v_ids, v_go[:v_wants]);
            v_of := array_cat(v_of, v_seen_of[:v_wants]);
            exit when cardinality(v_ids) >= v_wanted;
        end loop;
        if v_again and v_put_off < 1000 then
            continue;
        elsif cardinality(v_ids) = 0 or v_again then
            v_busy := v_busy or v_again or v_left > 0; -- a claim is short: the next goes on from here
            v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel); -- or it was taken, or is held
            continue;
        end if;

        v_day := (v_at at time zone v_lane.cap_timezone)::date;
        -- The attempts are written before the sends: what may have gone out is never forgotten.
        v_attempts := array(select send_uuid() from unnest(v_ids));
        insert into send_attempts (id, send_id, workspace_id, account_id, channel, number, day, started_at, worker,
            rehearsed)
        select i.attempt_id, i.id, v_lane.workspace_id, v_lane.account_id, v_lane.channel, 1 + coalesce(b.number, 0),
               v_day, v_at, worker, v_to_come
        from unnest(v_ids, v_attempts) i (id, attempt_id)
        left join lateral (
            select max(b.number) as number from send_attempts b where b.send_id = i.id) b on true;
        update send_queue q
        set status = 'sending', claimed_by = worker, lease_expires_at = v_at + lease, updated_at = v_at,
            attempt_id = ( -- not by a join with v_attempts, which could be taken the wrong way around
                select b.id from send_attempts b where b.send_id = q.id order by b.send_id desc, b.number desc limit 1)
        where q.id = any (v_ids);
        -- Nor by a server that may otherwise forget its last commits in a crash: this one is on disk.
        if current_setting('synchronous_commit') = 'off' then
            perform set_config('synchronous_commit', 'local', true);
        end if;

        insert into send_usage as u (account_id, channel, day, used, rehearsed)
        values (v_lane.account_id, v_lane.channel, v_day, cardinality(v_ids),
            case when v_to_come then cardinality(v_ids) else 0 end)
        on conflict (account_id, channel, day) do update
        set used = u.used + excluded.used, rehearsed = u.rehearsed + excluded.rehearsed;

        -- The gap and its jitter are drawn now and kept on the lane, so that they survive this process.
        update send_lanes l
        set next_at = v_at + make_interval(secs => l.min_gap_seconds::float8 + random() * l.jitter_seconds::float8),
            next_at_reason = case when l.min_gap_seconds + l.jitter_seconds > 0 then 'min_gap' end,
            next_at_detail = null, served_at = clock_timestamp(), turns = l.turns + cardinality(v_ids)
        where l.account_id = v_lane.account_id and l.channel = v_lane.channel;
        if v_lane.is_shared then -- later than the lane, with which a rehearsal notes the turns that there were
            insert into send_turns as t (account_id, channel, campaign_id, turn)
            select v_lane.account_id, v_lane.channel, o.id, v_lane.turns + max(o.nth)
            from unnest(v_of) with ordinality o (id, nth) group by o.id
            on conflict (account_id, channel, campaign_id) do update set turn = excluded.turn;
        end if;

        v_sends := array_cat(v_sends, v_attempts);
        v_calls := v_calls + (cardinality(v_ids) + v_batch - 1) / v_batch;
        v_passed := array_append(v_passed, v_lane.account_id::text || v_lane.channel); -- it has no more room, or no more that is due
    end loop;

    -- Where many were looked at in vain, some may have nothing due: a look at ten costs less than to find out.
    if keeping and not v_to_come and (select count(*) from (
            select from send_lanes l
            where greatest(l.next_at, l.closed_until, l.idle_until) < coalesce(v_turn, v_at) and l.paused_at is null
            limit 10) early) = 10 then
        perform send_mark_idle(coalesce(v_turn, v_at), v_at);
    end if;

    if v_calls = 0 then
        v_busy := v_busy or exists (
            select from send_wakes s
            join send_lanes l on l.account_id = s.account_id and l.channel = s.channel and l.paused_at is null
                and greatest(l.next_at, l.closed_until) <= v_at
            join send_accounts a on a.id = l.account_id
            where (send_claim.account is null or a.name = send_claim.account)
              and (send_claim.channel is null or l.channel = send_claim.channel)); -- held: it could not be woken
        -- Why nothing? A lane that could be claimed by the look above is one that somebody else holds just now, or has
        -- given its next turn since we read the clock.
        select v_busy or coalesce(bool_or(not full_up), false),
            string_agg(last_lease::text, ' ' order by last_lease)
        into v_busy, v_in_flight
        from (
            select f.n >= l.max_in_flight as full_up, f.last_lease
            from send_lanes l
            cross join lateral (select * from send_accounts a where a.id = l.account_id limit 1) a
            cross join lateral (select * from send_workspaces w where w.id = a.workspace_id limit 1) w
            cross join lateral (
                select count(*) as n, max(q.lease_expires_at) as last_lease from send_queue q
                where q.account_id = l.account_id and q.channel = l.channel and q.status = 'sending') f
            where greatest(l.next_at, l.closed_until, l.idle_until) <= (select coalesce(send_claim.at, clock_timestamp()))
              and l.paused_at is null and a.status = 'active' and w.paused_at is null
              and (send_claim.account is null or a.name = send_claim.account)
              and (send_claim.channel is null or l.channel = send_claim.channel) and l.account_id <> all (without)
              and l.account_id::text || l.channel <> all (v_passed)
              and exists (
                  select from send_open_campaigns(l.account_id, a.schedule_id, v_at, send_claim.campaign) c
                  cross join lateral (
                      select q.id from send_queue q
                      where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                          between (l.account_id, l.channel, c.id, '-infinity') and (l.account_id, l.channel, c.id, v_at)
                      order by q.account_id, q.channel, q.campaign_id, q.scheduled_for limit 1) due)
            order by greatest(l.next_at, l.closed_until, l.idle_until) limit 5) lanes;
    end if;

    return json_build_object('claimed', (select coalesce(json_agg(s), '[]') from send_attempt_details(v_sends) s),
        'expired', v_expired, 'lock_skipped', v_busy, 'in_flight', v_in_flight,
        'stale', coalesce(v_stale, '[]'), 'at', v_at,
        'lacking', coalesce(v_lacking, case when exists (select from send_lanes l where l.next_at_reason = 'cap_timezone')
            then send_first_unknown_zone(v_at, account, channel, campaign) end),
        'refused', case when exists (select from send_accounts a where a.secret_refused is not null)
            then send_refused_secret(v_at, account, channel, campaign) end,
        'expired_leases', exists (select from send_queue q where q.status = 'sending' and q.lease_expires_at <= v_at),
        'look_ups_due', exists (
            select from send_queue q join send_accounts a on a.id = q.account_id and a.status = 'active'
            where q.status = 'uncertain' and q.look_up_at <= v_at));
end
$$;
