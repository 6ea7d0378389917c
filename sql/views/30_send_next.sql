-- The next sends, by time. not_before is the earliest moment that the row, its lane and its calendar could allow;
-- `send-queue explain` works out the exact one.
create or replace view send_next as
select q.id, q.scheduled_for,
    case when p.why is null then greatest(q.scheduled_for, l.next_at, s.opens_at) end as not_before,
    a.name as account, q.channel, c.name as campaign, q.priority, q.recipient,
    coalesce(p.why, case when l.next_at > now() then l.next_at_reason end,
        case when s.opens_at > now() then 'schedule' end) as why
from send_queue q
join send_campaigns c on c.id = q.campaign_id
join send_accounts a on a.id = q.account_id
join send_workspaces w on w.id = q.workspace_id
join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
cross join lateral (
    select case when w.paused_at is not null or l.paused_at is not null or c.status <> 'active' then 'paused'
                when a.status <> 'active' then a.status end as why) p
where q.status = 'pending'
order by q.scheduled_for;
