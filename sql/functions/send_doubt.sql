-- Put in doubt the sends that another copy of this database may have sent since a moment: those due at any time since,
-- and those in flight. Each gets an uncertain attempt that counts today, since its day is unknown, and uses up no try,
-- since it may not have happened; look-ups search from the given moment on. Earlier absences prove nothing and are
-- cleared. Returns the number put in doubt.
create or replace function send_doubt(since timestamptz, at timestamptz) returns int language plpgsql as $$
#variable_conflict use_column
declare
    v_said     text := 'Another copy of this database may have sent it.';
    v_ids      uuid[];
    v_accounts uuid[];
    v_channels text[];
    v_in_flight int;
begin
    -- Lock all lanes before the first row, in the order of send_record.
    select array_agg(l.account_id), array_agg(l.channel) into v_accounts, v_channels
    from (select distinct q.account_id, q.channel from send_queue q
          where q.status = 'sending' or q.status = 'pending' and q.scheduled_for <= send_doubt.at) l;
    perform send_lock_lanes(v_accounts, v_channels, null);

    update send_queue q set lease_expires_at = send_doubt.at
    where q.status = 'sending' and q.lease_expires_at > send_doubt.at;
    select count(*) into v_in_flight from send_recover(send_doubt.at);

    v_ids := array(
        select q.id from send_queue q
        where q.status = 'pending' and q.scheduled_for <= send_doubt.at
          and (q.expires_at is null or q.expires_at > send_doubt.since)
        order by q.account_id, q.channel, q.id for no key update);
    insert into send_attempts (send_id, workspace_id, account_id, channel, number, day, started_at, finished_at,
        may_have_begun_at, outcome, error_code, error_message, worker)
    select q.id, q.workspace_id, q.account_id, q.channel, 1 + coalesce(b.number, 0),
        coalesce(send_local_time(send_doubt.at, l.cap_timezone), send_doubt.at at time zone 'UTC')::date,
        send_doubt.at, send_doubt.at, send_doubt.since, 'uncertain', 'copied', v_said, 'adopt'
    from unnest(v_ids) i (id)
    join send_queue q on q.id = i.id
    join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
    left join lateral (select max(b.number) as number from send_attempts b where b.send_id = q.id) b on true;
    insert into send_usage as u (account_id, channel, day, used)
    select b.account_id, b.channel, b.day, count(*)
    from unnest(v_ids) i (id) join send_attempts b on b.send_id = i.id
    where b.started_at = send_doubt.at and b.error_code = 'copied'
    group by b.account_id, b.channel, b.day
    on conflict (account_id, channel, day) do update set used = u.used + excluded.used;
    update send_queue q
    set status = 'uncertain', updated_at = send_doubt.at, error_code = 'copied', error_message = v_said,
        look_up_at = send_doubt.at, look_ups = 0
    where q.id = any (v_ids);
    update send_queue q set absent_since = null where q.status = 'uncertain' and q.absent_since is not null;

    -- Start the gap now: the copy may have sent on the lane a moment ago.
    update send_lanes l
    set next_at = send_doubt.at + make_interval(secs => l.min_gap_seconds), next_at_reason = 'min_gap',
        next_at_detail = null
    where l.min_gap_seconds > 0 and l.next_at < send_doubt.at + make_interval(secs => l.min_gap_seconds)
      and (l.account_id, l.channel) in (select * from unnest(v_accounts, v_channels));
    return v_in_flight + cardinality(v_ids);
end
$$;
