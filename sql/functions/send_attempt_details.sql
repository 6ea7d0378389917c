-- Return attempts with all that a provider needs to send or look them up, and a run to record them: one object for each
-- account, channel, campaign and moment. It holds the common fields once, and `sends`, an array of [position in
-- attempt_ids, send_id, attempt_id, attempt_number, recipient, subject, message, payload, attempts, created_at,
-- repeat_by]; repeat_by is null once a person has settled the doubtful attempt, since the send is then no repeat.
--
-- Each row is looked up by id in a lateral query with a limit, which the planner cannot turn into a join: the wrong
-- join order would compare a batch with all attempts.
create or replace function send_attempt_details(attempt_ids uuid[]) returns setof json
language sql stable set timezone = 'UTC' set jit = off set enable_seqscan = off as $$
    select json_build_object('account_id', a.id, 'workspace_id', a.workspace_id, 'channel', h.channel,
        'account', a.name, 'provider', a.provider, 'provider_account_id', a.provider_account_id,
        'secret_env', a.secret_env, 'secret_refused', case when not (h.rehearsed and send_leaves_no_trace()) then a.secret_refused end,
        'settings', a.settings || p.settings, 'token', t.access_token, 'campaign', c.name,
        'max_attempts', c.max_attempts, 'backoff_seconds', c.backoff_seconds, 'started_at', h.started_at,
        'finished_at', h.finished_at, 'sends', h.sends)
    from (
        select q.account_id, q.channel, q.campaign_id, b.started_at, b.finished_at, b.rehearsed,
            json_agg(json_build_array(i.nth, q.id, b.id, b.number, q.recipient, q.subject, q.message, q.payload,
                q.attempts, q.created_at, case when q.repeat_by is not null and exists (
                    select from send_attempts o where o.send_id = q.id and o.outcome = 'uncertain') then q.repeat_by
                end)) as sends
        from unnest(attempt_ids) with ordinality i (id, nth)
        cross join lateral (select * from send_attempts b where b.id = i.id limit 1) b
        cross join lateral (select * from send_queue q where q.id = b.send_id limit 1) q
        group by q.account_id, q.channel, q.campaign_id, b.started_at, b.finished_at, b.rehearsed) h
    cross join lateral (select * from send_accounts a where a.id = h.account_id limit 1) a
    cross join lateral (select * from send_campaigns c where c.id = h.campaign_id limit 1) c
    cross join lateral (
        select * from send_campaign_accounts p
        where p.campaign_id = h.campaign_id and p.account_id = h.account_id limit 1) p
    left join lateral (select * from send_tokens t where t.account_id = h.account_id limit 1) t on true
$$;
