-- In a forecast (send_rehearse_counts): write down what was played, then say what lanes have left at a moment. It is
-- send_room that says it, as it does to the claim.
--
-- sent   [account_id, channel, microseconds since 1970, how many], each: what went out meanwhile
-- asked  [account_id, channel], each
--
-- Returns a row for each that is asked, in their order: the least room of the limits that count it alone or with the
-- rest of its account (lane_room), with its channel of the workspace (channel_room), with the whole workspace
-- (workspace_room), null where there is no such limit; and where there is no room, what the claim makes of it: until when
-- (microseconds; null: not by itself) all lanes of `reach` wait, and for which rule.
create or replace function send_rehearse_rooms(at timestamptz, sent jsonb, asked jsonb)
returns table (lane_room int, channel_room int, workspace_room int, until bigint, reach text, rule text, detail text)
language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan set jit = off as $$
#variable_conflict use_column
begin
    if jsonb_array_length(sent) > 0 then
        insert into send_usage as u (account_id, channel, day, used)
        select l.account_id, l.channel, (d.at at time zone l.cap_timezone)::date, sum(d.n)
        from (select (s ->> 0)::uuid as account_id, s ->> 1 as channel, (s ->> 3)::int as n,
                     'epoch'::timestamptz + (s ->> 2)::bigint * interval '1 microsecond' as at
              from jsonb_array_elements(sent) s) d
        join send_lanes l on l.account_id = d.account_id and l.channel = d.channel
        group by 1, 2, 3
        on conflict (account_id, channel, day) do update set used = u.used + excluded.used;

        insert into send_attempts (workspace_id, account_id, channel, started_at, outcome)
        select a.workspace_id, a.id, s ->> 1, 'epoch'::timestamptz + (s ->> 2)::bigint * interval '1 microsecond', 'sent'
        from jsonb_array_elements(sent) s
        join send_accounts a on a.id = (s ->> 0)::uuid
        cross join generate_series(1, (s ->> 3)::int)
        where exists (select from send_limits m where m.workspace_id = a.workspace_id);
    end if;

    return query
    select min(r.room) filter (where r.reach = 'lane'), min(r.room) filter (where r.reach = 'channel'),
        min(r.room) filter (where r.reach = 'workspace'), wait[1]::bigint, wait[2], wait[3], wait[4]
    from jsonb_array_elements(asked) with ordinality q (lane, nth)
    left join lateral (
        select r.*, first_value(array[send_microseconds(r.until)::text, r.reach, r.rule, r.detail]) over (
            -- As the claim has it: a limit that many share first, then the one that holds longest.
            order by r.room <= 0 desc, r.reach = 'lane', r.until desc nulls first) as wait
        from send_room((q.lane ->> 0)::uuid, q.lane ->> 1, send_rehearse_rooms.at) r
        where r.rule <> 'in_flight' -- here a send takes no time, so none is ever in the way of the next
    ) r on true
    group by q.nth, wait order by q.nth;
end
$$;
