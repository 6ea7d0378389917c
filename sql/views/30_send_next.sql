-- The next sends, by time. not_before is the earliest moment that the row, its lane and its calendar could allow;
-- `send-queue explain` works out the exact one.
create or replace view send_next as
select q.id, q.scheduled_for,
    case when p.why is null then greatest(q.scheduled_for, l.next_at, o.opens_at) end as not_before,
    a.name as account, q.channel, c.name as campaign, q.priority, q.recipient,
    coalesce(p.why, case when l.next_at > now() then l.next_at_reason end,
        case when o.opens_at > now() then 'schedule'
             when s.id is not null and o.opens_at is null then 'schedule: not worked out yet, the next run does it' end)
        as why
from send_queue q
join send_campaigns c on c.id = q.campaign_id
join send_accounts a on a.id = q.account_id
join send_workspaces w on w.id = q.workspace_id
join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
left join lateral (
    select min(lower(w)) as opens_at from unnest(tstzrange(s.opens_at, s.closes_at) || s.later_windows) w
    where s.window_since <= now() and upper(w) > now()) o on true
cross join lateral (
    select case when w.paused_at is not null or l.paused_at is not null or c.status <> 'active' then 'paused'
                when a.status <> 'active' then a.status end as why) p
where q.status = 'pending'
order by q.scheduled_for;
