-- Give the roles that may read a table (send_rights_wanted) its rows by one policy, and drop every other policy. A
-- correct policy is left alone: changing it locks the table.
create or replace function send_close_rows(relation oid, name text) returns void language plpgsql as $$
declare
    v_wanted oid[] := array(select distinct w.grantee from send_rights_wanted() w
                            where w.name = send_close_rows.name order by 1);
    v_policy record;
    v_stands boolean := cardinality(v_wanted) = 0;
begin
    for v_policy in
        select p.polname, p.polname = 'granted_roles_see_rows' and p.polcmd = 'r' and p.polpermissive
            and pg_get_expr(p.polqual, p.polrelid) = 'true'
            and array(select unnest(p.polroles) order by 1)::text = v_wanted::text as stands
        from pg_policy p where p.polrelid = relation
    loop
        if v_policy.stands then
            v_stands := true;
        else
            execute format('drop policy %I on %s', v_policy.polname, name);
        end if;
    end loop;
    if not v_stands then
        execute format('create policy granted_roles_see_rows on %s for select to %s using (true)', name,
            (select string_agg(g::regrole::text, ', ') from unnest(v_wanted) g));
    end if;
end
$$;
