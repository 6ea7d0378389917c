-- The rows that a person must look at, newest first: those that failed, or those that are uncertain; by the index that
-- holds nothing else.
create or replace function send_trouble(status text, max_rows int) returns jsonb
language sql stable set timezone = 'UTC' as $$
    select coalesce(jsonb_agg(to_jsonb(r) order by r.since desc, r.id), '[]') from (
        select q.id, q.updated_at as since, c.name as campaign, a.name as account, q.channel, q.recipient, q.attempts,
            q.error_code, q.error_message, case when a.status = 'active' then q.look_up_at end as look_up_at
        from send_queue q
        join send_campaigns c on c.id = q.campaign_id
        join send_accounts a on a.id = q.account_id
        where q.status = send_trouble.status and q.status in ('failed', 'uncertain')
        order by q.updated_at desc limit max_rows) r
$$;
