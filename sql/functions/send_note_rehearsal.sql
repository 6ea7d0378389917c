-- Note what lanes are like, before a rehearsal of a moment to come changes them; what was noted first stays. The caller
-- holds the lanes.
create or replace function send_note_rehearsal(account_ids uuid[], channels text[], at timestamptz) returns void
language sql as $$
    insert into send_rehearsed_lanes as r
        (account_id, channel, rehearsed_at, next_at, next_at_reason, next_at_detail, consecutive_holds)
    select l.account_id, l.channel, send_note_rehearsal.at, l.next_at, l.next_at_reason, l.next_at_detail,
        l.consecutive_holds
    from send_lanes l where (l.account_id, l.channel) in (select * from unnest(account_ids, channels))
    on conflict (account_id, channel) do update set rehearsed_at = greatest(r.rehearsed_at, excluded.rehearsed_at)
$$;
