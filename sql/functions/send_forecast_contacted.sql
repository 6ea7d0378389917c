-- Return the pending rows that a rule on contacts will foreseeably skip: another campaign of the workspace wrote to
-- their prospect (send_contacted), or has a row to them that is due first.
create or replace function send_forecast_contacted(at timestamptz) returns table (id uuid, campaign_id uuid)
language sql stable set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select q.id, q.campaign_id
    from (
        select c.id, coalesce(c.skip_contacted, w.skip_contacted) as within
        from send_campaigns c join send_workspaces w on w.id = c.workspace_id
        where c.status = 'active') r
    join send_queue q on q.campaign_id = r.id
    cross join lateral (select greatest(q.scheduled_for, send_forecast_contacted.at) as moment) due
    where r.within > interval '0' and q.status = 'pending' and q.prospect_id is not null
      and (q.expires_at is null or q.expires_at > send_forecast_contacted.at)
      and exists (
        select from send_queue o
        where o.prospect_id = q.prospect_id and o.workspace_id = q.workspace_id and o.campaign_id <> q.campaign_id
          and case
              when o.status in ('sent', 'sending', 'uncertain') then
                  coalesce(o.sent_at, o.updated_at) + r.within > due.moment
              when o.status = 'pending' then
                  (greatest(o.scheduled_for, send_forecast_contacted.at), o.priority, o.id)
                      < (due.moment, q.priority, q.id)
                  and greatest(o.scheduled_for, send_forecast_contacted.at) + r.within > due.moment
                  and (o.expires_at is null or o.expires_at > send_forecast_contacted.at)
                  and (select c.status = 'active' from send_campaigns c where c.id = o.campaign_id)
                  and (select a.status = 'active' from send_accounts a where a.id = o.account_id)
                  and (select l.paused_at is null from send_lanes l
                       where l.account_id = o.account_id and l.channel = o.channel)
              end)
      and (select a.status = 'active' and w.paused_at is null from send_accounts a, send_workspaces w
           where a.id = q.account_id and w.id = q.workspace_id)
      and (select l.paused_at is null from send_lanes l where l.account_id = q.account_id and l.channel = q.channel)
$$;
