-- How many other connections of ours have a transaction open just now: none may have while a provider is being called.
create or replace function send_open_transactions() returns int language sql as $$
    select count(*)::int from pg_stat_activity s
    where s.datname = current_database() and s.pid <> pg_backend_pid() and s.application_name = 'send-queue'
      and s.xact_start is not null
$$;
