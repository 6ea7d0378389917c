-- Return the workspaces to which the caller of an entry point is bound (send_grant); null: it sees all.
--
-- Inside a security definer function the caller is the session's role: its `set role`, else its login. Neither the
-- owner nor a worker is bound: runs enqueue notifications. Even if another security definer function stands in between,
-- the session's own role decides. Raises 42501 if that role was granted no workspace.
create or replace function send_bound_workspaces() returns uuid[] language plpgsql stable as $$
declare
    v_caller name := case when current_setting('role') = 'none' then session_user else current_setting('role') end;
    v_bound  uuid[];
begin
    if not exists (select from send_grants g where g.workspace_id is not null)
       or pg_has_role(v_caller, current_user, 'usage') then
        return null;
    end if;
    select array_agg(g.workspace_id) into v_bound
    from send_grants g join pg_roles r on r.rolname = g.role
    where g.task in ('enqueue', 'work') and pg_has_role(v_caller, r.oid, 'usage');
    if v_bound is null then
        raise exception 'The role % was granted no workspace: run `send-queue migrate --grant-enqueue % --workspace W`.',
            quote_ident(v_caller), quote_ident(v_caller) using errcode = '42501';
    end if;
    return case when array_position(v_bound, null) is null then v_bound end;
end
$$;
