-- How far each campaign has come.
create or replace view send_campaign_progress as
select w.name as workspace, c.name as campaign, c.status, n.total,
    n.sent, n.pending, n.in_flight, n.failed, n.skipped, n.uncertain,
    round(100::numeric * (n.sent + n.skipped + n.failed)::numeric / nullif(n.total, 0)::numeric, 1) as percent_done,
    (select q.sent_at from send_queue q where q.campaign_id = c.id and q.status = 'sent'
     order by q.updated_at desc limit 1) as last_sent_at
from send_campaigns c
join send_workspaces w on w.id = c.workspace_id
cross join lateral (
    select coalesce(sum(n.n), 0)::bigint as total,
        coalesce(sum(n.n) filter (where n.status = 'sent'), 0)::bigint as sent,
        coalesce(sum(n.n) filter (where n.status = 'pending'), 0)::bigint as pending,
        coalesce(sum(n.n) filter (where n.status = 'sending'), 0)::bigint as in_flight,
        coalesce(sum(n.n) filter (where n.status = 'failed'), 0)::bigint as failed,
        coalesce(sum(n.n) filter (where n.status = 'skipped'), 0)::bigint as skipped,
        coalesce(sum(n.n) filter (where n.status = 'uncertain'), 0)::bigint as uncertain
    from send_counts n where n.campaign_id = c.id) n
order by w.name, c.created_at;
