-- Fold the lines of send_counts into one for each campaign and status: the sums stay, the lines become few. A bounded
-- number a call; lines that somebody else is folding are passed by.
create or replace function send_fold_counts(batch int) returns void language sql as $$
    with gone as (
        delete from send_counts c
        where c.ctid = any (array(select o.ctid from send_counts o limit batch for update skip locked))
        returning c.campaign_id, c.status, c.n
    )
    insert into send_counts (campaign_id, status, n)
    select g.campaign_id, g.status, sum(g.n) from gone g group by g.campaign_id, g.status having sum(g.n) <> 0::numeric
$$;
