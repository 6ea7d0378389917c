-- The campaigns that may send from an account at a moment: active, and within the window of their own schedule, else
-- of the account's. A plain query, so that the planner looks through it.
create or replace function send_open_campaigns(account_id uuid, schedule_id uuid, at timestamptz, campaign text)
returns table (id uuid) language sql stable as $$
    select c.id
    from send_campaign_accounts p
    join send_campaigns c on c.id = p.campaign_id
    left join send_schedules s on s.id = coalesce(c.schedule_id, send_open_campaigns.schedule_id)
    where p.account_id = send_open_campaigns.account_id and c.status = 'active'
      and (send_open_campaigns.campaign is null or c.name = send_open_campaigns.campaign)
      and (s.id is null or (s.window_since <= at and s.opens_at <= at and at < s.closes_at))
$$;
