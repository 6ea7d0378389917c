-- Return the objects that `migrate` made in our schema: tables and views (catalog pg_class), and functions (pg_proc).
-- Users' own objects, even with names in send_, are not touched.
create or replace function send_ours() returns table (catalog text, oid oid) language sql stable as $$
    select 'pg_class', c.oid from pg_class c
    where c.relnamespace = quote_ident(current_schema())::regnamespace::oid and (
        c.relname::text = any (array[
            'send_accounts', 'send_attempts', 'send_campaign_accounts', 'send_campaigns', 'send_counts', 'send_database',
            'send_definitions', 'send_grants', 'send_lane_defaults', 'send_lanes', 'send_limit_defaults', 'send_limits',
            'send_meter', 'send_meter_mark', 'send_migrations', 'send_notifications', 'send_phone_zones',
            'send_prospects', 'send_provider_channels', 'send_queue', 'send_quiet_hours', 'send_rehearsed_lanes',
            'send_rehearsed_rows', 'send_runs', 'send_schedules', 'send_successors', 'send_suppressions', 'send_tokens', 'send_turns',
            'send_usage', 'send_wakes',
            'send_workspaces', 'send_zone_names'])
        or exists (select from send_definitions d
                   where d.kind = 'view' and ltrim(d.name, '0123456789_') = c.relname::text))
    union all
    select 'pg_proc', p.oid from pg_proc p
    where p.pronamespace = quote_ident(current_schema())::regnamespace::oid and (
        p.proname::text = any (array[
            'send_is_channel', 'send_is_timezone', 'send_normal_recipient', 'send_uuid']) -- from migrations
        or exists (select from send_definitions d where d.kind = 'function' and d.name = p.proname::text))
$$;
