-- The campaigns that may send a row from a lane at a moment: active, with a due row in the lane, within the window of
-- their own schedule, else of the account's. None where the account or its workspace is stopped.
--
-- This is the one predicate on which lane may send. It is a plain query, so that Postgres inlines it into its callers.
-- It asks first for a due row: most lanes have none, and then cost two looks at indexes.
-- While a passed window is worked out anew, the cached ones after it count, for a week: a new release may know holidays
-- on later ones.
--
-- account, campaign   only of these names; null: any
create or replace function send_due(account_id uuid, channel text, at timestamptz, account text, campaign text)
returns table (campaign_id uuid) language sql stable as $$
    select due.campaign_id
    from (select a.id, a.workspace_id, a.schedule_id from send_accounts a
          where a.id = send_due.account_id and a.status = 'active'
            and (send_due.account is null or a.name = send_due.account) limit 1) a
    cross join lateral (
        select from send_workspaces w where w.id = a.workspace_id and w.paused_at is null limit 1) w
    cross join lateral (select p.campaign_id from send_campaign_accounts p where p.account_id = a.id offset 0) p
    cross join lateral (
        select p.campaign_id from send_first_pending(a.id, send_due.channel, p.campaign_id, 1) f
        where f.scheduled_for <= send_due.at) due
    cross join lateral (
        select coalesce(c.schedule_id, a.schedule_id) as schedule_id from send_campaigns c
        where c.id = due.campaign_id and c.status = 'active'
          and (send_due.campaign is null or c.name = send_due.campaign) limit 1) c
    left join lateral (
        select s.window_since <= at and (s.opens_at <= at and at < s.closes_at
                or at < s.window_since + interval '168 hours' and exists (
                    select from unnest(s.later_windows) w where lower(w) <= at and at < upper(w))) as is_open
        from send_schedules s where s.id = c.schedule_id limit 1) s on true
    where c.schedule_id is null or s.is_open
$$;
