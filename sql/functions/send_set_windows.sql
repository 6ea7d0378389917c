-- Cache the windows that the calendar has worked out: [{id, version, opens_at, closes_at, window_since}, ...].
-- A schedule that somebody has changed in between (another version) is left stale.
create or replace function send_set_windows(windows jsonb) returns void language sql as $$
    update send_schedules s
    set opens_at = w.opens_at, closes_at = w.closes_at, window_since = w.window_since
    from jsonb_to_recordset(windows) w (id uuid, version int, opens_at timestamptz, closes_at timestamptz,
                                        window_since timestamptz)
    where s.id = w.id and s.version = w.version
$$;
