-- Count our other connections with an open transaction: none may have one during a provider's call.
create or replace function send_open_transactions() returns int language sql as $$
    select count(*)::int from pg_stat_activity s
    where s.datname = current_database() and s.pid <> pg_backend_pid() and s.application_name = 'send-queue'
      and s.xact_start is not null
$$;
