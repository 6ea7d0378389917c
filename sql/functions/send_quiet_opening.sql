-- Return the first moment from `at` on within an opening and outside the quiet hours of a send's recipient; null: none
-- in these openings.
--
-- windows  openings of the send's schedule, in order; null: no schedule, search 400 days
--
-- Costs one check for each opening after a quiet time: about one a day.
create or replace function send_quiet_opening(send_id uuid, at timestamptz, windows tstzrange[]) returns timestamptz
language plpgsql stable as $$
#variable_conflict use_column
declare
    v_at     timestamptz := at;
    v_window tstzrange;
    v_until  timestamptz;
begin
    if windows is null then -- quiet hours repeat each week: pieces of a week suffice
        windows := array(select tstzrange(at + make_interval(weeks => n), at + make_interval(weeks => n + 1))
                         from generate_series(0, 57) n);
    end if;
    foreach v_window in array windows loop
        continue when upper(v_window) <= v_at;
        v_at := greatest(v_at, lower(v_window));
        select q.until into v_until from send_quiet_until(send_id, v_at) q;
        if v_until is null then
            return v_at;
        elsif v_until < least(upper(v_window), v_at + interval '7 days') then
            return v_until;
        end if;
        v_at := v_until;
    end loop;
    return null;
end
$$;
