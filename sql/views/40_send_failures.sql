-- The dead letters, newest first: mend the cause, then `send-queue retry ID`.
create or replace view send_failures as
select q.id, q.updated_at as failed_at, c.name as campaign, a.name as account, q.channel, q.recipient, q.attempts,
    q.error_code, q.error_message
from send_queue q
join send_campaigns c on c.id = q.campaign_id
join send_accounts a on a.id = q.account_id
where q.status = 'failed'
order by q.updated_at desc;
