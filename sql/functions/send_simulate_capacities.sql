-- Note the sends of a simulation (send_simulate_counts), then return the remaining capacities at a moment, as
-- send_remaining_capacity gives them to the claim.
--
-- at     microseconds since 1970, like all moments here
-- every  microseconds between the starts of runs, one of which is at `at`
-- used   [account_id, channel, at, n], each: sends since the last call, for the caps
-- sent   the same, for rolling limits
-- asked  [account_id, channel, limit], each: the caps of a lane (null), or a rolling limit that counts it
--
-- Returns a row for each of `asked`, in order: the capacity (null: no such limit) and, if it is exhausted, `until`
-- (null: never by itself), the rule, the first run not before that moment, and the capacity then if nothing is sent
-- meanwhile, since the caller needs it next.
create or replace function send_simulate_capacities(at bigint, every bigint, used jsonb, sent jsonb, asked jsonb)
returns table (room int, until bigint, next_run bigint, room_then int, rule text, detail text)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
#variable_conflict use_column
declare
    v_at constant timestamptz := 'epoch'::timestamptz + send_simulate_capacities.at::float8 * interval '1 microsecond';
begin
    if jsonb_array_length(send_simulate_capacities.used) > 0 then
        insert into send_usage as u (account_id, channel, day, used, rehearsed)
        select l.account_id, l.channel, (d.at at time zone l.cap_timezone)::date, sum(d.n), 0
        from (select (s ->> 0)::uuid as account_id, s ->> 1 as channel, (s ->> 3)::int as n,
                     'epoch'::timestamptz + (s ->> 2)::bigint::float8 * interval '1 microsecond' as at
              from jsonb_array_elements(send_simulate_capacities.used) s) d
        join send_lanes l on l.account_id = d.account_id and l.channel = d.channel
        group by 1, 2, 3
        on conflict (account_id, channel, day) do update set used = u.used + excluded.used;
    end if;

    if jsonb_array_length(sent) > 0 then
        insert into send_attempts (workspace_id, account_id, channel, started_at, outcome)
        select a.workspace_id, a.id, s ->> 1, 'epoch'::timestamptz + (s ->> 2)::bigint::float8 * interval '1 microsecond', 'sent'
        from jsonb_array_elements(sent) s
        join send_accounts a on a.id = (s ->> 0)::uuid
        cross join generate_series(1, (s ->> 3)::int);
    end if;

    return query
    select r.room, t.until, t.next_run, case when t.next_run is not null then (
            select min(s.room) from send_remaining_capacity(q.account_id, q.channel,
                'epoch'::timestamptz + t.next_run::float8 * interval '1 microsecond', q.rules, q.id) s) end,
        r.rule, r.detail
    from (select (a.a ->> 0)::uuid as account_id, a.a ->> 1 as channel, (a.a ->> 2)::uuid as id,
              -- Not in_flight: a simulated send takes no time and never blocks the next.
              case when a.a ->> 2 is null then array['daily_cap', 'weekly_cap'] else array['rate_limit'] end as rules, a.nth
          from jsonb_array_elements(asked) with ordinality a (a, nth)) q
    left join lateral (
        select r.* from send_remaining_capacity(q.account_id, q.channel, v_at, q.rules, q.id) r
        order by r.room <= 0 desc, r.until desc nulls first, r.room limit 1 -- the longest hold, like the claim
    ) r on true
    cross join lateral (
        select u.until, send_simulate_capacities.at + (u.until - send_simulate_capacities.at + every - 1) / every * every as next_run
        from (select case when r.room <= 0 then send_microseconds(r.until) end as until) u) t
    order by q.nth;
end
$$;
