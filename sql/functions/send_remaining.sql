-- Return the number of pending rows: of all, or of an account, a channel, a campaign. Reads send_counts alone.
create or replace function send_remaining(account text default null, channel text default null,
    campaign text default null)
returns bigint language sql stable set jit = off as $$
    select coalesce(sum(n.n), 0)::bigint from send_counts n
    where n.status = 'pending'
      and (send_remaining.channel is null or n.channel = send_remaining.channel)
      and (send_remaining.account is null
           or n.account_id in (select a.id from send_accounts a where a.name = send_remaining.account))
      and (send_remaining.campaign is null
           or n.campaign_id in (select c.id from send_campaigns c where c.name = send_remaining.campaign))
$$;
