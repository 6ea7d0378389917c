-- Report rights that `migrate` did not grant, and rights that a granted role lacks: findings of send_doctor.
create or replace function send_rights_doctor()
returns table (rank int, "check" text, severity text, what text, command jsonb, mend text) language sql stable as $$
    with odd as (
        select r.grantee, false as lacking, array_agg(distinct r.name || coalesce(' (' || r."column" || ')', '')) as names
        from (select * from send_rights() except select * from send_rights_wanted()) r group by r.grantee
        union all
        select r.grantee, true, array_agg(distinct r.name || coalesce(' (' || r."column" || ')', ''))
        from (select * from send_rights_wanted() except select * from send_rights()) r group by r.grantee
    ), relation as (
        select c.relname, c.relowner, c.relkind, c.relrowsecurity, format('%I.%I', current_schema(), c.relname) as name,
            coalesce('security_invoker=on' = any (c.reloptions), false) as by_reader,
            coalesce((select array_agg(distinct o) from pg_policy p cross join lateral unnest(p.polroles) o
                      where p.polrelid = c.oid), '{}')::text as seen_by
        from pg_class c
        where c.oid in (select o.oid from send_ours() o where o.catalog = 'pg_class')
    ), open as (
        select r.relname from relation r
        where case when r.relkind = 'v' then
                not r.by_reader and current_setting('server_version_num')::int >= 150000
            else not r.relrowsecurity or r.seen_by is distinct from coalesce((
                select array_agg(distinct w.grantee) from send_rights_wanted() w where w.name = r.name), '{}')::text end
    )
    select 12, 'privileges', 'wrong', format('%s %s, and %s: %s%s.',
            case when o.grantee = 0::oid then 'Everybody' else format('The role %s', o.grantee::regrole) end,
            case when o.lacking then 'lacks what its task needs' else 'may use what is the queue''s' end,
            case when o.lacking then 'was granted it' else '`send-queue migrate` granted none of it' end,
            array_to_string(o.names[:5], ', '),
            case when cardinality(o.names) > 5 then format(' and %s more', cardinality(o.names) - 5) else '' end),
        '["migrate"]'::jsonb, null
    from odd o
    union all
    select 12, 'privileges', 'wrong', format('Row level security is not as `send-queue migrate` leaves it, of: %s.',
        string_agg(o.relname, ', ' order by o.relname)), '["migrate"]', null
    from open o having count(*) > 0
    union all
    select 13, 'privileges', case when x.grantee = 0::oid then 'wrong' else 'worth knowing' end,
        format('%s may create things in the schema %s, also those that mislead the queue''s functions.',
            case when x.grantee = 0::oid then 'Everybody' else format('The role %s', x.grantee::regrole) end, n.nspname),
        null, format('revoke create on schema %I from %s', n.nspname,
            case when x.grantee = 0::oid then 'public' else x.grantee::regrole::text end)
    from pg_namespace n cross join lateral aclexplode(n.nspacl) x
    where n.nspname = current_schema() and x.privilege_type = 'CREATE' and x.grantee <> n.nspowner
      and (x.grantee = 0::oid or not pg_has_role(x.grantee, (select r.relowner from relation r where r.relname = 'send_queue'),
          'member'))
$$;
