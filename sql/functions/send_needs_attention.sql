-- Return the rows that await a person, failed or uncertain ones, newest first, by their partial index. Rows are picked
-- first, and their account and campaign looked up by id.
create or replace function send_needs_attention(status text, max_rows int) returns jsonb language sql stable
set timezone = 'UTC' set jit = off set enable_seqscan = off set enable_bitmapscan = off as $$
    select coalesce(jsonb_agg(jsonb_build_object('id', q.id, 'since', q.updated_at,
            'campaign', (select c.name from send_campaigns c where c.id = q.campaign_id), 'account', a.name,
            'channel', q.channel, 'recipient', q.recipient, 'attempts', q.attempts, 'error_code', q.error_code,
            'error_message', q.error_message,
            'look_up_at', case when a.status = 'active' then q.look_up_at end) order by q.updated_at desc, q.id), '[]')
    from (select * from send_queue q
          where q.status in ('failed', 'uncertain') and (q.status, q.updated_at)
              between (send_needs_attention.status, '-infinity') and (send_needs_attention.status, 'infinity')
          order by q.status desc, q.updated_at desc limit max_rows) q
    cross join lateral (select a.name, a.status from send_accounts a where a.id = q.account_id limit 1) a
$$;
