-- A person's word, or a provider's, on a send that is in doubt: it went out, or it did not.
-- Went out: the row is sent. Did not: it is pending again, and what it had taken from the caps is given back.
-- Returns the status that the row has afterwards; refuses a row that is not in doubt.
create or replace function send_settle(id uuid, sent boolean, provider_message_id text default null,
    at timestamptz default null)
returns text language plpgsql as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_settle.at, clock_timestamp());
    v_send    record;
    v_attempt record;
begin
    select q.* into v_send from send_queue q where q.id = send_settle.id;
    if not found then
        raise exception 'There is no send %: see which there are with `send-queue list`.', send_settle.id
            using errcode = 'SQ002';
    end if;
    if not send_settle.sent then -- something is given back; a late result that settles holds its row, and needs no lane
        perform from send_lanes l
        where l.account_id = v_send.account_id and l.channel = v_send.channel for no key update;
    end if;
    select q.* into v_send from send_queue q where q.id = send_settle.id for no key update;
    if v_send.status <> 'uncertain' then
        raise exception 'Send % is %, not uncertain: there is nothing to settle; see `send-queue explain %`.',
            send_settle.id, v_send.status, send_settle.id using errcode = 'SQ002';
    end if;
    for v_attempt in
        update send_attempts b
        set outcome = case when send_settle.sent then 'sent' else 'released' end,
            provider_message_id = coalesce(send_settle.provider_message_id, b.provider_message_id)
        where b.send_id = v_send.id and b.outcome = 'uncertain'
          and (not send_settle.sent or b.number = (
              select max(o.number) from send_attempts o where o.send_id = v_send.id and o.outcome = 'uncertain'))
        returning b.day
    loop
        if not send_settle.sent then
            perform send_give_back(v_send.account_id, v_send.channel, v_attempt.day);
        end if;
    end loop;
    update send_queue q
    set status = case when send_settle.sent then 'sent' else 'pending' end, updated_at = v_at,
        sent_at = case when send_settle.sent then v_at end,
        provider_message_id = case when send_settle.sent then coalesce(
            send_message_name(q.account_id, q.channel, send_settle.provider_message_id, q.id),
            q.provider_message_id) end,
        error_code = null, error_message = null
    where q.id = v_send.id;
    if not send_settle.sent then
        perform send_wake(array[v_send.account_id]);
    end if;
    if send_settle.sent and v_send.channel = 'linkedin_invite' then
        update send_prospects p
        set status = 'connection_request_sent', follow_up_due_at = v_at + c.follow_up_after
        from send_campaigns c where p.id = v_send.prospect_id and c.id = v_send.campaign_id;
    end if;
    return case when send_settle.sent then 'sent' else 'pending' end;
end
$$;
