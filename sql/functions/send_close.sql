-- Close all that is ours to every role but its owner and those that were granted a task (send_grants), whatever default
-- privileges the server has, and open to those what their task needs. `migrate` does it each time, since what is made
-- anew gets default privileges anew. What stands as it should is left alone, and locks nothing.
--
-- Row level security is on for every table: so a right that somebody gives by hand shows no row. A view reads with its
-- reader's rights where the server has that (Postgres 15). The owner passes, and so do members of its role.
create or replace function send_close() returns void language plpgsql as $$
declare
    v_users constant oid[] := array(
        select x.grantee from pg_namespace n cross join lateral aclexplode(n.nspacl) x
        where n.nspname = current_schema() and x.privilege_type = 'USAGE');
    v_ours constant oid[] := array(select o.oid from send_ours() o where o.catalog = 'pg_class');
    v_it record;
begin
    -- A role may have been renamed: then it still has its right to our schema. Or it is another one of that name, in a
    -- database that was restored elsewhere.
    update send_grants g set role = r.rolname from pg_roles r
    where r.oid = g.role_oid and not exists (select from pg_roles n where n.rolname = g.role)
      and r.oid = any (v_users)
      and not exists (select from send_grants o where o.role = r.rolname and o.task = g.task)
      and not exists (select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) x where x.grantee = r.oid);
    update send_grants g set role_oid = r.oid from pg_roles r where r.rolname = g.role and r.oid <> g.role_oid;
    for v_it in delete from send_grants g where not exists (select from pg_roles r where r.rolname = g.role)
                returning g.role, g.task loop
        raise warning 'The role % is not there any more, so its task (%) was taken back.', quote_ident(v_it.role), v_it.task;
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
          and (r."column" is not null -- no default privilege gives that, a grant did
               or not exists (select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) x
                              where x.grantee = r.grantee))
        group by r.grantee
    loop
        raise warning 'What the role % could do with % was taken back, since nothing else lets a role in than `send-queue '
            'migrate --grant-worker`, `--grant-enqueue` or `--grant-read`.', v_it.grantee::regrole,
            case when length(v_it.names) > 200 then left(v_it.names, 200) || ' …' else v_it.names end;
    end loop;
    -- First what is taken: with a table's right go those of its columns, which may be wanted.
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
