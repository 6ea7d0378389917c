-- How many rows are pending. Of all, or of a campaign, that is known (send_counts); of an account or a channel they are
-- counted.
create or replace function send_remaining(account text default null, channel text default null,
    campaign text default null)
returns bigint language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select case
        when send_remaining.account is null and send_remaining.channel is null then (
            select coalesce(sum(n.n), 0)::bigint from send_counts n
            where n.status = 'pending'
              and (send_remaining.campaign is null
                   or n.campaign_id in (select c.id from send_campaigns c where c.name = send_remaining.campaign)))
        else (
            -- One look at the index for each lane's campaigns (why in this form: send_claim).
            select coalesce(sum(w.n), 0)::bigint
            from send_lanes l
            join send_accounts a on a.id = l.account_id
            join send_campaign_accounts p on p.account_id = l.account_id
            join send_campaigns c on c.id = p.campaign_id
            cross join lateral (
                select count(*) as n from (
                    select from send_queue q
                    where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                        between (l.account_id, l.channel, c.id, '-infinity') and (l.account_id, l.channel, c.id, 'infinity')
                    order by q.account_id, q.channel, q.campaign_id, q.scheduled_for offset 0) q) w
            where (send_remaining.account is null or a.name = send_remaining.account)
              and (send_remaining.channel is null or l.channel = send_remaining.channel)
              and (send_remaining.campaign is null or c.name = send_remaining.campaign))
        end
$$;
