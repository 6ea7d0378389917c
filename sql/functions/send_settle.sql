-- Settle a send in doubt by a person's word. Sent: the row becomes sent. Not sent: it becomes pending, and all its
-- attempts in doubt give back their use of the caps; a warning says that a look-up was still to come. Returns the new
-- status; refuses a row that is not in doubt.
create or replace function send_settle(id uuid, sent boolean, provider_message_id text default null,
    at timestamptz default null)
returns text language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at   timestamptz := coalesce(send_settle.at, clock_timestamp());
    v_send record;
begin
    select q.* into v_send from send_queue q where q.id = send_settle.id;
    if not found then
        raise exception 'There is no send %: find one with `send-queue list`.', send_settle.id
            using errcode = 'SQ005';
    end if;
    if not send_settle.sent then -- this gives back capacity, which needs the lane; settling as sent does not
        perform send_lock_lanes(array[v_send.account_id], array[v_send.channel], array[v_send.account_id]);
    end if;
    select q.* into v_send from send_queue q where q.id = send_settle.id for no key update;
    if v_send.status <> 'uncertain' then
        raise exception 'Send % is %, not uncertain, and needs no settling: see `send-queue explain %`.',
            send_settle.id, v_send.status, send_settle.id using errcode = 'SQ006';
    end if;
    if send_settle.sent then
        perform send_mark_sent((
            select b.id from send_attempts b where b.send_id = v_send.id and b.outcome = 'uncertain'
            order by b.number desc limit 1), send_settle.provider_message_id, v_at);
        return 'sent';
    end if;
    if v_send.look_up_at is not null then
        raise warning 'Settled before the provider was asked for the last time: if it shows the send after all, '
            '`send-queue cancel %` before the next run.', send_settle.id;
    end if;
    perform send_release(v_send.id, null);
    update send_queue q
    set status = 'pending', updated_at = v_at, error_code = null, error_message = null, look_up_at = null
    where q.id = v_send.id;
    return 'pending';
end
$$;
