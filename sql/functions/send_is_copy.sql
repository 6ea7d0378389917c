-- Return whether this database is a copy of the noted one (send_note_database): restored from a dump, made from a
-- template, or replicated. A database without a note counts as a copy.
--
-- The note is the database's own if it names the database and its cluster, and its row still stands where it was
-- written: same table, same transaction. A dump restored in place has the right names in a new row. Only pg_upgrade
-- moves rows unchanged into a cluster with another system identifier, and always to a newer server (database oids are
-- kept since Postgres 15).
--
-- Runs with the owner's rights (send_tasks), under which the identity was noted. Sequential scans are on, against the
-- caller's settings (send_claim): the table has one row.
create or replace function send_is_copy() returns boolean language plpgsql stable set enable_seqscan = on as $$
declare
    v_database oid;
    v_cluster  bigint;
begin
    select i.database_oid, i.system_identifier into v_database, v_cluster from send_identity() i;
    return not exists (select from send_database) or exists (
        select from send_database d
        where (d.database_oid, d.table_oid, d.written_by) is distinct from (v_database, d.tableoid, d.xmin)
           or d.system_identifier is distinct from v_cluster
              and d.server_major >= current_setting('server_version_num')::int / 10000);
end
$$;
