-- Note the database as the last step of `migrate`, unless it is a copy with sends or tokens in it, which only a person
-- may adopt (send_adopt). It is noted anew after pg_upgrade, and if it is an empty copy: that has nothing to send
-- twice, and no token of the original's to use up.
create or replace function send_note_migrated() returns void language plpgsql as $$
begin
    if send_is_copy() then
        if not exists (select from send_database where noted_at is null) -- the initial state of its migration
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
