-- Return the offsets of zones from UTC: {zone: [[moment, offset], ...]}, in seconds, moments since 1970. The first
-- entry holds at `since`, each other from its moment on, to a quarter of an hour. Unknown zones are left out. Only days
-- whose end has another offset than their start are searched.
create or replace function send_zone_changes(zones text[], since timestamptz, until timestamptz) returns jsonb
language sql stable set timezone = 'UTC' as $$
    with known as (
        select z.zone from unnest(zones) z (zone) where send_is_timezone(z.zone) offset 0
    ), day as (
        select k.zone, d.at, (extract(epoch from (d.at at time zone k.zone) - (d.at at time zone 'UTC')))::int as shift
        from known k cross join generate_series(since, until, interval '1 day') d (at)
    ), changed as (
        select p.zone, p.at, p.shift from (
            select d.zone, d.at, d.shift, lead(d.shift) over (partition by d.zone order by d.at) as next from day d) p
        where p.next <> p.shift
    ), change as (
        select c.zone, m.at, m.shift
        from changed c
        cross join lateral (
            select q.at, (extract(epoch from (q.at at time zone c.zone) - (q.at at time zone 'UTC')))::int as shift
            from generate_series(c.at, c.at + interval '1 day', interval '15 minutes') q (at)) m
        where m.shift <> c.shift
          and (extract(epoch from ((m.at - interval '15 minutes') at time zone c.zone)
              - ((m.at - interval '15 minutes') at time zone 'UTC')))::int = c.shift
        union all
        select d.zone, d.at, d.shift from day d where d.at = since
    )
    select coalesce(jsonb_object_agg(g.zone, g.changes), '{}') from (
        select c.zone, jsonb_agg(jsonb_build_array(extract(epoch from c.at)::bigint, c.shift) order by c.at) as changes
        from change c group by c.zone) g
$$;
