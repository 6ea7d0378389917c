-- Every right that somebody other than its owner has on what is ours: on tables, views, sequences, columns, functions.
-- grantee 0: everybody.
create or replace function send_rights()
returns table (kind text, name text, "column" text, grantee oid, privilege text) language sql stable as $$
    with ours as (
        select c.oid, c.relowner, c.relacl, format('%I.%I', current_schema(), c.relname) as name,
            case c.relkind when 'S' then 'sequence' else 'table' end as kind
        from pg_class c
        where c.relnamespace = quote_ident(current_schema())::regnamespace::oid and c.relname::text ^@ 'send_'
          and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    )
    select o.kind, o.name, null, x.grantee, x.privilege_type
    from ours o cross join lateral aclexplode(o.relacl) x where x.grantee <> o.relowner
    union all
    select o.kind, o.name, quote_ident(t.attname), x.grantee, x.privilege_type
    from ours o join pg_attribute t on t.attrelid = o.oid cross join lateral aclexplode(t.attacl) x
    where x.grantee <> o.relowner
    union all
    select 'function', format('%I.%I(%s)', current_schema(), p.proname, pg_get_function_identity_arguments(p.oid)), null,
        x.grantee, x.privilege_type
    from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
    where p.pronamespace = quote_ident(current_schema())::regnamespace::oid and p.proname::text ^@ 'send_' and x.grantee <> p.proowner
$$;
