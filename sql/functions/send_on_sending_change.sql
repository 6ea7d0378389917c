-- Refuse to change the status of a row in flight by hand while its attempt is open: the attempt would stay open, and be
-- counted, for ever. Our own functions finish the attempt first.
create or replace function send_on_sending_change() returns trigger language plpgsql as $$
begin
    if not exists (select from send_attempts b where b.id = old.attempt_id and b.outcome is null) then
        return new;
    end if;
    raise exception 'Send % is in flight: wait for its run; if that is dead, set lease_expires_at = now() instead, '
        'and the next run recovers it.', old.id using errcode = 'SQ006';
end
$$;

create or replace trigger sending_is_its_runs before update of status on send_queue for each row
when (old.status = 'sending' and new.status <> 'sending'
      and (new.attempt_id is not null or new.attempts = old.attempts))
execute function send_on_sending_change();
