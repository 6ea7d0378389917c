-- Add recent lines of send_counts to the sums of earlier ones, one for each campaign, account, channel and status.
-- Folds at most `batch` lines and skips those that another transaction folds, so a key may have several sums for a
-- while.
create or replace function send_fold_counts(batch int) returns void language sql as $$
    with recent as (
        delete from send_counts c
        where c.ctid = any (array(select o.ctid from send_counts o where not o.folded limit batch for update skip locked))
        returning c.campaign_id, c.account_id, c.channel, c.status, c.n
    ), changed as (
        select r.campaign_id, r.account_id, r.channel, r.status, sum(r.n) as n from recent r
        group by r.campaign_id, r.account_id, r.channel, r.status
    ), earlier as (
        delete from send_counts c
        where c.ctid = any (array(
            select s.ctid from changed k cross join lateral (
                select o.ctid from send_counts o
                where o.folded and o.campaign_id = k.campaign_id and o.account_id = k.account_id
                  and o.channel = k.channel and o.status = k.status
                for update skip locked) s))
        returning c.campaign_id, c.account_id, c.channel, c.status, c.n
    )
    insert into send_counts (campaign_id, account_id, channel, status, n, folded)
    select a.campaign_id, a.account_id, a.channel, a.status, sum(a.n), true
    from (select k.* from changed k
          union all select e.campaign_id, e.account_id, e.channel, e.status, e.n::numeric from earlier e) a
    group by a.campaign_id, a.account_id, a.channel, a.status having sum(a.n) <> 0::numeric
$$;
