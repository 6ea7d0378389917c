-- The next sends, by time. not_before is the earliest moment by the row, its lane and its stored schedule; `send-queue
-- explain` gives the exact one. Names are looked up by id for the rows shown alone: a join would read all pending rows
-- first.
create or replace view send_next as
select q.id, q.scheduled_for,
    (select greatest(q.scheduled_for, l.next_at, (
         select min(lower(o)) from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) o
         where s.window_since <= now() and upper(o) > now()))
     from send_campaigns c
     join send_accounts a on a.id = q.account_id and a.status = 'active'
     join send_workspaces w on w.id = q.workspace_id and w.paused_at is null
     join send_lanes l on l.account_id = q.account_id and l.channel = q.channel and l.paused_at is null
     left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
     where c.id = q.campaign_id and c.status = 'active') as not_before,
    (select a.name from send_accounts a where a.id = q.account_id) as account, q.channel,
    (select c.name from send_campaigns c where c.id = q.campaign_id) as campaign, q.priority, q.recipient,
    (select case when w.paused_at is not null or l.paused_at is not null or c.status <> 'active' then 'paused'
                 when a.status <> 'active' then a.status
                 when l.next_at > now() and l.next_at_reason is not null then l.next_at_reason
                 when o.opens_at > now() then 'schedule'
                 when s.id is not null and o.opens_at is null then
                     'schedule: not worked out yet, the next run does it' end
     from send_campaigns c
     join send_accounts a on a.id = q.account_id
     join send_workspaces w on w.id = q.workspace_id
     join send_lanes l on l.account_id = q.account_id and l.channel = q.channel
     left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
     left join lateral (
         select min(lower(w)) as opens_at from unnest(array_prepend(tstzrange(s.opens_at, s.closes_at), s.later_windows)) w
         where s.window_since <= now() and upper(w) > now()) o on true
     where c.id = q.campaign_id) as why
from send_queue q
where q.status = 'pending'
order by q.scheduled_for;
