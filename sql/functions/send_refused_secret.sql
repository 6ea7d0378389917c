-- Return the earliest refused secret that keeps due rows waiting, {account, provider, secret, code}, within an account,
-- a channel or a campaign (names); null: none. Once the hold ends, the next claim tries the secret again.
create or replace function send_refused_secret(at timestamptz, account text, channel text, campaign text)
returns jsonb language sql stable set timezone = 'UTC' as $$
    select jsonb_build_object('account', a.name, 'provider', a.provider, 'secret', a.secret_refused,
        'code', a.secret_refused_as)
    from send_accounts a
    where a.secret_refused is not null and a.status = 'active'
      and (send_refused_secret.account is null or a.name = send_refused_secret.account)
      and exists (
          select from send_lanes l
          cross join lateral (select * from send_campaign_accounts p where p.account_id = l.account_id offset 0) p
          cross join lateral (
              select from send_campaigns c where c.id = p.campaign_id and c.status = 'active'
              and (send_refused_secret.campaign is null or c.name = send_refused_secret.campaign) limit 1) c
          cross join lateral send_first_pending(l.account_id, l.channel, p.campaign_id, 1) head
          where l.account_id = a.id and head.scheduled_for <= send_refused_secret.at and l.paused_at is null and l.next_at_reason = 'provider_hold'
            and l.next_at > send_refused_secret.at
            and (send_refused_secret.channel is null or l.channel = send_refused_secret.channel))
    order by a.secret_refused_at, a.id limit 1
$$;
