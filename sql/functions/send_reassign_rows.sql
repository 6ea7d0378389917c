-- Move pending sends from an account to its replacement (send_reassign), max_rows at most, the earliest first. Sends
-- that may have gone out stay, and so do posts. Returns the number moved; 0: no more can move.
--
-- Locked rows are skipped, so nothing waits. A trigger of the rows (send_on_waiting) wakes idle lanes.
create or replace function send_reassign_rows(account_id uuid, target_id uuid, campaign_id uuid, channel text,
    max_rows int, at timestamptz default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at  timestamptz := coalesce(send_reassign_rows.at, clock_timestamp());
    v_ids uuid[];
    v_served constant text[] := array(
        select l.channel from send_lanes l
        where l.account_id = send_reassign_rows.target_id and send_unserved(l.account_id, l.channel) is null);
begin
    v_ids := array(
        select q.id from send_queue q
        where q.status = 'pending' and q.account_id = send_reassign_rows.account_id and q.channel <> 'post'
          and (send_reassign_rows.campaign_id is null or q.campaign_id = send_reassign_rows.campaign_id)
          and (send_reassign_rows.channel is null or q.channel = send_reassign_rows.channel)
          and not exists (select from send_attempts b where b.send_id = q.id and b.outcome = 'uncertain')
          -- Skip rows of a channel or campaign added later, for which the target has no place.
          and exists (select from send_campaign_accounts p
                      where p.campaign_id = q.campaign_id and p.account_id = send_reassign_rows.target_id)
          and q.channel = any (v_served)
        order by q.account_id, q.channel, q.campaign_id, q.scheduled_for
        limit max_rows for no key update of q skip locked);
    update send_queue q set account_id = send_reassign_rows.target_id, updated_at = v_at where q.id = any (v_ids);
    return cardinality(v_ids);
end
$$;
