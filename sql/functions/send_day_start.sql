-- The first instant of a date in a zone. A midnight that exists twice (Havana, in autumn) begins at the first of the
-- two, where Postgres by itself names the second; one that does not exist begins at the hour after the jump; a date
-- that a zone left out (Samoa, 30 December 2011) begins with the one after it.
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
