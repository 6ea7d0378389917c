-- Grant a role one task (its rights: send_rights_wanted). Granting again changes the workspace; later migrations keep
-- the grant.
--
-- work     a run (run-once, run), `tokens refresh`, `doctor` and `metrics`
-- enqueue  send_enqueue, for one workspace or for all
-- read     the views
--
-- Raises SQ005 if the role or workspace does not exist, SQ002 if the task cannot be bound to a workspace, SQ006 for
-- `enqueue` while every role can create objects in our schema.
create or replace function send_grant(role text, task text, workspace text default null) returns void
language plpgsql as $$
#variable_conflict use_column
begin
    if not exists (select from pg_roles r where r.rolname = send_grant.role) then
        raise exception 'There is no role %: make it with `create role % login`, then grant again.',
            quote_literal(send_grant.role), quote_ident(send_grant.role) using errcode = 'SQ005';
    elsif send_grant.workspace is not null and send_grant.task <> 'enqueue' then
        raise exception 'Only --grant-enqueue can be bound to a workspace: runs and views are of all workspaces, so grant '
            'without --workspace, or give that tenant a database of its own.' using errcode = 'SQ002';
    end if;
    if has_schema_privilege('public', current_schema(), 'create') then
        if send_grant.task = 'enqueue' then
            raise exception 'Every role can create objects in the schema %, and mislead callers of send_enqueue: run '
                '`revoke create on schema % from public`, then grant again.', current_schema(),
                quote_ident(current_schema()) using errcode = 'SQ006';
        end if;
        raise warning 'Every role can create objects in the schema %, and mislead callers of send_enqueue: run `revoke '
            'create on schema % from public`.', current_schema(), quote_ident(current_schema());
    end if;
    insert into send_grants (role, role_oid, task, workspace_id)
    select r.rolname, r.oid, send_grant.task,
        case when send_grant.workspace is not null then send_find('workspace', send_grant.workspace, null) end
    from pg_roles r where r.rolname = send_grant.role
    on conflict on constraint role_has_a_task_once
    do update set role_oid = excluded.role_oid, workspace_id = excluded.workspace_id;
    perform send_close();
end
$$;
