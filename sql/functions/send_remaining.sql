-- How many rows are pending. Of all, or of a campaign, that is known (send_counts); of an account or a channel they are
-- counted.
create or replace function send_remaining(account text default null, channel text default null,
    campaign text default null)
returns bigint language sql stable as $$
    select case
        when send_remaining.account is null and send_remaining.channel is null then (
            select coalesce(sum(n.n), 0)::bigint from send_counts n
            where n.status = 'pending'
              and (send_remaining.campaign is null
                   or n.campaign_id in (select c.id from send_campaigns c where c.name = send_remaining.campaign)))
        else (
            select count(*) from send_queue q
            where q.status = 'pending'
              and (send_remaining.account is null
                   or q.account_id in (select a.id from send_accounts a where a.name = send_remaining.account))
              and (send_remaining.channel is null or q.channel = send_remaining.channel)
              and (send_remaining.campaign is null
                   or q.campaign_id in (select c.id from send_campaigns c where c.name = send_remaining.campaign)))
        end
$$;
