-- The queue: a row is one message to one recipient. Every try to send it is a row of send_attempts, written before the
-- try, so that a send that may have gone out is never forgotten; send_usage tallies tries by day in the same
-- transaction.
create table send_queue (
    id                  uuid primary key default send_uuid(),
    workspace_id        uuid not null,
    campaign_id         uuid not null,
    account_id          uuid not null,
    channel             text not null,
    prospect_id         uuid references send_prospects,
    recipient           text not null,
    subject             text,
    message             text not null,
    payload             jsonb not null default '{}',
    priority            smallint not null default 100,
    scheduled_for       timestamptz not null default now(),
    -- Quiet hours put the row off: its scheduled_for before, and again once the recipient's morning has come.
    place               timestamptz,
    expires_at          timestamptz,
    dedupe_key          text,
    status              text not null default 'pending',
    attempts            int not null default 0,
    claimed_by          text,
    lease_expires_at    timestamptz,
    attempt_id          uuid, -- the current attempt: results of any other come too late
    sent_at             timestamptz,
    provider_message_id text,
    error_code          text,
    error_message       text,
    -- While it is uncertain:
    look_up_at          timestamptz, -- the next look-up; null: none any more
    look_ups            smallint not null default 0, -- without a definite answer
    absent_since        timestamptz, -- the provider has been saying since then that the send is not there
    -- A provider that knows a send again (an idempotency key) does so for a time: a repeat after it might go out twice.
    -- Null: it knows the send for ever, or the row is no repeat.
    repeat_by           timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    -- One look keeps three rules: the campaign and the account exist, in one workspace, and belong together.
    constraint account_sends_for_the_campaign foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id),
    constraint lane_exists foreign key (account_id, channel) references send_lanes,
    constraint status_is_known check (status in ('pending', 'sending', 'sent', 'failed', 'skipped', 'uncertain')),
    constraint sending_has_a_lease check ((status = 'sending') = (lease_expires_at is not null)
        and (status = 'sending') = (claimed_by is not null)),
    -- So two attempts are never current at once.
    constraint sending_has_one_attempt check ((status = 'sending') = (attempt_id is not null)),
    constraint sent_has_a_moment check ((status = 'sent') = (sent_at is not null)),
    constraint skipped_has_a_reason check (status <> 'skipped' or error_code is not null),
    constraint recipient_is_not_empty check (recipient <> ''),
    -- Unipile, POST /users/invite: the note has at most 300 characters.
    constraint invitation_fits_300_characters check (channel <> 'linkedin_invite' or char_length(message) <= 300),
    constraint payload_is_an_object check (jsonb_typeof(payload) = 'object'),
    constraint attempts_are_not_negative check (attempts >= 0),
    -- No client can show infinity, or a year that its language does not have.
    constraint moments_are_before_the_year_9999
        check (scheduled_for < '9999-01-01 00:00+00' and expires_at < '9999-01-01 00:00+00'),
    constraint moments_are_after_the_year_1
        check (scheduled_for >= '0002-01-01 00:00+00' and expires_at >= '0002-01-01 00:00+00'),
    constraint what_was_is_in_the_calendar check (
        least(created_at, updated_at, sent_at) >= '0002-01-01 00:00+00'
        and greatest(created_at, updated_at, sent_at) < '9999-01-01 00:00+00')
-- Rows come and go fast: clean up by share of the table, early, and without pauses.
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05);
-- The claim index: the due rows of a lane's campaign in the order in which they go. `doctor` checks that it is there.
create index send_queue_claim on send_queue (account_id, channel, campaign_id, priority, scheduled_for, id)
    where status = 'pending';
-- Whether a lane's campaign has anything due, whatever the priority: without it, a claim would step over a hundred
-- thousand more urgent follow-ups of next week, one by one, in the index above.
create index send_queue_due on send_queue (account_id, channel, campaign_id, scheduled_for) where status = 'pending';
-- The claim: rows of a lane whose morning has come.
create index send_queue_asleep on send_queue (account_id, channel, scheduled_for)
    where status = 'pending' and place is not null;
-- The next rows by time, for people; the earliest due row, for a run that says why it waits.
create index send_queue_next on send_queue (scheduled_for) where status = 'pending';
-- The sweep of expired rows.
create index send_queue_expiry on send_queue (expires_at) where status = 'pending' and expires_at is not null;
-- A lane's sends in flight; and those of dead runs, by their lease.
create index send_queue_in_flight on send_queue (account_id, channel, lease_expires_at) where status = 'sending';
-- Rows that need a person.
create index send_queue_trouble on send_queue (status, updated_at) where status in ('failed', 'uncertain');
-- The next look-up.
create index send_queue_look_up on send_queue (look_up_at) where status = 'uncertain' and look_up_at is not null;
-- Final rows by campaign and time: prune walks them from the oldest, people ask for the newest.
create index send_queue_over on send_queue (campaign_id, status, updated_at)
    where status in ('sent', 'failed', 'skipped');
-- `status` counts rows that wait for another try by their reason.
create index send_queue_retrying on send_queue (error_code)
    where status = 'pending' and attempts > 0 and error_code is not null;
-- A new suppression finds the rows that wait.
create index send_queue_recipient on send_queue (workspace_id, send_normal_recipient(recipient))
    where status = 'pending';
-- send_contacted finds people without a prospect (an INSERT makes none) by the key of their address.
create index send_queue_without_prospect on send_queue (workspace_id, send_normal_recipient(recipient))
    where prospect_id is null and status in ('sent', 'sending', 'uncertain')
      and channel in ('email', 'sms', 'linkedin_invite', 'linkedin_message');
-- The foreign key: deleting a prospect would read the whole queue otherwise.
create index send_queue_prospect on send_queue (prospect_id) where prospect_id is not null;
create unique index dedupe_key_is_unique_in_its_workspace on send_queue (workspace_id, dedupe_key)
    where dedupe_key is not null;
create unique index provider_message_is_one_send on send_queue (account_id, channel, provider_message_id)
    where provider_message_id is not null;

create table send_attempts (
    id                  uuid primary key default send_uuid(),
    send_id             uuid not null references send_queue on delete cascade,
    workspace_id        uuid not null,
    account_id          uuid not null,
    channel             text not null,
    number              int not null,
    day                 date not null, -- of started_at in the lane's cap zone: the day of send_usage that it counts in
    started_at          timestamptz not null,
    finished_at         timestamptz,
    outcome             text,
    http_status         int,
    provider_message_id text,
    error_code          text,
    error_message       text,
    worker              text not null,
    may_have_begun_at   timestamptz, -- it stands for sends of another copy of this database: the earliest of them
    rehearsed           boolean not null default false, -- undone by send_end_rehearsal
    constraint attempt_number_is_unique unique (send_id, number),
    constraint attempt_number_is_positive check (number > 0),
    constraint outcome_is_known check
        (outcome in ('sent', 'already_done', 'retry', 'held', 'failed', 'uncertain', 'released')),
    constraint finished_has_an_outcome check ((outcome is null) = (finished_at is null))
-- No index knows the outcome, and half of each page is free: recording it touches no index.
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- Rolling limits count attempts that were or may have been accepted, newest first.
create index attempts_of_an_account on send_attempts (account_id, started_at);
create index attempts_of_a_workspace on send_attempts (workspace_id, started_at);

create table send_usage (
    account_id uuid not null references send_accounts on delete cascade,
    channel    text not null,
    day        date not null,
    used       int not null,
    rehearsed  int not null default 0, -- the part of used that a rehearsal's limits count, and real ones do not
    primary key (account_id, channel, day),
    constraint tally_is_not_negative check (used >= 0),
    constraint rehearsed_is_a_part_of_used check (rehearsed between 0 and greatest(used, 0))
) with (fillfactor = 50);

-- How many rows each campaign, account and channel has in each status, so that nobody counts millions of them. A
-- statement that changes rows adds lines that say by how much; the sum is the count. Lines are only added, so that
-- nobody waits for another's count, and folded together now and then (send_fold_counts). The rows' own foreign keys
-- keep campaigns and accounts: a line checks and locks nothing. Lines of a removed account add up to nothing.
create table send_counts (
    campaign_id uuid not null,
    account_id  uuid not null,
    channel     text not null,
    status      text not null,
    n           bigint not null,
    folded      boolean not null default false -- the sum of earlier lines
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- A fold looks up the sums that it adds to, and only it writes here: a line that is added costs no index.
create index counts_folded on send_counts (campaign_id, account_id, channel, status) where folded;
-- A publication of all tables lets nobody delete from a table without a key otherwise.
alter table send_counts replica identity full;
