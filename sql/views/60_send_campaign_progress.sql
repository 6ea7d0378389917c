-- The progress of each campaign.
create or replace view send_campaign_progress as
select w.name as workspace, c.name as campaign, c.status, coalesce(n.total, 0) as total,
    coalesce(n.sent, 0) as sent, coalesce(n.pending, 0) as pending, coalesce(n.in_flight, 0) as in_flight,
    coalesce(n.failed, 0) as failed, coalesce(n.skipped, 0) as skipped, coalesce(n.uncertain, 0) as uncertain,
    round(100::numeric * (n.sent + n.skipped + n.failed)::numeric / nullif(n.total, 0)::numeric, 1) as percent_done,
    (select q.sent_at from send_queue q where q.campaign_id = c.id and q.status = 'sent'
     order by q.updated_at desc limit 1) as last_sent_at
from send_campaigns c
join send_workspaces w on w.id = c.workspace_id
left join (
    select o.campaign_id, sum(o.n)::bigint as total,
        coalesce(sum(o.n) filter (where o.status = 'sent'), 0)::bigint as sent,
        coalesce(sum(o.n) filter (where o.status = 'pending'), 0)::bigint as pending,
        coalesce(sum(o.n) filter (where o.status = 'sending'), 0)::bigint as in_flight,
        coalesce(sum(o.n) filter (where o.status = 'failed'), 0)::bigint as failed,
        coalesce(sum(o.n) filter (where o.status = 'skipped'), 0)::bigint as skipped,
        coalesce(sum(o.n) filter (where o.status = 'uncertain'), 0)::bigint as uncertain
    from send_counts o group by o.campaign_id) n on n.campaign_id = c.id
order by w.name, c.created_at;
