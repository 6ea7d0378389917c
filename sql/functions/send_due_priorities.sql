-- The priorities in use among a lane's pending rows of one campaign, most urgent first: one look at the index each,
-- however many rows stand behind them.
create or replace function send_due_priorities(account_id uuid, channel text, campaign_ids uuid[])
returns setof smallint language sql stable as $$
    with recursive step (priority) as (
        select (select min(first.priority) from unnest(campaign_ids) c (id), lateral (
            select q.priority from send_queue q
            where q.account_id = send_due_priorities.account_id and q.channel = send_due_priorities.channel
              and q.campaign_id = c.id and q.status = 'pending'
            order by q.priority limit 1) first)
        union all
        select (select min(next.priority) from unnest(campaign_ids) c (id), lateral (
            select q.priority from send_queue q
            where q.account_id = send_due_priorities.account_id and q.channel = send_due_priorities.channel
              and q.campaign_id = c.id and q.status = 'pending' and q.priority > step.priority
            order by q.priority limit 1) next)
        from step where step.priority is not null
    )
    select priority from step where priority is not null
$$;
