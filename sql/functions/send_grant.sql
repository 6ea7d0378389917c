-- Give a role what it needs for one task, and nothing else. Granting again changes nothing.
--
-- work     a run (run-once, run), `tokens refresh`, `doctor` and `metrics`: reads the tables; writes the columns that those
--          write, no others; adds attempts and tallies; deletes nothing. No temporary tables either: looking (explain,
--          forecast) and importing want those, and are for people.
-- enqueue  calls send_enqueue, which runs with its owner's rights and reaches the tables itself; sees no table.
-- read     reads the views, which read the tables with their owner's rights; sees no table.
--
-- Functions that run with the caller's rights may be called by all (so Postgres has it): they give nothing that the
-- tables do not. Those with their owner's rights are closed to all by their own files, whether grants are used or not.
create or replace function send_grant(role text, may text) returns void language plpgsql as $$
declare
    v_grant text;
begin
    if not exists (select from pg_roles r where r.rolname = send_grant.role) then
        raise exception 'There is no role %: make it with `create role % login`, then grant again.',
            quote_literal(role), quote_ident(role) using errcode = 'SQ005';
    end if;
    if has_schema_privilege('public', current_schema(), 'create') then
        raise warning 'Everybody may create things in the schema %, also those that mislead send_enqueue: run `revoke '
            'create on schema % from public`.', current_schema(), quote_ident(current_schema());
    end if;
    for v_grant in
        select format('usage on schema %I', current_schema())
        union all
        select format(g, current_schema()) from (values
            ('select, update (status, attempts, claimed_by, lease_expires_at, attempt_id, scheduled_for, sent_at, '
             'updated_at, provider_message_id, error_code, error_message, look_up_at, look_ups, absent_since, '
             'repeat_by) on %I.send_queue'),
            ('select, insert, update (outcome, finished_at, http_status, provider_message_id, error_code, '
             'error_message) on %I.send_attempts'),
            ('select, insert, update (used) on %I.send_usage'),
            ('select, insert on %I.send_suppressions'),
            ('select, update (next_at, next_at_reason, next_at_detail, holds_in_a_row, closed_until, '
             'idle_until) on %I.send_lanes'),
            ('select, update (status, status_reason) on %I.send_accounts'),
            ('select, update (access_token, refresh_token, expires_at, refresh_expires_at, refreshed_at, renew_at, '
             'renewing_since, error_code, error_message) on %I.send_tokens'),
            ('select, update (opens_at, closes_at, window_since, later_windows) on %I.send_schedules'),
            ('select, update (status, follow_up_due_at) on %I.send_prospects'),
            ('select, update (id) on %I.send_limits'), -- to lock them: that takes the right to update some column
            ('select, insert, update on %I.send_runs'), ('select, insert, update (attempts) on %I.send_meter'),
            ('select, update (counted_to) on %I.send_meter_mark'),
            ('select on %I.send_workspaces'), ('select on %I.send_campaigns'), ('select on %I.send_campaign_accounts'),
            ('select on %I.send_counts'), ('select on %I.send_wakes'), ('select on %I.send_quiet_hours'), ('select on %I.send_phone_zones'),
            ('select on %I.send_zone_names'),
            ('select on %I.send_migrations'), ('select on %I.send_definitions')) v (g)
        where may = 'work'
        union all
        -- Where functions are not everybody's by default.
        select format('execute on function %s', p.oid::regprocedure)
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = current_schema() and p.proname ^@ 'send_' and case may
            when 'work' then not p.prosecdef or p.proname in ('send_notify', 'send_lane_report', 'send_wake_up')
            when 'enqueue' then p.proname = 'send_enqueue'
            when 'read' then p.proname = 'send_lane_report' end -- what send_lane_status calls
        union all
        select format('select on %I.%I', v.schemaname, v.viewname) from pg_views v
        where may = 'read' and v.schemaname = current_schema() and v.viewname ^@ 'send_'
    loop
        execute format('grant %s to %I', v_grant, role);
    end loop;
end
$$;
