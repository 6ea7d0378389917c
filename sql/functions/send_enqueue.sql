-- Put one message into the queue, in the caller's transaction: it commits or rolls back with the caller's data. Call it
-- with named arguments; only campaign, channel, recipient and message are required.
--
-- account        name of the sending account; null: the one that the prospect knows, else the least loaded of those in
--                the campaign's pool that serve the channel
-- prospect       null: found by the recipient in the workspace, or made
-- scheduled_for  earliest moment; null: now
-- expires_at     latest moment; the send is skipped after it
-- dedupe_key     unique in its workspace: a key in use returns its row, with created = false, and a warning (SQ004) if
--                that row has other content. Null or blank: each call is a new message, and a notice (SQ003) names an
--                import's send with the same recipient, campaign and channel
-- workspace      null: that of send_campaign_named. A bound role sees no other
-- at             the present moment, for rehearsals; null: the database's clock
--
-- A message to a suppressed recipient is stored as skipped, with a notice (SQ003); so is one to a recipient to whom
-- another campaign wrote, under a rule of the campaign or workspace (send_contacted). Without such a rule a notice
-- names the other campaign's send.
--
-- The settings force index plans: a long-lived connection may have planned while the tables were empty.
--
-- Stores nothing and raises SQ002 if an argument is invalid or the account does not serve the channel; SQ005 if the
-- campaign, account, workspace or prospect does not exist; SQ006 if the campaign is done, no account of its pool serves
-- the channel, or the account that the prospect knows has left the pool.
create or replace function send_enqueue(campaign text, channel text, recipient text, message text,
    account text default null, subject text default null, prospect uuid default null, payload jsonb default null,
    priority int default null, scheduled_for timestamptz default null, expires_at timestamptz default null,
    dedupe_key text default null, workspace text default null, at timestamptz default null)
returns table (id uuid, created boolean) language plpgsql
set jit = off set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_enqueue.at, clock_timestamp());
    v_key      text := case when send_enqueue.dedupe_key ~ '[^[:space:]]' then send_enqueue.dedupe_key end;
    v_wrong    text;
    v_found    uuid;
    v_campaign record;
    v_account  uuid;
    v_prospect record;
    v_there    send_queue;
    v_refused  text;
    v_contacted text;
    v_elsewhere record;
begin
    v_wrong := send_check_message(send_enqueue.channel, send_enqueue.recipient, send_enqueue.message,
        send_enqueue.payload, send_enqueue.scheduled_for, send_enqueue.expires_at, v_at);
    if v_wrong is null and send_enqueue.priority not between -32768 and 32767 then
        v_wrong := 'The priority is out of range: use -32768 to 32767, lower goes first.';
    end if;
    if v_wrong is not null then
        raise exception '%', v_wrong using errcode = 'SQ002';
    end if;
    v_found := send_campaign_named(send_enqueue.campaign, send_enqueue.workspace, send_bound_workspaces());
    select c.* into v_campaign from send_campaigns c where c.id = v_found;
    if v_campaign.status = 'done' then
        raise exception 'The campaign % is done: resume it with `send-queue resume campaign %`, or use another.',
            quote_literal(v_campaign.name), quote_literal(v_campaign.name) using errcode = 'SQ006';
    end if;

    if v_key is not null then -- before any lock or new row
        select q.* into v_there from send_queue q
        where q.workspace_id = v_campaign.workspace_id and q.dedupe_key = v_key;
    end if;
    if v_there.id is null then
        if send_enqueue.account is not null then
            v_account := send_find('account', send_enqueue.account,
                (select w.name from send_workspaces w where w.id = v_campaign.workspace_id));
        end if;
        v_found := coalesce(send_enqueue.prospect,
            send_prospect_of(v_campaign.workspace_id, send_enqueue.channel, btrim(send_enqueue.recipient)));
        select p.* into v_prospect from send_prospects p where p.id = v_found;
        if not v_prospect.accounts ? send_enqueue.channel then
            -- Of two concurrent first messages, the second waits, and takes the first one's account.
            select p.* into v_prospect from send_prospects p where p.id = v_found for no key update;
        end if;
        if send_enqueue.prospect is not null and v_prospect.workspace_id is distinct from v_campaign.workspace_id then
            raise exception 'There is no prospect % in the workspace of the campaign %: give the id of one there, or '
                'none.',
                send_enqueue.prospect, quote_literal(v_campaign.name) using errcode = 'SQ005';
        end if;
        v_account := send_account_for(v_campaign.id, send_enqueue.channel, v_account, v_prospect.account_id,
            v_prospect.accounts);
        if not v_prospect.accounts ? send_enqueue.channel then
            perform send_know_account(v_prospect.id, send_enqueue.channel, v_account);
        end if;

        v_refused := send_suppressed(v_campaign.workspace_id, send_enqueue.channel, send_enqueue.recipient);
        if v_refused is null then
            v_contacted := send_contacted(v_campaign.workspace_id, v_campaign.id, send_enqueue.channel,
                send_enqueue.recipient, v_prospect.id, coalesce(v_campaign.skip_contacted, (select w.skip_contacted
                    from send_workspaces w where w.id = v_campaign.workspace_id)), v_at);
        end if;
        insert into send_queue as q (workspace_id, campaign_id, account_id, channel, prospect_id, recipient, subject,
            message, payload, priority, scheduled_for, expires_at, dedupe_key, created_at, updated_at, status,
            error_code, error_message)
        values (v_campaign.workspace_id, v_campaign.id, v_account, send_enqueue.channel, v_prospect.id,
            btrim(send_enqueue.recipient), send_enqueue.subject, send_enqueue.message,
            coalesce(send_enqueue.payload, '{}'), coalesce(send_enqueue.priority, 100),
            coalesce(send_enqueue.scheduled_for, v_at), send_enqueue.expires_at, v_key, v_at, v_at,
            case when coalesce(v_refused, v_contacted) is null then 'pending' else 'skipped' end,
            case when v_refused is not null then 'suppressed' when v_contacted is not null then 'contacted' end,
            coalesce(v_refused, v_contacted))
        on conflict (workspace_id, dedupe_key) where dedupe_key is not null do nothing
        returning q.id, true into id, created;
        if found then
            if v_refused is not null then
                raise notice '% is suppressed, so the message is stored as skipped. %',
                    quote_literal(btrim(send_enqueue.recipient)), v_refused using errcode = 'SQ003';
            elsif v_contacted is not null then
                raise notice '% was contacted, so the message is stored as skipped. %',
                    quote_literal(btrim(send_enqueue.recipient)), v_contacted using errcode = 'SQ003';
            end if;
            select q.id, q.status, c.name into v_elsewhere from (
                select * from send_queue o
                where o.prospect_id = v_prospect.id and o.campaign_id <> v_campaign.id
                  and o.status in ('pending', 'sending', 'sent', 'uncertain') limit 1) q
            join send_campaigns c on c.id = q.campaign_id
            where v_refused is null and v_contacted is null;
            if v_elsewhere.id is not null then
                raise notice '% is in the campaign % of this workspace too (send %, %): cancel one of them if both are not '
                    'meant.', quote_literal(btrim(send_enqueue.recipient)), quote_literal(v_elsewhere.name),
                    v_elsewhere.id, v_elsewhere.status using errcode = 'SQ003';
            end if;
            -- Search by the key that an import gives: no index finds other sends.
            select q.* into v_there from send_queue q
            where v_key is null and q.workspace_id = v_campaign.workspace_id
              and q.dedupe_key = concat_ws(':', v_campaign.name, send_enqueue.channel,
                  case when v_prospect.id is null then btrim(send_enqueue.recipient)
                       else send_normal_recipient(send_enqueue.recipient) end);
            if v_there.id is not null then
                raise notice '% has % of the campaign % already (send %, %), and this is one more: cancel it if it is '
                    'not meant, and give a dedupe key to have a message stored once.', quote_literal(v_there.recipient),
                    case when v_there.channel in ('email', 'sms') then 'an ' else 'a ' end || v_there.channel,
                    quote_literal(v_campaign.name), v_there.id, v_there.status using errcode = 'SQ003';
            end if;
            return next;
            return;
        end if;
        select q.* into v_there from send_queue q
        where q.workspace_id = v_campaign.workspace_id and q.dedupe_key = v_key;
        if v_there.id is null then
            raise exception 'Nothing was stored: a trigger of yours on send_queue drops the new row; make it return '
                'new, or drop it.' using errcode = 'SQ006';
        end if;
    end if;

    if (v_there.campaign_id, v_there.channel, send_normal_recipient(v_there.recipient), v_there.message) is distinct from
       (v_campaign.id, send_enqueue.channel, send_normal_recipient(send_enqueue.recipient), send_enqueue.message) then
        raise warning 'The dedupe key % is there already, with other content (send %): use another key to send this '
            'too.', quote_literal(v_key), v_there.id using errcode = 'SQ004';
    end if;
    return query select v_there.id, false;
end
$$;
