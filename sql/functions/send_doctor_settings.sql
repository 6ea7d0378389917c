-- Report settings of the role, the database or the server that hinder the queue, and the statement that resets each.
-- Settings that the connection itself brought are not reported.
create or replace function send_doctor_settings()
returns table (rank int, "check" text, severity text, what text, mend text) language sql stable as $$
    with given as (
        select s.name, s.setting, case when s.vartype = 'integer' then s.setting::bigint end as n, case s.source
            when 'database' then format('alter database %I reset %s', current_database(), s.name)
            when 'user' then format('alter role %I reset %s', session_user, s.name)
            when 'database user' then format('alter role %I in database %I reset %s', session_user, current_database(),
                s.name)
            when 'global' then format('alter role all reset %s', s.name)
            else format('alter system reset %s; select pg_reload_conf()', s.name) end as mend
        from pg_settings s where s.source <> 'client'
    )
    select 6, 'read_only', 'wrong', 'The database is read-only here, so that no run can send: it is a standby.',
        'name the primary in DATABASE_URL'
    where pg_is_in_recovery()
    union all
    select 6, 'read_only', 'wrong', 'The database is read-only here, so that no run can send: its role or database is '
        'set so.', g.mend
    from given g where g.name = 'default_transaction_read_only' and g.setting = 'on' and not pg_is_in_recovery()
    union all
    select 6, 'settings', 'wrong', 'No trigger runs for this role (session_replication_role), so that counts, caps and '
        'pauses go wrong.', g.mend
    from given g where g.name = 'session_replication_role' and g.setting = 'replica'
    union all
    select 6, 'settings', 'worth knowing', format('Transactions are %s here unless they say otherwise '
        '(default_transaction_isolation): each statement of a run says so, for two round trips more.', upper(g.setting)),
        g.mend
    from given g where g.name = 'default_transaction_isolation' and g.setting <> 'read committed'
    union all
    select 6, 'settings', 'worth knowing', format('%s is %s here: the server ends longer work (%s) and stores nothing '
        'of it.', g.name, interval '1 millisecond' * g.n::float8, t.taking), g.mend
    from given g join (values
        ('statement_timeout', 60000, 'a prune, an import, a report'),
        ('transaction_timeout', 60000, 'an import, a forecast, a migrate'),
        ('idle_in_transaction_session_timeout', 60000, 'an import from a slow source, a forecast'),
        ('lock_timeout', 2000, 'a wait for other runs')) t (name, enough, taking) on t.name = g.name
    where g.n between 1 and t.enough - 1
$$;
