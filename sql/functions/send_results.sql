-- Return the results of the tries since a moment, by `day` (of the lane's cap zone), `campaign`, `account` or
-- `error_code`, of the newest `tries` at most. Rehearsed tries do not count.
--
-- of                   the day, the name, or the code; workspace: that of a name
-- sent, failed         tries with this result; failed: also the last of a send that has used up its tries
-- retried, uncertain   tries that another one follows; tries that may have gone out
-- median_seconds       from the moment for which a sent one was (last) scheduled to its start, caps and closed hours
--                      included; p95_seconds: the 95th percentile
--
-- Ids are ordered by time: the newest tries stand at the end of the primary key. Rows are looked up by id, so no
-- statistics can turn that into a scan of all rows.
create or replace function send_results(by text, since timestamptz, tries int)
returns table (workspace text, of text, sent bigint, failed bigint, retried bigint, uncertain bigint,
    median_seconds float8, p95_seconds float8)
language sql stable set extra_float_digits = 1
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with newest as materialized (
        select b.send_id, b.number, b.day, b.started_at, b.outcome, b.error_code, b.account_id
        from (select * from send_attempts b
              where b.id >= send_first_id(send_results.since) and not b.rehearsed
              order by b.id desc limit send_results.tries) b
        where b.started_at >= send_results.since and b.outcome in ('sent', 'failed', 'retry', 'uncertain')
    ), tried as materialized (
        select case send_results.by when 'day' then to_char(b.day, 'YYYY-MM-DD') when 'campaign' then q.campaign_id::text
                   when 'account' then b.account_id::text when 'error_code' then b.error_code end as key,
            case when b.outcome = 'retry' and q.status = 'failed' and not exists (
                select from send_attempts n where n.send_id = b.send_id and n.number > b.number) then 'failed'
                 else b.outcome end as outcome,
            case when b.outcome = 'sent' then extract(epoch from b.started_at - q.scheduled_for)::float8 end as waited
        from newest b
        cross join lateral (
            select o.campaign_id, o.scheduled_for, o.status from send_queue o where o.id = b.send_id offset 0) q
    ), counted as (
        select t.key, count(*) filter (where t.outcome = 'sent') as sent,
            count(*) filter (where t.outcome = 'failed') as failed,
            count(*) filter (where t.outcome = 'retry') as retried,
            count(*) filter (where t.outcome = 'uncertain') as uncertain,
            percentile_cont(0.5) within group (order by t.waited) as median_seconds,
            percentile_cont(0.95) within group (order by t.waited) as p95_seconds
        from tried t where t.key is not null group by t.key
    )
    select coalesce(c.workspace, a.workspace), coalesce(c.name, a.name, n.key), n.sent, n.failed, n.retried, n.uncertain,
        n.median_seconds, n.p95_seconds
    from counted n
    left join lateral (
        select w.name as workspace, o.name from send_campaigns o join send_workspaces w on w.id = o.workspace_id
        where send_results.by = 'campaign' and o.id::text = n.key limit 1) c on true
    left join lateral (
        select w.name as workspace, o.name from send_accounts o join send_workspaces w on w.id = o.workspace_id
        where send_results.by = 'account' and o.id::text = n.key limit 1) a on true
    order by 1, 2
$$;
