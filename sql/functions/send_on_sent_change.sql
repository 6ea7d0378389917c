-- Refuse to change the status of a sent row: no second send, by hand either.
create or replace function send_on_sent_change() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('send_queue.undoing', true), '') = 'on' then
        return new; -- undoing a rehearsal (send_end_rehearsal)
    end if;
    raise exception 'Send % was sent at %: it cannot become % again; enqueue a new message instead.', old.id,
        old.sent_at, new.status using errcode = 'SQ006';
end
$$;

create or replace trigger sent_is_final before update of status on send_queue for each row
when (old.status = 'sent' and new.status <> 'sent') execute function send_on_sent_change();
