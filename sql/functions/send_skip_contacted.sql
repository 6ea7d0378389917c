-- Of rows that the caller holds, those that may go by the rules on who was contacted (send_contacted), in their order. Those
-- that another campaign of their workspace came before are skipped.
--
-- Two claims may hold rows to one person: each takes the prospect first, and leaves the rows of those that another has, or
-- that an earlier row goes to, here or in `before`, for a later claim (left_alone). It must not be part of the statement that locks the rows, nor of
-- the one that takes the prospects: its look at the queue has to be newer than these.
create or replace function send_skip_contacted(ids uuid[], before uuid[], at timestamptz, out may_go uuid[],
    out skipped int, out left_alone uuid[])
language plpgsql as $$
#variable_conflict use_column
declare
    v_held uuid[];
    v_why  record;
begin
    skipped := 0;
    if to_regclass('pg_temp.send_queue') is null then -- what is played on copies (send_simulate) takes nothing
        v_held := array(
            select p.id from send_prospects p
            where p.id = any (array(select q.prospect_id from send_queue q
                                    where q.id = any (ids) and q.prospect_id is not null))
            for no key update skip locked);
    end if;
    may_go := array(
        select i.id from unnest(ids) with ordinality i (id, n)
        cross join lateral (select q.prospect_id, q.campaign_id from send_queue q where q.id = i.id limit 1) q
        where q.prospect_id is null or (v_held is null or q.prospect_id = any (v_held)) and not exists (
            select from unnest(array_cat(before, ids)) with ordinality o (id, n)
            cross join lateral (select e.prospect_id, e.campaign_id from send_queue e where e.id = o.id limit 1) e
            where o.n < i.n + cardinality(before) and e.prospect_id = q.prospect_id and e.campaign_id <> q.campaign_id)
        order by i.n);
    left_alone := array(select i.id from unnest(ids) i (id) where i.id <> all (may_go));
    for v_why in
        select q.id, w.reason from unnest(may_go) i (id)
        cross join lateral (select * from send_queue q where q.id = i.id limit 1) q
        cross join lateral (
            select send_contacted(q.workspace_id, q.campaign_id, q.channel, q.recipient, q.prospect_id,
                coalesce(c.skip_contacted, w.skip_contacted), send_skip_contacted.at) as reason
            from send_campaigns c, send_workspaces w where c.id = q.campaign_id and w.id = q.workspace_id limit 1) w
        where w.reason is not null
    loop
        update send_queue q
        set status = 'skipped', error_code = 'contacted', error_message = v_why.reason,
            updated_at = send_skip_contacted.at
        where q.id = v_why.id and q.status = 'pending';
        may_go := array_remove(may_go, v_why.id);
        skipped := skipped + 1;
    end loop;
end
$$;
