-- Return a limit's period as a fixed length: a month is 30 days, a year 365.25, whatever the calendar. Counting and
-- pruning of attempts both use it.
create or replace function send_period(per interval) returns interval language sql immutable as $$
    select make_interval(secs => extract(epoch from per)::float8)
$$;
