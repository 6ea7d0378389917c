-- Return the key of the advisory lock between transactions that write rows into an account's lanes (shared, until they
-- commit) and those that mark the lanes idle (exclusive). All accounts share 32 keys, so that no transaction holds
-- many. A temporary copy of the lanes has its own keys.
create or replace function send_sleep_key(account_id uuid) returns bigint language sql stable as $$
    select hashtextextended('sleep', to_regclass('send_lanes')::oid::bigint) + (uuid_hash(account_id) & 31)
$$;
