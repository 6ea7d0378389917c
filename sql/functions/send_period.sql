-- A rolling limit's period as a length of time: a month is 30 days, a year 365.25, whatever the calendar says. What counts
-- attempts and what deletes them go by this one.
create or replace function send_period(per interval) returns interval language sql immutable as $$
    select make_interval(secs => extract(epoch from per)::float8)
$$;
