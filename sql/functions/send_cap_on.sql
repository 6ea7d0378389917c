-- The daily cap of a lane on one date: the ramp of a warm-up (start, then + step each day) up to the cap; null: none.
create or replace function send_cap_on(daily_cap int, warm_up_start int, warm_up_step int, warm_up_began date, day date)
returns int language sql immutable parallel safe as $$
    select case when warm_up_start is null then daily_cap
                else least(daily_cap, warm_up_start + warm_up_step * greatest(day - warm_up_began, 0)) end
$$;
