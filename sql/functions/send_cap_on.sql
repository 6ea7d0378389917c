-- Return a lane's daily cap on a date: the warm-up ramp (start, then + step a day) up to the cap; null: none.
create or replace function send_cap_on(daily_cap int, warm_up_start int, warm_up_step int, warm_up_began date, day date)
returns int language sql immutable parallel safe as $$
    select case when warm_up_start is null then daily_cap
                else least(daily_cap, warm_up_start + warm_up_step * greatest(day - warm_up_began, 0)) end
$$;
