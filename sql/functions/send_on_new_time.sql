-- Clear the place of a deferred row when it gets another time: it must not go before others by its old time.
create or replace function send_on_new_time() returns trigger language plpgsql as $$
begin
    new.place := null;
    return new;
end
$$;

create or replace trigger new_time_is_a_new_place before update of scheduled_for on send_queue for each row
when (new.place = old.place and new.scheduled_for <> old.scheduled_for) execute function send_on_new_time();
