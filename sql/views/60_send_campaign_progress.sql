-- How far each campaign has come.
create or replace view send_campaign_progress as
select w.name as workspace, c.name as campaign, c.status, count(q.id) as total,
    count(*) filter (where q.status = 'sent') as sent,
    count(*) filter (where q.status = 'pending') as pending,
    count(*) filter (where q.status = 'sending') as in_flight,
    count(*) filter (where q.status = 'failed') as failed,
    count(*) filter (where q.status = 'skipped') as skipped,
    count(*) filter (where q.status = 'uncertain') as uncertain,
    round(100.0 * count(*) filter (where q.status in ('sent', 'skipped', 'failed')) / nullif(count(q.id), 0), 1)
        as percent_done,
    max(q.sent_at) as last_sent_at
from send_campaigns c
join send_workspaces w on w.id = c.workspace_id
left join send_queue q on q.campaign_id = c.id
group by w.name, c.name, c.status, c.created_at
order by w.name, c.created_at;
