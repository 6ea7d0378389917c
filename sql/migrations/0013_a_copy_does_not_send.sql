-- A copy of a database never sends by itself.
--
-- The note says which database the queue is in: neither a dump nor a template carries along the identities of database
-- and cluster (send_identity), and no dump the place of the row itself. Rows that are copied beside a note make two, of
-- which one does not fit: so there is no key. Where there is none, replication needs the whole row.
create table send_database (
    database_oid      oid,
    system_identifier bigint, -- of the cluster; null where the server kept it from the owner
    server_major      int,    -- 15 of Postgres 15.4
    table_oid         oid,    -- the table of this row, when it was written
    written_by        xid,    -- the transaction that wrote it
    noted_at          timestamptz
);
alter table send_database replica identity full;
-- `migrate` notes the database at its end; a dump never has this row.
insert into send_database default values;

-- Set only of an attempt that stands for the sends of another copy of this database: a send began then at the earliest.
alter table send_attempts add column may_have_begun_at timestamptz;
