-- Return the moment at which a lane's gap ends: counted from the newest attempt in earnest that went out or may have.
create or replace function send_after_gap(account_id uuid, channel text, gap_seconds int) returns timestamptz
language sql stable as $$
    select coalesce(max(b.started_at) + make_interval(secs => gap_seconds), 'epoch')
    from send_attempts b
    where b.account_id = send_after_gap.account_id and b.channel = send_after_gap.channel
      and not b.rehearsed and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
$$;
