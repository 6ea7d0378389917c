-- See to it, until the end of the transaction, that temporary tables are found before the tables whose names they have:
-- where the search path puts them last, what is played on copies would be played on the queue itself.
create or replace function send_prepare_copies() returns void language plpgsql as $$
begin
    perform send_needs_temp();
    perform set_config('search_path', (
        select string_agg(quote_ident(s.name), ', ' order by s.nth)
        from unnest(current_schemas(false)) with ordinality s (name, nth) where not s.name::text ^@ 'pg_temp'), true);
end
$$;
