-- Return every right on our tables, views, columns and functions that a role other than the owner has; grantee 0: every
-- role.
create or replace function send_rights()
returns table (kind text, name text, "column" text, grantee oid, privilege text) language sql stable as $$
    with ours as (
        select c.oid, c.relowner, c.relacl, format('%I.%I', current_schema(), c.relname) as name
        from pg_class c
        where c.oid in (select o.oid from send_ours() o where o.catalog = 'pg_class')
    )
    select 'table', o.name, null, x.grantee, x.privilege_type
    from ours o cross join lateral aclexplode(o.relacl) x where x.grantee <> o.relowner
    union all
    select 'table', o.name, quote_ident(t.attname), x.grantee, x.privilege_type
    from ours o join pg_attribute t on t.attrelid = o.oid cross join lateral aclexplode(t.attacl) x
    where x.grantee <> o.relowner
    union all
    select 'function', format('%I.%I(%s)', current_schema(), p.proname, pg_get_function_identity_arguments(p.oid)), null,
        x.grantee, x.privilege_type
    from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
    where p.oid in (select o.oid from send_ours() o where o.catalog = 'pg_proc') and x.grantee <> p.proowner
$$;
