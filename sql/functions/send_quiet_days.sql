-- Return the intervals of a zone between its quiet hours that end after `at`, for two months, by this server's zone
-- data, which the claim uses too. Moments are microseconds since 1970. None if this server does not know the zone.
create or replace function send_quiet_days(zone text, quiet_from time, quiet_until time, at bigint)
returns table (opens_at bigint, closes_at bigint) language sql stable set timezone = 'UTC' as $$
    select day.opens_at, day.closes_at
    from (select 'epoch'::timestamptz + send_quiet_days.at::float8 * interval '1 microsecond' as at) m
    cross join generate_series(-2, 62) n
    cross join lateral (select send_local_time(m.at, zone)::date + n as d) local
    cross join lateral (
        select send_microseconds((local.d + quiet_until) at time zone zone) as opens_at,
            send_microseconds((local.d + case when quiet_from < quiet_until then 1 else 0 end + quiet_from)
                at time zone zone) as closes_at) day
    where local.d is not null and day.closes_at > send_quiet_days.at
    order by n
$$;
