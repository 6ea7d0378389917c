-- Return the facts on tokens for `doctor`: the environment that they need, and those that soon expire.
--
-- Returns {sealed, providers, troubled, more}:
--
-- sealed     the tokens stored first and last, to try the keys on
-- providers  the providers of renewable tokens
-- troubled   [{label, command, provider, expires_at, error_code, error_message, hopeless, overdue, within_a_day,
--            ended}, ...], earliest expiry first, max_rows at most: accounts that send with tokens that cannot be
--            renewed and expire within a week, whose renewal failed, or is long overdue
-- more       number of the others
create or replace function send_tokens_doctor(at timestamptz default null, max_rows int default 20)
returns jsonb language sql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with moment as (
        select coalesce(send_tokens_doctor.at, clock_timestamp()) as at
    ), token as (
        select t.*, a.provider, a.status, a.secret_env,
            a.name || case when w.name <> 'default' then ' of ' || w.name else '' end as label,
            jsonb_build_array('tokens', 'set', a.name) || case when w.name <> 'default'
                then jsonb_build_array('--workspace', w.name) else '[]' end as command,
            t.renew_at is null or t.refresh_expires_at <= m.at as hopeless,
            -- Overdue after half of the time left when due, and an hour at least.
            t.renew_at is not null and t.error_code is null
                and m.at > greatest(t.renew_at + (t.expires_at - t.renew_at) / 2, t.renew_at + interval '1 hour') as overdue
        from send_tokens t cross join moment m
        join send_accounts a on a.id = t.account_id
        join send_workspaces w on w.id = a.workspace_id
    ), troubled as (
        select n.label, n.command, n.provider, n.expires_at, n.error_code, n.error_message, n.hopeless, n.overdue,
            n.expires_at <= m.at + interval '1 day' as within_a_day, n.expires_at <= m.at as ended
        from token n cross join moment m
        where n.status = 'active' and n.secret_env is null
          and (n.hopeless and n.expires_at <= m.at + interval '7 days' or n.error_code is not null or n.overdue)
        order by n.expires_at, n.label
    )
    select jsonb_build_object(
        'sealed', (select coalesce(jsonb_agg(s.access_token), '[]') from (
            (select n.access_token from token n order by n.refreshed_at limit 1) union
            (select n.access_token from token n order by n.refreshed_at desc limit 1)) s),
        'providers', (select coalesce(jsonb_agg(distinct n.provider), '[]') from token n where n.renew_at is not null),
        'troubled', (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from (select * from troubled limit max_rows) s),
        'more', (select greatest(count(*) - max_rows, 0) from troubled))
$$;
