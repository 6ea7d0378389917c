-- Attempts with all that a provider needs to send them, or to look them up, and the run to record them; in the order
-- given.
create or replace function send_in_hand(attempt_ids uuid[]) returns setof jsonb
language sql stable set timezone = 'UTC' as $$
    select jsonb_build_object(
        'send_id', q.id, 'attempt_id', b.id, 'attempt_number', b.number, 'channel', q.channel,
        'recipient', q.recipient, 'subject', q.subject, 'message', q.message, 'payload', q.payload,
        'account_id', a.id, 'account', a.name, 'provider', a.provider, 'provider_account_id', a.provider_account_id,
        'secret_env', a.secret_env, 'campaign', c.name, 'started_at', b.started_at, 'finished_at', b.finished_at,
        'attempts', q.attempts, 'max_attempts', c.max_attempts, 'backoff_seconds', c.backoff_seconds)
    from unnest(attempt_ids) with ordinality i (id, nth)
    join send_attempts b on b.id = i.id
    join send_queue q on q.id = b.send_id
    join send_accounts a on a.id = q.account_id
    join send_campaigns c on c.id = q.campaign_id
    order by i.nth
$$;
