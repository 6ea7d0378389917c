-- How many sends each campaign has in each status.
create or replace view send_queue_status as
select w.name as workspace, c.name as campaign, q.status, count(*) as sends
from send_queue q
join send_campaigns c on c.id = q.campaign_id
join send_workspaces w on w.id = c.workspace_id
group by w.name, c.name, q.status
order by w.name, c.name, q.status;
