-- What monitoring reads and whom to tell: the last runs, a meter of attempts, and notifications.

-- The last run of each command with its filters, and how many there were. Few rows, written over at the end of each
-- run: by what was run, not by the host, for a pod's name is a new one each time.
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

-- How many attempts have come to which end since the meter was put in: what a counter of Prometheus needs, which may
-- never go down, and so neither looks at rows that are deleted later nor follows an outcome that changes later.
create table send_meter (
    account_id uuid not null references send_accounts on delete cascade,
    channel    text not null,
    outcome    text not null,
    attempts   bigint not null,
    primary key (account_id, channel, outcome)
);
-- Attempts before this one, in the order of their ids, are in the meter. One row.
create table send_meter_mark (
    counted_to uuid not null,
    only_one   boolean primary key default true,
    constraint there_is_one_mark check (only_one)
);
insert into send_meter_mark (counted_to) values (send_uuid());

-- Whom to tell of what: one kind of event of a workspace, and one address. The message is a row of the queue itself.
create table send_notifications (
    id           uuid primary key default send_uuid(),
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null, -- which sends it; its secret_env names the variable that has an address that is a secret
    recipient    text not null,
    event        text not null,
    every        interval not null default '15 minutes',
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null,
    told_at      timestamptz,
    -- What was there at the last look: accounts that were disconnected, campaigns with rows that waited; or, of failed
    -- and uncertain rows, those of the last seconds: a row is seen when it commits, which may be after it was written.
    known        uuid[] not null default '{}',
    constraint account_tells_for_the_campaign foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id),
    constraint told_once_at_an_address unique (account_id, recipient, event),
    constraint event_is_known check (event in ('failed', 'uncertain', 'disconnected', 'finished')),
    constraint recipient_is_not_empty check (recipient <> ''),
    constraint every_is_a_minute_or_more check (every between interval '1 minute' and interval '31 days')
);
-- A notification looks for accounts that need somebody.
create index accounts_disconnected on send_accounts (workspace_id) where status = 'disconnected';
