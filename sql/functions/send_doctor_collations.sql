-- Report collations whose order has changed under our indexes, as after an upgrade of the operating system: a unique
-- index may then miss a stored key and admit it twice. Only servers that note versions can tell: for the database's own
-- collation from Postgres 15 on.
create or replace function send_doctor_collations()
returns table ("check" text, what text, mend text) language plpgsql stable as $$
begin
    if current_setting('server_version_num')::int >= 150000 then
        return query execute $own$
            select 'collation', format('The order of texts has changed under the indexes of this database: they were '
                'built with version %s of its collation, and the server has %s.', d.datcollversion, v.version),
                format('reindex database %1$I; alter database %1$I refresh collation version', d.datname)
            from pg_database d, pg_database_collation_actual_version(d.oid) v (version)
            where d.datname = current_database() and d.datcollversion <> v.version
        $own$;
    end if;
    return query
    select 'collation', format('The order of texts has changed under %s: built with version %s of the collation %s, '
            'and the server has %s.', string_agg(u.name, ', ' order by u.name), c.collversion, c.oid::regcollation,
            v.version),
        concat(string_agg(format('reindex table %s; ', u.name), '' order by u.name),
            format('alter collation %s refresh version', c.oid::regcollation))
    from (
        select distinct i.indrelid::regclass::text as name, k.oid as used
        from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
        cross join lateral unnest(i.indcollation) k (oid)
        where n.nspname = current_schema() and t.relname::text ^@ 'send_') u
    join pg_collation c on c.oid = u.used
    cross join lateral pg_collation_actual_version(c.oid) v (version)
    where c.collprovider <> 'd' and c.collversion <> v.version
    group by c.oid, c.collversion, v.version;
end
$$;
