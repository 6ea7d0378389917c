-- Claim uncertain rows whose look-up is due, each for one run only: the next look-up is deferred by `lease`. Rows of
-- accounts that are not active are skipped: their provider's list may be stale (Unipile, account lifecycle). A copy
-- claims none.
--
-- Returns the shape of send_claim for the newest attempt in doubt, with {look_ups, absent_since, at, until,
-- started_at}:
--
-- until       end of the claim of the look-up
-- started_at  of the oldest attempt in doubt: if that one is found, the send went out
create or replace function send_look_ups(max_rows int, lease interval, at timestamptz default null)
returns setof jsonb language sql set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select send_rehearse(send_look_ups.at);
    with due as (
        select q.id from send_queue q
        where not send_is_copy()
          and q.status = 'uncertain' and q.look_up_at <= coalesce(send_look_ups.at, clock_timestamp())
          and (select a.status from send_accounts a where a.id = q.account_id) = 'active'
          -- A sandbox knows nothing of attempts in earnest, nor a provider of rehearsed ones.
          and not exists (
              select from send_attempts b where b.send_id = q.id and b.outcome = 'uncertain'
              and b.rehearsed <> send_to_come(send_look_ups.at))
        order by q.look_up_at limit max_rows for no key update of q skip locked
    ), taken as (
        update send_queue q set look_up_at = coalesce(send_look_ups.at, clock_timestamp()) + lease
        from due where q.id = due.id returning q.*
    )
    select h::jsonb || jsonb_build_object('look_ups', t.look_ups, 'absent_since', t.absent_since,
        'at', coalesce(send_look_ups.at, clock_timestamp()), 'until', t.look_up_at, 'started_at', b.since)
    from taken t
    cross join lateral (
        select (array_agg(b.id order by b.number desc))[1] as id, min(coalesce(b.may_have_begun_at, b.started_at)) as since
        from send_attempts b where b.send_id = t.id and b.outcome = 'uncertain') b
    cross join send_attempt_details(array[b.id]) h
$$;
