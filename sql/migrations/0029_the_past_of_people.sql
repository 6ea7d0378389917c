-- What was sent before prospects had an account for each channel, and accounts a moment at which they left a pool: both are
-- read off the queue, in one pass each.

-- The account by each channel is that of the first message that may have gone out, else of the first that there is.
update send_prospects p
set account_id = coalesce(p.account_id, first.account_id), accounts = first.accounts || p.accounts
from (
    select f.prospect_id, jsonb_object_agg(f.channel, f.account_id) as accounts,
        (array_agg(f.account_id order by f.created_at, f.id))[1] as account_id
    from (
        select distinct on (q.prospect_id, q.channel) q.prospect_id, q.channel, q.account_id, q.created_at, q.id
        from send_queue q
        where q.prospect_id is not null
        order by q.prospect_id, q.channel, (q.status in ('sent', 'sending', 'uncertain')) desc, q.created_at, q.id) f
    group by f.prospect_id) first
where p.id = first.prospect_id
  and (p.account_id is null or p.accounts is distinct from first.accounts || p.accounts);

-- Whether an account outside the pool was ever in it, nobody knows. Where it wrote to people, it counts as one that left:
-- so a person says who writes to them now, where another would have done so without a word.
update send_campaign_accounts p set left_at = wrote.moment
from (
    select q.campaign_id, q.account_id, max(q.sent_at) as moment from send_queue q
    where q.prospect_id is not null and q.sent_at is not null
    group by q.campaign_id, q.account_id) wrote
where p.campaign_id = wrote.campaign_id and p.account_id = wrote.account_id and not p.in_pool and p.left_at is null;

-- Whom a campaign wrote to without a prospect (INSERT makes none) is found by the key of their address (send_contacted).
create index send_queue_without_prospect on send_queue (workspace_id, send_normal_recipient(recipient))
    where prospect_id is null and status in ('sent', 'sending', 'uncertain')
      and channel in ('email', 'sms', 'linkedin_invite', 'linkedin_message');
