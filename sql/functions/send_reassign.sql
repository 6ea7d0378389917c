-- Put an account in another's place, in one campaign or in all, on one channel or on all that it serves: once the other
-- has left the pool (send_own_account), it writes to the other's prospects, and it joins each pool that the other is or
-- was in. Afterwards send_reassign_rows moves the pending sends batch by batch, so no waiter waits for long, and none
-- that holds a row waits for a lane.
--
-- Returns {account_id, target_id, campaign_id, joined: [campaigns whose pool it joined], in_pool: [campaigns whose pool
-- the other is still in]}. A dry run writes nothing. Raises SQ002 for the same account, or one that does not serve a
-- channel on which the other has pending sends; SQ005 if the account or campaign does not exist.
create or replace function send_reassign(account text, target text, campaign text, channel text, workspace text,
    dry_run boolean)
returns jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_channels constant text[] := array['linkedin_invite', 'linkedin_message', 'email', 'sms', 'webhook', 'log'];
    v_from     uuid;
    v_to       uuid;
    v_campaign uuid;
    v_target   record;
    v_waiting  text[];
    v_unserved text;
    v_joined   uuid[];
begin
    if send_reassign.channel = 'post' then
        raise exception 'Posts go to the account''s own profile and cannot move: cancel them, and post again with '
            '`send-queue post`.' using errcode = 'SQ002';
    end if;
    perform send_check_channel(send_reassign.channel);
    v_from := send_find('account', send_reassign.account, send_reassign.workspace);
    select w.id as workspace_id, w.name as workspace into v_target
    from send_accounts a join send_workspaces w on w.id = a.workspace_id where a.id = v_from;
    v_to := send_find('account', send_reassign.target, v_target.workspace);
    if send_reassign.campaign is not null then
        v_campaign := send_find('campaign', send_reassign.campaign, v_target.workspace);
    end if;
    if v_from = v_to then
        raise exception 'Both names are the same account: name another with --to.' using errcode = 'SQ002';
    end if;
    v_waiting := array(
        select l.channel from send_lanes l
        where l.account_id = v_from and l.channel <> 'post'
          and (send_reassign.channel is null or l.channel = send_reassign.channel)
          and exists (select from send_queue q
                      where q.status = 'pending' and q.account_id = l.account_id and q.channel = l.channel
                        and (v_campaign is null or q.campaign_id = v_campaign))
        order by l.channel);
    select u.said into v_unserved from unnest(v_waiting) w (channel)
    cross join lateral (select send_unserved(v_to, w.channel) as said) u where u.said is not null limit 1;
    if v_unserved is not null then
        raise exception '%: name an account that does, or move one channel with --channel.',
            v_unserved using errcode = 'SQ002';
    end if;

    -- The pools that it joins; a finished campaign needs no account.
    v_joined := array(
        select p.campaign_id from send_campaign_accounts p
        join send_campaigns c on c.id = p.campaign_id and c.status <> 'done'
        where p.account_id = v_from and (p.in_pool or p.left_at is not null)
          and (v_campaign is null or p.campaign_id = v_campaign)
          and not exists (select from send_campaign_accounts t
                          where t.campaign_id = p.campaign_id and t.account_id = v_to and t.in_pool));
    if not dry_run then
        perform send_lock_gates(); -- before any row, like every change of places
        insert into send_campaign_accounts as t (workspace_id, campaign_id, account_id, in_pool)
        select p.workspace_id, p.campaign_id, v_to, p.campaign_id = any (v_joined)
        from send_campaign_accounts p
        where p.account_id = v_from and (v_campaign is null or p.campaign_id = v_campaign)
        order by p.campaign_id
        on conflict on constraint send_campaign_accounts_pkey do update set in_pool = true
            where excluded.in_pool and not t.in_pool;
        perform send_make_lane(v_to, w.channel) from unnest(v_waiting) w (channel);

        -- Replace the leaving account as a successor too; no account succeeds itself.
        delete from send_successors s
        where s.account_id = v_to and s.successor_id = v_from and (v_campaign is null or s.campaign_id = v_campaign)
          and (send_reassign.channel is null or s.channel = send_reassign.channel);
        update send_successors s set successor_id = v_to
        where s.successor_id = v_from and (v_campaign is null or s.campaign_id = v_campaign)
          and (send_reassign.channel is null or s.channel = send_reassign.channel);
        insert into send_successors as s (workspace_id, campaign_id, account_id, channel, successor_id)
        select p.workspace_id, p.campaign_id, v_from, k.channel, v_to
        from send_campaign_accounts p
        cross join unnest(v_channels) k (channel)
        where p.account_id = v_from and (p.in_pool or p.left_at is not null)
          and (v_campaign is null or p.campaign_id = v_campaign)
          and (send_reassign.channel is null or k.channel = send_reassign.channel)
          and send_unserved(v_to, k.channel) is null
        order by p.campaign_id, k.channel
        on conflict on constraint send_successors_pkey do update set successor_id = excluded.successor_id;
    end if;

    select a.name, a.status into v_target from send_accounts a where a.id = v_to;
    if v_target.status <> 'active' then
        raise notice 'The account % is % and sends nothing: run `send-queue resume account %`.', v_target.name,
            v_target.status, v_target.name using errcode = 'SQ003';
    end if;
    return jsonb_build_object('account_id', v_from, 'target_id', v_to, 'campaign_id', v_campaign,
        'joined', array(select c.name from send_campaigns c where c.id = any (v_joined) order by c.name),
        'in_pool', array(select c.name from send_campaign_accounts p join send_campaigns c on c.id = p.campaign_id
                         where p.account_id = v_from and p.in_pool and c.status <> 'done'
                           and (v_campaign is null or c.id = v_campaign) order by c.name));
end
$$;
