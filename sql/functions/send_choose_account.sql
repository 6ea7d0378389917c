-- The account of a campaign's pool that has the least work waiting on a channel, in days of its daily cap, of those
-- that serve it; accounts that are stopped come last. Null where there is none.
--
-- A choice costs about the same however large the pool is and however long the queue. So it is exact in a pool of four;
-- of more, four are drawn, by chance weighted by their caps, and the least loaded of these is taken, which keeps all
-- near to each other. They are drawn from 16 that chance alone has picked, whose caps are looked at. And only the first
-- 200 waiting rows are counted; beyond that, chance decides. A program may ask for years on a connection whose plan is
-- from when there was nothing yet: so there is one plan, which walks indexes.
create or replace function send_choose_account(campaign_id uuid, channel text) returns uuid
language plpgsql volatile set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off set enable_incremental_sort = off as $$
#variable_conflict use_column
declare
    v_some   int := 16; -- of how many the caps are looked at
    v_unfit  text[] := send_not_serving(send_choose_account.channel);
    v_chosen record;
begin
    loop
        select d.account_id, d.stopped into v_chosen
        from (
            select s.account_id, a.status <> 'active' as stopped, a.name, cap.a_day,
                -ln(1::float8 - random()) / cap.a_day as draw -- the lower, the earlier
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
                select from send_queue q
                where q.status = 'pending' and (q.account_id, q.channel)
                    between (d.account_id, send_choose_account.channel) and (d.account_id, send_choose_account.channel)
                order by q.account_id, q.channel limit 200) w) waiting
        order by d.stopped, waiting.n >= 200, case when waiting.n < 200 then waiting.n::float8 / d.a_day else d.draw end,
            d.a_day desc, d.name
        limit 1;
        exit when v_some is null or v_chosen.stopped is false;
        v_some := null; -- all that were picked are stopped, or serve other channels: is any other not so?
    end loop;
    return v_chosen.account_id;
end
$$;
