-- Note rows and lanes as they were before a rehearsal (send_rehearse) changed them; the first note stays. The writer
-- holds the row or lane, so no note waits.
create or replace function send_on_rehearsal() returns trigger language plpgsql as $$
#variable_conflict use_column
begin
    if tg_table_name = 'send_queue' then
        insert into send_rehearsed_rows as r
            (send_id, account_id, channel, status, scheduled_for, place, attempts, sent_at, provider_message_id,
             error_code, error_message, look_up_at, look_ups, absent_since, repeat_by, updated_at, left_at, left_for)
        values (old.id, old.account_id, old.channel, old.status, old.scheduled_for, old.place, old.attempts,
            old.sent_at, old.provider_message_id, old.error_code, old.error_message, old.look_up_at, old.look_ups,
            old.absent_since, old.repeat_by, old.updated_at, new.updated_at, new.scheduled_for)
        on conflict (send_id) do update set left_at = excluded.left_at, left_for = excluded.left_for;
    else
        insert into send_rehearsed_lanes as r
            (account_id, channel, rehearsed_at, next_at, next_at_reason, next_at_detail, consecutive_holds, turns,
             served_at, campaign_turns)
        values (old.account_id, old.channel, current_setting('send_queue.rehearsed_at')::timestamptz, old.next_at,
            old.next_at_reason, old.next_at_detail, old.consecutive_holds, old.turns, old.served_at, (
                select jsonb_object_agg(t.campaign_id, t.turn) from send_turns t
                where t.account_id = old.account_id and t.channel = old.channel))
        on conflict (account_id, channel) do update set rehearsed_at = greatest(r.rehearsed_at, excluded.rehearsed_at);
    end if;
    return null;
end
$$;

create or replace trigger rehearsed_rows_are_noted after update on send_queue for each row
when (current_setting('send_queue.rehearsed_at', true) <> '') execute function send_on_rehearsal();

create or replace trigger rehearsed_lanes_are_noted after update on send_lanes for each row
when (current_setting('send_queue.rehearsed_at', true) <> '') execute function send_on_rehearsal();
