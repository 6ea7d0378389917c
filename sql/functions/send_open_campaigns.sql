-- The campaigns that may send from an account at a moment: active, and within the window of their own schedule, else
-- of the account's. A window that has passed is followed by those that are cached after it: while it is worked out anew,
-- campaigns of other schedules do not go first. They are believed for a week: a new release may know holidays on
-- later ones. A plain query, so that the planner looks through it; campaigns and schedules are looked up by id in lateral
-- queries with a limit, since a join that is taken the wrong way around reads all campaigns.
create or replace function send_open_campaigns(account_id uuid, schedule_id uuid, at timestamptz, campaign text)
returns table (id uuid) language sql stable as $$
    select c.id
    from send_campaign_accounts p
    cross join lateral (
        select c.id, coalesce(c.schedule_id, send_open_campaigns.schedule_id) as schedule_id
        from send_campaigns c
        where c.id = p.campaign_id and c.status = 'active'
          and (send_open_campaigns.campaign is null or c.name = send_open_campaigns.campaign) limit 1) c
    left join lateral (
        select s.window_since <= at and (s.opens_at <= at and at < s.closes_at or at < s.window_since + interval '168 hours' and exists (
            select from unnest(s.later_windows) w where lower(w) <= at and at < upper(w))) as is_open
        from send_schedules s where s.id = c.schedule_id limit 1) s on true
    where p.account_id = send_open_campaigns.account_id and (c.schedule_id is null or s.is_open)
$$;
