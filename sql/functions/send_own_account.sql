-- The account of a campaign's pool that a prospect knows, if there is one that serves the channel: the first that wrote
-- to them by this channel, else the first by any, else one by another.
--
-- unfit            the providers that do not serve the channel (send_not_serving)
-- first, accounts  the prospect's account_id and accounts
create or replace function send_own_account(campaign_id uuid, channel text, unfit text[], first uuid, accounts jsonb)
returns table (account_id uuid) language sql stable as $$
    select a.id
    from (
        select 1 as rank, '' as by_channel, (send_own_account.accounts ->> send_own_account.channel)::uuid as id
        union all select 2, '', send_own_account.first
        union all select 3, k.key, k.value::uuid from jsonb_each_text(send_own_account.accounts) k) known
    cross join lateral (
        select o.id from send_accounts o
        where o.id = known.id and o.provider <> all (send_own_account.unfit) limit 1) a
    cross join lateral (
        select p.account_id from send_campaign_accounts p
        where p.campaign_id = send_own_account.campaign_id and p.account_id = a.id and p.in_pool limit 1) p
    order by known.rank, known.by_channel limit 1
$$;
