-- Mark an attempt in doubt, and its row, as sent. Capacity that was given back is used again, so only a caller that
-- holds the lane may name a released attempt. The caller holds the row.
create or replace function send_mark_sent(attempt_id uuid, provider_message_id text, at timestamptz)
returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_attempt record;
begin
    select b.* into v_attempt from send_attempts b where b.id = attempt_id for no key update;
    if v_attempt.outcome not in ('sent', 'uncertain') then
        insert into send_usage as u (account_id, channel, day, used, rehearsed)
        values (v_attempt.account_id, v_attempt.channel, v_attempt.day, 1, v_attempt.rehearsed::int)
        on conflict (account_id, channel, day) do update
        set used = u.used + 1, rehearsed = u.rehearsed + excluded.rehearsed;
    end if;
    update send_attempts b
    set outcome = 'sent', finished_at = coalesce(b.finished_at, send_mark_sent.at),
        provider_message_id = coalesce(send_mark_sent.provider_message_id, b.provider_message_id)
    where b.id = v_attempt.id;
    update send_queue q
    set status = 'sent', sent_at = send_mark_sent.at, updated_at = send_mark_sent.at, look_up_at = null,
        error_code = null, error_message = null
    where q.id = v_attempt.send_id and q.status not in ('sent', 'sending');
    if found then
        perform send_set_message_id(v_attempt.send_id, send_mark_sent.provider_message_id);
        perform send_after_sent(v_attempt.send_id, send_mark_sent.at);
    end if;
end
$$;
