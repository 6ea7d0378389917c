-- The advisory lock that tells who writes something into the lanes of an account (shared, until they commit) from who lets
-- those lanes sleep (alone): one of 32 for all accounts, so that a transaction never holds many. A rehearsal has a table
-- of lanes of its own, and so locks of its own.
create or replace function send_sleep_key(account_id uuid) returns bigint language sql stable as $$
    select hashtextextended('sleep', to_regclass('send_lanes')::oid::bigint) + (uuid_hash(account_id) & 31)
$$;
