-- Return the campaigns of a workspace, not done, with pending or in-flight rows, but for the one given. One index probe
-- for each lane of a campaign, up to the first with a row (why in this form: send_claim).
create or replace function send_unfinished_campaigns(workspace_id uuid, without uuid) returns uuid[] language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select coalesce(array_agg(c.id order by c.id), '{}') from send_campaigns c
    where c.workspace_id = send_unfinished_campaigns.workspace_id and c.id <> without and c.status <> 'done'
      and (exists (
               select from send_campaign_accounts p
               join send_lanes l on l.account_id = p.account_id
               cross join lateral send_first_pending(l.account_id, l.channel, c.id, 1) head
               where p.campaign_id = c.id)
           or exists (select from send_queue q where q.status = 'sending' and q.campaign_id = c.id))
$$;
