-- A row in flight is its run's: by hand it may not become anything else while its attempt is open. The open attempt
-- would stay behind, and a second one cannot be: every claim that met the row would fail.
create or replace function send_on_sending_change() returns trigger language plpgsql as $$
begin
    if exists (select from send_attempts b where b.send_id = old.id and b.outcome is null) then
        raise exception 'Send % is in flight: wait for its run; if that is dead, set lease_expires_at = now() instead, '
            'and the next run sees to it.', old.id using errcode = 'SQ002';
    end if;
    return new;
end
$$;

create or replace trigger sending_is_its_runs before update of status on send_queue for each row
when (old.status = 'sending' and new.status <> 'sending') execute function send_on_sending_change();
