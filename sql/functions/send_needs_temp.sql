-- Refuse a role that cannot create temporary tables, which imports and simulations need.
create or replace function send_needs_temp() returns void language plpgsql stable as $$
begin
    if not has_database_privilege(current_database(), 'temporary') then
        raise exception 'The role % cannot create temporary tables, which this needs: run `grant temporary on database % to '
            '%` as the owner of the database.', current_user, quote_ident(current_database()), quote_ident(current_user)
            using errcode = 'SQ008';
    end if;
end
$$;
