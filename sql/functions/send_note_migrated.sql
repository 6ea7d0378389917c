-- What `migrate` does last: note the database, unless it is a copy with something in it, which only a person may adopt
-- (send_adopt). It is noted anew after pg_upgrade, and where the copy of an empty queue begins a life of its own: nothing
-- waits there, nothing was sent, and no token can be used up that belongs to the original.
create or replace function send_note_migrated() returns void language plpgsql as $$
begin
    if send_is_copy() then
        if not exists (select from send_database where noted_at is null) -- as its migration leaves it
           and (exists (select from send_queue) or exists (select from send_tokens)) then
            return;
        end if;
    elsif exists (select from send_database d join send_identity() i
                      on i.system_identifier is not distinct from d.system_identifier) then
        return;
    end if;
    perform send_note_database();
end
$$;
