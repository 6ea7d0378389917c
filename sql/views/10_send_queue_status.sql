-- How many sends each campaign has in each status.
create or replace view send_queue_status as
select w.name as workspace, c.name as campaign, n.status, sum(n.n)::bigint as sends
from send_counts n
join send_campaigns c on c.id = n.campaign_id
join send_workspaces w on w.id = c.workspace_id
group by w.name, c.name, n.status having sum(n.n)::bigint > 0
order by w.name, c.name, n.status;
