-- Failed sends, newest first: mend the cause, then `send-queue retry ID`.
create or replace view send_failures as
select q.id, q.updated_at as failed_at, (select c.name from send_campaigns c where c.id = q.campaign_id) as campaign,
    (select a.name from send_accounts a where a.id = q.account_id) as account, q.channel, q.recipient, q.attempts,
    q.error_code, q.error_message
from send_queue q
where q.status = 'failed'
order by q.updated_at desc;
