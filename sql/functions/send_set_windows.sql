-- Cache the windows that the calendar has worked out:
-- [{id, version, opens_at, closes_at, window_since, later: [[opens_at, closes_at], ...]}, ...].
-- A schedule that somebody has changed in between (another version) is left stale.
create or replace function send_set_windows(windows jsonb) returns void language sql as $$
    update send_schedules s
    set opens_at = w.opens_at, closes_at = w.closes_at, window_since = w.window_since,
        later_windows = array(select tstzrange((l ->> 0)::timestamptz, (l ->> 1)::timestamptz)
                              from jsonb_array_elements(w.later) l)
    from jsonb_to_recordset(windows) w (id uuid, version int, opens_at timestamptz, closes_at timestamptz,
                                        window_since timestamptz, later jsonb)
    where s.id = w.id and s.version = w.version
$$;
