-- Return the accounts whose provider needs an environment, for `doctor`: those with the most waiting sends first,
-- max_rows at most. Each is {label, status, waiting, sends, …} in the shape of send_attempt_details, with one send
-- without recipient and text.
create or replace function send_doctor_accounts(max_rows int default 10000) returns setof json
language sql stable set timezone = 'UTC' set jit = off as $$
    select json_build_object(
        'label', a.name || case when w.name <> 'default' then ' of ' || w.name else '' end,
        'status', a.status, 'waiting', coalesce(c.n, 0),
        'account_id', a.id, 'workspace_id', a.workspace_id, 'channel', coalesce(c.channel, ''), 'account', a.name,
        'provider', a.provider, 'provider_account_id', a.provider_account_id, 'secret_env', a.secret_env,
        'secret_refused', a.secret_refused, 'settings', a.settings, 'token', t.access_token, 'campaign', '',
        'max_attempts', 1, 'backoff_seconds', '[]'::json, 'started_at', now(), 'finished_at', null,
        'sends', json_build_array(json_build_array(1, a.id, a.id, 1, '', null, '', '{}'::json, 0, now(), null)))
    from send_accounts a
    join send_workspaces w on w.id = a.workspace_id
    left join send_tokens t on t.account_id = a.id
    left join (
        select c.account_id, sum(c.n)::bigint as n, min(c.channel) as channel from send_counts c
        where c.status = 'pending' and c.channel <> 'log' group by c.account_id) c on c.account_id = a.id
    where a.provider <> 'log'
    order by coalesce(c.n, 0) desc, a.name, w.name limit max_rows
$$;
