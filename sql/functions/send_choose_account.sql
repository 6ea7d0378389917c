-- The account of a campaign's pool that has the least work waiting on a channel, in days of its daily cap; accounts
-- that are stopped come last. Only the first 200 waiting rows are counted, so that a choice costs the same however
-- long the queue is; beyond that, chance decides, weighted by the caps. Null where the pool is empty.
create or replace function send_choose_account(campaign_id uuid, channel text) returns uuid
language sql volatile as $$
    select p.account_id
    from send_campaign_accounts p
    join send_accounts a on a.id = p.account_id
    left join send_lanes l on l.account_id = p.account_id and l.channel = send_choose_account.channel
    left join send_lane_defaults d on d.channel = send_choose_account.channel and d.tier = coalesce(a.tier, 'free')
    cross join lateral (select greatest(coalesce(l.daily_cap, d.daily_cap, 100), 1)::float8 as a_day) cap
    cross join lateral (
        select count(*) as n from (
            select from send_queue q
            where q.account_id = p.account_id and q.channel = send_choose_account.channel and q.status = 'pending'
            limit 200) w) waiting
    where p.campaign_id = send_choose_account.campaign_id and p.in_pool
    order by a.status <> 'active', waiting.n >= 200,
        case when waiting.n < 200 then waiting.n / cap.a_day else -ln(1 - random()) / cap.a_day end,
        cap.a_day desc, a.name
    limit 1
$$;
