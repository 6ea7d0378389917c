-- Remove all stored data of a person: from every row to them, on any channel and in any spelling of the address, the
-- texts, the address, and the keys and ids that hold it or lead to it; and their data as a prospect.
--
-- whom  a recipient, or a prospect's id. Prospects who share an address are one person with all their addresses
--
-- The rows stay, with attempts, codes and moments, since counts, caps and the tally rest on them; pending ones are
-- skipped first. Suppressions stay: they keep the normal form of the address, so that no campaign writes to it. Raises
-- SQ005 if nothing is stored, SQ006 while a row of theirs is in flight or in doubt.
--
-- It reads the whole queue and all prospects once: no index finds every spelling of an address.
create or replace function send_forget(whom text, workspace text default null, dry_run boolean default false,
    at timestamptz default null)
returns jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_at        timestamptz := coalesce(send_forget.at, clock_timestamp());
    v_blank     constant text := 'forgotten'; -- replaces the recipient
    v_workspace uuid := case when workspace is not null then send_find('workspace', workspace, null) end;
    v_people    uuid[] := '{}';
    v_found     uuid[];
    v_told      uuid[]; -- notifications to them
    v_addresses text[] := array[send_normal_recipient(whom)];
    v_places    uuid[];
    v_ids       uuid[];
    v_odd       record;
    v_report    jsonb;
begin
    if coalesce(whom, '') !~ '[^[:space:]]' then
        raise exception 'No person is named: give a recipient, or the id of a prospect.' using errcode = 'SQ002';
    end if;
    -- Start from the prospect with that id, else the address; then add prospects who share an address, until no more
    -- are found.
    select p.id, p.workspace_id into v_odd from send_prospects p
    where p.id::text = lower(btrim(whom)) and (v_workspace is null or p.workspace_id = v_workspace)
      and (num_nonnulls(p.name, p.first_name, p.last_name, p.company, p.linkedin_user_id, p.email, p.phone, p.timezone,
               p.status, p.follow_up_due_at) > 0 or p.attributes <> '{}');
    if found then
        v_people := array[v_odd.id];
        v_addresses := '{}';
        v_workspace := v_odd.workspace_id;
    end if;
    for v_round in 1..10 loop
        v_addresses := array(
            select a from unnest(v_addresses) a
            union
            select send_normal_recipient(a) from send_prospects p
            cross join unnest(array[p.linkedin_user_id, p.email, p.phone]) a
            where p.id = any (v_people) and a ~ '[^[:space:]]');
        v_found := array(
            select p.id from send_prospects p
            where (v_workspace is null or p.workspace_id = v_workspace)
              and (p.id = any (v_people) or send_normal_recipient(p.linkedin_user_id) = any (v_addresses)
                   or send_normal_recipient(p.email) = any (v_addresses)
                   or send_normal_recipient(p.phone) = any (v_addresses))
            order by p.id);
        exit when cardinality(v_found) = cardinality(v_people);
        v_people := v_found;
    end loop;
    v_ids := array(
        select q.id from send_queue q
        where (v_workspace is null or q.workspace_id = v_workspace) and q.recipient <> v_blank
          and (q.prospect_id = any (v_people) or send_normal_recipient(q.recipient) = any (v_addresses)));
    v_told := array(
        select n.id from send_notifications n
        where (v_workspace is null or n.workspace_id = v_workspace)
          and send_normal_recipient(n.recipient) = any (v_addresses));
    v_places := array(
        select p.workspace_id from send_prospects p where p.id = any (v_people)
        union select q.workspace_id from send_queue q where q.id = any (v_ids)
        union select n.workspace_id from send_notifications n where n.id = any (v_told));
    if cardinality(v_places) = 0 then
        raise exception 'Nothing is stored of %: look for them with `send-queue list`, or name the workspace.',
            quote_literal(whom) using errcode = 'SQ005';
    elsif cardinality(v_places) > 1 then
        raise exception '% is known in % workspaces (%): name the workspace.',
            quote_literal(whom), cardinality(v_places),
            (select string_agg(w.name, ', ' order by w.name) from send_workspaces w where w.id = any (v_places))
            using errcode = 'SQ002';
    end if;
    if not dry_run then -- in the order of send_record, then of a change of the cap zone
        perform from send_queue q where q.id = any (v_ids) order by q.account_id, q.channel, q.id for no key update;
        perform from send_attempts b where b.send_id = any (v_ids) order by b.send_id, b.number for no key update;
    end if;
    select q.id, q.status into v_odd from send_queue q
    where q.id = any (v_ids) and q.status in ('sending', 'uncertain') limit 1;
    if v_odd.status = 'sending' then
        raise exception 'Send % to them is in flight: wait for its run to end, then forget them.', v_odd.id
            using errcode = 'SQ006';
    elsif v_odd.status = 'uncertain' then
        raise exception 'Send % may have reached them: settle it with `send-queue settle %`, then forget them.', v_odd.id,
            v_odd.id using errcode = 'SQ006';
    end if;
    v_report := jsonb_build_object(
        'workspace', (select w.name from send_workspaces w where w.id = v_places[1]),
        'sends', cardinality(v_ids),
        'skipped', (select count(*) from send_queue q where q.id = any (v_ids) and q.status = 'pending'),
        'attempts', (select count(*) from send_attempts b where b.send_id = any (v_ids)),
        'prospects', cardinality(v_people),
        'notifications', cardinality(v_told),
        'suppressions_kept', (select count(*) from send_suppressions s
                              where s.workspace_id = v_places[1] and s.recipient = any (v_addresses)),
        'dry_run', dry_run);
    if dry_run then
        return v_report;
    end if;
    update send_queue q
    set recipient = v_blank, subject = null, message = '', payload = '{}', dedupe_key = null, prospect_id = null,
        provider_message_id = null, error_message = format('Its recipient was forgotten on %s.',
            to_char(v_at at time zone 'UTC', 'YYYY-MM-DD')),
        error_code = case when q.status = 'pending' then 'forgotten' else q.error_code end,
        updated_at = case when q.status = 'pending' then v_at else q.updated_at end,
        status = case when q.status = 'pending' then 'skipped' else q.status end
    where q.id = any (v_ids);
    update send_rehearsed_rows r set error_message = null, provider_message_id = null where r.send_id = any (v_ids);
    update send_attempts b set error_message = null, provider_message_id = null where b.send_id = any (v_ids);
    update send_prospects p
    set name = null, first_name = null, last_name = null, company = null, linkedin_user_id = null, email = null,
        phone = null, timezone = null, attributes = '{}', status = null, follow_up_due_at = null
    where p.id = any (v_people);
    delete from send_notifications n where n.id = any (v_told);
    -- If such a row becomes pending again, by hand or by a retry, the claim skips it: it has no recipient.
    insert into send_suppressions (workspace_id, recipient, reason, since)
    select v_places[1], v_blank, 'what was stored of them was removed', v_at where cardinality(v_ids) > 0
    on conflict do nothing;
    return v_report;
end
$$;
