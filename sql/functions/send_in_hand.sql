-- Attempts with all that a provider needs to send them, or to look them up, and the run to record them; in the order
-- given.
create or replace function send_in_hand(attempt_ids uuid[]) returns setof json
language sql stable set timezone = 'UTC' as $$
    select to_json(s)
    from unnest(attempt_ids) with ordinality i (id, nth)
    cross join lateral (
        select
            q.id as send_id, b.id as attempt_id, b.number as attempt_number, q.channel, q.recipient, q.subject,
            q.message, q.payload, a.id as account_id, a.name as account, a.provider, a.provider_account_id,
            a.secret_env, c.name as campaign, b.started_at, b.finished_at, q.attempts, c.max_attempts,
            c.backoff_seconds, q.workspace_id, q.scheduled_for, a.settings || p.settings as settings,
            t.access_token as token,
            case when q.repeat_by is not null and exists (
                select from send_attempts o where o.send_id = q.id and o.outcome = 'uncertain') then q.repeat_by
            end as repeat_by -- one that a person has settled since is no repeat
        from send_attempts b
        join send_queue q on q.id = b.send_id
        join send_accounts a on a.id = q.account_id
        join send_campaigns c on c.id = q.campaign_id
        join send_campaign_accounts p on p.campaign_id = q.campaign_id and p.account_id = q.account_id
        left join send_tokens t on t.account_id = q.account_id
        where b.id = i.id) s
    order by i.nth
$$;
