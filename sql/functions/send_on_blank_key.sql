-- Store a blank dedupe key as null: an empty form field or column must not merge many messages into one.
create or replace function send_on_blank_key() returns trigger language plpgsql as $$
begin
    new.dedupe_key := null;
    return new;
end
$$;

create or replace trigger blank_key_is_none before insert or update of dedupe_key on send_queue for each row
when (new.dedupe_key !~ '[^[:space:]]') execute function send_on_blank_key();
