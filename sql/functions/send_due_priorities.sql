-- Return the priorities in use among a lane's pending rows of some campaigns, most urgent first: one index probe each,
-- however many rows share it (why in this form: send_first_pending).
create or replace function send_due_priorities(account_id uuid, channel text, campaign_ids uuid[])
returns setof smallint language sql stable as $$
    with recursive step (priority) as (
        select -32769
        union all
        select (select min(next.priority) from unnest(campaign_ids) c (id), lateral (
            select q.account_id, q.channel, q.campaign_id, q.priority::int from send_queue q
            where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.priority)
                > (send_due_priorities.account_id, send_due_priorities.channel, c.id, step.priority)
            order by q.account_id, q.channel, q.campaign_id, q.priority limit 1) next
            where next.account_id = send_due_priorities.account_id and next.channel = send_due_priorities.channel
              and next.campaign_id = c.id)
        from step where step.priority is not null
    )
    select priority::smallint from step where priority >= -32768
$$;
