-- Return the first pending rows of a lane's campaign by due time, at most max_rows: as many index entries are read, and
-- no more, however many rows wait there or behind.
--
-- The scan has a start and no end, and the rows are compared after it: before version 18, Postgres ends a scan between
-- two rows of values only where the first column changes, and would read all of the account. It is a plain query, so
-- that Postgres inlines it into its callers. A caller that reads the id must
-- disable sorts: only the claim index has it, and a planner that expects few rows would read that one to the end.
create or replace function send_first_pending(account_id uuid, channel text, campaign_id uuid, max_rows int)
returns table (id uuid, scheduled_for timestamptz) language sql stable as $$
    select head.id, head.scheduled_for
    from (select q.id, q.account_id, q.channel, q.campaign_id, q.scheduled_for from send_queue q
          where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
              >= (send_first_pending.account_id, send_first_pending.channel, send_first_pending.campaign_id, '-infinity')
          order by q.account_id, q.channel, q.campaign_id, q.scheduled_for limit send_first_pending.max_rows) head
    where head.account_id = send_first_pending.account_id and head.channel = send_first_pending.channel
      and head.campaign_id = send_first_pending.campaign_id
$$;
