-- Return the first instant of a date in a zone. A midnight that occurs twice (Havana, autumn) begins at the first,
-- where Postgres alone takes the second; one that does not occur begins after the jump; a date that a zone left out
-- (Samoa, 30 December 2011) begins with the next date.
create or replace function send_day_start(day date, zone text) returns timestamptz
language sql stable parallel safe as $$
    select least(
        case when ((day::timestamp at time zone zone - interval '1 hour') at time zone zone)::date >= day
             then day::timestamp at time zone zone - interval '1 hour' end,
        case when ((day::timestamp at time zone zone - interval '30 minutes') at time zone zone)::date >= day
             then day::timestamp at time zone zone - interval '30 minutes' end,
        case when (day::timestamp at time zone zone at time zone zone)::date >= day
             then day::timestamp at time zone zone end)
$$;
