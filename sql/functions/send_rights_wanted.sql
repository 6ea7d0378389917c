-- Return the rights that granted roles need, in the columns of send_rights; none for the owner, who has all.
--
-- work     reads all tables and views but send_notifications; calls its task's functions, and all functions with the
--          caller's rights, which add nothing to those
-- enqueue  calls send_enqueue
-- read     reads the views; from Postgres 15 on, where views read with the reader's rights (send_close), also the
--          columns beneath them
create or replace function send_rights_wanted()
returns table (kind text, name text, "column" text, grantee oid, privilege text) language sql stable as $$
    with granted as (
        select r.oid as grantee, g.task from send_grants g join pg_roles r on r.rolname = g.role
        where r.oid <> (select c.relowner from pg_class c where c.relname = 'send_queue'
            and c.relnamespace = quote_ident(current_schema())::regnamespace::oid)
    ), relation as (
        select c.oid, c.relname, c.relkind, format('%I.%I', current_schema(), c.relname) as name from pg_class c
        where c.oid in (select o.oid from send_ours() o where o.catalog = 'pg_class')
    ), function as (
        select p.oid, p.proname, format('%I.%I(%s)', current_schema(), p.proname,
            pg_get_function_identity_arguments(p.oid)) as name, p.prosecdef or p.prorettype = 'trigger'::regtype::oid as closed
        from pg_proc p where p.oid in (select o.oid from send_ours() o where o.catalog = 'pg_proc')
    )
    select 'table', r.name, null, g.grantee, 'SELECT'
    from granted g join relation r on case g.task
        when 'work' then r.relkind in ('r', 'p', 'v') and r.relname <> 'send_notifications'
        when 'read' then r.relkind = 'v' end
    union all
    select distinct 'table', r.name, quote_ident(t.attname), g.grantee, 'SELECT'
    from relation v
    join pg_rewrite w on w.ev_class = v.oid
    join pg_depend d on d.classid = 'pg_rewrite'::regclass::oid and d.objid = w.oid
        and d.refclassid = 'pg_class'::regclass::oid and d.refobjsubid > 0
    join relation r on r.oid = d.refobjid and r.relkind in ('r', 'p')
    join pg_attribute t on t.attrelid = r.oid and t.attnum = d.refobjsubid
    join granted g on g.task = 'read'
    where v.relkind = 'v' and current_setting('server_version_num')::int >= 150000
    union all
    select distinct 'function', f.name, null, g.grantee, 'EXECUTE'
    from granted g join function f on g.task = 'work' and not f.closed
        or exists (select from send_tasks() t where t.task = g.task and t.function = f.proname)
$$;
