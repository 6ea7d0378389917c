-- Revoke every right on our objects from all roles but the owner and those granted a task (send_grants), and give those
-- the rights of their task. `migrate` runs this each time, since new objects get the server's default privileges.
-- Correct rights are left alone, without a lock.
--
-- Every table has row level security: a right given by hand shows no row. From Postgres 15 on a view reads with its
-- reader's rights. The owner and members of its role pass.
create or replace function send_close() returns void language plpgsql as $$
declare
    v_users constant oid[] := array(
        select x.grantee from pg_namespace n cross join lateral aclexplode(n.nspacl) x
        where n.nspname = current_schema() and x.privilege_type = 'USAGE');
    v_ours constant oid[] := array(select o.oid from send_ours() o where o.catalog = 'pg_class');
    v_it record;
begin
    -- A renamed role keeps its right on our schema, and its task. After a restore elsewhere, the role of the same name
    -- takes over the task.
    update send_grants g set role = r.rolname from pg_roles r
    where r.oid = g.role_oid and not exists (select from pg_roles n where n.rolname = g.role)
      and r.oid = any (v_users)
      and not exists (select from send_grants o where o.role = r.rolname and o.task = g.task)
      and not exists (select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) x where x.grantee = r.oid);
    update send_grants g set role_oid = r.oid from pg_roles r where r.rolname = g.role and r.oid <> g.role_oid;
    for v_it in delete from send_grants g where not exists (select from pg_roles r where r.rolname = g.role)
                returning g.role, g.task loop
        raise warning 'The role % no longer exists: its task (%) was revoked.', quote_ident(v_it.role), v_it.task;
    end loop;

    perform send_make_security_definer();

    for v_it in
        select format('%I.%I', current_schema(), c.relname) as name, c.oid, c.relkind, c.relrowsecurity,
            coalesce('security_invoker=on' = any (c.reloptions), false) as by_reader
        from pg_class c
        where c.oid = any (v_ours)
        order by c.relname
    loop
        if v_it.relkind <> 'v' then
            if not v_it.relrowsecurity then
                execute format('alter table %s enable row level security', v_it.name);
            end if;
            perform send_close_rows(v_it.oid, v_it.name);
        elsif not v_it.by_reader and current_setting('server_version_num')::int >= 150000 then
            execute format('alter view %s set (security_invoker = on)', v_it.name);
        end if;
    end loop;

    for v_it in
        select r.grantee, string_agg(distinct r.name, ', ') as names
        from (select * from send_rights() except select * from send_rights_wanted()) r
        where r.grantee <> 0::oid and not exists (select from send_grants g where g.role_oid = r.grantee)
          and (r."column" is not null -- a column's right comes from a grant, never from a default privilege
               or not exists (select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) x
                              where x.grantee = r.grantee))
        group by r.grantee
    loop
        raise warning 'The rights of role % on % were revoked: grant a task with `send-queue migrate --grant-worker`, '
            '`--grant-enqueue` or `--grant-read`.', v_it.grantee::regrole,
            case when length(v_it.names) > 200 then left(v_it.names, 200) || ' …' else v_it.names end;
    end loop;
    -- Revoke first: revoking a table's right revokes its columns' rights too, which may be wanted.
    for v_it in
        select format('revoke %s on %s %s from %s cascade',
            string_agg(r.privilege || coalesce(' (' || r."column" || ')', ''), ', '), r.kind, r.name,
            case when r.grantee = 0::oid then 'public' else r.grantee::regrole::text end) as statement
        from (select * from send_rights() except select * from send_rights_wanted()) r
        group by r.kind, r.name, r.grantee
    loop
        execute v_it.statement;
    end loop;
    for v_it in
        select format('grant %s on %s %s to %s',
            string_agg(r.privilege || coalesce(' (' || r."column" || ')', ''), ', '), r.kind, r.name,
            r.grantee::regrole) as statement
        from (select * from send_rights_wanted() except select * from send_rights()) r
        group by r.kind, r.name, r.grantee
        union all
        select distinct format('grant usage on schema %I to %I', current_schema(), g.role) from send_grants g
        where g.role_oid <> all (v_users)
    loop
        execute v_it.statement;
    end loop;
end
$$;
