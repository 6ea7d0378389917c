-- Choose from a campaign's pool the account with the least pending work on a channel, in days of its daily cap, among
-- those that serve the channel; stopped accounts come last. Null: none.
--
-- A choice costs about the same for any pool and queue, so it is exact only up to four accounts. Of a larger pool, 16
-- are picked at random, four of these drawn with chances weighted by their caps, and the least loaded of the four is
-- taken. Only the first 200 pending rows are counted; beyond that, the draw decides. The settings force index plans: a
-- long-lived connection may have planned while the tables were empty.
create or replace function send_choose_account(campaign_id uuid, channel text) returns uuid
language plpgsql volatile set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_incremental_sort = off as $$
#variable_conflict use_column
declare
    v_some   int := 16; -- accounts whose caps are read
    v_unfit  text[] := send_not_serving(send_choose_account.channel);
    v_chosen record;
begin
    loop
        select d.account_id, d.stopped into v_chosen
        from (
            select s.account_id, a.status <> 'active' as stopped, a.name, cap.a_day,
                -ln(1::float8 - random()) / cap.a_day as draw -- the lowest is drawn first
            from (select p.account_id from send_campaign_accounts p
                  where p.campaign_id = send_choose_account.campaign_id and p.in_pool
                  order by random() limit v_some) s
            cross join lateral (
                select a.name, a.status, a.tier from send_accounts a
                where a.id = s.account_id and a.provider <> all (v_unfit) limit 1) a
            cross join lateral (
                select greatest(coalesce(
                    (select l.daily_cap from send_lanes l
                     where l.account_id = s.account_id and l.channel = send_choose_account.channel),
                    (select t.daily_cap from send_lane_defaults t
                     where t.channel = send_choose_account.channel and t.tier = coalesce(a.tier, 'free')),
                    100), 1)::float8 as a_day offset 0) cap
            order by a.status <> 'active', draw limit 4) d
        cross join lateral (
            select count(*) as n from (
                select q.account_id, q.channel from send_queue q
                where q.status = 'pending' and (q.account_id, q.channel)
                    >= (d.account_id, send_choose_account.channel)
                order by q.account_id, q.channel limit 200) w
            where w.account_id = d.account_id and w.channel = send_choose_account.channel) waiting
        order by d.stopped, waiting.n >= 200, case when waiting.n < 200 then waiting.n::float8 / d.a_day else d.draw end,
            d.a_day desc, d.name
        limit 1;
        exit when v_some is null or v_chosen.stopped is false;
        v_some := null; -- every picked account is stopped or serves other channels: try the whole pool
    end loop;
    return v_chosen.account_id;
end
$$;
