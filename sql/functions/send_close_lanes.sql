-- Mark the lanes of accounts closed until the first opening of their active campaigns, or for ever while none is active
-- or a person has stopped the account or its workspace. The mark only saves claims a query: a claim checks the gates
-- again. A schedule without a stored window, or with a past one, closes nothing.
create or replace function send_close_lanes(account_ids uuid[]) returns void language plpgsql as $$
begin
    perform from send_lanes l where l.account_id = any (account_ids)
    order by l.account_id, l.channel for no key update;
    -- A separate statement sees the rows committed while the lock was awaited.
    update send_lanes l set closed_until = gate.until, idle_until = 'epoch' -- see send_mark_idle
    from (
        select a.id, case when a.status = 'active' and w.paused_at is null then coalesce(first.opens_at, '9999-12-31')
            else '9999-12-31' end as until
        from send_accounts a
        join send_workspaces w on w.id = a.workspace_id
        cross join lateral (
            select min(coalesce(s.opens_at, 'epoch')) as opens_at
            from send_campaign_accounts p
            join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
            left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
            where p.account_id = a.id) first
        where a.id = any (account_ids)) gate
    where l.account_id = gate.id and (l.closed_until <> gate.until or l.idle_until > 'epoch');
end
$$;
