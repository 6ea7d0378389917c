-- Return in order, of rows that the caller holds, those that may go under the rules on contacts (send_contacted), and
-- skip those to whose person another campaign of the workspace wrote first.
--
-- Two claims may hold rows to one person: each first locks the person's prospects (send_same_person), or the
-- recipient's key if there are none. A row whose person another claim holds, or an earlier row of another campaign goes
-- to, in `ids` or `before`, is left for a later claim (left_alone). Call it in a statement of its own, after the one
-- that locks the rows: its snapshot must be newer than the locks.
create or replace function send_skip_contacted(ids uuid[], before uuid[], at timestamptz, out may_go uuid[],
    out skipped int, out left_alone uuid[])
language plpgsql as $$
#variable_conflict use_column
declare
    v_held  uuid[];
    v_taken jsonb := '{}'; -- campaign of the row to each prospect or key
    v_row   record;
    v_why   record;
begin
    skipped := 0;
    may_go := '{}';
    left_alone := '{}';
    v_held := array(
        select p.id from send_prospects p
        where p.id = any (array(
            select person.id from unnest(ids) i (id)
            cross join lateral (select * from send_queue q where q.id = i.id limit 1) q
            cross join lateral unnest(send_same_person(q.workspace_id, q.channel, q.recipient, q.prospect_id))
                person (id)))
        for no key update skip locked);
    for v_row in
        select i.id, i.n > cardinality(before) as is_new, q.workspace_id, q.campaign_id, p.people,
            array_append(p.people::text[], send_normal_recipient(q.recipient)) as names
        from unnest(array_cat(before, ids)) with ordinality i (id, n)
        cross join lateral (select * from send_queue q where q.id = i.id limit 1) q
        cross join lateral (
            select case when q.channel like 'linkedin%' or q.channel in ('email', 'sms') or q.prospect_id is not null
                then send_same_person(q.workspace_id, q.channel, q.recipient, q.prospect_id) end as people) p
        order by i.n
    loop
        if v_row.is_new and v_row.people is not null and (
                exists (select from unnest(v_row.people) person (id) where person.id <> all (v_held))
                or exists (select from unnest(v_row.names) known (name)
                           where v_taken ->> known.name <> v_row.campaign_id::text)
                or cardinality(v_row.people) = 0 and not pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ',
                    'send-queue', 'person', v_row.workspace_id::text, v_row.names[1]), 0))) then
            left_alone := array_append(left_alone, v_row.id);
            continue;
        end if;
        if v_row.people is not null then
            v_taken := (select jsonb_object_agg(known.name, v_row.campaign_id) from unnest(v_row.names) known (name))
                || v_taken;
        end if;
        if v_row.is_new then
            may_go := array_append(may_go, v_row.id);
        end if;
    end loop;
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
