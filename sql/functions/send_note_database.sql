-- Note that the queue lives in this database. Concurrent callers note the same.
create or replace function send_note_database() returns void language plpgsql as $$
begin
    delete from send_database;
    insert into send_database (database_oid, system_identifier, server_major, noted_at)
    select i.database_oid, i.system_identifier, current_setting('server_version_num')::int / 10000, clock_timestamp()
    from send_identity() i;
    update send_database set table_oid = tableoid, written_by = xmin; -- the update's xmin is the insert's
end
$$;
