-- Return a moment as microseconds since 1970: exact, and fast to compare in Python.
create or replace function send_microseconds(at timestamptz) returns bigint language sql stable parallel safe as $$
    select (extract(epoch from at) * 1000000::numeric)::bigint
$$;
