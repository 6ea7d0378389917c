-- Delete final rows (sent, failed, skipped) last updated before a moment, with their attempts, one batch a call.
-- Returns the number deleted; call until 0.
--
-- keep_last  the newest rows of each campaign that stay
-- at         present moment; null: the database's clock
--
-- Pending, in-flight and uncertain rows stay, and so do rows with attempts that a rolling limit still counts, or of the
-- last 14 days, from which a change of the cap zone, send_rebuild_usage and the doctor count the tally. Locked rows are
-- skipped, so no claim waits.
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
            -- updated_at of the oldest kept row; each status is read from its newest row on.
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
    -- In the order of a change of the cap zone.
    perform from send_attempts b where b.send_id = any (v_ids) order by b.send_id, b.number for update;
    delete from send_queue q where q.id = any (v_ids);
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
