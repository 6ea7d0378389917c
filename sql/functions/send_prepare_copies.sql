-- Make temporary tables shadow the real ones until the end of the transaction: with pg_temp last in the search path, a
-- simulation would write into the queue itself.
create or replace function send_prepare_copies() returns void language plpgsql as $$
begin
    perform send_needs_temp();
    perform set_config('search_path', (
        select string_agg(quote_ident(s.name), ', ' order by s.nth)
        from unnest(current_schemas(false)) with ordinality s (name, nth) where not s.name::text ^@ 'pg_temp'), true);
end
$$;
