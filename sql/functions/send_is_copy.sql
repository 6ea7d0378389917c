-- Whether this database is a copy of the one that was noted (send_note_database): restored from a dump, made from a
-- template, or filled by replication. One that was never noted is taken for a copy too.
--
-- The note is this database's own while it names the database and its cluster, and its row is still where it was written:
-- in the same table, by the same transaction. A dump that is restored in place has the right names in a new row. Only
-- pg_upgrade moves rows as they are into a cluster with another system identifier, and it brings a newer server (it keeps
-- the oids of databases since Postgres 15).
--
-- With its owner's rights (send_tasks): it sees what the owner saw who noted it. Its look at one row is no matter for an index, which
-- the settings of send_claim would have it look for.
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
