-- Sends that may have gone out, oldest first: look at the provider, then `send-queue settle ID --sent` or `--not-sent`.
create or replace view send_uncertain as
select q.id, q.updated_at as uncertain_since,
    (select c.name from send_campaigns c where c.id = q.campaign_id) as campaign,
    (select a.name from send_accounts a where a.id = q.account_id) as account, q.channel, q.recipient,
    q.attempts, q.error_code, q.error_message
from send_queue q
where q.status = 'uncertain'
order by q.updated_at;
