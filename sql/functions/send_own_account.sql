-- Return the account that a prospect knows, among those that serve the channel and are or were in the campaign's pool:
-- the first that wrote to them on this channel, else the first on any, else any other. An account that left the pool is
-- replaced by its successor (send_reassign).
--
-- unfit            the providers that do not serve the channel (send_not_serving)
-- first, accounts  the prospect's account_id and accounts
--
-- account_id is null and left_id names the account if it left the pool without a successor.
create or replace function send_own_account(campaign_id uuid, channel text, unfit text[], first uuid, accounts jsonb)
returns table (account_id uuid, left_id uuid) language sql stable as $$
    select case when p.in_pool then p.account_id else n.account_id end,
        case when not p.in_pool and n.account_id is null then p.account_id end
    from (
        select 1 as rank, '' as by_channel, (send_own_account.accounts ->> send_own_account.channel)::uuid as id
        union all select 2, '', send_own_account.first
        union all select 3, k.key, k.value::uuid from jsonb_each_text(send_own_account.accounts) k) known
    cross join lateral (
        select o.id from send_accounts o
        where o.id = known.id and o.provider <> all (send_own_account.unfit) limit 1) a
    cross join lateral (
        select p.account_id, p.in_pool from send_campaign_accounts p
        where p.campaign_id = send_own_account.campaign_id and p.account_id = a.id
          and (p.in_pool or p.left_at is not null) limit 1) p
    left join lateral (
        select s.successor_id as account_id from send_successors s
        where not p.in_pool and s.campaign_id = send_own_account.campaign_id and s.account_id = a.id
          and s.channel = send_own_account.channel
          and (select o.provider <> all (send_own_account.unfit) from send_accounts o where o.id = s.successor_id)
          and (select o.in_pool from send_campaign_accounts o
               where o.campaign_id = s.campaign_id and o.account_id = s.successor_id)
        limit 1) n on true
    order by known.rank, known.by_channel limit 1
$$;
