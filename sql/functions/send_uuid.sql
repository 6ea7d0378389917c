-- Ids are ordered by time: "then age" is simply the order of ids. Postgres 18 makes such UUIDs itself; before, one is put
-- together (version 7 of RFC 9562): 48 bits of milliseconds, 12 of the fraction of one, and the rest of a random one.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create or replace function send_uuid() returns uuid language sql volatile parallel safe as 'select pg_catalog.uuidv7()';
    else
        create or replace function send_uuid() returns uuid language sql volatile parallel safe as $f$
            select encode(overlay(uuid_send(gen_random_uuid())
                placing int8send((t.us / 1000 << 16) | (7 << 12) | (t.us % 1000 * 4096 / 1000)) from 1 for 8), 'hex')::uuid
            from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) t
        $f$;
    end if;
end
$$;
