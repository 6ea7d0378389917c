-- The number of sends of each campaign by status.
create or replace view send_queue_status as
select w.name as workspace, c.name as campaign, n.status, n.sends
from (select o.campaign_id, o.status, sum(o.n)::bigint as sends from send_counts o
      group by o.campaign_id, o.status having sum(o.n) > 0::numeric) n
join send_campaigns c on c.id = n.campaign_id
join send_workspaces w on w.id = c.workspace_id
order by w.name, c.name, n.status;
