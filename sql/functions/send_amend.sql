-- Correct waiting sends: texts, moment, priority or account. Returns how many changed; others stay.
--
-- changes   [{id, message, subject}], null: keep the text; a few thousand at most
-- others    null: keep. A new moment ends a place kept by quiet hours
--
-- Raises SQ002, with the id, for a text or a moment that enqueue would refuse.
create or replace function send_amend(changes jsonb, scheduled_for timestamptz default null, priority int default null,
    account_id uuid default null, at timestamptz default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at  timestamptz := coalesce(send_amend.at, clock_timestamp());
    v_ids uuid[] := array(select c.id from jsonb_to_recordset(changes) c (id uuid));
    v_odd record;
    v_n   int;
begin
    perform from send_queue q where q.id = any (v_ids)
    order by q.account_id, q.channel, q.id for no key update; -- in the order of send_record
    select q.id, said into v_odd
    from jsonb_to_recordset(changes) c (id uuid, message text)
    cross join lateral (select * from send_queue q where q.id = c.id limit 1) q
    cross join lateral send_check_message(q.channel, q.recipient, coalesce(c.message, q.message), q.payload,
        coalesce(send_amend.scheduled_for, q.scheduled_for),
        case when send_amend.scheduled_for is not null then q.expires_at end, v_at) said
    where said is not null limit 1;
    if found then
        raise exception 'Send %: % Nothing was changed.', v_odd.id, v_odd.said using errcode = 'SQ002';
    end if;
    update send_queue q
    set message = coalesce(c.message, q.message), subject = coalesce(c.subject, q.subject),
        scheduled_for = coalesce(send_amend.scheduled_for, q.scheduled_for),
        place = case when send_amend.scheduled_for is null then q.place end,
        priority = coalesce(send_amend.priority, q.priority::int)::smallint,
        account_id = coalesce(send_amend.account_id, q.account_id), updated_at = v_at
    from jsonb_to_recordset(changes) c (id uuid, message text, subject text)
    where q.id = c.id and q.status = 'pending';
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
