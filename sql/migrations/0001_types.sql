-- Functions on which tables, checks and indexes stand. All other functions are in sql/functions and may change at any
-- time.

-- Ids are UUIDs ordered by time: the order of ids is the order of age. Postgres 18 makes them itself; before it, one is
-- put together (version 7 of RFC 9562): 48 bits of milliseconds, 12 of the fraction of one, and random bits.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create function send_uuid() returns uuid language sql volatile parallel safe as 'select pg_catalog.uuidv7()';
    else
        create function send_uuid() returns uuid language sql volatile parallel safe as $f$
            select encode(overlay(uuid_send(gen_random_uuid())
                placing int8send((t.us / 1000 << 16) | (7 << 12) | (t.us % 1000 * 4096 / 1000)) from 1 for 8),
                'hex')::uuid
            from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) t
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
