-- Return identities of this database that neither a dump nor a template carries: its oid, and the system identifier of
-- its cluster, null if the server hides it from the caller.
create or replace function send_identity(out database_oid oid, out system_identifier bigint)
language plpgsql stable as $$
#variable_conflict use_column
begin
    select d.oid into send_identity.database_oid from pg_database d where d.datname = current_database();
    begin
        select c.system_identifier into send_identity.system_identifier from pg_control_system() c;
    exception when insufficient_privilege or undefined_function or feature_not_supported then
        null; -- a managed server
    end;
end
$$;
