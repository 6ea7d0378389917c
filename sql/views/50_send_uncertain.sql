-- What may have gone out, oldest first: look at the provider, then `send-queue settle ID --sent` or `--not-sent`.
create or replace view send_uncertain as
select q.id, q.updated_at as uncertain_since, c.name as campaign, a.name as account, q.channel, q.recipient,
    q.attempts, q.error_code, q.error_message
from send_queue q
join send_campaigns c on c.id = q.campaign_id
join send_accounts a on a.id = q.account_id
where q.status = 'uncertain'
order by q.updated_at;
