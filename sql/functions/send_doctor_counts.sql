-- Report counts (send_counts) that differ from the rows, as one finding. Unfinished rows are all compared; finished
-- ones only if the counts say 200,000 at most: a bound, however long the history.
create or replace function send_doctor_counts() returns table ("check" text, what text, mend text) language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with said as materialized (
        select n.campaign_id, n.account_id, n.channel, n.status, sum(n.n)::bigint as n from send_counts n
        group by n.campaign_id, n.account_id, n.channel, n.status having sum(n.n) <> 0::numeric
    ), finished as materialized (
        select c.id as campaign_id, o.status, greatest(coalesce(s.n, 0::numeric), 0::numeric)::bigint as n
        from send_campaigns c
        cross join unnest('{sent,failed,skipped}'::text[]) o (status)
        left join (select campaign_id, status, sum(n) as n from said group by campaign_id, status) s
            on s.campaign_id = c.id and s.status = o.status
        where (select coalesce(sum(n), 0::numeric) from said where status in ('sent', 'failed', 'skipped')) <= 200000::numeric
    ), there as (
        select r.campaign_id, r.account_id, r.channel, r.status, count(*) as n
        from (
            select q.campaign_id, q.account_id, q.channel, q.status from send_queue q where q.status = 'pending'
            union all
            select q.campaign_id, q.account_id, q.channel, q.status from send_queue q where q.status = 'sending'
            union all
            select q.campaign_id, q.account_id, q.channel, q.status from send_queue q where q.status = 'uncertain'
            union all
            select f.campaign_id, q.account_id, q.channel, f.status
            from finished f cross join lateral (
                select q.account_id, q.channel from send_queue q
                where q.campaign_id = f.campaign_id and q.status = f.status and q.status in ('sent', 'failed', 'skipped')
                order by q.updated_at limit f.n + 1) q) r -- one more than counted is enough to differ
        group by r.campaign_id, r.account_id, r.channel, r.status
    ), differing as (
        select campaign_id, account_id, channel, status, coalesce(s.n, 0) as said, coalesce(t.n, 0) as n
        from said s full join there t using (campaign_id, account_id, channel, status)
        where coalesce(s.n, 0) <> coalesce(t.n, 0)
          and (status in ('pending', 'sending', 'uncertain') or exists (select from finished))
    )
    select 'counts', format('Counts of `status` differ from the rows: %s, such as account %s, channel %s, campaign '
            '%s, status %s: %s counted, %s there: rows were written past the triggers.',
            (select count(*) from differing), a.name, d.channel, c.name, d.status, d.said, d.n),
        'select send_rebuild_counts()'
    from (select * from differing order by campaign_id, account_id, channel, status limit 1) d
    left join send_accounts a on a.id = d.account_id
    left join send_campaigns c on c.id = d.campaign_id
$$;
