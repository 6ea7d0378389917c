-- Refuse, in words, where the role may make no temporary tables: importing and playing forward want some.
create or replace function send_needs_temp() returns void language plpgsql stable as $$
begin
    if not has_database_privilege(current_database(), 'temporary') then
        raise exception 'The role % may make no temporary tables, which this needs: run `grant temporary on database % to '
            '%` as the owner of the database.', current_user, quote_ident(current_database()), quote_ident(current_user)
            using errcode = 'SQ008';
    end if;
end
$$;
