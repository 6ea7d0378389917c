-- Functions on which tables, checks and indexes stand. All other functions are in sql/functions and may change at any
-- time.

-- Ids are UUIDs ordered by time: the order of ids is the order of age. Postgres 18 makes them itself; before it, one is
-- put together (version 7 of RFC 9562): 48 bits of milliseconds, 12 of the fraction of one, and random bits. One
-- expression, which reads the clock once: Postgres puts it in place of the call.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create function send_uuid() returns uuid language sql volatile parallel safe as 'select pg_catalog.uuidv7()';
    else
        create function send_uuid() returns uuid language sql volatile parallel safe as $f$
            select (overlay(
                lpad(to_hex((extract(epoch from clock_timestamp()) * 1000000::numeric)::bigint * 512 / 125), 15, '0')
                placing '7' from 13 for 0) || right(gen_random_uuid()::text, 17))::uuid
        $f$;
    end if;
end
$$;

-- Not parallel safe: it begins a subtransaction.
create function send_is_timezone(zone text) returns boolean language plpgsql stable parallel unsafe as $$
begin
    perform now() at time zone zone;
    return true;
exception when invalid_parameter_value then
    return false;
end
$$;

create function send_is_channel(channel text) returns boolean language sql immutable parallel safe as $$
    select channel in ('linkedin_invite', 'linkedin_message', 'email', 'sms', 'post', 'webhook', 'log')
$$;
