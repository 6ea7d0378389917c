-- Return the facts on stored tokens, one JSON object each, by name; never the tokens.
--
-- state  good; not_renewed: expires and cannot be renewed; failing: due, and renewals failed; ended; lost: the provider
--        refused to renew it, a person must reconnect the account
create or replace function send_tokens_list(at timestamptz default null, account_id uuid default null)
returns setof jsonb language sql stable set timezone = 'UTC' as $$
    select jsonb_build_object('workspace', w.name, 'account', a.name, 'provider', a.provider,
        'state', case
            when t.renew_at is null and t.error_code is not null then 'lost'
            when t.expires_at <= coalesce(send_tokens_list.at, clock_timestamp()) then 'ended'
            when t.error_code is not null then 'failing'
            when t.renew_at is null and t.expires_at is not null then 'not_renewed'
            else 'good' end,
        'expires_at', t.expires_at, 'refreshed_at', t.refreshed_at, 'renew_at', t.renew_at,
        'refresh_expires_at', t.refresh_expires_at, 'error_code', t.error_code, 'error_message', t.error_message,
        'account_status', a.status)
    from send_tokens t
    join send_accounts a on a.id = t.account_id
    join send_workspaces w on w.id = a.workspace_id
    where send_tokens_list.account_id is null or t.account_id = send_tokens_list.account_id
    order by w.name, a.name
$$;
