-- Store the windows that the calendar computed: [{id, version, opens_at, closes_at, window_since, later: [[opens_at,
-- closes_at], ...]}, ...]. A schedule of another version by now, or locked, stays stale. Returns the number stored.
create or replace function send_set_windows(windows jsonb) returns int language plpgsql set lock_timeout = '2s'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
declare
    v_free uuid[] := array(
        select s.id from send_schedules s join jsonb_to_recordset(windows) w (id uuid, version int)
            on s.id = w.id and s.version = w.version
        for no key update of s skip locked);
    v_stored int;
begin
    update send_schedules s
    set opens_at = w.opens_at, closes_at = w.closes_at, window_since = w.window_since,
        later_windows = array(select tstzrange((l ->> 0)::timestamptz, (l ->> 1)::timestamptz)
                              from jsonb_array_elements(w.later) l)
    from jsonb_to_recordset(windows) w (id uuid, version int, opens_at timestamptz, closes_at timestamptz,
                                        window_since timestamptz, later jsonb)
    where s.id = w.id and s.id = any (v_free);
    get diagnostics v_stored = row_count;
    return v_stored;
end
$$;
