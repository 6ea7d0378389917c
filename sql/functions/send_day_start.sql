-- The first instant of a date in a zone. A midnight that exists twice (Havana, in autumn) begins at the first of the
-- two, where Postgres by itself names the second; one that does not exist begins at the hour after the jump; a date
-- that a zone left out (Samoa, 30 December 2011) begins with the one after it.
create or replace function send_day_start(day date, zone text) returns timestamptz
language sql stable parallel safe as $$
    select min(moment)
    from (select day::timestamp at time zone zone as midnight) m,
         lateral (values (midnight), (midnight - interval '30 minutes'), (midnight - interval '1 hour')) v (moment)
    where (moment at time zone zone)::date >= day
$$;
