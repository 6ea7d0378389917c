-- Delete what is over: final rows (sent, failed, skipped) last touched before a moment, with their attempts; of each
-- campaign the newest keep_last stay. Pending, in flight and uncertain rows are never deleted. A bounded batch a call,
-- passing by what is locked, so that it never keeps a claim waiting. Returns how many were deleted; call until 0.
create or replace function send_prune(before timestamptz, keep_last int default 0, batch int default 1000)
returns int language plpgsql as $$
#variable_conflict use_column
declare
    v_n int;
begin
    with gone as (
        select q.id from send_queue q
        where q.status in ('sent', 'failed', 'skipped') and q.updated_at < send_prune.before
          and (keep_last = 0 or q.id not in (
              select k.id from send_campaigns c cross join lateral (
                  select o.id from send_queue o
                  where o.campaign_id = c.id and o.status in ('sent', 'failed', 'skipped')
                  order by o.updated_at desc, o.id desc limit keep_last) k))
        limit batch for update of q skip locked)
    delete from send_queue q using gone where q.id = gone.id;
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
