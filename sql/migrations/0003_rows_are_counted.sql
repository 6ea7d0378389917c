-- How many rows each campaign has in each status, so that nobody need count millions of them. Whoever changes rows adds
-- a line that says by how much; the sum is the count. Lines are only added, so that nobody waits for another's count,
-- and folded together now and then (send_fold_counts).
create table send_counts (
    campaign_id uuid not null references send_campaigns on delete cascade,
    status      text not null,
    n           bigint not null
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
insert into send_counts (campaign_id, status, n)
select campaign_id, status, count(*) from send_queue group by campaign_id, status;

-- What is over, by campaign and time: prune walks it from the oldest, people ask for the newest.
create index send_queue_over on send_queue (campaign_id, status, updated_at)
    where status in ('sent', 'failed', 'skipped');
-- What waits to be tried again, and why: `status` counts it.
create index send_queue_retrying on send_queue (error_code)
    where status = 'pending' and attempts > 0 and error_code is not null;
