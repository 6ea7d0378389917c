-- A row in flight is its run's: by hand it may not become anything else. Its attempt would stay open, and be counted, for
-- ever. Our own functions, which finish the attempt, let go of it in the same statement.
create or replace function send_on_sending_change() returns trigger language plpgsql as $$
begin
    raise exception 'Send % is in flight: wait for its run; if that is dead, set lease_expires_at = now() instead, '
        'and the next run sees to it.', old.id using errcode = 'SQ002';
end
$$;

create or replace trigger sending_is_its_runs before update of status on send_queue for each row
when (old.status = 'sending' and new.status <> 'sending' and new.attempt_id is not null)
execute function send_on_sending_change();
