-- Remove a campaign, account, schedule or lane (`kind`; a lane: `name` is its account's) to which nothing refers.
-- Returns {kind, name, sends: number removed, dry_run}.
--
-- with_sends  remove its sends too, if none was ever tried
-- dry_run     count, and remove nothing
-- at          present moment; null: the database's clock
--
-- An account or lane stays while its sends count against a cap or it may not send yet: made anew, it would forget both.
-- Raises SQ005 if it does not exist, SQ006 if something refers to it or a transaction is using it.
--
-- Locks: gates, account, lanes (so that no claim is under way), the object and its places, rows. Inserts that refer to
-- the object may wait for the gates, so the lock on the object is only tried.
create or replace function send_remove(kind text, name text, channel text default null, workspace text default null,
    with_sends boolean default false, dry_run boolean default false, at timestamptz default null)
returns jsonb language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_remove.at, clock_timestamp());
    v_said    text := send_remove.kind || ' ' || quote_literal(send_remove.name)
                  || case when send_remove.channel is not null then ' ' || send_remove.channel else '' end;
    v_id      uuid;
    v_account uuid;
    v_n       bigint := 0;
    v_tried   bigint := 0;
    v_found   record;
begin
    perform send_lock_gates();
    v_id := send_find(case when kind = 'lane' then 'account' else kind end, name, workspace);
    if kind in ('account', 'lane') then
        v_account := v_id;
    end if;
    begin
        perform from send_accounts a where a.id = v_account and send_remove.kind = 'account' for update nowait;
        perform from send_lanes l
        where (l.account_id = v_account and (send_remove.channel is null or l.channel = send_remove.channel))
           or (send_remove.kind = 'campaign'
               and l.account_id in (select p.account_id from send_campaign_accounts p where p.campaign_id = v_id))
        order by l.account_id, l.channel for no key update;
        if kind = 'lane' and not found then
            raise exception 'There is no %: see `send-queue lane list`.', v_said using errcode = 'SQ005';
        end if;
        perform from send_lanes l
        where l.account_id = v_account and (send_remove.channel is null or l.channel = send_remove.channel)
        order by l.account_id, l.channel for update nowait;
        perform from send_schedules s where s.id = v_id and send_remove.kind = 'schedule' for update nowait;
        perform from send_campaigns c where c.id = v_id and send_remove.kind = 'campaign' for update nowait;
        perform from send_campaign_accounts p
        where (send_remove.kind = 'campaign' and p.campaign_id = v_id)
           or (send_remove.kind = 'account' and p.account_id = v_id)
        order by p.campaign_id, p.account_id for update nowait;
    exception when lock_not_available then
        raise exception 'Another transaction is using the %: try again.', v_said using errcode = 'SQ006';
    end;

    if kind <> 'schedule' then
        perform from send_queue q
        where (q.campaign_id = v_id or q.account_id = v_account)
          and (send_remove.channel is null or q.channel = send_remove.channel)
        order by q.account_id, q.channel, q.id for update;
        select count(*) as n, count(*) filter (where q.status in ('sent', 'sending', 'uncertain')
            or exists (select from send_attempts b where b.send_id = q.id)) as tried into v_found
        from send_queue q
        where (q.campaign_id = v_id or q.account_id = v_account)
          and (send_remove.channel is null or q.channel = send_remove.channel);
        v_n := v_found.n;
        v_tried := v_found.tried;
    end if;
    if v_tried > 0 then
        raise exception 'The % has sends (%), and some went out or were tried (%): keep it, and % instead.', v_said, v_n,
            v_tried, case kind when 'campaign' then format('run `send-queue campaign set %s --done`', send_remove.name)
                else format('run `send-queue pause %s %s%s`', kind, send_remove.name,
                    coalesce(' ' || send_remove.channel, '')) end using errcode = 'SQ006';
    elsif v_n > 0 and not with_sends then
        raise exception 'The % has sends (%), none of them tried: add --with-its-sends to remove them too.', v_said, v_n
            using errcode = 'SQ006';
    end if;
    for v_found in
        select f.* from (
            select count(*) as n, 'accounts' as who,
                'give them another with `send-queue account set NAME --schedule`' as mend
            from send_accounts a where send_remove.kind = 'schedule' and a.schedule_id = v_id
            union all
            select count(*), 'campaigns', 'give them another with `send-queue campaign set NAME --schedule`'
            from send_campaigns c where send_remove.kind = 'schedule' and c.schedule_id = v_id
            union all
            select count(*), 'notifications', 'remove them with `send-queue notify remove`'
            from send_notifications n
            where (send_remove.kind = 'campaign' and n.campaign_id = v_id)
               or (n.account_id = v_account and (send_remove.channel is null or send_remove.channel = 'webhook'))
            union all
            select count(*), 'pools of campaigns', 'take it out with `send-queue campaign set NAME --remove-account`'
            from send_campaign_accounts p where send_remove.kind = 'account' and p.account_id = v_id and p.in_pool
            union all
            select count(*), 'accounts that it succeeds', 'reassign them to another with `send-queue reassign`'
            from send_successors s where send_remove.kind = 'account' and s.successor_id = v_id
            union all
            select count(*), 'people who stay with it', 'keep it, and pause it with `send-queue pause account`'
            from send_prospects p
            where send_remove.kind = 'account'
              and (p.account_id = v_id or p.accounts::text like '%' || v_id::text || '%')
              and (not with_sends or exists (select from send_usage u where u.account_id = v_id and u.used > 0))) f
        where f.n > 0
    loop
        raise exception 'The % is in use (%: %): %.', v_said, v_found.who, v_found.n, v_found.mend using errcode = 'SQ006';
    end loop;
    -- A week in any zone.
    select max(u.day) as day into v_found from send_usage u
    where u.account_id = v_account and (send_remove.channel is null or u.channel = send_remove.channel) and u.used > 0
      and u.day > (v_at - interval '8 days')::date;
    if v_found.day is not null then
        raise exception 'The % has sent until %, which its caps count for a week: pause it now, and remove it later.', v_said,
            v_found.day using errcode = 'SQ006';
    end if;
    select l.channel, l.next_at_reason as reason into v_found from send_lanes l
    where l.account_id = v_account and (send_remove.channel is null or l.channel = send_remove.channel)
      and l.next_at > v_at limit 1;
    if found then
        raise exception 'The % may not send yet (%): end that with `send-queue resume lane % %`.', v_said,
            coalesce(v_found.reason, 'min_gap'), send_remove.name, v_found.channel using errcode = 'SQ006';
    end if;

    if not dry_run then
        delete from send_queue q
        where (q.campaign_id = v_id or q.account_id = v_account)
          and (send_remove.channel is null or q.channel = send_remove.channel);
        case kind
            when 'campaign' then
                delete from send_campaigns c where c.id = v_id;
            when 'schedule' then
                delete from send_schedules s where s.id = v_id;
            when 'lane' then
                delete from send_lanes l where l.account_id = v_id and l.channel = send_remove.channel;
                delete from send_usage u where u.account_id = v_id and u.channel = send_remove.channel;
                delete from send_successors s where s.account_id = v_id and s.channel = send_remove.channel;
            when 'account' then
                update send_prospects p
                set account_id = nullif(p.account_id, v_id),
                    accounts = (select coalesce(jsonb_object_agg(e.key, e.value), '{}')
                                from jsonb_each_text(p.accounts) e where e.value <> v_id::text)
                where p.account_id = v_id or p.accounts::text like '%' || v_id::text || '%';
                delete from send_accounts a where a.id = v_id;
        end case;
    end if;
    return jsonb_build_object('kind', kind, 'name', name, 'sends', v_n, 'dry_run', dry_run);
end
$$;
