-- A prospect is one person of a workspace, found by the key of any of their addresses.
create table send_prospects (
    id               uuid primary key default send_uuid(),
    workspace_id     uuid not null references send_workspaces,
    name             text,
    first_name       text,
    last_name        text,
    company          text,
    linkedin_user_id text,
    email            text,
    phone            text,
    timezone         text,
    attributes       jsonb not null default '{}',
    status           text,
    follow_up_due_at timestamptz,
    account_id       uuid, -- the account that first wrote to them, by whatever channel
    accounts         jsonb not null default '{}', -- {channel: id of the account that first wrote to them by it}
    created_at       timestamptz not null default now(),
    constraint prospect_keeps_an_account_of_its_workspace foreign key (workspace_id, account_id)
        references send_accounts (workspace_id, id),
    constraint attributes_are_an_object check (jsonb_typeof(attributes) = 'object'),
    constraint accounts_are_an_object check (jsonb_typeof(accounts) = 'object'),
    constraint follow_up_is_in_the_calendar check (
        follow_up_due_at >= '0002-01-01 00:00+00' and follow_up_due_at < '9999-01-01 00:00+00')
);
-- One person is one row; enqueue finds the prospect of a recipient by these.
create unique index prospect_by_linkedin on send_prospects (workspace_id, linkedin_user_id)
    where linkedin_user_id is not null;
create unique index prospect_by_email on send_prospects (workspace_id, lower(email)) where email is not null;
create unique index prospect_by_phone on send_prospects (workspace_id, phone) where phone is not null;
-- The key finds a person by any spelling. Not unique: one row may turn out to be the person of another.
create index send_prospects_linkedin on send_prospects (workspace_id, send_normal_recipient(linkedin_user_id))
    where linkedin_user_id is not null;
create index send_prospects_email on send_prospects (workspace_id, send_normal_recipient(email))
    where email is not null;
create index send_prospects_phone on send_prospects (workspace_id, send_normal_recipient(phone))
    where phone is not null;
create index prospects_to_follow_up on send_prospects (follow_up_due_at) where follow_up_due_at is not null;

-- People who get no messages any more: they said so, or their address does not exist. However they come in (the
-- command, a provider's answer, an INSERT by hand), triggers skip the rows that wait for them (send_on_suppression).
create table send_suppressions (
    id           uuid primary key default send_uuid(),
    workspace_id uuid not null references send_workspaces,
    channel      text, -- null: all of them
    recipient    text not null,
    reason       text not null,
    since        timestamptz not null default now(),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint recipient_is_not_empty check (recipient <> ''),
    constraint recipient_is_normal check (recipient = send_normal_recipient(recipient)),
    constraint suppression_has_a_reason check (reason <> ''),
    constraint since_is_in_the_calendar check (since >= '0002-01-01 00:00+00' and since < '9999-01-01 00:00+00')
);
-- The claim asks it for each row that it takes; and nobody is suppressed twice.
create unique index recipient_is_suppressed_once on send_suppressions (workspace_id, recipient, coalesce(channel, ''));
