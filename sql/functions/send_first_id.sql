-- Return the lowest id that send_uuid can make from a moment on, to the millisecond; an infinite one bounds nothing.
create or replace function send_first_id(at timestamptz) returns uuid language sql immutable as $$
    select case send_first_id.at
        when 'infinity' then 'ffffffff-ffff-ffff-ffff-ffffffffffff'
        when '-infinity' then '00000000-0000-0000-0000-000000000000'
        else rpad(lpad(to_hex((greatest(extract(epoch from send_first_id.at), 0::numeric) * 1000::numeric)::bigint),
            12, '0'), 32, '0')::uuid end
$$;
