-- Delete what is over: final rows (sent, failed, skipped) last touched before a moment, with their attempts; of each
-- campaign the newest keep_last stay. Pending, in flight and uncertain rows are never deleted. A bounded batch a
-- call, passing by what is locked, so that it never keeps a claim waiting. What a rolling limit still counts at `at`
-- (left out: by the database's clock) stays too, and what was tried in the 14 days before: a change of the cap zone,
-- send_rebuild_usage and the doctor count the tally from it. Returns how many were deleted; call until 0.
create or replace function send_prune(before timestamptz, keep_last int default 0, batch int default 1000,
    at timestamptz default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at  timestamptz := coalesce(send_prune.at, clock_timestamp());
    v_ids uuid[];
    v_n   int;
begin
    v_ids := array(
        select q.id
        from send_campaigns c
        cross join lateral (
            -- The newest that stay end here: of each status they are found from the newest on.
            select min(k.updated_at) as kept, count(*) as n from (
                select o.updated_at from unnest('{sent,failed,skipped}'::text[]) s (status)
                cross join lateral (
                    select q.updated_at from send_queue q
                    where q.campaign_id = c.id and q.status = s.status and q.status in ('sent', 'failed', 'skipped')
                    order by q.updated_at desc limit keep_last) o
                order by o.updated_at desc limit keep_last) k) newest
        cross join unnest('{sent,failed,skipped}'::text[]) s (status)
        join send_queue q on q.campaign_id = c.id and q.status = s.status and q.status in ('sent', 'failed', 'skipped')
            and q.updated_at < send_prune.before
        where (keep_last = 0 or newest.n >= keep_last and q.updated_at < newest.kept)
          and not exists (
              select from send_attempts b
              where b.send_id = q.id and b.started_at > v_at - interval '14 days')
          and not exists (
              select from send_attempts b join send_limits m on m.workspace_id = b.workspace_id
              where b.send_id = q.id and b.outcome in ('sent', 'uncertain')
                and b.started_at > v_at - send_period(m.per))
        limit batch for update of q skip locked);
    -- In the order in which a change of the cap zone takes them.
    perform from send_attempts b where b.send_id = any (v_ids) order by b.send_id, b.number for update;
    delete from send_queue q where q.id = any (v_ids);
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
