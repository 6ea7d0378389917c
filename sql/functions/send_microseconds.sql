-- A moment as microseconds since 1970, which is what it is: exact, and quick to compare wherever it is played with.
create or replace function send_microseconds(at timestamptz) returns bigint language sql stable parallel safe as $$
    select (extract(epoch from at) * 1000000::numeric)::bigint
$$;
