-- What monitoring reads, whom to notify, who gets in, and which database this is.

-- The last run of each command with its filters, and how many there were. Few rows, by command and not by host: a pod's
-- name is a new one each time.
create table send_runs (
    command     text not null,
    filters     text not null default '', -- 'account=anna channel=email'; empty: everything
    worker      text not null,
    began_at    timestamptz not null,
    finished_at timestamptz not null,
    sent        int not null, -- of the last run
    processed   int not null,
    runs        bigint not null default 1, -- of all
    seconds     float8 not null,
    primary key (command, filters),
    constraint run_begins_before_it_finishes check (began_at <= finished_at),
    constraint counts_are_not_negative check (sent >= 0 and processed >= 0 and runs > 0 and seconds >= 0)
) with (fillfactor = 50);

-- How many attempts have come to which outcome since the meter was made: a counter of Prometheus never falls, so this
-- one follows neither deleted rows nor an outcome that changes later.
create table send_meter (
    account_id uuid not null references send_accounts on delete cascade,
    channel    text not null,
    outcome    text not null,
    attempts   bigint not null,
    primary key (account_id, channel, outcome)
);
-- One row: the meter has all attempts before this one, in the order of their ids.
create table send_meter_mark (
    counted_to uuid not null,
    only_one   boolean primary key default true,
    constraint there_is_one_mark check (only_one)
);
insert into send_meter_mark (counted_to) values (send_uuid());

-- One kind of event of a workspace, and one address that is told of it. The message is a row of the queue itself.
create table send_notifications (
    id           uuid primary key default send_uuid(),
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null, -- sends it; its secret_env may name the variable that holds a secret address
    recipient    text not null,
    event        text not null,
    every        interval not null default '15 minutes',
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null,
    told_at      timestamptz,
    -- Seen at the last look: disconnected accounts, or campaigns with waiting rows; or, of failed and uncertain rows,
    -- those of the last seconds, since a row may commit later than its moment says.
    known        uuid[] not null default '{}',
    constraint account_tells_for_the_campaign foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id),
    constraint told_once_at_an_address unique (account_id, recipient, event),
    constraint event_is_known check (event in ('failed', 'uncertain', 'disconnected', 'finished')),
    constraint recipient_is_not_empty check (recipient <> ''),
    constraint every_is_a_minute_or_more check (every between interval '1 minute' and interval '31 days')
);

-- Only the owner and the roles that `migrate --grant-…` named get in (send_close). Named roles are stored here
-- and not read from their rights: a server's default privileges may give those to anybody.
create table send_grants (
    role         text not null,
    role_oid     oid not null, -- so that a renamed role is found again
    task         text not null constraint task_is_known check (task in ('work', 'enqueue', 'read')),
    -- Null: all. Nobody deletes a workspace to which a grant is bound: its role would see the others then.
    workspace_id uuid constraint grant_of_a_workspace references send_workspaces,
    granted_at   timestamptz not null default now(),
    constraint role_has_a_task_once primary key (role, task),
    constraint only_enqueue_is_bound_to_a_workspace check (workspace_id is null or task = 'enqueue')
);

-- A copy of a database never sends by itself. This note says which database the queue is in: neither a dump nor a
-- template carries along the identities of database and cluster (send_identity), and no dump the place of the row. Rows
-- that are copied beside a note make two, of which one does not fit: so there is no key.
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
