-- What `migrate` itself needs: it runs this first, each time, and works in one transaction to the end. One migrates at
-- a time in this schema. The lock ends with the transaction: a session's would be lost behind pgbouncer.
select pg_advisory_xact_lock(hashtextextended('send-queue migrate ' || current_schema()::text, 0));

-- Functions may be created before what they call; migrate checks their bodies when all of them are there.
set local check_function_bodies = off;

-- Files are read as they are written, whatever the role's settings are.
set local standard_conforming_strings = on;

create table if not exists send_migrations (
    version int constraint a_version_is_applied_once primary key,
    name text not null,
    digest text not null, -- sha256 of the file
    applied_at timestamptz not null default now()
);

-- The functions and views as they were last installed: what has another digest now is run again.
create table if not exists send_definitions (
    kind text not null constraint a_definition_is_a_function_or_a_view check (kind in ('function', 'view')),
    name text not null,
    digest text not null, -- sha256 of the file
    applied_at timestamptz not null default now(),
    constraint a_definition_is_installed_once primary key (kind, name)
);
