-- Give a function of ours its owner's rights, so that a role may be let in that sees no table (send_grant). Nobody else
-- may call it, and its names are looked up in its own schema only. (A loop: for a moment the one that it replaces may
-- be there.)
create or replace function send_as_owner(function text) returns void language plpgsql as $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = current_schema() and p.proname = send_as_owner.function
    loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', v_function,
            current_schema());
        execute format('revoke all on function %s from public', v_function);
    end loop;
end
$$;
