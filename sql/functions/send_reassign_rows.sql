-- Move sends that wait from an account to another that has taken its place (send_reassign), max_rows at the most, the
-- earliest first. What may have gone out stays, and so do posts. Returns how many were moved; none: there are no more
-- that it can move.
--
-- It waits for nobody: a row that a claim, or a person, holds is passed by. A lane that sleeps is woken by the trigger
-- of the rows (send_on_waiting).
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
          -- Of those that came in since, on another channel or in another campaign, nobody has asked.
          and exists (select from send_campaign_accounts p
                      where p.campaign_id = q.campaign_id and p.account_id = send_reassign_rows.target_id)
          and q.channel = any (v_served)
        order by q.account_id, q.channel, q.campaign_id, q.scheduled_for
        limit max_rows for no key update of q skip locked);
    update send_queue q set account_id = send_reassign_rows.target_id, updated_at = v_at where q.id = any (v_ids);
    return cardinality(v_ids);
end
$$;
