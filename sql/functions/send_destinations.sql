-- Return one send for each destination that a run could call, in the shape of send_attempt_details: each account,
-- channel and campaign (for webhooks also each host) with a pending send that passes the filters (names), or with any
-- send in flight or in doubt, since a run looks those up whatever its filters. For rehearsals: it reads all waiting
-- rows.
create or replace function send_destinations(account text default null, channel text default null,
    campaign text default null)
returns setof json language sql stable set timezone = 'UTC' set jit = off as $$
    select json_build_object('account_id', a.id, 'workspace_id', a.workspace_id, 'channel', d.channel,
        'account', a.name, 'provider', a.provider, 'provider_account_id', a.provider_account_id,
        'secret_env', a.secret_env, 'secret_refused', a.secret_refused, 'settings', a.settings || p.settings,
        'token', t.access_token, 'campaign', c.name, 'max_attempts', c.max_attempts,
        'backoff_seconds', c.backoff_seconds, 'started_at', now(), 'finished_at', null, 'sends', json_build_array(
            json_build_array(1, a.id, a.id, 1, d.recipient, null, '', '{}'::json, 0, now(), null)))
    from (
        select q.account_id, q.channel, q.campaign_id, min(q.recipient) as recipient
        from send_queue q
        join send_accounts a on a.id = q.account_id and a.status = 'active'
        join send_campaigns c on c.id = q.campaign_id
        where q.channel <> 'log' and (q.status in ('sending', 'uncertain') or q.status = 'pending' and c.status = 'active'
            and (send_destinations.account is null or a.name = send_destinations.account)
            and (send_destinations.channel is null or q.channel = send_destinations.channel)
            and (send_destinations.campaign is null or c.name = send_destinations.campaign))
        group by q.account_id, q.channel, q.campaign_id,
            case when a.provider = 'webhook' then lower(split_part(q.recipient, '/', 3)) end) d
    join send_accounts a on a.id = d.account_id
    join send_campaigns c on c.id = d.campaign_id
    join send_campaign_accounts p on p.campaign_id = d.campaign_id and p.account_id = d.account_id
    left join send_tokens t on t.account_id = a.id
    order by a.name, d.channel, d.recipient
$$;
