-- The advisory lock of a workspace's rolling limits: shared by the claims that count, alone for who gives back. A
-- rehearsal has a table of limits of its own, and so a lock of its own.
create or replace function send_limits_key(workspace_id uuid) returns bigint language sql stable as $$
    select hashtextextended(workspace_id::text, to_regclass('send_limits')::oid::bigint)
$$;
